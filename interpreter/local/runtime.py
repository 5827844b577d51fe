"""The machine's world on one machine: processes, the proxy, real counts, real webhooks, and a journal.

Implements `interpreter.driver.Runtime` over parts that `interpreter.local.session` makes, opens and closes. What lasts
is in the journal before a method returns; the rest (processes, routing, counts) is made again from it after a restart.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Protocol, assert_never

from dsl import ir_json
from dsl.ir import Program, Webhook
from interpreter import state_json
from interpreter.actions import Action, ActionResult, CallAction, EventAction, NotifyAction
from interpreter.channels import local
from interpreter.channels.delivery import Delivery
from interpreter.desired import Desired, Instant, Routing
from interpreter.local.answers import Answers
from interpreter.local.journal import Journal
from interpreter.local.proxy import Proxy
from interpreter.local.workloads import Workloads
from interpreter.local.world import World
from interpreter.questions import Answer, GateAnswer, GateQuestion, MetricQuestion, Question, ReadyQuestion
from interpreter.state import Inputs, State
from interpreter.webhooks import Caller, asking, payload_of


class Watcher(Protocol):
    """Is told what happens, to show it."""

    def event(self, at: Instant, reason: str, message: str, *, warning: bool) -> None:
        """Something was decided, or done, or went wrong."""

    def state_written(self, state: State) -> None:
        """The state that has just been written."""


class LocalRuntime:
    """One rollout on one machine."""

    def __init__(
        self,
        program: Program,
        *,
        world: World,
        journal: Journal,
        proxy: Proxy,
        workloads: Workloads,
        answers: Answers,
        caller: Caller,
        delivery: Delivery,
        watcher: Watcher,
        state: State,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.program = program
        self.state = state
        self._digest = ir_json.digest(program)
        self._world = world
        self._journal = journal
        self._proxy = proxy
        self._workloads = workloads
        self._answers = answers
        self._caller = caller
        self._delivery = delivery
        self._watcher = watcher
        self._clock = clock
        self._arranged: object = journal.last("arranged")

    def now(self) -> Instant:
        return int(self._clock() * 1000)

    async def observe(self) -> Inputs:
        return Inputs(
            revision=self._world.observe(self.state),
            routing=self._proxy.routing,
            signals=self._world.signals,
            finished={f"{other.namespace}/{other.name}": True for other in self.program.after},
            program_digest=self._digest,
        )

    async def ask(self, question: Question) -> Answer:
        match question:
            case ReadyQuestion():
                return self._ready(question)
            case MetricQuestion():
                return await self._answers.answer(question, self.now())
            case GateQuestion():
                return await self._gate(question)
            case _:
                assert_never(question)

    async def reroute(self, routing: Routing) -> None:
        if routing != self._proxy.routing:
            self._note(routing)
        self._proxy.route(routing)

    def _note(self, routing: Routing) -> None:
        """For the record; a restart that puts the same routing in force again is no change."""
        self._journal.note("routing", state_json.routing_to_data(routing))
        noted = [routing.weight, routing.mirror, bool(routing.matches)]
        before = self._journal.all("weight")
        if noted != (before[-1][1:] if before else [0.0, 0.0, False]):
            self._journal.note("weight", [self.now(), *noted])

    async def persist(self, state: State) -> None:
        await self._journal.keep("state", json.loads(state_json.encode(state)))
        self.state = state
        self._watcher.state_written(state)

    async def arrange(self, desired: Desired) -> None:
        arranged = json.loads(json.dumps(asdict(desired)))
        if arranged != self._arranged:
            self._journal.note("arranged", arranged)
            self._arranged = arranged
        self._workloads.arrange(desired, self._world.commands)

    async def perform(self, action: Action) -> ActionResult:
        match action:
            case EventAction():
                self._record(action.reason, action.message, warning=action.warning)
                return ActionResult(True)
            case NotifyAction():
                return await self._notify(action)
            case CallAction():
                return await self._call(action)
            case _:
                assert_never(action)

    def _ready(self, question: ReadyQuestion) -> Answer:
        share = self.program.ready_primary if question.role == "primary" else self.program.ready_canary
        return self._workloads.readiness(question, self._proxy.routing.weight, share)

    async def _gate(self, question: GateQuestion) -> GateAnswer:
        key = f"{self.program.namespace}/{self.program.name}/{question.key}"
        hook = self.program.gates[question.gate]
        reply = await self._caller.call(
            hook, payload_of(self.program, hook, asking(question.gate, key, self.state)), key
        )
        return GateAnswer(reply.accepted, reply.detail)

    async def _call(self, action: CallAction) -> ActionResult:
        hook: Webhook = self.program.webhooks[action.webhook]
        reply = await self._caller.call(hook, payload_of(self.program, hook, action), action.key)
        verb = "accepted" if reply.accepted else "refused"
        said = f": {reply.detail}" if reply.detail else ""
        self._record("WebhookCalled", f"{action.webhook} {verb}{said}", warning=not reply.accepted)
        return ActionResult(reply.accepted, reply.detail)

    async def _notify(self, action: NotifyAction) -> ActionResult:
        result = await local.send(self._delivery, self.program, action, self.now())
        if result.ok:
            self._record("Message", result.detail, warning=False)
        return result

    def _record(self, reason: str, message: str, *, warning: bool) -> None:
        at = self.now()
        self._journal.note("event", [at, reason, message, warning])
        self._watcher.event(at, reason, message, warning=warning)
