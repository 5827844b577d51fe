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
from typing import NamedTuple, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from dsl.ir import Program
from interpreter import drawing
from interpreter.desired import Instant
from interpreter.drawing import Event
from interpreter.local.metering import Metering
from interpreter.local.upstreams import ARMS
from interpreter.phases import AT_REST
from interpreter.state import State

MOST_EVENTS = 8
FRAMES_A_SECOND = 5
MOMENT_S = 1.0


class Subject(NamedTuple):
    """What is looked at."""

    program: Program
    metering: Metering
    url: str
    metrics_url: str


class Lines:
    """One line for each thing that happens."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._checked: Instant | None = None
        self._waiting = ""
        self._later: asyncio.TimerHandle | None = None

    def event(self, at: Instant, reason: str, message: str, *, warning: bool) -> None:
        self._say(Event(at, reason, message, warning))

    def state_written(self, state: State) -> None:
        record = state.run.last_check if state.run else None
        if record is not None and record.at_ms != self._checked:
            self._checked = record.at_ms
            self._say(drawing.check_event(record)._replace(at=_now()))
        self._wait_for(state)

    def begin(self, subject: Subject) -> None:
        where = f"requests at {subject.url}, metrics at {subject.metrics_url}"
        self._say(Event(_now(), "Listening", where, False))

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
            self._later = loop.call_later(MOMENT_S, self._say, Event(_now(), state.phase.value, reason, False))

    def _say(self, event: Event) -> None:
        self._out.write(drawing.line(event))
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
        parts: list[RenderableType] = [
            _where(program, state),
            drawing.weight(state.routing),
            drawing.checks(state.run.last_check if state.run else None),
            _served(self._subject),
            drawing.happened(tuple(self._events), self._console.width),
        ]
        title = Text(f" {program.name} in {program.namespace}: {state.phase.value} ", style="bold")
        return Panel(Group(*parts), title=title, subtitle=Text(self._subject.url), title_align="left")


View = Lines | Picture


def view(*, live: bool, out: TextIO = sys.stdout) -> View:
    """The picture, or lines."""
    return Picture(Console(file=out)) if live else Lines(out)


def _where(program: Program, state: State) -> RenderableType:
    run = state.run
    rows: list[tuple[str, RenderableType]] = [
        ("revision", f"{run.revision if run else '–'}   primary {state.primary or '–'}")
    ]
    if run is not None:
        rows.append(("step", drawing.step(program, run.cursor.pc)))
        rows.append(("failed checks", f"{run.failed_checks} of {run.iterations} made"))
    why = (run.reason if run and run.outcome else "") or state.reason
    if why:
        rows.append(("because" if run and run.outcome else "waiting", Text(why)))
    return drawing.pairs(rows)


def _served(subject: Subject) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    for role in ARMS:
        served = subject.metering.by_role(role)
        if served.total:
            failed = Text(f"{served.failed:,} failed", style="red" if served.failed else "green")
            grid.add_row(Text(role, style="dim"), f"{served.total:,} requests", failed)
    return grid


def _now() -> Instant:
    return int(time.time() * 1000)
