"""The loop that carries a rollout out in real time, over any runtime.

Theory of operation. One pass observes the world, calls `advance`, and does the effects in the order of
`interpreter.effects`. What may take long (asking a provider, calling a webhook, sending a message) is never waited for
in a pass: it runs as a task of its own, and its end is a reason for the next pass. So nothing that hangs can delay a
rollback. Readiness is the exception: it comes from what the runtime already knows, is asked afresh in every pass, and
is waited for.

Between two passes the driver sleeps until the machine's `wake_at`, the end of a task, or `wake()`, which the runtime
calls whenever the world changed. It keeps in memory only what a restart may lose: answers to questions still open,
results not yet seen to be noted, and the latest state.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol

from dsl.ir import Program
from interpreter.actions import Action, ActionResult
from interpreter.desired import Instant, Routing
from interpreter.effects import Arrange, Effect, Perform, Persist, Reroute, effects, unwritten_for_ms
from interpreter.frozen import changed
from interpreter.machine import advance
from interpreter.questions import (
    Answer,
    ErrorAnswer,
    GateAnswer,
    GateQuestion,
    MetricQuestion,
    Question,
    Readiness,
    ReadyQuestion,
)
from interpreter.state import Inputs, State, Step


class Runtime(Protocol):
    """Where a rollout runs. Methods raise only for bugs and for trouble that ends the run; all else is an answer."""

    def now(self) -> Instant:
        """Milliseconds since the epoch."""

    async def observe(self) -> Inputs:
        """The world as it is: everything of `Inputs` but `answers`, `results` and `restarted`, which are the
        driver's."""

    async def ask(self, question: Question) -> Answer:
        """Find out. Readiness questions must be answered from what is known, without delay."""

    async def reroute(self, routing: Routing) -> None:
        """Give the data plane this routing; when it returns, `observe` says so."""

    async def persist(self, state: State) -> None:
        """Keep the state; durable when it returns."""

    async def arrange(self, desired: Any) -> None:
        """Set workloads in motion towards the desired picture, without waiting for them."""

    async def perform(self, action: Action) -> ActionResult:
        """Do a once-only thing."""


def _nothing(name: str) -> None:
    del name


