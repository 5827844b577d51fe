"""Google Chat: a card (v2) to a space's webhook, all of a run in one thread.

The thread is named by a key of ours; `messageReplyOption` says that it may have to be begun (developers.google.com,
"Build a Google Chat app as a webhook"). Texts of a card are a small HTML, so that `&`, `<` and `>` are escaped, and
mentions do not work in them. A text is kept to 4,096 characters, a message to 32,000 bytes.
"""

from __future__ import annotations

from html import escape
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from interpreter.channels.line import Line
from interpreter.channels.message import Message
from interpreter.channels.request import Request, Service, posted
from interpreter.channels.text import cut, cut_escaped, fitting, plain

MOST_BYTES = 32_000
MOST_TEXT = 4096
MOST_VALUE = 500
_COLOURS = {"info": "#188038", "warn": "#b06000", "error": "#c5221f"}


def form(message: Message, line: Line, handle: str) -> tuple[Request, ...]:
    """One card."""
    del handle
    if message.update:
        return ()
    return (posted(_address(line.address), fitting(lambda most: _said(message, most), MOST_BYTES, MOST_TEXT)),)


SERVICE = Service(form)


def _html(text: str) -> str:
    return escape(text).replace("\n", "<br>")


def _address(address: str) -> str:
    parts = urlsplit(address)
    query = dict(parse_qsl(parts.query)) | {"messageReplyOption": "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"}
    return urlunsplit(parts._replace(query=urlencode(query)))


def _said(message: Message, most: int) -> dict[str, Any]:
    def shown(text: str, most_here: int) -> str:
        return cut_escaped(text, min(most, most_here), _html)

    text = f'<font color="{_COLOURS[message.severity]}"><b>{shown(message.headline, MOST_VALUE)}</b></font>'
    body = shown(message.text, MOST_TEXT - len(text) - 4)
    widgets: list[dict[str, Any]] = [{"textParagraph": {"text": f"{text}<br>{body}"}}]
    if message.checks:
        widgets.append({"textParagraph": {"text": shown("\n".join(message.checks), MOST_TEXT)}})
    for title, value in message.facts.items():
        widgets.append({"decoratedText": {"topLabel": title, "text": shown(value, MOST_VALUE), "wrapText": True}})
    if message.links:
        buttons = [{"text": link.title, "onClick": {"openLink": {"url": link.url}}} for link in message.links]
        widgets.append({"buttonList": {"buttons": buttons}})
    header = {"title": "rollway", "subtitle": plain(cut(message.about, MOST_VALUE))}
    card = {"cardId": "rollway", "card": {"header": header, "sections": [{"widgets": widgets}]}}
    thread = f"rollway/{message.about}/{message.run}"
    return {"cardsV2": [card], "thread": {"threadKey": cut(thread, 4000)}}
