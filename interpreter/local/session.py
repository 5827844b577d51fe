"""One run of `rollway run --local`, from its folder to its end.

Opening: take the folder's lock, read the journal, take up what the command line says, take the port. If the journal
has a rollout in it, its processes are started first, the routing that was last in force is put in force, and only
then does the proxy listen: a restart must not blame the canary for requests that it could not have answered. A rollout
that is under way keeps the policy that it began with, even if the file says something else by now.

Running: the driver does the work; beside it the inbox is looked at, and counters are remembered at short intervals.
Closing: everything that was started is ended, whatever happened.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple

from dsl import ir_json
from dsl.ir import Measure, Program, Statistical
from interpreter import state_json
from interpreter.addresses import ANY
from interpreter.channels.delivery import Delivery
from interpreter.channels.local import PATIENCE_S as CHANNEL_PATIENCE_S
from interpreter.channels.posting import Poster
from interpreter.desired import CanaryScale, Desired, Routing
from interpreter.driver import Driver
from interpreter.http_client import Clients
from interpreter.local.admin import Admin, Page
from interpreter.local.answers import Answers, Counters
from interpreter.local.command import Command
from interpreter.local.inbox import Inbox
from interpreter.local.journal import Journal, Lock
from interpreter.local.metering import Metering
from interpreter.local.processes import Stage
from interpreter.local.proxy import Proxy
from interpreter.local.runtime import LocalRuntime, Watcher
from interpreter.local.status import Status
from interpreter.local.upstreams import ARMS, Upstreams
from interpreter.local.workloads import Workloads
from interpreter.local.world import World
from interpreter.phases import AT_REST
from interpreter.state import Phase, State
from interpreter.webhooks import Caller

INBOX_EVERY_S = 0.1
SLOWEST_SNAPSHOT_S = 0.25
QUICKEST_SNAPSHOT_S = 0.02
RESTORE_S = 30.0


class SessionError(Exception):
    """The run cannot go on; the message says why and what to do."""


class Settings(NamedTuple):
    """What the command line says."""

    folder: Path
    primary: Command
    canary: Command | None = None
    host: str = "127.0.0.1"
    port: int = 0
    replicas: int = 1
    prometheus: str | None = None
    health_path: str = "/healthz"
    metric_timeout: float = 10.0
    metrics_port: int = 0


@asynccontextmanager
async def session(program: Program, settings: Settings, watcher: Watcher) -> AsyncIterator[Session]:
    """A run that is ready to go on. Raises `SessionError`, `JournalError` or `CommandError`, with words for
    people, and `OSError` for a folder that cannot be used.

    Whatever was begun is ended at the end, in the reverse order: nothing is left behind.
    """
    async with AsyncExitStack() as stack:
        folder = settings.folder
        _prepare(folder)
        lock = Lock(folder)
        lock.take()
        stack.callback(lock.release)
        journal = Journal(folder)
        stack.callback(journal.close)
        recalled = _recall(journal, program)
        world = World(journal, Inbox(folder))
        await world.begin(settings.primary, settings.canary)
        parts = await _made(stack, recalled.program, settings)
        under_way = Session(recalled, settings, watcher, journal, world, parts)
        if recalled.resumed:
            await under_way.restore()
        stack.push_async_callback(under_way.stop)
        under_way.begin()
        yield under_way


class Recalled(NamedTuple):
    """What the journal has: the last state, and the policy that a rollout under way is bound to."""

    program: Program
    state: State
    resumed: bool
    keeps_former_policy: bool


class Parts(NamedTuple):
    """What a run is made of, each open."""

    socket: socket.socket
    url: str
    metrics_url: str
    metering: Metering
    upstreams: Upstreams
    proxy: Proxy
    workloads: Workloads
    answers: Answers
    caller: Caller
    delivery: Delivery
    changes: Changes


class Changes:
    """Tells whoever wants to know that a process became ready, died or was given up."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.listeners: list[Callable[[], None]] = []

    def happened(self) -> None:
        self._event.set()
        for listener in self.listeners:
            listener()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something is so."""
        while not holds():
            self._event.clear()
            await self._event.wait()


class Session:
    """One run: the driver, and the chores beside it."""

    def __init__(
        self, recalled: Recalled, settings: Settings, watcher: Watcher, journal: Journal, world: World, parts: Parts
    ) -> None:
        self.program = recalled.program
        self.state = recalled.state
        self.resumed = recalled.resumed
        self.keeps_former_policy = recalled.keeps_former_policy
        self.folder = settings.folder
        self.parts = parts
        self.world = world
        self.listening = asyncio.Event()
        self.journal = journal
        self._watcher = watcher
        self._status = Status(settings.folder)
        self._trouble: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._chores: list[asyncio.Task[None]] = []
        self._runtime = LocalRuntime(
            self.program,
            world=world,
            journal=journal,
            proxy=parts.proxy,
            workloads=parts.workloads,
            answers=parts.answers,
            caller=parts.caller,
            delivery=parts.delivery,
            watcher=self,
            state=self.state,
        )
        self._driver = Driver(self.program, self._runtime, self.state, boundary=_killer())
        parts.changes.listeners += [self._driver.wake, self._watch_primary]

    async def run(self, until: Callable[[State], bool]) -> State:
        """Go on until `until`. Raises `SessionError` for a primary that does not start."""
        driving = asyncio.create_task(self._driver.run(until))
        try:
            await asyncio.wait((driving, self._trouble), return_when=asyncio.FIRST_COMPLETED)
            if self._trouble.done():
                self._trouble.result()
            return await driving
        finally:
            driving.cancel()
            await asyncio.gather(driving, return_exceptions=True)

    def idle(self, state: State) -> bool:
        """Has everything that was to be rolled out been, one way or the other?"""
        return self.world.idle(state)

    # --- being told ---------------------------------------------------------------------------------------------

    def event(self, at: int, reason: str, message: str, *, warning: bool) -> None:
        self._watcher.event(at, reason, message, warning=warning)

    def state_written(self, state: State) -> None:
        """Keep the latest state at hand, and show it."""
        self.state = state
        self._status.write(state, url=self.parts.url, metrics=self.parts.metrics_url)
        self._watcher.state_written(state)

    def _watch_primary(self) -> None:
        """A primary that never comes up ends the run: there is nothing to roll out from."""
        primary = self.parts.workloads["primary"].processes
        hopeless = [process for process in primary if process.stage is Stage.GIVEN_UP]
        if hopeless and self.state.phase is Phase.INITIALIZING:
            why = f"the primary `{hopeless[0].command.text}` does not start: {hopeless[0].reason}"
            self._give_up(SessionError(why))

    def _give_up(self, error: BaseException) -> None:
        if not self._trouble.done():
            self._trouble.set_exception(error)

    # --- beginning and ending -----------------------------------------------------------------------------------

    async def restore(self) -> None:
        """Bring back what the journal says was running, before anybody is let in."""
        self.parts.answers.after_restart()
        arranged = self.journal.last("arranged")
        if arranged is not None:
            self.parts.workloads.arrange(_desired(arranged, self.state), self.world.commands)
            try:
                async with asyncio.timeout(RESTORE_S):
                    await self.parts.changes.until(self._all_up)
            except TimeoutError:
                self.event(_now_ms(), "SlowRestart", "not every process is up again; going on without", warning=True)
        await self._runtime.reroute(self._last_routing())

    def _last_routing(self) -> Routing:
        """What the proxy did when the process died, which may be less than the state says: a reduction comes first."""
        noted = self.journal.last("routing")
        return self.state.routing if noted is None else state_json.routing_from_data(noted)

    def _all_up(self) -> bool:
        done = (Stage.READY, Stage.GIVEN_UP)
        return all(p.stage in done for role in ARMS for p in self.parts.workloads[role].processes)

    def begin(self) -> None:
        """Start the chores."""
        for chore in (self._remember(), self._read_inbox(), self._let_in()):
            task: asyncio.Task[None] = asyncio.create_task(chore)
            task.add_done_callback(self._chore_ended)
            self._chores.append(task)

    async def stop(self) -> None:
        """End the chores."""
        for chore in self._chores:
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        self._trouble.cancel()

    def _chore_ended(self, task: asyncio.Task[None]) -> None:
        """A chore that breaks ends the run: to go on without it would be to go on blind."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._give_up(error)

    async def _remember(self) -> None:
        every = snapshot_interval(self.program)
        while True:
            self.parts.metering.snapshot()
            await asyncio.sleep(every)

    async def _read_inbox(self) -> None:
        while True:
            for complaint in await self.world.take_requests(self.state):
                self.event(_now_ms(), "RequestRefused", complaint, warning=True)
            if self.world.has_news():
                self._driver.wake()
            await asyncio.sleep(INBOX_EVERY_S)

    async def _let_in(self) -> None:
        """Listen as soon as there is somebody to answer."""
        await self.parts.changes.until(lambda: self.parts.upstreams.has("primary"))
        await self.parts.proxy.serve(self.parts.socket)
        self.parts.answers.counting()
        self.listening.set()


