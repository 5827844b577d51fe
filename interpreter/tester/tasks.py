"""Tasks: each started once however often it is asked for, bounded in number, time and output, and remembered.

A task is the same as another if rollout, kind and command line are the same (`Plan.key`). While one runs, whoever asks
for it again is told so, or waits for the same end. What came of it is told once: a caller that waited and had gone away
by then gets it with the next call, if that comes soon and is about the same revision; a task in the background that
`tells`, and one that was lost, refuse the next call once, and then are begun anew.

A task that was running when the tester stopped is lost: the store has it as running when the tester starts again.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import structlog

from interpreter.masking import mask
from interpreter.tester import orphans
from interpreter.tester.allowed import Allowed
from interpreter.tester.metrics import Metrics
from interpreter.tester.output import Output
from interpreter.tester.payload import Payload
from interpreter.tester.plan import Ended, Plan, Verdict
from interpreter.tester.processes import MARK, CannotStart, Exit, Group, run
from interpreter.tester.record import MOST_SHOWN, Record, State, from_json
from interpreter.tester.store import Store, StoreError

FRESH_MS = 300_000
"""How long an outcome that nobody has had is worth telling."""
MOST_FILE = 4 * 1024 * 1024
SWEEP_S = 2.0
STORE_S = 5.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """`most_running` tasks at once, each for `seconds` at most; the `kept_bytes` last bytes of what each says are kept,
    and of the `kept_tasks` last tasks."""

    seconds: float = 3600.0
    most_running: int = 20
    kept_bytes: int = 256 * 1024
    kept_tasks: int = 100


class TooMany(Exception):
    """No further task can be started now; the text says why."""


class Outcome(NamedTuple):
    """What a caller is told. `record` is of the task that the answer is about."""

    status: int
    text: str
    record: Record


@dataclass(slots=True)
class _Running:
    """A task on its way. `stop` is given the name of whoever wants it ended."""

    record: Record
    stop: asyncio.Future[str]
    begun: asyncio.Event
    """Set once the store knows of it, or cannot be told."""
    life: asyncio.Task[Record] | None = None


@dataclass(slots=True)
class _Known:
    """A task that is remembered."""

    record: Record
    output: Output = field(default_factory=lambda: Output(0))


class Tasks:
    """Begins with `open`, ends with `aclose`. `adopts`: this process is a tester and nothing else."""

    def __init__(
        self,
        store: Store,
        metrics: Metrics,
        allowed: Allowed,
        limits: Limits,
        *,
        adopts: bool = False,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._allowed = allowed
        self._limits = limits
        self._clock_ms = clock_ms
        self._group = Group()
        self._known: dict[str, _Known] = {}
        self._running: dict[str, _Running] = {}
        self._closing = False
        self._adopts = adopts
        self._sweeping: asyncio.Task[None] | None = None

    async def open(self) -> int:
        """Remember what the store has; how many tasks were lost. Raises `StoreError`."""
        found = (from_json(text) for text in (await self._store.read()).values())
        records = sorted((record for record in found if record is not None), key=lambda each: each.began_ms)
        lost = 0
        for record in records:
            if record.state is State.RUNNING:
                record = replace(
                    record, state=State.LOST, ended_ms=self._clock_ms(),
                    reason="the tester was stopped while it ran, and nobody knows how it would have ended",
                )  # fmt: skip
                lost += 1
                self._metrics.ended(record)
                await self._keep(record)
            self._known[record.id] = _Known(record)
        await self._forget()
        if self._adopts and orphans.adopt():
            self._sweeping = asyncio.create_task(self._sweep())
        return lost

    async def aclose(self) -> None:
        """End what runs, and say in the store that it was lost."""
        self._closing = True
        for running in self._running.values():
            if not running.stop.done():
                running.stop.set_result("the tester was stopped while it ran")
        await asyncio.gather(*(each.life for each in self._running.values() if each.life), return_exceptions=True)
        if self._sweeping is not None:
            self._sweeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeping
        self._group.close()

    def list(self, namespace: str | None = None) -> list[Record]:
        """All that are remembered, the newest first."""
        records = [known.record for known in self._known.values()]
        return [each for each in reversed(records) if namespace is None or each.owner.startswith(f"{namespace}/")]

    def get(self, name: str) -> tuple[Record, Output] | None:
        """A task and its output."""
        known = self._known.get(name)
        return (known.record, known.output) if known is not None else None

    def stop(self, name: str, by: str) -> bool:
        """Have it ended; False if it does not run."""
        running = next((each for each in self._running.values() if each.record.id == name), None)
        if running is None or running.stop.done():
            return False
        running.stop.set_result(f"stopped by {by}")
        return True

    async def ask(self, payload: Payload, plan: Plan, gone: Callable[[], bool]) -> Outcome:
        """Start a task, or say how the one that there is stands. `gone` says whether the caller has hung up. Raises
        `NotAllowed` and `TooMany`."""
        self._allowed.check(plan.programs, line=plan.line)
        if plan.shell:
            self._allowed.check_shell(plan.shell)
        key = plan.key(payload.owner)
        running, last = self._running.get(key), self._untold(key, payload.checksum)
        if running is None and last is not None:
            if plan.waits and last.state is not State.LOST:
                return await self._told(last, plan, lambda: False)
            if not plan.waits and (last.state is State.LOST or (last.tells and last.state is State.FAILED)):
                return await self._told(last, plan, lambda: False)
        asked_again = running is not None
        if running is None:
            running = self._start(key, payload, plan)
        if plan.waits and running.life is not None:
            return await self._told(await asyncio.shield(running.life), plan, gone)
        await running.begun.wait()
        record = running.record
        since = f"for {(self._clock_ms() - record.began_ms) / 1000:.0f}s" if asked_again else ""
        text = f"task {record.id} is running already, {since}" if asked_again else f"task {record.id} has begun"
        if last is not None and not asked_again and last.tells:
            text += f"; the one before passed: {last.reason}"
            await self._keep(self._remember(replace(last, told=True)))
        return Outcome(202, text, record)

    def _untold(self, key: str, checksum: str) -> Record | None:
        """The last task of this key, if nobody has had its outcome, it is fresh, and about the same revision. Of one
        that was lost it is no matter when that was found."""
        for known in reversed(self._known.values()):
            record = known.record
            if record.key != key or record.state is State.RUNNING:
                continue
            fresh = record.state is State.LOST or self._clock_ms() - (record.ended_ms or 0) <= FRESH_MS
            return record if not record.told and fresh and record.checksum == checksum else None
        return None

    async def _told(self, record: Record, plan: Plan, gone: Callable[[], bool]) -> Outcome:
        if not gone():
            await self._keep(self._remember(replace(record, told=True)))
        known = self._known.get(record.id)
        said = known.output.text() if known is not None else ""
        if record.state is State.PASSED:
            text = mask(said) if plan.returns_output else record.reason if record.summary else ""
            return Outcome(200, text, record)
        return Outcome(500, f"task {record.id} {record.state.value}: {record.reason}", record)

    def _start(self, key: str, payload: Payload, plan: Plan) -> _Running:
        if self._closing:
            raise TooMany("the tester is being stopped")
        if len(self._running) >= self._limits.most_running:
            raise TooMany(
                f"{len(self._running)} tasks are running, as many as are allowed; wait, or have the operator raise "
                "`--most-tasks`"
            )
        record = Record(
            id=secrets.token_hex(4),
            key=key,
            kind=plan.kind,
            owner=payload.owner,
            checksum=payload.checksum,
            shown=mask(plan.shown)[:MOST_SHOWN],
            state=State.RUNNING,
            began_ms=self._clock_ms(),
            waits=plan.waits,
            tells=plan.tells,
        )
        running = _Running(record, asyncio.get_running_loop().create_future(), asyncio.Event())
        self._running[key] = running
        self._known[record.id] = _Known(record, Output(self._limits.kept_bytes))
        self._metrics.running.labels(plan.kind).inc()
        running.life = asyncio.create_task(self._live(running, plan), name=f"task {record.id}")
        return running

    async def _live(self, running: _Running, plan: Plan) -> Record:
        record, output = running.record, self._known[running.record.id].output
        log.info("a task begins", task=record.id, type=plan.kind, rollout=record.owner, command=record.shown)
        await self._keep(record)
        running.begun.set()
        try:
            record = await self._run(record, running.stop, plan, output)
        except Exception:
            log.exception("a task could not be carried out", task=record.id)
            record = replace(record, state=State.FAILED, reason="the tester stumbled over it; its log says how")
        tail = mask(output.text()[-MOST_SHOWN:])
        record = self._remember(replace(record, ended_ms=self._clock_ms(), tail=tail))
        output.close()
        self._running.pop(record.key, None)
        self._metrics.running.labels(plan.kind).dec()
        self._metrics.ended(record)
        log.info(
            "a task has ended", task=record.id, type=plan.kind, rollout=record.owner, outcome=record.state.value,
            why=record.reason, **({"output": output.text()} if plan.logs_output else {}),
        )  # fmt: skip
        await self._keep(record)
        await self._forget()
        return record

    async def _run(self, record: Record, stop: asyncio.Future[str], plan: Plan, output: Output) -> Record:
        limit_s = min(plan.timeout_s or self._limits.seconds, self._limits.seconds)
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="task-"))
        try:
            for name, text in plan.files.items():
                (folder / name).write_text(text, encoding="utf-8")
            left = await run(
                plan.argv, folder=folder, environment={**plan.environment, MARK: record.id}, output=output,
                group=self._group, limit_s=limit_s, stopped=stop,
            )  # fmt: skip
            verdict = _verdict(left, plan, output, folder)
        except CannotStart as error:
            verdict = Verdict(False, str(error))
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        lost = self._closing and not verdict.passed
        state = State.LOST if lost else State.PASSED if verdict.passed else State.FAILED
        return replace(record, state=state, reason=mask(verdict.reason)[:MOST_SHOWN], summary=verdict.summary)

    def _remember(self, record: Record) -> Record:
        known = self._known.get(record.id)
        if known is not None:
            known.record = record
        return record

    async def _keep(self, record: Record) -> None:
        """A store that does not answer must not keep a test from being run."""
        await self._put(record.id, record.to_json())

    async def _forget(self) -> None:
        ended: Iterable[str] = [name for name, known in self._known.items() if known.record.state is not State.RUNNING]
        for name in list(ended)[: max(0, len(self._known) - self._limits.kept_tasks)]:
            if self._known.pop(name, None) is not None:
                await self._put(name, None)

    async def _put(self, name: str, value: str | None) -> None:
        try:
            async with asyncio.timeout(STORE_S):
                await self._store.put(name, value)
        except (StoreError, TimeoutError) as error:
            self._metrics.store_failures.inc()
            why = str(error) or f"the store did not answer within {STORE_S:g}s"
            log.warning("a task cannot be remembered beyond a restart", task=name, why=why)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            ids = {each.record.id for each in self._running.values()}
            await asyncio.to_thread(orphans.sweep, ids)
            orphans.reap(self._group.running)


def _verdict(left: Exit, plan: Plan, output: Output, folder: Path) -> Verdict:
    if left.cut:
        said = " ".join(output.text().split())[-300:]
        return Verdict(False, f"{left.cut}{': ' if said else ''}{said}")
    return plan.judge(Ended(left.code, output.text(), lambda name: _file(folder / name)))


def _file(path: Path) -> str | None:
    """What a tool has left behind, unless it is too much to be a result, or no file of its own."""
    try:
        if path.is_symlink() or path.stat().st_size > MOST_FILE:
            return None
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
