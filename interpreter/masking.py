"""Keeps secrets out of what people are shown: messages, events, logs, bodies of refusals.

What is known to be secret (the values of headers that carry credentials, what stands in a URL beside its path) is
replaced wherever it stands: as it is, in Base64, percent-encoded, and each piece of it of `PIECE` characters.
Beside that, what looks like a credential is masked even if nobody told us that it is one.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

MASK = "***"
PIECE = 10
"""Shorter pieces of a secret are words of other texts too often; what is shorter as a whole is masked as a whole."""
SHORTEST = 4
_ENCODED = 3
"""How often something percent-encoded is looked through."""
_WORD = (
    r"(?:pass(?:word|wd)?|pwd|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|credentials?|authorization|auth)"
)
_SECRET_NAME = re.compile(rf"(?:^|[-_.]){_WORD}(?:$|[-_.])|cookie|^x-query-key$|^dd-", re.IGNORECASE)
_PATTERNS = (
    (
        re.compile(r"(?i)\b((?:proxy-)?authorization[\"']?\s*[:=]\s*)(?:bearer|basic|token)?\s*[^\s,;\"']+"),
        rf"\1{MASK}",
    ),
    (re.compile(r"(?i)\b(bearer|basic|token)\s+[a-z0-9+/=_.~-]{8,}"), rf"\1 {MASK}"),
    (re.compile(rf"(?i)([\"']?\b[\w.-]*{_WORD}\b[\"']?\s*[:=]\s*)(\"[^\"]*\"|'[^']*'|[^\s,;&}}\"']+)"), rf"\1{MASK}"),
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,12}://)[^\s/@:]*:[^\s/@]*@"), rf"\1{MASK}@"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), MASK),
)


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without the secrets, and without what looks like one."""
    known = sorted({secret for secret in secrets if len(secret) >= SHORTEST}, key=len, reverse=True)
    if known:
        text = _without(text, known)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def _without(text: str, known: list[str]) -> str:
    pieces = frozenset(piece for secret in known for form in _forms(secret) for piece in _pieces(form))
    text = _masked(text, known, pieces)
    plain = text
    for _ in range(_ENCODED):
        plain = unquote(plain)
        found = _masked(plain, known, pieces)
        if found != plain:
            text = plain = found
    return text


def _masked(text: str, known: list[str], pieces: frozenset[str]) -> str:
    for secret in known:
        text = text.replace(secret, MASK)
    kept: list[str] = []
    done = at = 0
    while at + PIECE <= len(text):
        if text[at : at + PIECE] not in pieces:
            at += 1
            continue
        end = at + PIECE
        while text[end - PIECE + 1 : end + 1] in pieces:
            end += 1
        kept += (text[done:at], MASK)
        done = at = end
    return "".join((*kept, text[done:]))


def _forms(secret: str) -> Iterator[str]:
    """The secret, and what it becomes inside of something in Base64, as it falls on the groups of three bytes."""
    yield secret
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + secret.encode())
        inner = encoded.decode().rstrip("=")[4 if before else 0 : -1]
        yield inner
        yield inner.translate(_URL_SAFE)


_URL_SAFE = str.maketrans("+/", "-_")


def _pieces(form: str) -> Iterator[str]:
    return (form[at : at + PIECE] for at in range(len(form) - PIECE + 1))


def safe_url(url: str) -> str:
    """The URL as it may be shown: no user, no password, no values of its query."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    query = "&".join(f"{name}={MASK}" for name, _ in parse_qsl(parts.query, keep_blank_values=True))
    return urlunsplit((parts.scheme, host, parts.path, query, ""))


def secrets_of(url: str, headers: Mapping[str, str]) -> frozenset[str]:
    """What must not be shown of a request: the values of headers that carry credentials, and those in its URL."""
    found = {value for name, value in headers.items() if _SECRET_NAME.search(name)}
    found |= {word for value in tuple(found) for word in value.split() if len(word) >= 8}
    return frozenset(found) | secrets_in(url)


def secrets_in(url: str) -> frozenset[str]:
    """User, password, both as a header has them, and the values of the parameters. Nothing of what is no URL."""
    try:
        parts = urlsplit(url)
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        values = [value for _, value in parse_qsl(parts.query)]
    except ValueError:
        return frozenset()
    pair = base64.b64encode(f"{user}:{password}".encode()).decode() if user or password else ""
    return frozenset(filter(None, (user, password, parts.password, pair, *values)))
