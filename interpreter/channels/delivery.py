"""The delivery of messages: queued, tried again and again, and never in anybody's way.

Theory of operation. Each channel of each rollout has a queue of its own: a message that is refused, or that a service
chokes on, holds up nobody else's. What queues share is the door of a service, one for each address: messages pass it
one by one, and while the service does not answer, or wants to be left alone (`Retry-After`), it is shut for all of
them. The pauses grow from a second to two minutes. A message that has not arrived after a day is given up.

A message outlives the driver that sent it: `send` waits for the result, and who comes again with the same key finds the
message where it is, or its result. So what is cancelled and begun anew within a process sends nothing twice. What a
process had not delivered when it ended, the next one finds in the rollouts' outboxes.

A queue holds `MOST_WAITING` messages. When more come, updates go first, then the oldest that say the least.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import structlog

from interpreter.actions import ActionResult
from interpreter.channels.line import Line, LineTrouble
from interpreter.channels.message import Message
from interpreter.channels.posting import Poster, shown
from interpreter.channels.registry import SERVICES
from interpreter.channels.request import Answer, Later, Lost, Refused, Request, Service, Taken, Verdict

PATIENCE_S = 24 * 3600.0
FIRST_DELAY_S = 1.0
LONGEST_DELAY_S = 120.0
LONGEST_ASKED_S = 3600.0
"""How long a service may ask to be left alone."""
MOST_WAITING = 50
MOST_REMEMBERED = 4096
SAID_LATE_S = 60.0
"""How long a message may be late before it is said that it is."""
_LEAST = {"info": 0, "warn": 1, "error": 2}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Letter:
    """A message and where it goes: `channel` by its name in the policy. `line` finds out where that is, anew for each
    try, so that a Secret that was corrected is used; it raises `LineTrouble`. `handle` is that of what is shown of the
    run already, as far as it was known. `late` is called once, with the reason, if it does not arrive for a while."""

    channel: str
    message: Message
    line: Callable[[], Awaitable[Line]]
    handle: str = ""
    late: Callable[[str], None] | None = None

    @property
    def queue(self) -> str:
        return f"{self.message.about}/{self.channel}"


@dataclass(eq=False, slots=True)
class _Job:
    letter: Letter
    began: float
    done: asyncio.Future[ActionResult]
    tries: int = 0
    sent: set[str] = field(default_factory=set)
    """The names of its requests that have arrived."""
    why: str = "another message to the same service has not arrived yet"
    timer: asyncio.TimerHandle | None = None


@dataclass(eq=False, slots=True)
class _Queue:
    jobs: list[_Job] = field(default_factory=list)
    worker: asyncio.Task[None] | None = None


@dataclass(eq=False, slots=True)
class _Door:
    """`open_at` by the monotonic clock."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    open_at: float = 0.0
    failures: int = 0
    users: int = 0


