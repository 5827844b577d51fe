"""Channels where there is no cluster: addresses that stand in the policy are reached, others are only shown."""

from __future__ import annotations

from dsl.ir import Channel, Program
from interpreter.actions import ActionResult, NotifyAction
from interpreter.channels.delivery import Delivery, Letter
from interpreter.channels.line import Line, LineTrouble
from interpreter.channels.message import message_of
from interpreter.channels.registry import OPEN
from interpreter.desired import Instant
from interpreter.templates import TemplateProblem

PATIENCE_S = 10.0
"""How long a message is tried: a person waits for the end of the run."""


async def send(delivery: Delivery, program: Program, action: NotifyAction, now: Instant) -> ActionResult:
    """Deliver the message, or show it."""
    channel = program.channels[action.channel]
    try:
        message = message_of(program, action, now, {})
    except TemplateProblem as problem:
        return ActionResult(False, f"not sent to {action.channel}: {problem}")
    if channel.kind not in OPEN:
        said = "" if message.update else f"; to {channel.to}: {message.text}"
        return ActionResult(True, f"not sent: {channel.kind} channels work in a cluster only{said}")

    async def line() -> Line:
        return _line(channel)

    return await delivery.send(Letter(action.channel, message, line))


def _line(channel: Channel) -> Line:
    """Raises `LineTrouble`."""
    if channel.secret is not None:
        raise LineTrouble(f"it needs the secret `{channel.secret}`, which is not to be had here")
    return Line(channel.kind, channel.to, channel.to, settings=channel.fields)
