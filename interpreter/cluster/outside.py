"""What a rollout in a cluster asks of others and says to them: metrics, gates, webhooks, messages, events.

Everything here may be slow or down without harm: the driver runs it beside its passes. Credentials come from Secrets of
the rollout's namespace, are fetched when they are needed, and are never kept in a state, a message or a log.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic
from types import MappingProxyType
from typing import assert_never

import structlog

from dsl.ir import Program, Webhook
from interpreter.actions import Action, ActionResult, CallAction, EventAction, NotifyAction
from interpreter.cluster.calling import Calling
from interpreter.cluster.events import Recorder
from interpreter.cluster.measuring import Measuring
from interpreter.cluster.messaging import Messaging
from interpreter.cluster.owner import Owner
from interpreter.cluster.telemetry.meters import Meters
from interpreter.desired import Instant
from interpreter.questions import Answer, GateAnswer, GateQuestion, MetricQuestion
from interpreter.state import State
from interpreter.webhooks import Reply, asking, payload_of

log = structlog.get_logger(__name__)

ON_THE_WAY = frozenset({"Paused", "PrimaryReady", "TrafficReturned"})
"""What the record of the run has, and `kubectl describe` does without: the event before or after it says the same, and
each costs a request. Those of type Warning are always told."""

NO_HANDLES: Mapping[str, str] = MappingProxyType({})


class Outside:
    """Shared by all rollouts of a controller."""

    def __init__(
        self,
        calling: Calling,
        measuring: Measuring,
        messaging: Messaging,
        recorder: Recorder,
        meters: Meters | None = None,
    ) -> None:
        self._calling = calling
        self._measuring = measuring
        self._messaging = messaging
        self._recorder = recorder
        self._meters = meters or Meters()

    async def ask(
        self, program: Program, owner: Owner, question: MetricQuestion | GateQuestion, state: State
    ) -> Answer:
        """A measurement, or whether a gate is open."""
        if isinstance(question, MetricQuestion):
            return await self._measuring.answer(program, owner, question)
        hook = program.gates[question.gate]
        key = f"{program.namespace}/{program.name}/{question.key}"
        reply = await self._call("gate", program, hook, asking(question.gate, key, state), key)
        return GateAnswer(reply.accepted, reply.detail)

    def withdraw(self, owner: Owner, question: MetricQuestion | GateQuestion) -> None:
        """Nobody waits for the answer any more: what was set off for it is ended."""
        if isinstance(question, MetricQuestion):
            self._measuring.withdraw(owner, question)

    async def perform(
        self, program: Program, owner: Owner, action: Action, now: Instant, handles: Mapping[str, str] = NO_HANDLES
    ) -> ActionResult:
        """Do a once-only thing. `handles` are those of the messages of the run (`Run.handles`)."""
        match action:
            case EventAction():
                if action.warning or action.reason not in ON_THE_WAY:
                    self._recorder.record(
                        owner.manifest, action.reason, action.message, type="Warning" if action.warning else "Normal"
                    )
                return ActionResult(True)
            case CallAction():
                hook = program.webhooks[action.webhook]
                reply = await self._call("webhook", program, hook, action, action.key)
                if not reply.accepted:
                    said = f"{action.webhook} refused: {reply.detail}"
                    self._recorder.record(owner.manifest, "WebhookRefused", said, type="Warning")
                return ActionResult(reply.accepted, reply.detail)
            case NotifyAction():
                return await self._send(program, owner, action, now, handles)
            case _:
                assert_never(action)

    async def _send(
        self, program: Program, owner: Owner, action: NotifyAction, now: Instant, handles: Mapping[str, str]
    ) -> ActionResult:
        begun = monotonic()
        result = await self._messaging.send(program, owner, action, now, handles)
        self._meters.sent(program.channels[action.channel].kind, result.ok, monotonic() - begun)
        return result

    async def _call(self, kind: str, program: Program, hook: Webhook, action: CallAction, key: str) -> Reply:
        calls = self._calling.of(program.namespace, program.name)
        begun = monotonic()
        reply = await calls.call(hook, payload_of(program, hook, action), key)
        outcome = "accepted" if reply.accepted else "refused" if reply.status is not None else "unanswered"
        self._meters.called(kind, outcome, monotonic() - begun)
        return reply
