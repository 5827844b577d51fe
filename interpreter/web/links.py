"""A link that decides: signed, so that nobody else can make one, and good for one decision until a certain time. Pure.

The text is `1.PAYLOAD.MAC`: a version, a JSON array in base64url, and HMAC-SHA256 (RFC 2104) over `1.PAYLOAD`, in
base64url as well. The MAC is compared as text, so that no second spelling of the same bytes is good. A link speaks of
one object (by its uid: one that was made anew under the name is another), one run, one revision and, if set, one step;
what makes a second use harmless is that all of these are checked when it is used, as for every decision. Whoever has
the link may decide, so it says to whom it was sent: that is what the record will have.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from interpreter.desired import Instant

VERBS = ("approve", "abort", "promote")
"""What a link may ask for."""
LIFE_MS = 24 * 3600 * 1000
LONGEST_LIFE_MS = 7 * LIFE_MS
MOST_TOKEN = 4096
_VERSION = "1"


class Link(NamedTuple):
    """What a link decides. `step` is counted from 0, None is any; `run` is the number of the run, None if it is not
    known. `audience` says to whom it was sent, in words; `nonce` tells it from every other."""

    namespace: str
    kind: str
    name: str
    uid: str
    revision: str
    step: int | None
    verb: str
    expires_ms: Instant
    audience: str
    nonce: str
    run: int | None = None


class LinkProblem(Enum):
    """Why a text is no link to go by. `FORGED` is also one whose key is long gone; `EXPIRED` is signed well."""

    MALFORMED = "this is no link of ours, or not the whole of it"
    FORGED = "this link was not made here, has been changed, or is very old"
    EXPIRED = "this link has run out"


def expiry(now_ms: Instant, life_ms: int = LIFE_MS) -> Instant:
    """Until when a link is good that is made now: for a minute at least, and a week at most."""
    return now_ms + min(max(life_ms, 60_000), LONGEST_LIFE_MS)


def sign(key: bytes, link: Link) -> str:
    """The text. Raises `ValueError` for a verb that no link may carry, and for a key that is too short to be one."""
    if link.verb not in VERBS:
        raise ValueError(f"a link may carry {', '.join(VERBS)}, and not `{link.verb}`")
    if len(key) < 32:
        raise ValueError("a key has 32 bytes or more")
    payload = json.dumps(link, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
    said = f"{_VERSION}.{_text(payload)}"
    return f"{said}.{_mac(key, said)}"


def verify(keys: Sequence[bytes], token: str, now_ms: Instant) -> Link | LinkProblem:
    """The link in a text, if one of the keys has signed it and it has not run out. Never raises."""
    if len(token) > MOST_TOKEN or not token.isascii() or token.count(".") != 2 or not token.startswith(f"{_VERSION}."):
        return LinkProblem.MALFORMED
    said, _, mac = token.rpartition(".")
    good = False
    for key in keys:
        good |= hmac.compare_digest(_mac(key, said).encode(), mac.encode())
    if not good:
        return LinkProblem.FORGED
    link = _read(said.partition(".")[2])
    if link is None:
        return LinkProblem.MALFORMED
    return link if now_ms < link.expires_ms else LinkProblem.EXPIRED


def _read(payload: str) -> Link | None:
    """What was signed. A later version of us may sign another form under the same key, so this too is looked at."""
    try:
        fields = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        link = Link(*fields)
    except (ValueError, TypeError, RecursionError):
        return None
    texts = (link.namespace, link.kind, link.name, link.uid, link.revision, link.audience, link.nonce)
    numbers = (link.expires_ms, 0 if link.step is None else link.step, 0 if link.run is None else link.run)
    fits = all(isinstance(one, str) for one in texts) and all(type(one) is int for one in numbers)
    return link if fits and link.verb in VERBS else None


def _mac(key: bytes, said: str) -> str:
    return _text(hmac.new(key, said.encode(), hashlib.sha256).digest())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
