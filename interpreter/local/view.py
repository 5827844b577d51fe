"""What a person sees of a run: a live picture on a terminal, plain lines anywhere else.

Both are watchers of the session: they are told of events and of each state that was written, and decide nothing. The
lines say each thing once, when it happens, so that they can be kept and searched. The picture is drawn anew a few times
a second from the latest state and the proxy's counts.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from dsl.ir import Program
from interpreter.local.metering import Metering
from interpreter.local.upstreams import ARMS
from interpreter.phases import AT_REST
from interpreter.state import CheckRecord, CheckResult, Instant, State, Verdict

MOST_EVENTS = 8
FRAMES_A_SECOND = 5
MOMENT_S = 1.0
_STYLES = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.ABORT: "bold red"}
_MARKS = {Verdict.PASS: "✓", Verdict.FAIL: "✗", Verdict.ABORT: "✗"}


class Subject(NamedTuple):
    """What is looked at."""

    program: Program
    metering: Metering
    url: str
    metrics_url: str


class Event(NamedTuple):
    at: Instant
    reason: str
    message: str
    warning: bool


class Lines:
    """One line for each thing that happens."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._checked: Instant | None = None
        self._waiting = ""
        self._later: asyncio.TimerHandle | None = None

    def event(self, at: Instant, reason: str, message: str, *, warning: bool) -> None:
        self._say(at, "!" if warning else " ", reason, message)

    def state_written(self, state: State) -> None:
        record = state.run.last_check if state.run else None
        if record is not None and record.at_ms != self._checked:
            self._checked = record.at_ms
            mark = " " if record.verdict is Verdict.PASS else "!"
            self._say(_now(), mark, "Check", f"{record.verdict.value} at {record.weight:g}%: {_told(record)}")
        self._wait_for(state)

    def begin(self, subject: Subject) -> None:
        self._say(_now(), " ", "Listening", f"requests at {subject.url}, metrics at {subject.metrics_url}")

    def end(self) -> None:
        if self._later is not None:
            self._later.cancel()

    def _wait_for(self, state: State) -> None:
        """Say what is being waited for, unless it is over in a moment; what ended a rollout is an event already."""
        reason = "" if state.phase in AT_REST else state.reason
        if reason == self._waiting:
            return
        self._waiting = reason
        if self._later is not None:
            self._later.cancel()
        self._later = None
        if reason:
            loop = asyncio.get_running_loop()
            self._later = loop.call_later(MOMENT_S, self._say, _now(), " ", state.phase.value, reason)

    def _say(self, at: Instant, mark: str, what: str, text: str) -> None:
        self._out.write(f"{_clock(at)} {mark} {what:<16} {text}\n")
        self._out.flush()


class Picture:
    """The live view."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._events: deque[Event] = deque(maxlen=MOST_EVENTS)
        self._state = State()
        self._subject: Subject | None = None
        self._live = Live(
            console=console, refresh_per_second=FRAMES_A_SECOND, get_renderable=self.picture, transient=False
        )

    def event(self, at: Instant, reason: str, message: str, *, warning: bool) -> None:
        self._events.append(Event(at, reason, message, warning))

    def state_written(self, state: State) -> None:
        self._state = state

    def begin(self, subject: Subject) -> None:
        self._subject = subject
        self._live.start()

    def end(self) -> None:
        """Leave the last picture standing."""
        if self._live.is_started:
            self._live.refresh()
            self._live.stop()

    def picture(self) -> RenderableType:
        """All of it, as it is now."""
        if self._subject is None:
            return Text("")
        program, state = self._subject.program, self._state
        parts: list[RenderableType] = [_where(program, state), _weight(state), _checks(state), _served(self._subject)]
        parts.append(_happened(self._events, self._console.width))
        title = Text(f" {program.name} in {program.namespace}: {state.phase.value} ", style="bold")
        return Panel(Group(*parts), title=title, subtitle=Text(self._subject.url), title_align="left")


View = Lines | Picture


def view(*, live: bool, out: TextIO = sys.stdout) -> View:
    """The picture, or lines."""
    return Picture(Console(file=out)) if live else Lines(out)


def _where(program: Program, state: State) -> RenderableType:
    run = state.run
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    grid.add_row("revision", f"{run.revision if run else '–'}   primary {state.primary or '–'}")
    if run is not None:
        grid.add_row("step", _step(program, run.cursor.pc))
        grid.add_row("failed checks", f"{run.failed_checks} of {run.iterations} made")
    why = (run.reason if run and run.outcome else "") or state.reason
    if why:
        grid.add_row("because" if run and run.outcome else "waiting", Text(why))
    return grid


def _step(program: Program, pc: int) -> Text:
    if pc < 0:
        return Text("bringing the canary up")
    if pc >= len(program.code):
        return Text("over")
    words = program.spans[pc].text if pc < len(program.spans) else program.code[pc].op
    return Text(f"{pc + 1} of {len(program.code)}   {words}")


def _weight(state: State) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    routing = state.routing
    more = f"   mirror {routing.mirror:g}%" if routing.mirror else ""
    more += "   matching requests" if routing.matches else ""
    bar = ProgressBar(total=100, completed=routing.weight, width=40, complete_style="cyan", finished_style="cyan")
    grid.add_row(Text("canary", style="dim"), bar, f"{routing.weight:g}%{more}")
    return grid


def _checks(state: State) -> RenderableType:
    record = state.run.last_check if state.run else None
    if record is None:
        return Text("no check yet", style="dim")
    table = Table.grid(padding=(0, 2))
    for result in record.results:
        style = _STYLES.get(result.verdict, "yellow")
        mark = Text(_MARKS.get(result.verdict, "?"), style=style)
        table.add_row(mark, Text(result.words), Text(_values(result), style=style), Text(result.detail[:120]))
    return table


def _served(subject: Subject) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    for role in ARMS:
        served = subject.metering.by_role(role)
        if served.total:
            failed = Text(f"{served.failed:,} failed", style="red" if served.failed else "green")
            grid.add_row(Text(role, style="dim"), f"{served.total:,} requests", failed)
    return grid


def _happened(events: deque[Event], width: int) -> RenderableType:
    lines = Text(no_wrap=True, overflow="ellipsis")
    for event in tuple(events):
        style = "yellow" if event.warning else ""
        lines.append(f"{_clock(event.at)} ", style="dim")
        lines.append(f"{event.reason:<16} {event.message[: max(20, width)]}\n", style=style)
    return lines


def _told(record: CheckRecord) -> str:
    late = f" ({record.late_ms / 1000:.1f}s late)" if record.late_ms > 1000 else ""
    return "; ".join(_lines(record)) + late


def _lines(record: CheckRecord) -> Iterator[str]:
    for result in record.results:
        shown = ", ".join(part for part in (_values(result), result.detail) if part)
        mark = "" if result.verdict is Verdict.PASS else f"{result.verdict.value.replace('_', ' ')}: "
        yield f"{mark}{result.words}" + (f" ({shown})" if shown else "")


def _values(result: CheckResult) -> str:
    return ", ".join(f"{name} {value}" for name, value in result.values)


def _clock(at: Instant) -> str:
    return datetime.fromtimestamp(at / 1000).astimezone().strftime("%H:%M:%S")


def _now() -> Instant:
    return int(time.time() * 1000)
