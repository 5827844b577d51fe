"""Rocket.Chat: an incoming webhook integration (docs.rocket.chat, "Integrations").

The form is Slack's older one. `@all`, `@here` and names are mentions wherever they stand, so that an @ is followed by a
character that is not seen.
"""

from __future__ import annotations

from typing import Any

from interpreter.channels.line import Line
from interpreter.channels.message import Message
from interpreter.channels.request import Answer, Refused, Request, Service, Taken, Verdict, judged, posted
from interpreter.channels.text import cut, plain, uncalled, unlinked

MOST_TEXT = 4000
MOST_FIELD = 1000
_COLOURS = {"info": "#2de0a5", "warn": "#ffd21f", "error": "#f5455c"}


def form(message: Message, line: Line, handle: str) -> tuple[Request, ...]:
    """One message."""
    del handle
    if message.update:
        return ()
    attachment: dict[str, Any] = {
        "color": _COLOURS[message.severity],
        "title": shown(message.headline, MOST_FIELD),
        "text": shown("\n".join((message.text, *message.checks)), MOST_TEXT),
        "fields": [
            {"title": title, "value": shown(value, MOST_FIELD), "short": True} for title, value in message.facts.items()
        ],
    }
    links = " · ".join(f"[{link.title}]({link.url})" for link in message.links)
    icon = line.text("icon")
    said = {
        "text": "\n".join(filter(None, (shown(message.about, MOST_FIELD), links))),
        "channel": line.to,
        "username": line.text("username") or "rollway",
        "emoji" if icon.startswith(":") else "avatar": icon,
        "attachments": [attachment],
    }
    headers = {"Authorization": f"Bearer {line.token}"} if line.token else {}
    return (posted(line.address, {key: value for key, value in said.items() if value}, headers),)


def judge(request: Request, answer: Answer) -> Verdict:
    """A no may have status 200 and `{"success": false}`."""
    verdict = judged(request, answer)
    found = answer.json() or {}
    if isinstance(verdict, Taken) and found.get("success") is False:
        return Refused(f"Rocket.Chat says: {found.get('error') or answer.body}")
    return verdict


SERVICE = Service(form, judge)


def shown(text: str, most: int) -> str:
    """Nothing in it is a mention or a link."""
    return uncalled(unlinked(plain(cut(text, most))))
