"""Discord: a webhook of a channel (discord.com/developers, "Execute Webhook").

`allowed_mentions` with nothing in it lets nobody be called, whatever stands in the text. Limits of an embed: title 256,
description 4,096, 25 fields of 256 and 1,024, and 6,000 characters in all.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from interpreter.channels.line import Line
from interpreter.channels.message import Message
from interpreter.channels.request import Answer, Later, Request, Service, Verdict, judged, posted
from interpreter.channels.text import cut_escaped, markdown, moment

MOST_TITLE = 256
MOST_DESCRIPTION = 3000
MOST_CHECKS = 1024
MOST_VALUE = 250
_COLOURS = {"info": 0x57F287, "warn": 0xFEE75C, "error": 0xED4245}


def form(message: Message, line: Line, handle: str) -> tuple[Request, ...]:
    """One message."""
    del handle
    if message.update:
        return ()
    facts = {title: cut_escaped(value, MOST_VALUE, markdown) for title, value in message.facts.items()}
    fields = [{"name": title, "value": value, "inline": True} for title, value in facts.items() if value.strip()]
    if message.checks:
        checks = cut_escaped("\n".join(message.checks), MOST_CHECKS, markdown)
        fields.append({"name": "Last check", "value": checks, "inline": False})
    links = "\n".join(f"[{link.title}]({link.url})" for link in message.links)
    text = cut_escaped(message.text, max(200, MOST_DESCRIPTION - len(links)), markdown)
    embed: dict[str, Any] = {
        "title": cut_escaped(f"{message.about}: {message.headline}", MOST_TITLE, markdown),
        "description": "\n\n".join(filter(None, (text, links))),
        "color": _COLOURS[message.severity],
        "fields": fields[:25],
        "timestamp": moment(message.at_ms),
    }
    said = {
        "username": line.text("username") or "rollway",
        "avatar_url": line.text("icon"),
        "embeds": [embed],
        "allowed_mentions": {"parse": []},
    }
    return (posted(_address(line), {key: value for key, value in said.items() if value}),)


def judge(request: Request, answer: Answer) -> Verdict:
    """A 429 has the seconds in its body, more exactly than in its header."""
    verdict = judged(request, answer)
    if isinstance(verdict, Later):
        wait = (answer.json() or {}).get("retry_after")
        if isinstance(wait, int | float) and 0 <= wait < 86_400:
            return Later(verdict.why, max(float(wait), verdict.after_s or 0.0))
    return verdict


SERVICE = Service(form, judge)


def _address(line: Line) -> str:
    """Addresses that were written for Flagger may end with `/slack`, where Discord takes Slack's form."""
    parts = urlsplit(line.address)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/").removesuffix("/slack")))