def _prepare(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / "logs").mkdir(exist_ok=True)
    Inbox(folder).make()


def _recall(journal: Journal, program: Program) -> Recalled:
    data = journal.last("state")
    state = State() if data is None else state_json.decode(json.dumps(data))
    pinned = journal.last("program")
    if pinned is not None and _under_way(state):
        former = ir_json.from_data(pinned)
        return Recalled(former, state, data is not None, ir_json.digest(former) != ir_json.digest(program))
    journal.note("program", ir_json.to_data(program))
    return Recalled(program, state, data is not None, False)


async def _made(stack: AsyncExitStack, program: Program, settings: Settings) -> Parts:
    """Make the parts; each is closed in its turn."""
    taken = _bound(settings.host, settings.port)
    stack.callback(taken.close)
    changes, metering, upstreams = Changes(), Metering(), Upstreams()
    workloads = Workloads(
        upstreams,
        settings.folder / "logs",
        replicas=settings.replicas,
        health_path=settings.health_path,
        changed=changes.happened,
    )
    stack.push_async_callback(workloads.close)
    proxy = Proxy(upstreams, metering)
    stack.push_async_callback(proxy.close)
    admin = Admin(Page(metering, proxy, program.target.name))
    stack.push_async_callback(admin.close)
    answers = Answers(program, Counters(metering, upstreams), settings.prometheus, settings.metric_timeout)
    stack.push_async_callback(answers.close)
    clients = Clients(ANY)
    caller = await stack.enter_async_context(Caller(clients))
    delivery = Delivery(Poster(clients), patience=CHANNEL_PATIENCE_S)
    stack.push_async_callback(delivery.close)
    metrics_url = f"http://127.0.0.1:{await _started(admin, settings.metrics_port)}/metrics"
    url = "http://{}:{}/".format(*taken.getsockname()[:2])
    return Parts(taken, url, metrics_url, metering, upstreams, proxy, workloads, answers, caller, delivery, changes)


