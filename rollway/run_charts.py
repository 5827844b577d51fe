"""The charts of one run: the canary's share of the traffic, and each line of its checks against its threshold. Pure.

They show what is kept of the run: the record (`RunShown.log`) and the thinned series of its checks (`RunShown.series`).
Each comes with its figures as a table, for those who do not see it, and for those who want to know exactly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Literal, NamedTuple

from interpreter.analysis.show import plain
from interpreter.analysis.show import seconds as seconds_shown
from interpreter.desired import Instant
from interpreter.series import CheckPoint, Reading
from interpreter.state import CheckLine
from rollway.charts import Chart, Line, Mark, Threshold
from rollway.cluster.shown import RunShown
from rollway.cluster.table import when
from rollway.scales import Axis

WIDTH, HEIGHT = 720, 220
_SHARES = frozenset({"percent", "ratio"})
_TIMES = frozenset({"milliseconds", "seconds"})
_MARKS = {
    "NewRevision": "begins",
    "Approved": "approved",
    "Paused": "paused",
    "Resumed": "resumed",
    "Promoting": "promoting",
    "Promoted": "promoted",
    "RolledBack": "rolled back",
    "WaitingForApproval": "waits for approval",
    "WaitingForGate": "waits for a gate",
}
"""What happened, by the word in the record; the rest is no turning point."""
_MOST_MARKS = 12
_LONG_LOG = 200
"""Lines that the record keeps: one that is as long has lost some from its middle."""
_NEAR_ALL = 0.8
"""Of shares above this the distance to 100% is what matters: the axis does not begin at nothing."""

Unit = Literal["number", "percent", "seconds"]


class Drawn(NamedTuple):
    """A chart, and its figures: `rows` are the times and the values as people read them."""

    chart: Chart
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def drawn(run: RunShown, now: Instant) -> list[Drawn]:
    """All charts of a run, the traffic first; none where nothing is kept that could be drawn. A run that is under way
    is drawn until `now`."""
    ends = _ends(run, now)
    if ends is None:
        return []
    marks = _marks(run, ends)
    charts = [_weights(run, ends, marks)]
    points = run.series
    for line in dict.fromkeys(reading.line for point in points for reading in point.values):
        charts.append(_checks(line, points, ends))
    return charts


def unit_of(line: CheckLine) -> Unit:
    """In what the axis of a line is marked."""
    return "percent" if line.unit in _SHARES else "seconds" if line.unit in _TIMES else "number"


def value_shown(value: float | None, line: CheckLine) -> str:
    """A value as people read it."""
    if value is None:
        return "no data"
    if line.unit == "verdict":
        return "passed" if value else "not passed"
    match unit_of(line):
        case "percent":
            return f"{plain(round(value * 100, 10))}%"
        case "seconds":
            return seconds_shown(value)
    return plain(value)


# --- traffic ------------------------------------------------------------------------------------------------------


def levels(run: RunShown) -> list[tuple[Instant, float]]:
    """The canary's share (percent) from each moment at which it is known to have changed, oldest first.

    The record has every change, in its order, by whole seconds. The checks have more exact times, and would come before
    what came before them; so they are asked only for the time of which the record has been thinned out.
    """
    log = [(entry.at_ms, entry.weight) for entry in run.log]
    gap = max(pairwise(log), key=lambda pair: pair[1][0] - pair[0][0], default=None)
    seen = log
    if len(log) >= _LONG_LOG and gap is not None:
        (begin, _), (end, _) = gap
        seen = sorted([*log, *((p.at_ms, p.weight) for p in run.series if begin + 1000 <= p.at_ms < end)])
    elif not log:
        seen = [(p.at_ms, p.weight) for p in run.series]
    changes: list[tuple[Instant, float]] = []
    for at_ms, weight in seen:
        if not changes or changes[-1][1] != weight:
            changes.append((at_ms, weight))
    return changes


def _weights(run: RunShown, ends: tuple[float, float], marks: tuple[Mark, ...]) -> Drawn:
    changes = levels(run)
    points = [(at_ms / 1000, weight / 100) for at_ms, weight in changes]
    if points:
        points.append((max(ends[1], points[-1][0]), points[-1][1]))
    said = ", then ".join(f"{weight:g}%" for _, weight in changes) or "nothing is known of it"
    chart = Chart(
        "Traffic on the canary",
        f"The canary's share of the traffic: {said}.",
        Axis("time", kind="time", low=ends[0], high=ends[1]),
        Axis("", unit="percent", low=0, high=1),
        (Line("canary", points, step=True),),
        (),
        marks,
        WIDTH,
        HEIGHT,
    )
    return Drawn(chart, ("from", "share"), tuple((when(at_ms), f"{weight:g}%") for at_ms, weight in changes))


def _marks(run: RunShown, ends: tuple[float, float]) -> tuple[Mark, ...]:
    found = [Mark(entry.at_ms / 1000, _MARKS[entry.what]) for entry in run.log if entry.what in _MARKS]
    shown = [mark for mark in found if ends[0] <= mark.at <= ends[1]]
    return tuple(shown[-_MOST_MARKS:])


def _ends(run: RunShown, now: Instant) -> tuple[float, float] | None:
    """From the beginning to the end, or to now, in seconds."""
    known = [entry.at_ms for entry in run.log] + [point.at_ms for point in run.series]
    begin = min([*known, *([run.started] if run.started is not None else [])], default=None)
    if begin is None:
        return None
    last = run.ended if run.ended is not None else now if not run.outcome else max(known, default=begin)
    return begin / 1000, max(last, begin + 1000, *known) / 1000


# --- checks -------------------------------------------------------------------------------------------------------


def _checks(line: CheckLine, points: Iterable[CheckPoint], ends: tuple[float, float]) -> Drawn:
    found = [(point, reading) for point in points for reading in point.values if reading.line == line]
    unit = unit_of(line)
    values = tuple((point.at_ms / 1000, reading.value) for point, reading in found)
    series = [Line(line.name or "value", values)]
    limits = {reading.threshold for _, reading in found if reading.threshold is not None}
    thresholds: tuple[Threshold, ...] = ()
    if len(limits) == 1:
        (limit,) = limits
        thresholds = (Threshold(limit, f"{line.cmp} {value_shown(limit, line)}".strip()),)
    elif limits:
        moving = tuple((point.at_ms / 1000, reading.threshold) for point, reading in found)
        series.append(Line(f"threshold ({line.cmp})" if line.cmp else "threshold", moving, step=True))
    seen = [value for _, value in values if value is not None] + list(limits)
    low = 0.0 if min(seen, default=0.0) >= 0 else None  # a small change is not to look like a large one
    if line.unit in _SHARES and min(seen, default=0.0) > _NEAR_ALL:
        low = None
    chart = Chart(
        _title(line),
        _said(line, found),
        Axis("time", kind="time", low=ends[0], high=ends[1]),
        Axis("", unit=unit, low=low),
        tuple(series),
        thresholds,
        (),
        WIDTH,
        HEIGHT,
    )
    return Drawn(chart, ("at", "canary", "value", "threshold", "check"), tuple(_rows(line, found)))


def _title(line: CheckLine) -> str:
    return f"abort if {line.text}" if line.kind == "abort" else line.text or line.name or "a check"


def _said(line: CheckLine, found: list[tuple[CheckPoint, Reading]]) -> str:
    """The chart in a sentence."""
    values = [reading.value for _, reading in found if reading.value is not None]
    if not values:
        return f"There is no data of {line.name or line.text}."
    low, high, last = (value_shown(value, line) for value in (min(values), max(values), values[-1]))
    verdicts = Counter(point.verdict.value for point, _ in found)
    counted = ", ".join(f"{count} {verdict.replace('_', ' ')}" for verdict, count in verdicts.items())
    limit = f"; the limit is {line.cmp} {value_shown(line.threshold, line)}" if line.threshold is not None else ""
    return f"{line.name or line.text} from {low} to {high}, at last {last}{limit}. Checks: {counted}."


def _rows(line: CheckLine, found: list[tuple[CheckPoint, Reading]]) -> Iterator[tuple[str, ...]]:
    for point, reading in found:
        limit = f"{line.cmp} {value_shown(reading.threshold, line)}" if reading.threshold is not None else "–"
        verdict = point.verdict.value.replace("_", " ")
        yield when(point.at_ms), f"{point.weight:g}%", value_shown(reading.value, line), limit.strip(), verdict
