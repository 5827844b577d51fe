"""Messages to channels.

A `webhook` channel gets a `POST` in the form of an event webhook: the message, its severity and its time stand in
`metadata`, beside what the channel's `body` has there. A chat service gets its own form (`interpreter.chat`), at an
address that is a secret: the cluster's shell finds it and hands it in as a `Line`. Where there is none nothing is sent,
and the result says so, with the message.
"""

from __future__ import annotations

from typing import NamedTuple

from dsl.ir import Channel, Program, Webhook
from interpreter import chat
from interpreter.durations import milliseconds
from interpreter.state import ActionResult, Instant, NotifyAction
from interpreter.templates import TemplateProblem, render
from interpreter.webhooks import Caller

TIMEOUT_MS = 10_000
_TYPES = {"info": "Normal", "warn": "Warning", "error": "Warning"}


class Line(NamedTuple):
    """Where a chat channel is reached: the service, its address, and as whom. The address and the token are secrets."""

    kind: str
    address: str
    token: str = ""
    channel: str = ""
    username: str = ""


async def send(
    caller: Caller, program: Program, action: NotifyAction, now: Instant, line: Line | None = None
) -> ActionResult:
    """Render the message and deliver it, if this channel can be reached from here."""
    channel = program.channels[action.channel]
    try:
        message = render(action.template, action.context)
    except TemplateProblem as problem:
        return ActionResult(False, f"not sent to {action.channel}: {problem}")
    if channel.kind == "webhook":
        reply = await caller.call(_hook(channel), _payload(program, action, message, now), action.key)
    elif line is None:
        kind, to = channel.kind, channel.to
        return ActionResult(True, f"not sent: {kind} channels work in a cluster only; to {to}: {message}")
    else:
        reply = await caller.call(
            _post(line), chat.form(line.kind, _message(program, action, message, line)), action.key
        )
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


def _post(line: Line) -> Webhook:
    headers = {"Authorization": f"Bearer {line.token}"} if line.token else {}
    return Webhook(url=chat.address(line.kind, line.address), timeout_ms=TIMEOUT_MS, headers=headers)


def _message(program: Program, action: NotifyAction, text: str, line: Line) -> chat.Message:
    facts = {"target": "target", "revision": "revision", "phase": "phase", "weight": "weight", "step": "step"}
    told = {title: action.context[key] for title, key in facts.items() if action.context.get(key)}
    about = f"{program.namespace}/{program.name}"
    return chat.Message(text, action.severity, about, told, line.channel, line.username)


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
