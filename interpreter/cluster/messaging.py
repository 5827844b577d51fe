"""Messages of rollouts in a cluster: what an action says, with links to answer by, handed to the delivery."""

from __future__ import annotations

from collections.abc import Mapping

from dsl.ir import Program
from interpreter.actions import ActionResult, NotifyAction
from interpreter.channels.delivery import Delivery, Letter
from interpreter.channels.line import Line
from interpreter.channels.message import message_of
from interpreter.cluster.events import Recorder
from interpreter.cluster.lines import Lines
from interpreter.cluster.owner import Owner
from interpreter.desired import Instant
from interpreter.templates import TemplateProblem
from interpreter.web.linking import MakeLink
from interpreter.web.links import VERBS, Link


class Messaging:
    """For all rollouts of a controller. `make_link` is None where nobody could follow a link."""

    def __init__(self, delivery: Delivery, lines: Lines, recorder: Recorder, make_link: MakeLink | None = None) -> None:
        self._delivery = delivery
        self._lines = lines
        self._recorder = recorder
        self._make_link = make_link

    async def send(
        self, program: Program, owner: Owner, action: NotifyAction, now: Instant, handles: Mapping[str, str]
    ) -> ActionResult:
        """Wait until the message has arrived, or will not. `handles` are those of the run that is under way."""
        channel = program.channels[action.channel]
        try:
            message = message_of(program, action, now, self._urls(owner, action))
        except TemplateProblem as problem:
            return ActionResult(False, f"not sent to {action.channel}: {problem}")

        async def line() -> Line:
            return await self._lines.line(channel, program.namespace)

        def late(why: str) -> None:
            said = f"a message to channel `{action.channel}` has not arrived yet, and is tried again: {why}"
            self._recorder.record(owner.manifest, "MessageDelayed", said, type="Warning")

        return await self._delivery.send(Letter(action.channel, message, line, handles.get(action.channel, ""), late))

    def _urls(self, owner: Owner, action: NotifyAction) -> dict[str, str]:
        """Links by verb; none where there can be none."""
        revision, run = action.context.get("revision", ""), action.context.get("run", "")
        if self._make_link is None or not revision:
            return {}
        found = {}
        for verb in action.asks:
            if verb not in VERBS:
                continue
            link = Link(
                namespace=owner.namespace,
                kind=owner.kind,
                name=owner.name,
                uid=owner.uid,
                revision=revision,
                step=action.step if verb == "approve" and action.step >= 0 else None,
                verb=verb,
                expires_ms=0,
                audience=f"the channel {action.channel}",
                nonce="",
                run=int(run) if run.isdigit() else None,
            )
            found[verb] = self._make_link(link)
        return found
