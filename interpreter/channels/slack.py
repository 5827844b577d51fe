"""Slack: an incoming webhook, or a bot's token and the Web API.

An incoming webhook (docs.slack.dev, "Sending messages using incoming webhooks") can only say more. A bot
(`chat.postMessage`, `chat.update`) shows one message for each run, changes it as the run goes, and answers itself in
its thread. The Web API says no with status 200 and `{"ok": false, "error": …}`.

`&`, `<` and `>` are the only characters that Slack gives a meaning outside of its emphasis: without them there are no
mentions (`<!channel>`, `<@U1>`) and no links. Limits: 3,000 characters in a section, 10 fields of 2,000 each, 4,000 in
`text` of what is to be updated.
"""

from __future__ import annotations

from typing import Any

from interpreter.channels.line import Line
from interpreter.channels.message import Message
from interpreter.channels.request import Answer, Later, Lost, Refused, Request, Service, Taken, Verdict, judged, posted
from interpreter.channels.text import cut_escaped

API = "https://slack.com/api/"
MOST_SECTION = 3000
MOST_FIELD = 2000
MOST_FIELDS = 10
MOST_HEADLINE = 1000
_COLOURS = {"info": "#2eb67d", "warn": "#ecb22e", "error": "#e01e5a"}
_PASSING = frozenset(
    ("ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout")
)
_LOST = frozenset(("message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found"))
_HELP = {
    "not_in_channel": "invite the app to the channel",
    "channel_not_found": "the channel's name is wrong, or the app is not in it",
    "is_archived": "the channel is archived",
    "missing_scope": "give the app the scope `chat:write`",
    "invalid_auth": "the token in the Secret is wrong",
    "account_inactive": "the token in the Secret belongs to nobody any more",
    "token_revoked": "the token in the Secret was taken back",
    "token_expired": "the token in the Secret has run out",
}


def form(message: Message, line: Line, handle: str) -> tuple[Request, ...]:
    """With a bot: the first message of a run, or a change of it and an answer in its thread."""
    if not is_bot(line):
        return () if message.update else (_hooked(message, line),)
    headers = {"Authorization": f"Bearer {line.token}"}
    channel, _, stamp = handle.partition(":")
    if not stamp:
        if message.update:
            return ()
        return (
            posted(_method(line, "chat.postMessage"), {"channel": line.to, **_said(message, line)}, headers, "root"),
        )
    requests = []
    if message.newest:
        said = {"channel": channel, "ts": stamp, "text": _headline(message), "attachments": _attachments(message)}
        requests.append(posted(_method(line, "chat.update"), said, headers, "root"))
    if not message.update:
        said = {"channel": channel, "thread_ts": stamp, **_said(message, line)}
        requests.append(posted(_method(line, "chat.postMessage"), said, headers, "reply"))
    return tuple(requests)


def is_bot(line: Line) -> bool:
    """A token, and either no address or that of the Web API: with any other address it is a webhook's."""
    address = line.address.rstrip("/")
    return bool(line.token) and (not address or address.endswith("/api") or "/api/chat." in address)


def judge(request: Request, answer: Answer) -> Verdict:
    """The Web API has its no in the body."""
    found = answer.json()
    verdict = judged(request, answer)
    if not request.name or not isinstance(verdict, Taken):
        return verdict
    if found is None or "ok" not in found:
        return Refused(f"it does not answer as Slack does: {answer.body or 'nothing'}")
    if found["ok"]:
        return Taken(f"{found.get('channel', '')}:{found.get('ts', '')}" if request.name == "root" else "")
    error = str(found.get("error", "no reason"))
    if error in _PASSING:
        return Later(f"Slack says `{error}`", answer.wait_s)
    if error in _LOST:
        return Lost(f"Slack says `{error}`")
    return Refused(f"Slack says `{error}`" + (f": {_HELP[error]}" if error in _HELP else ""))


SERVICE = Service(form, judge)


def escape(text: str) -> str:
    """Nothing in it is a mention or a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _hooked(message: Message, line: Line) -> Request:
    """`channel` counts in the older kind of webhook only; a token is one that a gateway of one's own wants."""
    headers = {"Authorization": f"Bearer {line.token}"} if line.token else {}
    named = {"channel": line.to, **_said(message, line)}
    named.setdefault("username", "rollway")
    return posted(line.address, {key: value for key, value in named.items() if value}, headers)


def _method(line: Line, name: str) -> str:
    base = line.address or API
    before, found, _ = base.rpartition("/chat.")
    return f"{(before if found else base).rstrip('/')}/{name}"


def _said(message: Message, line: Line) -> dict[str, Any]:
    icon = line.text("icon")
    kind = "icon_emoji" if icon.startswith(":") else "icon_url"
    named = {"username": line.text("username"), kind: icon}
    return {
        **{key: value for key, value in named.items() if value},
        "text": _headline(message),
        "attachments": _attachments(message),
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _headline(message: Message) -> str:
    return cut_escaped(f"{message.about}: {message.headline}", MOST_HEADLINE, escape)


def _attachments(message: Message) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = [_section(cut_escaped(message.text, MOST_SECTION, escape))]
    if message.checks:
        blocks.append(_section(cut_escaped("\n".join(message.checks), MOST_SECTION, escape)))
    fields = [
        _mrkdwn(f"*{escape(title)}*\n{cut_escaped(value, MOST_FIELD - 50, escape)}")
        for title, value in message.facts.items()
    ]
    if fields:
        blocks.append({"type": "section", "fields": fields[:MOST_FIELDS]})
    links = [f"<{_url(link.url)}|{escape(link.title)}>" for link in message.links]
    if links and len(text := "   ".join(links)) <= MOST_SECTION:
        blocks.append(_section(text))
    return [{"color": _COLOURS[message.severity], "fallback": _headline(message), "blocks": blocks}]


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _mrkdwn(text or " ")}


def _mrkdwn(text: str) -> dict[str, Any]:
    """`verbatim`: names of people and rooms, and addresses, in plain words are not made into mentions and links."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _url(url: str) -> str:
    return escape(url).replace("|", "%7C")
