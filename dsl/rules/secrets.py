"""Credentials that stand in the text, and ways of losing one: no certificate check, no encryption, the wrong address.

A policy is stored in git, in a cluster and in the records of every run, so nothing secret may stand in it; only the
name of a Secret does. No message repeats what it found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from math import log2

from dsl import syntax
from dsl.diagnostics import Diagnostic, Label
from dsl.rules.constants import field
from dsl.rules.context import Context
from dsl.rules.handlers import host_of
from dsl.rules.severities import finding
from dsl.rules.strings import span_in
from dsl.source import Span

_KNOWN = (
    r"(?P<aws>\b(?:AKIA|ASIA)[0-9A-Z]{16}\b)"
    r"|(?P<github>\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_\w{30,})"
    r"|(?P<gitlab>\bglpat-[\w-]{20,})"
    r"|(?P<slack>\bxox[abeoprs]-[\w-]{10,}|hooks\.slack\.com/services/[\w/]{20,})"
    r"|(?P<discord>discord(?:app)?\.com/api/webhooks/\d+/[\w-]{20,})"
    r"|(?P<google>\bAIza[\w-]{35}\b)"
    r"|(?P<stripe>\b[sr]k_live_\w{16,})"
    r"|(?P<npm>\bnpm_\w{36}\b)"
    r"|(?P<newrelic>\bNRAK-[A-Z0-9]{27}\b)"
    r"|(?P<jwt>\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]+)"
    r"|(?P<key>-----BEGIN [A-Z ]*PRIVATE KEY-----)"
    r"|(?P<userinfo>://[^\s/@:\"']+:[^\s/@\"'{$]+@)"
    r"|(?P<bearer>\b(?:Bearer|Basic|Token)\s+[A-Za-z0-9+/=._~-]{12,})"
    r"|(?P<flag>(?:--password|--token|--api-key|--secret)[= ][^\s\"'{$<]{4,}|\s-u\s+[\w.-]+:[^\s\"'{$]{3,})"
    r"|(?P<param>[?&](?:api_?key|access_?token|token|password|secret|sig|key)=[^&\s\"'{$<]{6,})"
)


@cache
def _known() -> re.Pattern[str]:
    """Slow to compile, and of no use to a policy that holds nothing but short strings."""
    return re.compile(_KNOWN, re.IGNORECASE)


_NAMES = {
    "aws": "an AWS access key",
    "github": "a GitHub token",
    "gitlab": "a GitLab token",
    "slack": "a Slack credential",
    "discord": "a Discord webhook's address, which is a credential",
    "google": "a Google API key",
    "stripe": "a Stripe key",
    "npm": "an npm token",
    "newrelic": "a New Relic key",
    "jwt": "a signed token",
    "key": "a private key",
    "userinfo": "a user name and a password",
    "bearer": "a credential",
    "flag": "a password on a command line",
    "param": "a credential in an address",
}
_TELLING_KEY = re.compile(
    r"(?:^|[-_.])(?:authorization|api[-_]?key|access[-_]?key|auth[-_]?token|token|password|passwd|passphrase|secret|"
    r"credentials?|private[-_]?key)$",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(r"\{\{|\$\{|\$\(|^<.*>$|^\*+$|^$")
_RANDOM = re.compile(r"[A-Za-z0-9+/_=-]{28,}")
_RANDOM_BITS = 4.2
_METADATA = frozenset(
    {"169.254.169.254", "169.254.170.2", "100.100.100.200", "metadata.google.internal", "fd00:ec2::254"}
)
_PUBLIC = frozenset("ai app cloud co com dev edu gov info io net org".split())  # noqa: SIM905 - a line, not a page


def check(context: Context) -> Iterator[Diagnostic]:
    said: set[Span] = set()
    for entry in context.every(syntax.Entry):
        if isinstance(entry.value, syntax.String) and _is_credential(entry.key.text, entry.value.value):
            said.add(entry.value.span)
            yield _plain(f"`{entry.key.text}` is a credential, and stands here in plain text", entry.value.span)
    for string in context.every(syntax.String):
        if string.span not in said and len(string.value) >= 12:
            yield from _text(string)
    for kind in (syntax.Webhook, syntax.Gate):
        for node in context.every(kind):
            yield from _target(node.fields, "url")  # type: ignore[attr-defined]
    for channel in context.every(syntax.Channel):
        for setting in ("webhook", "cloudevents", "alertmanager"):
            yield from _target(channel.items, setting)
    for metric in context.every(syntax.Metric):
        if type(metric.body) is tuple:
            yield from _target(metric.body, "server")
    for each in context.every(syntax.Field):
        yield from _unverified(each)


def _is_credential(key: str, value: str) -> bool:
    return bool(_TELLING_KEY.search(key)) and not _PLACEHOLDER.search(value)


def _plain(message: str, span: Span) -> Diagnostic:
    return finding(
        "RW601",
        message,
        span,
        help='keep it in a Secret, and name that with `secret "…"`; this one is known now, and needs to be replaced',
    )


def _text(string: syntax.String) -> Iterator[Diagnostic]:
    found = _known().search(string.value)
    if found is not None:
        kind = found.lastgroup or ""
        yield _plain(f"this holds {_NAMES.get(kind, 'a credential')}", span_in(string, found.start(), found.end()))
        return
    for match in _RANDOM.finditer(string.value):
        if _looks_random(match[0]):
            yield finding(
                "RW602",
                "this looks like a credential",
                span_in(string, match.start(), match.end()),
                help='keep it in a Secret, and name that with `secret "…"`',
            )
            return


def _looks_random(text: str) -> bool:
    """Whether a run of letters and digits carries more than words do."""
    kinds = (any(c.islower() for c in text), any(c.isupper() for c in text), sum(c.isdigit() for c in text) > 2)
    if not all(kinds):
        return False
    shares = [text.count(c) / len(text) for c in set(text)]
    return -sum(share * log2(share) for share in shares) > _RANDOM_BITS


def _target(fields: tuple[object, ...], name: str) -> Iterator[Diagnostic]:
    address, secret = field(fields, name), field(fields, "secret")
    if address is None or not isinstance(address.value, syntax.String):
        return
    url, span = address.value.value, address.value.span
    host = host_of(url)
    scheme = url.partition("://")[0].lower()
    if "{{" in url:
        return
    if scheme not in ("http", "https") or not host:
        yield finding(
            "RW605",
            f"`{_short(url)}` is not the address of a web server",
            span,
            help="write it out, such as `https://gates.example.com/check`",
        )
    elif host in _METADATA:
        yield finding(
            "RW606",
            "this is the cloud's metadata service, which hands out the machine's own credentials",
            span,
            help="call a service of your own",
        )
    elif scheme == "http" and secret is not None and _is_public(host):
        yield finding(
            "RW604",
            "the credential goes over the network in plain text",
            span,
            labels=[Label(secret.span, "this one")],
            help="use `https://`",
        )


def _short(url: str) -> str:
    """An address without what could be secret in it."""
    return url.partition("?")[0].rpartition("@")[2][:60]


def _is_public(host: str) -> bool:
    labels = host.rstrip(".").split(".")
    if len(labels) < 2 or "svc" in labels:
        return False
    return labels[-1] in _PUBLIC or (len(labels[-1]) == 2 and len(labels) > 2 and labels[-1].isalpha())


def _unverified(each: syntax.Field) -> Iterator[Diagnostic]:
    if each.name.text != "insecure_skip_verify":
        return
    if each.value is None or (isinstance(each.value, syntax.Bool) and each.value.value):
        yield finding(
            "RW603",
            "the server's certificate is not checked: anyone on the way can read and change what is sent",
            each.span,
            help="give the server a certificate that can be checked, and take this out",
        )