class Delivery:
    """Delivers for all rollouts of a controller. `patience` is how long a message is tried, in seconds."""

    def __init__(
        self,
        poster: Poster,
        *,
        patience: float = PATIENCE_S,
        first_delay: float = FIRST_DELAY_S,
        said_late: float = SAID_LATE_S,
    ) -> None:
        self._poster = poster
        self._patience = patience
        self._first_delay = first_delay
        self._said_late = said_late
        self._queues: dict[str, _Queue] = {}
        self._doors: dict[str, _Door] = {}
        self._jobs: dict[str, _Job] = {}
        self._results: OrderedDict[str, ActionResult] = OrderedDict()
        self._handles: OrderedDict[str, str] = OrderedDict()

    @property
    def waiting(self) -> int:
        """How many messages have not arrived yet."""
        return len(self._jobs)

    async def send(self, letter: Letter) -> ActionResult:
        """Wait until it has arrived or will not. To be cancelled does not call the message back."""
        key = letter.message.key
        if key in self._results:
            return self._results[key]
        job = self._jobs.get(key) or self._queued(letter)
        return await asyncio.shield(job.done)

    async def close(self) -> None:
        """Stop. What has not arrived stays with whoever sent it."""
        workers = [queue.worker for queue in self._queues.values() if queue.worker is not None]
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        for job in self._jobs.values():
            job.done.cancel()
            if job.timer is not None:
                job.timer.cancel()
        self._jobs.clear()
        self._queues.clear()

    # --- the queues ---------------------------------------------------------------------------------------------

    def _queued(self, letter: Letter) -> _Job:
        job = _Job(letter, time.monotonic(), asyncio.get_running_loop().create_future())
        job.timer = asyncio.get_running_loop().call_later(self._said_late, self._say_late, job)
        queue = self._queues.setdefault(letter.queue, _Queue())
        queue.jobs.append(job)
        self._jobs[letter.message.key] = job
        if len(queue.jobs) > MOST_WAITING:
            self._make_room(queue)
        if queue.worker is None:
            queue.worker = asyncio.create_task(self._work(letter.queue, queue))
        return job

    def _make_room(self, queue: _Queue) -> None:
        """Give up one, but not the first, which may be on its way, nor the last, which is the news."""
        among = queue.jobs[1:-1]
        job = min(among, key=lambda job: (not job.letter.message.update, _LEAST[job.letter.message.severity]))
        queue.jobs.remove(job)
        why = f"more than {MOST_WAITING} messages wait for this channel, and newer ones say more"
        self._finish(job, ActionResult(job.letter.message.update, why))

    async def _work(self, name: str, queue: _Queue) -> None:
        """Deliver what there is, one by one, and end."""
        while queue.jobs:
            job = queue.jobs[0]
            try:
                result = await self._deliver(job, queue)
            except Exception as bug:  # a message must not hold up those behind it
                log.exception("a bug: a message could not be sent", channel=job.letter.channel)
                result = ActionResult(False, f"{type(bug).__name__}: {bug}")
            queue.jobs.remove(job)
            self._finish(job, result)
        del self._queues[name]

    def _finish(self, job: _Job, result: ActionResult) -> None:
        key = job.letter.message.key
        self._jobs.pop(key, None)
        if job.timer is not None:
            job.timer.cancel()
        _remember(self._results, key, result)
        if not job.done.done():
            job.done.set_result(result)

    # --- one message --------------------------------------------------------------------------------------------

    async def _deliver(self, job: _Job, queue: _Queue) -> ActionResult:
        """Try until it is clear what becomes of it."""
        channel = job.letter.channel
        while True:
            verdict, most_tries = await self._try(job, queue)
            match verdict:
                case Taken(handle):
                    return ActionResult(True, f"sent to {channel}: {job.letter.message.text}", handle)
                case Refused(why):
                    return ActionResult(False, f"not sent to {channel}: {why}; it said: {job.letter.message.text}")
                case Lost(why):
                    log.info("what was shown of a run is gone; it is shown anew", channel=channel, why=why)
                    _remember(self._handles, _shown_of(job.letter), "")
                    job.sent.clear()
                case Later(why):
                    job.why = why
                    if job.tries >= most_tries or time.monotonic() - job.began >= self._patience:
                        said = f"given up after {job.tries} {'try' if job.tries == 1 else 'tries'}: {why}"
                        return ActionResult(False, f"not sent to {channel}: {said}; it said: {job.letter.message.text}")

    async def _try(self, job: _Job, queue: _Queue) -> tuple[Verdict, float]:
        """One try, and how many there may be."""
        try:
            line = await job.letter.line()
        except LineTrouble as trouble:
            if not trouble.passing:
                return Refused(str(trouble)), 0
            job.tries += 1
            await asyncio.sleep(self._pause(job.tries))
            return Later(str(trouble)), float("inf")
        service = SERVICES[line.kind]
        most = int(line.settings["retries"]) + 1 if "retries" in line.settings else float("inf")
        door = self._doors.setdefault(line.address or line.to, _Door())
        door.users += 1
        try:
            async with door.lock:
                return await self._through(door, service, line, job, queue), most
        finally:
            door.users -= 1
            if not door.users and door.open_at <= time.monotonic():
                self._doors.pop(line.address or line.to, None)

    async def _through(self, door: _Door, service: Service, line: Line, job: _Job, queue: _Queue) -> Verdict:
        await asyncio.sleep(max(0.0, door.open_at - time.monotonic()))
        message = replace(job.letter.message, newest=queue.jobs[-1] is job)
        handle = self._handles.get(_shown_of(job.letter), job.letter.handle)
        job.tries += 1
        verdict: Verdict = Taken()
        kept = handle
        for request in service.form(message, line, handle):
            if request.name in job.sent:
                continue
            verdict = await self._asked(service, line, request)
            if not isinstance(verdict, Taken):
                break
            job.sent.add(request.name)
            kept = verdict.handle or kept
        if isinstance(verdict, Lost) and not handle:
            verdict = Refused(verdict.why)  # nothing was to be changed
        if kept != handle:
            _remember(self._handles, _shown_of(job.letter), kept)
        self._keep(door, verdict)
        return Taken(kept) if isinstance(verdict, Taken) else verdict

    async def _asked(self, service: Service, line: Line, request: Request) -> Verdict:
        answer = await self._poster.post(line, request)
        verdict = service.judge(request, answer) if isinstance(answer, Answer) else answer
        if isinstance(verdict, Taken):
            return verdict
        return verdict._replace(why=shown(line, verdict.why))

    def _keep(self, door: _Door, verdict: Verdict) -> None:
        """Keep the door shut for a while, or open it."""
        if not isinstance(verdict, Later):
            door.failures = 0
            return
        door.failures += 1
        asked = min(verdict.after_s or 0.0, LONGEST_ASKED_S)
        door.open_at = time.monotonic() + max(asked, self._pause(door.failures))

    def _pause(self, failures: int) -> float:
        longest = min(LONGEST_DELAY_S, self._first_delay * 2.0 ** min(failures - 1, 20))
        return longest * random.uniform(0.5, 1.0)

    def _say_late(self, job: _Job) -> None:
        log.warning("a message has not arrived yet", channel=job.letter.channel, why=job.why)
        if job.letter.late is not None:
            job.letter.late(job.why)


def _shown_of(letter: Letter) -> str:
    """What a handle belongs to: a channel's message of one run."""
    return f"{letter.queue}/{letter.message.run}"


def _remember(memory: OrderedDict[str, ActionResult] | OrderedDict[str, str], key: str, value: object) -> None:
    """The latest so many."""
    memory.pop(key, None)
    memory[key] = value  # type: ignore[assignment]
    while len(memory) > MOST_REMEMBERED:
        memory.popitem(last=False)
