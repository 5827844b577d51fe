"""CloudEvents 1.0 over HTTP, in structured mode and JSON (cloudevents.io: the spec, its JSON format, its HTTP binding).

`type` is `dev.rollway.rollout.` and the event in small letters, `rolledback` for RolledBack: these names stay. `id` is
the same for a repeat; together with `source` it is the event's own.
"""

from __future__ import annotations

from interpreter.channels.line import Line
from interpreter.channels.message import Message
from interpreter.channels.request import Request, Service
from interpreter.channels.text import moment, packed
from interpreter.channels.webhook import headers_of

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
TYPES = "dev.rollway.rollout."


def form(message: Message, line: Line, handle: str) -> tuple[Request, ...]:
    """One event."""
    del handle
    if message.update:
        return ()
    cluster = line.text("cluster")
    event = {
        "specversion": "1.0",
        "id": message.key,
        "source": f"/{f'clusters/{cluster}/' if cluster else ''}namespaces/{message.namespace}/rollouts/{message.name}",
        "type": TYPES + message.event.lower(),
        "subject": message.revision or message.name,
        "time": moment(message.at_ms),
        "datacontenttype": "application/json",
        "data": {
            "namespace": message.namespace,
            "name": message.name,
            "run": int(message.run) if message.run.isdigit() else None,
            "revision": message.revision,
            "phase": message.phase,
            "severity": message.severity,
            "message": message.text,
            "facts": dict(message.facts),
            "checks": list(message.checks),
            "asks": list(message.asks),
            "links": {link.title: link.url for link in message.links},
            **line.texts("body"),
        },
    }
    headers = {**headers_of(line, message), "Content-Type": CONTENT_TYPE}
    return (Request(line.address or line.to, packed(event), headers),)


SERVICE = Service(form)
