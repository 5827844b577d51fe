"""Messages to channels.

A `webhook` channel gets a `POST` in the form of an event webhook: the message, its severity and its time stand in
`metadata`, beside what the channel's `body` has there. Chat services want an address that is a secret of the cluster; where there is no cluster nothing is sent,
and the result says so, with the message.
"""

from __future__ import annotations

from dsl.ir import Channel, Program, Webhook
from interpreter.durations import milliseconds
from interpreter.state import ActionResult, Instant, NotifyAction
from interpreter.templates import TemplateProblem, render
from interpreter.webhooks import Caller

TIMEOUT_MS = 10_000
_TYPES = {"info": "Normal", "warn": "Warning", "error": "Warning"}


async def send(caller: Caller, program: Program, action: NotifyAction, now: Instant) -> ActionResult:
    """Render the message and deliver it, if this channel can be reached from here."""
    channel = program.channels[action.channel]
    try:
        message = render(action.template, action.context)
    except TemplateProblem as problem:
        return ActionResult(False, f"not sent to {action.channel}: {problem}")
    if channel.kind != "webhook":
        return ActionResult(
            True, f"not sent: {channel.kind} channels work in a cluster only; to {channel.to}: {message}"
        )
    reply = await caller.call(_hook(channel), _payload(program, action, message, now), action.key)
    if reply.accepted:
        return ActionResult(True, f"sent to {action.channel}: {message}")
    return ActionResult(False, f"not sent to {action.channel}: {reply.detail}; the message was: {message}")


def _hook(channel: Channel) -> Webhook:
    settings = channel.fields
    return Webhook(
        url=channel.to,
        timeout_ms=milliseconds(settings["timeout"]) if "timeout" in settings else TIMEOUT_MS,
        retries=settings.get("retries", 0),
        headers=settings.get("headers", {}),
        secret=channel.secret,
        insecure_skip_verify=settings.get("insecure_skip_verify", False),
    )


def _payload(program: Program, action: NotifyAction, message: str, now: Instant) -> dict[str, object]:
    own = program.channels[action.channel].fields.get("body", {})
    metadata = {**own, "eventMessage": message, "eventType": _TYPES[action.severity], "timestamp": str(now)}
    return {
        "name": program.name,
        "namespace": program.namespace,
        "phase": action.context.get("phase", ""),
        "checksum": action.context.get("revision", ""),
        "revision": action.context.get("revision", ""),
        "severity": action.severity,
        "metadata": metadata,
        "idempotencyKey": action.key,
    }
