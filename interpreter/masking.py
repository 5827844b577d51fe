"""Keeps secrets out of what people are shown: messages, events, logs, bodies of refusals.

What is known to be secret (the values of headers that carry credentials, passwords in URLs) is replaced wherever it
stands. Beside that, what looks like a credential is masked even if nobody told us that it is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl, urlsplit, urlunsplit

MASK = "***"
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
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= 4:
            text = text.replace(secret, MASK)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def safe_url(url: str) -> str:
    """The URL as it may be shown: no user, no password, no values of its query."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    query = "&".join(f"{name}={MASK}" for name, _ in parse_qsl(parts.query, keep_blank_values=True))
    return urlunsplit((parts.scheme, host, parts.path, query, ""))


def secrets_of(url: str, headers: Mapping[str, str]) -> frozenset[str]:
    """What must not be shown of a request: the values of headers that carry credentials, and those in its URL."""
    parts = urlsplit(url)
    found = {value for name, value in headers.items() if _SECRET_NAME.search(name)}
    found |= {word for value in tuple(found) for word in value.split() if len(word) >= 8}
    found |= {part for part in (parts.password,) if part}
    found |= {value for name, value in parse_qsl(parts.query) if _SECRET_NAME.search(name)}
    return frozenset(found)
