"""PagerDuty: the Events API v2 (developer.pagerduty.com, "Send an alert event").

As with Alertmanager two alerts may stand for a rollout; `dedup_key` says which one is meant, and a `resolve` of one
that does not stand does nothing. The integration's key is the `token` of the Secret. Limits: summary 1,024 characters,
`dedup_key` 255, source 255 here.
"""

from __future__ import annotations

import hashlib
from typing import Any

from interpreter.channels.line import Line
from interpreter.channels.message import Message
from interpreter.channels.request import Request, Service, posted
from interpreter.channels.text import cut, moment, plain

ADDRESS = "https://events.pagerduty.com/v2/enqueue"
MOST_SUMMARY = 1024
MOST_KEY = 255
MOST_DETAIL = 4096


def form(message: Message, line: Line, handle: str) -> tuple[Request, ...]:
    """An event for each alert that it changes."""
    del handle
    requests = []
    if message.raises or message.settles:
        requests.append(_event(message, line, "failed", "error", stands=message.raises))
    if message.waits or message.goes_on:
        requests.append(_event(message, line, "waiting", "warning", stands=message.waits))
    return tuple(requests)


SERVICE = Service(form)


def key_of(line: Line, message: Message, what: str) -> str:
    """The same for a rollout always, and its own."""
    key = "/".join(filter(None, ("rollway", line.text("cluster"), message.namespace, message.name, what)))
    if len(key) <= MOST_KEY:
        return key
    return f"rollway/{hashlib.sha256(key.encode()).hexdigest()}"


def _event(message: Message, line: Line, what: str, severity: str, *, stands: bool) -> Request:
    event: dict[str, Any] = {
        "routing_key": line.token,
        "dedup_key": key_of(line, message, what),
        "event_action": "trigger" if stands else "resolve",
    }
    if stands:
        details = {**message.facts, "Last check": "\n".join(message.checks)}
        event["client"] = "rollway"
        event["payload"] = {
            "summary": cut(plain(f"{message.about}: {message.text}"), MOST_SUMMARY),
            "source": cut(line.text("cluster") or message.namespace, MOST_KEY),
            "severity": severity,
            "timestamp": moment(message.at_ms),
            "component": cut(message.name, MOST_KEY),
            "group": cut(line.to or message.namespace, MOST_KEY),
            "class": message.event,
            "custom_details": {key: cut(plain(value), MOST_DETAIL) for key, value in details.items() if value},
        }
        event["links"] = [{"href": link.url, "text": link.title} for link in message.links]
    return posted(line.address or ADDRESS, event, name=what)
