"""Rollouts and runs as tables of plain text, one line each, so that they can be read, searched and cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise

from interpreter.desired import Instant
from interpreter.durations import duration
from interpreter.state import Phase
from rollway.cluster.shown import Place, RunShown, Shown

_HEAD = ("NAME", "PHASE", "STEP", "WEIGHT", "FAILED", "REVISION", "AGE", "WAITING FOR")
_RUN_HEAD = ("RUN", "REVISION", "OUTCOME", "STARTED", "TOOK", "HIGHEST", "FAILED", "REASON")
_WIDEST_STEP = 36
_WIDEST_REASON = 80
_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000))
NOTHING = "–"


def rollouts(found: Iterable[Shown], now: Instant, *, everywhere: bool = False) -> str:
    """All rollouts by namespace and name; the namespace is a column of its own only if there may be several."""
    ordered = sorted(found, key=lambda one: (one.namespace, one.name, one.kind))
    rows = [((one.namespace,) if everywhere else ()) + _row(one, now) for one in ordered]
    head = (("NAMESPACE",) if everywhere else ()) + _HEAD
    return aligned([head, *rows])


def row(one: Shown, now: Instant) -> str:
    """What the table says of one rollout, as a line that stands by itself."""
    return "  ".join(cell for cell in _row(one, now) if cell != NOTHING)


def runs(found: Iterable[RunShown], now: Instant) -> str:
    """The history of one rollout, in the order given."""
    return aligned([_RUN_HEAD, *(_run_row(run, now) for run in found)])


def aligned(rows: Sequence[tuple[str, ...]]) -> str:
    """Columns as wide as they must be, two spaces between them, no trailing spaces."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "".join(f"{line}\n" for line in lines)


def age(then: Instant | None, now: Instant) -> str:
    """How long ago, by the two largest units: `42s`, `5m12s`, `3d4h`."""
    return NOTHING if then is None else length(now - then)


def length(milliseconds: int) -> str:
    """A length of time by its two largest units."""
    rest = max(0, milliseconds)
    for (_, unit), (_, below) in pairwise(_UNITS):
        if rest >= unit:
            return duration(rest // below * below)
    return duration(rest // 1000 * 1000)


def when(at: Instant | None) -> str:
    """A time in full, in UTC, so that it means the same to everybody."""
    return NOTHING if at is None else datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def phase(one: Shown) -> str:
    """The phase, with what holds all of it up."""
    name = "Terminating" if one.deleting else one.phase or "Unknown"
    return f"{name} (suspended)" if one.suspended else name


def failed_checks(failed: int, made: int) -> str:
    """How many checks failed. A call that is refused, or a wait that is too long, may count as one, and is none."""
    if failed <= made:
        return f"{failed} of {made} made"
    return f"{failed}, with what counts as one (a call, a wait); {made} made"


def outcome(run: RunShown) -> str:
    """How a run ended, or how far it is."""
    if not run.number:
        return "the first primary"
    return run.outcome.replace("_", " ") or f"under way ({run.phase or 'Unknown'})"


def _row(one: Shown, now: Instant) -> tuple[str, ...]:
    return (
        one.spoken,
        phase(one),
        _step(one.place),
        f"{one.weight:g}%",
        str(one.failed),
        one.revision or NOTHING,
        age(one.created, now),
        shortened(one.problem or one.reason, _WIDEST_REASON) or NOTHING,
    )


def _step(place: Place | None) -> str:
    if place is None:
        return NOTHING
    if place.pc < 0:
        return place.text or "bringing the canary up"
    return shortened(f"{place.pc + 1} {place.text}".strip(), _WIDEST_STEP)


def _run_row(run: RunShown, now: Instant) -> tuple[str, ...]:
    is_over = run.ended is None and not run.number and run.phase != Phase.INITIALIZING  # run 0 does not say when
    took = NOTHING if run.started is None or is_over else length((run.ended or now) - run.started)
    return (
        str(run.number),
        run.revision or NOTHING,
        outcome(run),
        when(run.started),
        took,
        f"{run.highest:g}%",
        str(run.failed),
        shortened(run.reason, _WIDEST_REASON) or NOTHING,
    )


def shortened(words: str, widest: int) -> str:
    """On one line, no longer than this."""
    line = " ".join(words.split())
    return line if len(line) <= widest else f"{line[: widest - 1]}…"
