"""The history of a run as a page that is one file: what came of it and why, charts, steps, people, the record.

Written with Jinja2, which escapes all that comes from a policy, a cluster or a person; the charts escape their own. The
page asks nothing of anybody: no script, no font, no picture from elsewhere, and it forbids itself to load any.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Literal, NamedTuple

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from interpreter.desired import Instant
from rollway.charts import draw
from rollway.cluster.table import NOTHING, length, outcome, when
from rollway.histories import History
from rollway.run_charts import Drawn, drawn
from rollway.terminal import plural

_TONES: dict[str, Literal["good", "bad"]] = {
    "promoted": "good",
    "rolled_back": "bad",
    "promotion_failed": "bad",
}


class Row(NamedTuple):
    """A line of the record, or of what people did."""

    at: str
    step: str
    weight: str = ""
    what: str = ""
    text: str = ""
    by: str = ""
    verb: str = ""
    via: str = ""
    reason: str = ""


class Step(NamedTuple):
    """A step, as the table has it."""

    number: int
    text: str
    begun: str
    took: str


class Picture(NamedTuple):
    """A chart, and its figures."""

    svg: Markup
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def page(one: History, now: Instant) -> str:
    """The page. A run that is under way is shown as it is `now`."""
    run = one.run
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((files("rollway") / "report.html").read_text(encoding="utf-8"))
    return template.render(
        title=f"{one.name}: {outcome(run)}",
        subtitle=_subtitle(one),
        tone=_TONES.get(run.outcome, "wait"),
        outcome=outcome(run),
        reason=run.reason,
        facts=list(_facts(one, now)),
        people=list(_people(one)),
        charts=[_picture(each) for each in drawn(run, now)],
        checks=run.check.results if run.check is not None else (),
        checked=when(run.check.at_ms) if run.check is not None else "",
        steps=list(_steps(one, now)),
        log=[Row(when(each.at_ms), _step(each.step), f"{each.weight:g}%", each.what, each.text) for each in run.log],
        policy=one.policy,
    )


def _picture(each: Drawn) -> Picture:
    return Picture(Markup(draw(each.chart)), each.head, each.rows)  # noqa: S704 - the chart escapes what it writes


def _subtitle(one: History) -> str:
    run = one.run
    where = f"{one.kind or 'rollout'} {one.spoken}, run {run.number}"
    begun = f", begun {when(run.started)}" if run.started is not None else ""
    return f"{where}{begun}"


def _facts(one: History, now: Instant) -> Iterator[tuple[str, str]]:
    run = one.run
    yield "revision", run.revision or NOTHING
    if one.images:
        yield "images", ", ".join(one.images)
    if one.changed is not None:
        yield "changed by", f"{one.changed.manager}, {when(one.changed.at)}"
    yield "started", when(run.started)
    if run.ended is not None or not run.outcome:
        ended = when(run.ended) if run.ended is not None else "under way"
        took = f", after {length((run.ended or now) - run.started)}" if run.started is not None else ""
        yield "ended", f"{ended}{took}"
    yield "highest weight", f"{run.highest:g}%"
    yield "checks", f"{plural(run.iterations, 'check')}, {run.failed:,} failed"
    kept = len(run.checks.rows)
    if kept < run.iterations and kept:
        yield "charts", f"show {kept:,} of {run.iterations:,} checks: of those that passed, evenly fewer are kept"


def _people(one: History) -> Iterator[Row]:
    for deed in one.deeds:
        at, step = when(deed.at), _step(deed.step)
        yield Row(at, step, by=deed.by, verb=deed.verb, via=deed.via, reason=deed.reason)


def _steps(one: History, now: Instant) -> Iterator[Step]:
    for step in one.steps:
        ended = step.ended if step.ended is not None else now
        yield Step(step.number, step.text, when(step.begun), length(ended - step.begun))


def _step(pc: int) -> str:
    return str(pc + 1) if pc >= 0 else NOTHING