class Driver:
    """Runs one rollout. `state` is what was last persisted (or a new `State()`); `wake_at_ms` when the machine last
    wanted to be asked again, also after a pass that failed.

    `boundary` is called with a name between any two effects: tests kill the process there. `on_wake` is called when a
    task has ended, for those who do not use `run` but call `pass_once` when there is reason to.
    """

    def __init__(
        self,
        program: Program,
        runtime: Runtime,
        state: State,
        *,
        boundary: Callable[[str], None] | None = None,
        on_wake: Callable[[], None] | None = None,
    ) -> None:
        self.program = program
        self.runtime = runtime
        self.state = state
        self.wake_at_ms: Instant | None = None
        self._persisted = state
        self._boundary = boundary or _nothing
        self._answers: dict[str, Answer] = {}
        self._results: dict[str, ActionResult] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()
        self._on_wake = on_wake
        self._restarted = True

    def wake(self) -> None:
        """Look again at once: the world changed. Callable from the loop's own thread."""
        self._woken.set()

    @property
    def shown(self) -> State:
        """The state as people are to see it: with the reason that was written, until the new one has stood a while."""
        return changed(self.state, reason=self._persisted.reason)

    async def run(self, until: Callable[[State], bool]) -> State:
        """Go on until `until` says so of a state that has been persisted and acted on. Cancels what is still out."""
        try:
            while True:
                self._woken.clear()
                step, moved = await self.pass_once()
                if moved:
                    continue
                if until(self.state):
                    return self.state
                await self._sleep(step.wake_at_ms)
        finally:
            await self.close()

    async def pass_once(self) -> tuple[Step, bool]:
        """One pass; whether it changed anything, so that another should follow at once."""
        seen = await self.runtime.observe()
        step = await self._advance(seen)
        self._restarted = False
        todo = effects(self._persisted, step, seen.routing)
        self.state, self.wake_at_ms = step.state, step.wake_at_ms
        await self._carry_out(todo)
        self._boundary("end of pass")
        self._forget(step)
        step = self._with_wake(step)
        return step, any(isinstance(effect, Persist | Reroute) for effect in todo)

    def _with_wake(self, step: Step) -> Step:
        """Woken also when what has not been written yet is to be."""
        left = unwritten_for_ms(self._persisted, self.state)
        if left is not None:
            later = self.runtime.now() + left
            self.wake_at_ms = later if self.wake_at_ms is None else min(self.wake_at_ms, later)
        return replace(step, wake_at_ms=self.wake_at_ms)

    async def _carry_out(self, todo: tuple[Effect, ...]) -> None:
        """Do the effects in order. What fails before the state is written ends the pass, for the rest stands on it.
        After that one trouble does not keep the others from being done: a workload that cannot be arranged must not
        hold up a message, nor a route that cannot be written the workloads. The first trouble is raised in the end."""
        written = max((index for index, effect in enumerate(todo) if isinstance(effect, Persist)), default=-1)
        trouble: Exception | None = None
        for index, effect in enumerate(todo):
            self._boundary(type(effect).__name__)
            try:
                await self._do(effect)
            except Exception as error:
                if index <= written:
                    raise
                trouble = trouble or error
        if trouble is not None:
            raise trouble

    async def _advance(self, seen: Inputs) -> Step:
        """Ask the machine, answering readiness on the way; other questions that are open are set off."""
        ready: dict[str, Answer] = {}
        while True:
            inputs = replace(seen, answers={**self._answers, **ready}, results=self._results, restarted=self._restarted)
            step = advance(self.program, self.state, inputs, self.runtime.now())
            unanswered = [q for q in step.questions if isinstance(q, ReadyQuestion)]
            if not unanswered:
                self._set_off(step)
                return step
            for question in unanswered:
                answer = await self.runtime.ask(question)
                ready[question.key] = answer if isinstance(answer, Readiness) else Readiness(False, "not known")

    def _set_off(self, step: Step) -> None:
        for question in step.questions:
            if not isinstance(question, ReadyQuestion):
                self._spawn(question.key, self._answer(question))

    async def _do(self, effect: Effect) -> None:
        match effect:
            case Reroute(routing):
                await self.runtime.reroute(routing)
            case Persist(state):
                await self.runtime.persist(state)
                self._persisted = state
            case Arrange(desired):
                await self.runtime.arrange(desired)
            case Perform(action):
                if action.key not in self._results:
                    self._spawn(action.key, self._perform(action))

    # --- tasks ------------------------------------------------------------------------------------------------

    def _spawn(self, key: str, work: Coroutine[Any, Any, None]) -> None:
        if key in self._tasks:
            work.close()
            return
        task = asyncio.create_task(work)
        self._tasks[key] = task
        task.add_done_callback(lambda _: self._finished(key))

    def _finished(self, key: str) -> None:
        task = self._tasks.pop(key, None)
        if task is not None and not task.cancelled():
            task.result()
        self._woken.set()
        if self._on_wake is not None:
            self._on_wake()

    async def _answer(self, question: MetricQuestion | GateQuestion) -> None:
        try:
            self._answers[question.key] = await self.runtime.ask(question)
        except Exception as error:  # a broken provider must not end the rollout
            why = f"{type(error).__name__}: {error}"
            failed = GateAnswer(False, why) if isinstance(question, GateQuestion) else ErrorAnswer(why)
            self._answers[question.key] = failed

    async def _perform(self, action: Action) -> None:
        try:
            self._results[action.key] = await self.runtime.perform(action)
        except Exception as error:  # nor must a broken channel
            self._results[action.key] = ActionResult(False, f"{type(error).__name__}: {error}")

    def _forget(self, step: Step) -> None:
        """Drop answers and results that the state no longer asks for, and tasks that nobody waits for."""
        wanted = {question.key for question in step.questions}
        wanted |= {action.key for action in step.state.outbox}
        if not step.questions:
            self._answers.clear()
        self._results = {key: result for key, result in self._results.items() if key in wanted}
        for key, task in list(self._tasks.items()):
            if key not in wanted:
                task.cancel()

    async def _sleep(self, wake_at_ms: Instant | None) -> None:
        delay = None if wake_at_ms is None else max(0, wake_at_ms - self.runtime.now()) / 1000
        # Not `wait_for`: where one is woken and cancelled at the same moment, Python 3.11's forgets the cancellation.
        with suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._woken.wait()

    async def close(self) -> None:
        """Cancel what is still out."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
