"""A webhook of one's own: the form of an event webhook of Flagger's, with the message, its severity and its time in
`metadata`, beside what the channel's `body` has there."""

from __future__ import annotations

from interpreter.channels.line import Line
from interpreter.channels.message import Message
from interpreter.channels.request import Request, Service, posted

_TYPES = {"info": "Normal", "warn": "Warning", "error": "Warning"}


def form(message: Message, line: Line, handle: str) -> tuple[Request, ...]:
    """One message."""
    del handle
    if message.update:
        return ()
    metadata = {
        **line.texts("body"),
        "eventMessage": message.text,
        "eventType": _TYPES[message.severity],
        "timestamp": str(message.at_ms),
    }
    said = {
        "name": message.name,
        "namespace": message.namespace,
        "phase": message.phase,
        "checksum": message.revision,
        "revision": message.revision,
        "severity": message.severity,
        "event": message.event,
        "checks": list(message.checks),
        "links": {link.title: link.url for link in message.links},
        "metadata": metadata,
        "idempotencyKey": message.key,
    }
    return (posted(line.address or line.to, said, headers_of(line, message)),)


def headers_of(line: Line, message: Message) -> dict[str, str]:
    """Whose it is, so that a repeat can be told, and what the policy and the Secret say."""
    credential = {"Authorization": f"Bearer {line.token}"} if line.token else {}
    return {"Idempotency-Key": message.key, **credential, **line.texts("headers")}


SERVICE = Service(form)
