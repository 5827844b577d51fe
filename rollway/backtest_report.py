"""A backtest as a page that is one file: what happened in words, in charts, and check by check.

Written with Jinja2, which escapes all that comes from a policy or a server; the charts escape their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import NamedTuple

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from dsl.ir import Unit
from interpreter.backtest import telling
from interpreter.backtest.graphs import Graph
from interpreter.backtest.moments import Span, written
from interpreter.backtest.replay import Replay
from interpreter.backtest.tally import Tally
from interpreter.backtest.telling import About
from interpreter.desired import Instant
from interpreter.durations import duration
from interpreter.simulator.telling import decisive, why
from interpreter.state import CheckRecord, Verdict
from rollway.charts import Axis, Chart, Line, Mark, Threshold, draw
from rollway.scales import quantity
from rollway.terminal import plural

_SHARES = (Unit.PERCENT, Unit.RATIO, Unit.EVENTS)
_ONE_IN = "the charts show one window in {}; short bursts may fall between"
_TIMES = (Unit.SECONDS, Unit.MILLISECONDS, Unit.HISTOGRAM)


class Row(NamedTuple):
    """One check of the table."""

    at: str
    weight: str
    verdict: str
    words: str
    values: str


def page(about: About, replay: Replay, drawn: Sequence[Graph]) -> str:
    """One rollout. The table has every check; `drawn` is what there is to see of them."""
    story = replay.story
    shown = Span(*_ends(drawn)) if drawn else Span(replay.start_ms, replay.ended_ms)
    marks = _marks(replay)
    return _rendered(
        about,
        title=f"{about.program.name}: backtest",
        result=telling.verdict(replay),
        fine=story.outcome == "promoted",
        why="\n".join(why(story)[1:]),
        notes=[],
        charts=[*(_chart(graph, shown, marks) for graph in drawn), _weights(replay, shown, marks)],
        rows=[_row(moment.check, replay) for moment in story.moments if moment.check is not None],
        coverage=telling.coverage(replay.seen),
        alarms=[],
    )


def quiet_page(about: About, found: Tally, replays: Sequence[Replay], drawn: Sequence[Graph], one_in: int) -> str:
    """Many rollouts that nothing was wrong with. Of `one_in` windows one is drawn."""
    ended = Counter(alarm.ended_ms for alarm in found.alarms)
    marks = [Mark(at_ms / 1000, plural(count, "false alarm")) for at_ms, count in sorted(ended.items())]
    seen = telling.coverage(one for replay in replays for one in replay.seen)
    return _rendered(
        about,
        title=f"{about.program.name}: false alarms in quiet times",
        result=f"{len(found.alarms)} of {found.rollouts} rollouts of nothing new would have been ended",
        fine=not found.alarms,
        why="",
        notes=[*telling.how(about), *telling.bound(found), *([_ONE_IN.format(one_in)] if one_in > 1 else [])],
        charts=[_chart(graph, about.within, marks) for graph in drawn],
        rows=[],
        coverage=seen,
        alarms=[
            (written(alarm.start_ms), duration(alarm.ended_ms - alarm.start_ms), alarm.reason) for alarm in found.alarms
        ],
    )


def _rendered(about: About, **values: object) -> str:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    text = files("rollway").joinpath("backtest_report.html").read_text(encoding="utf-8")
    span = f"{written(about.within.from_ms)} to {written(about.within.to_ms)}"
    return environment.from_string(text).render(about=about, span=span, **values)


# --- charts -------------------------------------------------------------------------------------------------------


def _ends(drawn: Sequence[Graph]) -> tuple[Instant, Instant]:
    moments = [at_ms for graph in drawn for curve in graph.curves for at_ms, _ in curve.points]
    return (min(moments), max(moments)) if moments else (0, 0)


def _marks(replay: Replay) -> list[Mark]:
    words = {"promoted": "promoted", "rolled_back": "rolled back"}.get(replay.story.outcome, "history ends")
    return [Mark(replay.start_ms / 1000, "begins"), Mark(replay.ended_ms / 1000, words)]


def _chart(graph: Graph, shown: Span, marks: Sequence[Mark]) -> Markup:
    unit = "percent" if graph.unit in _SHARES else "seconds" if graph.unit in _TIMES else "number"
    x = Axis("time", kind="time", low=shown.from_ms / 1000, high=shown.to_ms / 1000)
    values = [value for curve in graph.curves for _, value in curve.points if value is not None]
    low = 0.0 if min(values, default=0.0) >= 0 else None  # a small change is not to look like a large one
    y = Axis("evidence", kind="log") if graph.evidence else Axis("", unit=unit, low=low)  # type: ignore[arg-type]
    lines = tuple(
        Line(curve.name, tuple((at_ms / 1000, value) for at_ms, value in curve.points)) for curve in graph.curves
    )
    limits = tuple(Threshold(value, words) for value, words in graph.limits)
    return Markup(draw(Chart(graph.title, _said(graph, unit), x, y, lines, limits, tuple(marks), 920, 260)))  # noqa: S704


def _said(graph: Graph, unit: str) -> str:
    """The chart in a sentence, for those who do not see it."""
    told = []
    for curve in graph.curves:
        values = [value for _, value in curve.points if value is not None]
        if values:
            low, high, last = (quantity(v, unit) for v in (min(values), max(values), values[-1]))  # type: ignore[arg-type]
            told.append(f"{curve.name} from {low} to {high}, at last {last}")
        else:
            told.append(f"no data of {curve.name}")
    limits = [f"limit {quantity(value, unit)}" for value, _ in graph.limits]  # type: ignore[arg-type]
    return "; ".join((*told, *limits)) + "."


def _weights(replay: Replay, shown: Span, marks: Sequence[Mark]) -> Markup:
    levels = [((replay.start_ms + level.at_ms) / 1000, level.traffic / 100) for level in replay.story.levels]
    last = min(shown.to_ms, max(replay.ended_ms, replay.start_ms + replay.story.last_ms)) / 1000
    points = (*levels, (max(last, levels[-1][0]), levels[-1][1])) if levels else ()
    chart = Chart(
        "Traffic of the canary, by the policy",
        "weights " + ", ".join(f"{weight:g}%" for weight in replay.story.weights) + ".",
        Axis("time", kind="time", low=shown.from_ms / 1000, high=shown.to_ms / 1000),
        Axis("", unit="percent", low=0, high=1),
        (Line("weight", points, step=True),),
        (),
        tuple(marks),
        920,
        180,
    )
    return Markup(draw(chart))  # noqa: S704 - the chart has escaped its words


# --- the table ----------------------------------------------------------------------------------------------------


def _row(record: CheckRecord, replay: Replay) -> Row:
    values = dict.fromkeys(value for result in record.results for value in result.values)
    return Row(
        telling.clock(record.at_ms, replay),
        f"{record.weight:g}%",
        record.verdict.value.replace("_", " "),
        "; ".join(_words(record)),
        ", ".join(f"{name} {value}" for name, value in values),
    )


def _words(record: CheckRecord) -> Iterator[str]:
    if record.verdict is not Verdict.PASS:
        for result in decisive(record):
            yield f"{result.words}: {result.detail}" if result.detail else result.words
