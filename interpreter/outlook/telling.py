"""The chances of a policy as a table for people and as JSON for tools."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from interpreter.analysis import show
from interpreter.durations import duration
from interpreter.outlook.advice import HOPELESS, advice, percent
from interpreter.outlook.chances import Chances, Moment, Noticing, Prospect, Share, words

_HEAD = (
    "check",
    "ends healthy ones",
    "notices +1 point",
    "half by",
    "9 in 10 by",
    "notices +10% latency",
    "half by",
    "9 in 10 by",
)
_WIDEST = 44
_TOGETHER = "all together"


def text(found: Chances, traffic: str) -> str:
    """The table and what it comes to. `traffic` says in words what is expected."""
    lines = [f"chances    with {traffic}", ""]
    if found.checks:
        lines += [*_aligned([_HEAD, *_rows(found)]), ""]
    return "\n".join([*lines, *_summary(found)]) + "\n"


# --- the table --------------------------------------------------------------------------------------------------


def _rows(found: Chances) -> Iterator[tuple[str, ...]]:
    """A check is shown with its analyses where the policy has several."""
    several = len({one.analyses for one in found.checks}) > 1
    for one in found.checks:
        name = words(one.check)
        shown = name if len(name) <= _WIDEST else f"{name[: _WIDEST - 1]}…"
        yield (f"{shown} ({', '.join(one.analyses)})" if several else shown, *_cells(one.prospect))
    if found.whole is not None and len(found.checks) > 1:
        yield (_TOGETHER, *_cells(found.whole))


def _cells(seen: Prospect) -> tuple[str, ...]:
    ended = _share(seen.healthy)
    if seen.held.number:
        ended += f", holds {percent(seen.held.value)}"
    return (ended, *_noticed(seen.errors), *_noticed(seen.slower))


def _noticed(seen: Noticing | None) -> tuple[str, str, str]:
    if seen is None:
        return "does not look", "", ""
    if seen.share.number == 0:
        return f"never ({_interval(seen.share)})", "", ""
    return _share(seen.share), _moment(seen.half), _moment(seen.most)


def _share(share: Share) -> str:
    return f"{percent(share.value)} ({_interval(share)})"


def _interval(share: Share) -> str:
    low, high = share.interval
    return f"{percent(low).rstrip('%')}–{percent(high)}"


def _moment(moment: Moment | None) -> str:
    return "never" if moment is None else f"{_requests(moment)} ({_time(moment.ms)})"


def _requests(moment: Moment) -> str:
    return f"{float(f'{moment.requests:.3g}'):,.0f}" if moment.requests >= 10 else show.plain(moment.requests, 2)


def _time(ms: int) -> str:
    unit = 1_000 if ms < 600_000 else 60_000
    return duration(max(unit, round(ms / unit) * unit))


def _aligned(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


# --- what it comes to -------------------------------------------------------------------------------------------


def _summary(found: Chances) -> Iterator[str]:
    if found.whole is not None:
        yield f"healthy    {_healthy(found.whole)}"
        yield from _missed(found.whole)
    for each in advice(found):
        yield f"{each.kind:10} `{each.check}` {each.text}"
    for name in found.left_out:
        yield f"left out   `{name}`: plain numbers cannot be drawn by chance, only requests and latencies"
    for taken in found.assumptions:
        yield f"assumed    {taken}"
    if found.checks:
        yield (
            f"drawn      up to {found.runs:,} rollouts of each kind, from seed {found.seed}; in brackets: 95% "
            "intervals, and times after so many requests to the canary"
        )
    else:
        yield "nothing    no check of this policy counts requests or latencies, so there is nothing to work out"


def _healthy(whole: Prospect) -> str:
    said = f"a healthy release is ended in {_share(whole.healthy)} of cases"
    if whole.held.number:
        said += f", held up for good in {_share(whole.held)}"
    if whole.promoted is not None:
        said += f"; half of them are promoted after {_time(whole.promoted.ms)}"
    return said


def _missed(whole: Prospect) -> Iterator[str]:
    if whole.healthy.value >= HOPELESS:
        yield "missed     next to nothing, for most healthy releases are ended as well"
        return
    for what, seen in (("one more error in 100 requests", whole.errors), ("10% more latency", whole.slower)):
        if seen is not None:
            missed = Share(seen.share.of - seen.share.number, seen.share.of)
            yield f"missed     a release with {what} gets through unnoticed in {_share(missed)} of cases"


# --- JSON -------------------------------------------------------------------------------------------------------


def data(found: Chances, traffic: str) -> dict[str, Any]:
    """The chances as plain JSON data. Shares have how many of how many rollouts, and a 95% interval."""
    return {
        "traffic": traffic,
        "rps": found.service.load,
        "runs": found.runs,
        "seed": found.seed,
        "checks": [
            {"check": words(one.check), "analyses": list(one.analyses), **_prospect(one.prospect)}
            for one in found.checks
        ],
        "together": None if found.whole is None else _prospect(found.whole),
        "advice": [each._asdict() for each in advice(found)],
        "left_out": list(found.left_out),
        "assumptions": list(found.assumptions),
    }


def _prospect(seen: Prospect) -> dict[str, Any]:
    return {
        "healthy_ended": _share_data(seen.healthy),
        "healthy_held": _share_data(seen.held),
        "healthy_promoted_half": _moment_data(seen.promoted),
        "looks_without_data": seen.blank,
        "errors_plus_1_point": _noticing_data(seen.errors),
        "latency_plus_10_percent": _noticing_data(seen.slower),
        "blind": seen.blind,
        "noticed_if_held_longer": _moment_data(seen.patient),
    }


def _noticing_data(seen: Noticing | None) -> dict[str, Any] | None:
    if seen is None:
        return None
    return {"noticed": _share_data(seen.share), "half": _moment_data(seen.half), "nine_in_ten": _moment_data(seen.most)}


def _share_data(share: Share) -> dict[str, Any]:
    low, high = share.interval
    return {"share": share.value, "count": share.number, "of": share.of, "low": low, "high": high}


def _moment_data(moment: Moment | None) -> dict[str, Any] | None:
    return None if moment is None else {"canary_requests": moment.requests, "ms": moment.ms}
