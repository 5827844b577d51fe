"""A simulated rollout as text for people and as JSON for tools.

Checks that pass one after another at the same step, or that say nothing, are told in one line, with the values of the
last of them; in the JSON each stands by itself. No colours: the same bytes everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from dsl.ir import Program
from interpreter.checks import told_values
from interpreter.durations import duration
from interpreter.simulator.power import drawn
from interpreter.simulator.scenario import zone
from interpreter.simulator.timeline import Moment, Story
from interpreter.state import CheckRecord, CheckResult, Verdict

_BAR = 10
_MOST_VALUES = 3
_MARKS = {"world": "*", "step": ">"}
_DECISIVE = (Verdict.ABORT, Verdict.FAIL, Verdict.ERROR, Verdict.NO_DATA, Verdict.INCONCLUSIVE)
_WORDS = {
    Verdict.FAIL: "fails",
    Verdict.ABORT: "aborts",
    Verdict.ERROR: "could not be made",
    Verdict.NO_DATA: "has no data",
    Verdict.INCONCLUSIVE: "says nothing yet",
}


class Line(NamedTuple):
    """One line of a timeline."""

    at_ms: int
    mark: str
    weight: float
    canary: str
    text: str


def text(story: Story) -> str:
    """The whole story: what it is about, what was assumed, what happened, how it ended."""
    parts = [*_head(story), "", *_table(list(lines(story.program, story.moments))), "", outcome(story), *why(story)]
    return "\n".join(parts) + "\n"


def _head(story: Story) -> Iterator[str]:
    program, scenario = story.program, story.scenario
    start = datetime.fromtimestamp(scenario.start_ms / 1000, zone(program))
    yield f"{program.name} in {program.namespace}: {scenario.title}, from {start:%a %H:%M} {start.tzname()}"
    if story.chosen:
        yield "chosen: " + ", ".join(f"{each.what} = {each.value}" for each in story.chosen)


def bar(weight: float) -> str:
    """A share of traffic as a bar of ten cells; a share that is not nothing shows."""
    full = round(weight / 100 * _BAR)
    cells = max(full, 1) if weight > 0 else 0
    return "█" * cells + "·" * (_BAR - cells)


def _table(found: Sequence[Line]) -> Iterator[str]:
    times = [duration(line.at_ms) for line in found]
    wide = max((len(time) for time in times), default=0)
    broad = max((len(line.canary) for line in found), default=0)
    for time, line in zip(times, found, strict=True):
        yield f"{time:>{wide}}  {bar(line.weight)} {line.canary:<{broad}}  {line.mark} {line.text}".rstrip()


def _canary(moment: Moment) -> str:
    """What the canary gets, in words."""
    mirrored = f" +{moment.mirror:g}% mirrored" if moment.mirror else ""
    return f"{moment.weight:>4g}%{mirrored}{' +matching' if moment.matched else ''}"


def lines(program: Program, moments: Sequence[Moment]) -> Iterator[Line]:
    """The moments; checks of one step with one verdict in one line, steps of one statement told once."""
    run: list[Moment] = []
    last_step = -1
    for moment in moments:
        if run and not _goes_on(run[-1], moment):
            yield _several(run)
            run = []
        if _repeats(moment):
            run.append(moment)
        elif moment.kind != "step" or _worth_telling(program, last_step, moment.step):
            yield _line(program, moment)
        if moment.kind == "step":
            last_step = moment.step
    if run:
        yield _several(run)


def _repeats(moment: Moment) -> bool:
    """Whether it is a check that may come many times without a consequence; one that counts is told by itself."""
    return moment.check is not None and not moment.bad


def _goes_on(last: Moment, moment: Moment) -> bool:
    return _repeats(moment) and (moment.text, moment.step, moment.weight) == (last.text, last.step, last.weight)


def _worth_telling(program: Program, last: int, step: int) -> bool:
    """Whether a step is another statement than the last, or changes the traffic."""
    if not (0 <= last < len(program.spans) and 0 <= step < len(program.spans)):
        return True
    return program.spans[last] != program.spans[step] or program.code[step].op == "route"


def _several(run: Sequence[Moment]) -> Line:
    first, last = run[0], run[-1]
    until = "" if len(run) == 1 else f" ({len(run)} checks, to {duration(last.at_ms)})"
    words = _judged(last.check, until) if last.check is not None else ""
    return Line(first.at_ms, "✓" if _passes(last) else "?", last.weight, _canary(last), words)


def _passes(moment: Moment) -> bool:
    return moment.check is not None and moment.check.verdict is Verdict.PASS


def _values(record: CheckRecord) -> str:
    found = list(dict.fromkeys(value for result in record.results for value in result.values))
    shown = [f"{name} {value}" for name, value in found[:_MOST_VALUES]]
    more = len(found) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _line(program: Program, moment: Moment) -> Line:
    mark = ("!" if moment.kind == "event" else "✗") if moment.bad else _MARKS.get(moment.kind, " ")
    words = moment.text
    if moment.check is not None:
        words = _judged(moment.check)
    elif moment.kind == "step":
        words = f"{moment.step + 1}/{len(program.code)} {moment.text}"
    return Line(moment.at_ms, mark, moment.weight, _canary(moment), words)


def _judged(record: CheckRecord, many: str = "") -> str:
    """A check in one line, with the values of one that passed and the causes of one that did not."""
    if record.verdict is Verdict.PASS:
        seen = _values(record)
        return f"check passes{many}" + (f": {seen}" if seen else "")
    told = "; ".join(_told(result) for result in decisive(record))
    return f"check {_WORDS.get(record.verdict, record.verdict.value)}{many}: {told}"


def _told(result: CheckResult) -> str:
    values = told_values(result)
    enough = values and result.verdict in (Verdict.FAIL, Verdict.ABORT)
    return f"`{result.words}`: {values if enough else result.detail or values}".removesuffix(": ")


def decisive(record: CheckRecord) -> tuple[CheckResult, ...]:
    """The lines of a check that made it what it is; all that count, of one that passed."""
    if record.verdict is Verdict.PASS:
        return tuple(result for result in record.results if result.kind in ("require", "call"))
    graver = [verdict for verdict in _DECISIVE if any(_counts(result, verdict) for result in record.results)]
    return tuple(result for result in record.results if graver and _counts(result, graver[0]))


def _counts(result: CheckResult, verdict: Verdict) -> bool:
    return result.verdict is verdict and result.kind != "observe"


def outcome(story: Story) -> str:
    """How it ended, in one line."""
    ended = duration(story.last_ms if story.ended_ms is None else story.ended_ms)
    match story.outcome:
        case "promoted":
            return f"promoted after {ended}"
        case "rolled_back":
            return f"rolled back after {ended}: {story.reason}"
        case "waiting":
            return f"waiting since {duration(story.waiting_since_ms or 0)}: {story.reason or 'for somebody'}"
        case "running":
            return f"still running at {ended}" + (f": {story.reason}" if story.reason else "")
        case _:
            return f"{story.outcome.replace('_', ' ')} after {ended}: {story.reason}"


def why(story: Story) -> list[str]:
    """For an end that a check decided: its lines with each value under its name."""
    record = last_check(story, None)
    if story.outcome in ("promoted", "waiting") or record is None or record.verdict is Verdict.PASS:
        return []
    return ["", *assertion(story, record)]


def last_check(story: Story, at_ms: int | None) -> CheckRecord | None:
    """The last check up to a moment; up to the end, if none is named."""
    records = (m.check for m in reversed(story.moments) if m.check is not None and (at_ms is None or m.at_ms <= at_ms))
    return next(records, None)


def assertion(story: Story, record: CheckRecord) -> Iterator[str]:
    """The lines of a check that made it what it is, drawn."""
    count = len(story.program.code)
    at = duration(record.at_ms - story.scenario.start_ms)
    words = _WORDS.get(record.verdict, f"{record.verdict.value}es")
    yield f"check {words} at step {record.step + 1} of {count}, {at} into the rollout, canary at {record.weight:g}%"
    for result in decisive(record):
        yield from (f"    {row}" for row in drawn(result.text, result.values))
        if result.detail:
            yield f"    {result.detail}"


def around(story: Story, at_ms: int | None, many: int = 8) -> list[str]:
    """What happened next to a moment (the end, if none is named), and the check that decided it."""
    told = list(lines(story.program, story.moments))
    before = [place for place, line in enumerate(told) if at_ms is None or line.at_ms <= at_ms]
    last = (before[-1] if before else 0) + 2
    found = list(_table(told[max(0, last - many) : last]))
    if last - many > 0:
        found.insert(0, "…")
    if last < len(told):
        found.append("…")
    record = last_check(story, at_ms)
    return found if record is None else [*found, "", *assertion(story, record)]


# --- JSON -------------------------------------------------------------------------------------------------------


def data(story: Story) -> dict[str, Any]:
    """The story as plain JSON data."""
    return {
        "rollout": story.program.name,
        "namespace": story.program.namespace,
        "scenario": story.scenario.title,
        "start_ms": story.scenario.start_ms,
        "outcome": story.outcome,
        "reason": story.reason,
        "ended_ms": story.ended_ms,
        "last_ms": story.last_ms,
        "weights": list(story.weights),
        "chosen": {each.what: each.value for each in story.chosen},
        "timeline": [_moment_data(moment) for moment in story.moments],
    }


def _moment_data(moment: Moment) -> dict[str, Any]:
    found: dict[str, Any] = {
        "at_ms": moment.at_ms,
        "kind": moment.kind,
        "step": moment.step,
        "weight": moment.weight,
        "mirror": moment.mirror,
        "matched": moment.matched,
        "text": moment.text,
    }
    if moment.check is not None:
        found["late_ms"] = moment.check.late_ms
        found["results"] = [_result_data(result) for result in moment.check.results]
    return found


def _result_data(result: CheckResult) -> dict[str, Any]:
    return {
        "check": result.text,
        "kind": result.kind,
        "verdict": result.verdict.value,
        "values": dict(result.values),
        "detail": result.detail,
    }
