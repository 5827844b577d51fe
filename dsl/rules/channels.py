"""Channels that cannot be reached, and settings that their service has no use for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dsl import syntax
from dsl.diagnostics import Diagnostic, Label
from dsl.findings import listed
from dsl.meaning.words import CHANNEL_KINDS
from dsl.rules.constants import field
from dsl.rules.context import Context
from dsl.rules.severities import finding

_NEED_SECRET = {
    "slack": "the webhook under `address`, or a bot's token under `token`",
    "msteams": "the workflow's URL under `address`",
    "discord": "the webhook under `address`",
    "rocket": "the webhook under `address`",
    "gchat": "the webhook under `address`",
    "pagerduty": "the integration key under `token`",
}
_NAMED, _PLACED, _SENT = {"username", "icon"}, {"cluster"}, {"headers", "body"}
_OWN: Mapping[str, set[str]] = {
    "slack": _NAMED,
    "discord": _NAMED,
    "rocket": _NAMED,
    "alertmanager": _PLACED | {"labels", "annotations"},
    "pagerduty": _PLACED,
    "webhook": _SENT,
    "cloudevents": _PLACED | _SENT,
}
"""Settings that only some kinds have a use for."""
_ALL_OWN = frozenset(name for names in _OWN.values() for name in names)


def check(context: Context) -> Iterator[Diagnostic]:
    for channel in context.every(syntax.Channel):
        kinds = [item for item in channel.items if isinstance(item, syntax.Field) and item.name.text in CHANNEL_KINDS]
        if len(kinds) == 1:
            yield from _unreachable(channel, kinds[0])
            yield from _useless(channel, kinds[0])


def _unreachable(channel: syntax.Channel, kind: syntax.Field) -> Iterator[Diagnostic]:
    """A chat service lets in whoever knows its address, so that stands in a Secret."""
    holds = _NEED_SECRET.get(kind.name.text)
    if holds is not None and field(channel.items, "secret") is None:
        yield finding(
            "RW607",
            f"the channel `{channel.name.text}` has no Secret, so its messages cannot be sent",
            kind.span,
            help=f'add `secret "…"`, the name of a Secret with {holds}',
        )


def _useless(channel: syntax.Channel, kind: syntax.Field) -> Iterator[Diagnostic]:
    """What an AlertProvider leads to is not known here; only its Secret is its own always."""
    word = kind.name.text
    of_no_use = {"secret"} if word == "provider" else _ALL_OWN - _OWN.get(word, set())
    for item in channel.items:
        if isinstance(item, syntax.Field) and item.name.text in of_no_use:
            name = item.name.text
            users = [each for each, names in _OWN.items() if name in names]
            yield finding(
                "RW608",
                f"`{word}` has no use for `{name}`",
                item.span,
                labels=[Label(kind.name.span, "its kind")],
                help=f"take it out; it is for {listed(users, 'and')}"
                if users
                else "take it out; the AlertProvider names its own",
            )
