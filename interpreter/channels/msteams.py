"""Microsoft Teams: an Adaptive Card to a workflow's webhook ("Post to a channel when a webhook request is received").

The older connectors of Office 365 have been retired. A card is of version 1.4 (adaptivecards.io), and the whole message
has 28 KB at most (learn.microsoft.com, "Create and send messages"). Texts are Markdown, in part; a mention needs
an entity of its own, and there is none.
"""

from __future__ import annotations

from typing import Any

from interpreter.channels.line import Line
from interpreter.channels.message import Message
from interpreter.channels.request import Answer, Later, Request, Service, Verdict, judged, posted
from interpreter.channels.text import cut, fitting, plain, unlinked

MOST_BYTES = 28_000
MOST_TEXT = 8000
_COLOURS = {"info": "Good", "warn": "Warning", "error": "Attention"}
_TOLD = "returned HTTP error 429"


def form(message: Message, line: Line, handle: str) -> tuple[Request, ...]:
    """One card."""
    del handle
    if message.update:
        return ()
    headers = {"Authorization": f"Bearer {line.token}"} if line.token else {}
    return (posted(line.address, fitting(lambda most: _said(message, most), MOST_BYTES, MOST_TEXT), headers),)


def judge(request: Request, answer: Answer) -> Verdict:
    """A workflow says 202. A connector may say 200, and have in its body that Teams was too busy."""
    if _TOLD in answer.body:
        return Later("Teams is too busy", answer.wait_s)
    return judged(request, answer)


SERVICE = Service(form, judge)


def _said(message: Message, most: int) -> dict[str, Any]:
    def shown(text: str, part: int) -> str:
        return unlinked(plain(cut(text, max(1, most // part))))

    body: list[dict[str, Any]] = [
        {
            "type": "TextBlock",
            "text": shown(f"{message.about}: {message.headline}", 16),
            "weight": "Bolder",
            "size": "Medium",
            "color": _COLOURS[message.severity],
            "wrap": True,
        },
        {"type": "TextBlock", "text": shown(message.text, 1) or " ", "wrap": True},
    ]
    if message.checks:
        lines = "\n\n".join(shown(check, 16) for check in message.checks)
        body.append({"type": "TextBlock", "text": lines, "wrap": True, "isSubtle": True})
    if message.facts:
        facts = [{"title": title, "value": shown(value, 16)} for title, value in message.facts.items()]
        body.append({"type": "FactSet", "facts": facts})
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
        "fallbackText": shown(f"{message.about}: {message.headline}", 16),
        "msteams": {"width": "Full"},
    }
    if message.links:
        card["actions"] = [{"type": "Action.OpenUrl", "title": link.title, "url": link.url} for link in message.links]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}
