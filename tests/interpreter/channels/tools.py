"""Messages and lines of the tests."""

from __future__ import annotations

from typing import Any

from interpreter.channels.delivery import Letter
from interpreter.channels.line import Line
from interpreter.channels.message import Link, Message
from tests.interpreter.channels.services import BOT, HOOK, KEY, Town

AT = 1_700_000_000_123
FACTS = {"Target": "checkout", "Revision": "abc", "Phase": "Failed", "Traffic": "20%", "Step": "hold 5m"}
CHECKS = ("`success_rate >= 99%`: success_rate is 95.2%: fail", "`latency < 500ms`: latency is 130ms: pass")
LINKS = (Link("Approve", "https://rollway.test/l/1.a.b?x=1&y=2"), Link("Roll back", "https://rollway.test/l/1.c.d"))


def message(
    event: str = "RolledBack", text: str = "rolled back abc: the canary is not ready", **changes: Any
) -> Message:
    """Of a rollout that has failed, unless it is changed."""
    said: dict[str, Any] = {
        "key": f"shop/checkout/{event}/{text}",
        "event": event,
        "severity": "error",
        "text": text,
        "namespace": "shop",
        "name": "checkout",
        "run": "3",
        "revision": "abc",
        "phase": "Failed",
        "at_ms": AT,
        "facts": FACTS,
        "checks": CHECKS,
    }
    return Message(**{**said, **changes})


def line(kind: str, town: Town, **settings: Any) -> Line:
    """To a service of the town's."""
    address = {
        "slack": HOOK,
        "rocket": "/hooks/id/hidden-in-the-path",
        "discord": "/api/webhooks/123/hidden-in-the-path",
        "msteams": "/workflows/teams",
        "gchat": "/v1/spaces/AAA/messages?key=hidden-key&token=hidden-in-the-query",
        "alertmanager": "",
        "pagerduty": "/v2/enqueue",
        "webhook": "/own",
        "cloudevents": "/events",
        "bot": "/api/chat.postMessage",
    }[kind]
    to = {"alertmanager": town.url, "slack": "on-call", "bot": "on-call"}.get(kind, "")
    token = {"pagerduty": KEY, "bot": BOT}.get(kind, "")
    real = "slack" if kind == "bot" else kind
    open_ = kind in ("alertmanager", "webhook", "cloudevents")
    return Line(real, f"{town.url}{address}", to, token, hidden=not open_, settings=settings)


def letter(said: Message, where: Line, **changes: Any) -> Letter:
    async def find() -> Line:
        return where

    return Letter(**{"channel": "oncall", "message": said, "line": find, **changes})
