"""How parts of a rollout are drawn for people, the same for a run on this machine and for one in a cluster.

The parts are `rich` renderables, or text for a line of its own. Nothing here knows where the rollout runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from dsl.ir import Program
from interpreter.desired import Instant, Routing
from interpreter.state import CheckRecord, CheckResult, Verdict

BAR_WIDTH = 40
_MOST_DETAIL = 120
_LATE_MS = 1000
_STYLES = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.ABORT: "bold red"}
_MARKS = {Verdict.PASS: "✓", Verdict.FAIL: "✗", Verdict.ABORT: "✗"}


class Event(NamedTuple):
    """One thing that happened."""

    at: Instant
    reason: str
    message: str
    warning: bool


def pairs(rows: Iterable[tuple[str, RenderableType]]) -> Table:
    """Names on the left, what they stand for on the right."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, shown in rows:
        grid.add_row(name, shown)
    return grid


def step(program: Program, pc: int) -> Text:
    """Where in its Program a run stands; `pc` -1 is before the first instruction."""
    if pc < 0:
        return Text("bringing the canary up")
    if pc >= len(program.code):
        return Text("over")
    return Text(f"{pc + 1} of {len(program.code)}   {statement(program, pc)}")


def statement(program: Program, pc: int) -> str:
    """The words of an instruction: the policy's own where they are kept."""
    return program.spans[pc].text if pc < len(program.spans) else program.code[pc].op


def weight(routing: Routing) -> RenderableType:
    """The canary's share as a bar and in figures."""
    grid = Table.grid(padding=(0, 2))
    more = f"   mirror {routing.mirror:g}%" if routing.mirror else ""
    more += "   matching requests" if routing.matches else ""
    bar = ProgressBar(
        total=100, completed=routing.weight, width=BAR_WIDTH, complete_style="cyan", finished_style="cyan"
    )
    grid.add_row(Text("canary", style="dim"), bar, f"{routing.weight:g}%{more}")
    return grid


def checks(record: CheckRecord | None) -> RenderableType:
    """Each line of the last check with the values that it saw."""
    if record is None:
        return Text("no check yet", style="dim")
    table = Table.grid(padding=(0, 2))
    for result in record.results:
        style = _STYLES.get(result.verdict, "yellow")
        mark = Text(_MARKS.get(result.verdict, "?"), style=style)
        values = Text(shown_values(result), style=style)
        table.add_row(mark, Text(result.words), values, Text(result.detail[:_MOST_DETAIL]))
    return table


def happened(events: Iterable[Event], width: int) -> Text:
    """One line for each event, cut off where the picture ends."""
    lines = Text(no_wrap=True, overflow="ellipsis")
    for event in events:
        style = "yellow" if event.warning else ""
        lines.append(f"{clock(event.at)} ", style="dim")
        lines.append(f"{event.reason:<16} {event.message[: max(20, width)]}\n", style=style)
    return lines


def line(event: Event) -> str:
    """An event as a plain line, with its newline; `!` marks a warning."""
    return f"{clock(event.at)} {'!' if event.warning else ' '} {event.reason:<16} {event.message}\n"


def check_event(record: CheckRecord) -> Event:
    """A whole check as one thing that happened."""
    late = f" ({record.late_ms / 1000:.1f}s late)" if record.late_ms > _LATE_MS else ""
    told = "; ".join(_told(record)) + late
    message = f"{record.verdict.value} at {record.weight:g}%: {told}"
    return Event(record.at_ms, "Check", message, record.verdict is not Verdict.PASS)


def shown_values(result: CheckResult) -> str:
    """The values that one line of a check saw, by name."""
    return ", ".join(f"{name} {value}" for name, value in result.values)


def clock(at: Instant) -> str:
    """The time of day here."""
    return datetime.fromtimestamp(at / 1000).astimezone().strftime("%H:%M:%S")


def _told(record: CheckRecord) -> Iterator[str]:
    for result in record.results:
        shown = ", ".join(part for part in (shown_values(result), result.detail) if part)
        mark = "" if result.verdict is Verdict.PASS else f"{result.verdict.value.replace('_', ' ')}: "
        yield f"{mark}{result.words}" + (f" ({shown})" if shown else "")