def _desired(arranged: dict[str, Any], state: State) -> Desired:
    scale = CanaryScale(**arranged["canary_scale"])
    return Desired(state.routing, arranged["primary"], arranged["canary"], scale, baseline=arranged["baseline"])


def _under_way(state: State) -> bool:
    run = state.run
    return state.phase not in (*AT_REST, Phase.INITIALIZING) or (run is not None and run.stage.value != "over")


async def _started(admin: Admin, port: int) -> int:
    """The port of the metrics page. Raises `SessionError`."""
    try:
        return await admin.start(port)
    except (OSError, OverflowError) as error:
        why = error if isinstance(error, OSError) else OSError(0, "ports are from 0 to 65535")
        raise SessionError(_unbound(f"127.0.0.1:{port}", why).replace("--listen", "--metrics-port")) from error


def _bound(host: str, port: int) -> socket.socket:
    """The port, taken but not yet open to anybody. Raises `SessionError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    taken = socket.socket(family)
    if port:  # any port must be one that nobody has; with this option two may be given the same before they listen
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((host, port))
    except OSError as error:
        taken.close()
        raise SessionError(_unbound(f"{host}:{port}", error)) from error
    taken.setblocking(False)
    return taken


def _unbound(where: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"the port of {where} is in use: stop what listens there, or give another with --listen"
    if error.errno == errno.EACCES:
        return f"{where} may not be listened on: give a port from 1024 up with --listen"
    why = (error.strerror or str(error)).lower()
    return f"{where} cannot be listened on: {why}: give an address of this machine with --listen"


def _killer() -> Callable[[str], None]:
    """Kills this process at the n-th boundary between effects if `ROLLWAY_KILL_AT` is n: for the test of restarts."""
    left = int(os.environ.get("ROLLWAY_KILL_AT") or 0)

    def boundary(name: str) -> None:
        nonlocal left
        del name
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return boundary


def snapshot_interval(program: Program) -> float:
    """How often counters are remembered: a tenth of the shortest window asked about."""
    shortest = min((ms for analysis in program.analyses.values() for ms in _windows(analysis)), default=60_000)
    return min(SLOWEST_SNAPSHOT_S, max(QUICKEST_SNAPSHOT_S, shortest / 10_000))


def _windows(node: object) -> Iterator[int]:
    """The windows of all measures in a piece of a Program."""
    if isinstance(node, Measure | Statistical):
        yield node.window_ms
    if is_dataclass(node):
        for field in fields(node):
            yield from _windows(getattr(node, field.name))
    elif isinstance(node, tuple):
        for item in node:
            yield from _windows(item)


def _now_ms() -> int:
    return int(time.time() * 1000)
