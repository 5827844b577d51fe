"""A message in the form that each chat service takes. Pure.

Each gets the text, whose rollout it is about, and a few facts. Forms: Slack's incoming webhooks (attachments), which
Discord (with `/slack` behind its URL) and Rocket.Chat take too; Google Chat's cards v2; Microsoft Teams' workflow
webhooks (Adaptive Cards 1.4), the older connectors having been retired.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

CHATS = frozenset({"slack", "discord", "rocket", "gchat", "msteams"})
_COLOURS = {"info": "good", "warn": "warning", "error": "danger"}
_CARD_COLOURS = {"info": "Good", "warn": "Warning", "error": "Attention"}


@dataclass(frozen=True, slots=True)
class Message:
    """`about` is `namespace/name` of the rollout; `facts` are shown beneath the text, in order."""

    text: str
    severity: Literal["info", "warn", "error"]
    about: str
    facts: Mapping[str, str]
    channel: str = ""
    username: str = ""


def form(kind: str, message: Message) -> dict[str, Any]:
    """The JSON of a message. KeyError for a kind that is none of `CHATS`."""
    return {"gchat": _google, "msteams": _teams, "slack": _slack, "discord": _slack, "rocket": _slack}[kind](message)


def address(kind: str, url: str) -> str:
    """Where to post: Discord takes Slack's form at a path of its own."""
    return f"{url.rstrip('/')}/slack" if kind == "discord" and not url.rstrip("/").endswith("/slack") else url


def _slack(message: Message) -> dict[str, Any]:
    attachment = {
        "color": _COLOURS[message.severity],
        "author_name": message.about,
        "text": message.text,
        "mrkdwn_in": ["text"],
        "fields": [{"title": title, "value": value, "short": True} for title, value in message.facts.items()],
    }
    named = {"channel": message.channel, "username": message.username or "rollway"}
    return {**{key: value for key, value in named.items() if value}, "attachments": [attachment]}


def _google(message: Message) -> dict[str, Any]:
    widgets: list[dict[str, Any]] = [{"textParagraph": {"text": message.text}}]
    widgets += [{"decoratedText": {"topLabel": title, "text": value}} for title, value in message.facts.items()]
    card = {"header": {"title": "rollway", "subtitle": message.about}, "sections": [{"widgets": widgets}]}
    return {"cardsV2": [{"cardId": "rollway", "card": card}]}


def _teams(message: Message) -> dict[str, Any]:
    body: list[dict[str, Any]] = [
        {"type": "TextBlock", "text": message.about, "weight": "Bolder", "color": _CARD_COLOURS[message.severity]},
        {"type": "TextBlock", "text": message.text, "wrap": True},
        {"type": "FactSet", "facts": [{"title": title, "value": value} for title, value in message.facts.items()]},
    ]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    return {
        "type": "message",
        "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}],
    }
