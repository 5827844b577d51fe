"""A person's session in a browser: the token in a cookie, and what keeps other sites from using it.

The cookie holds the token itself, so that a session is known to every replica, and ends when the token does. Scripts
cannot read it (`HttpOnly`), other sites cannot send it (`SameSite=Strict`), and it goes over TLS only where the page
does. A form carries a word besides (`csrf`) that is made from the token, which another site does not know.
"""

from __future__ import annotations

import hashlib
import hmac

from aiohttp import web

COOKIE = "rollway_token"
FIELD = "csrf"
"""The field of a form, and (`X-CSRF-Token`) the header, that holds the word."""
HEADER = "X-CSRF-Token"
LONGEST_S = 12 * 3600


def word(token: str) -> str:
    """What a form of this session must carry."""
    return hmac.new(token.encode("utf-8", "replace"), b"rollway form", hashlib.sha256).hexdigest()


def matches(token: str, said: str) -> bool:
    """Whether that is the word of this session, in constant time."""
    return hmac.compare_digest(word(token).encode(), said.encode("utf-8", "replace"))


def begin(response: web.StreamResponse, token: str, *, secure: bool) -> None:
    """Let the browser keep it, for half a day at most. `secure`: over TLS only."""
    response.set_cookie(
        COOKIE, token, max_age=LONGEST_S, path="/", httponly=True, samesite="Strict", secure=secure
    )  # fmt: skip


def end(response: web.StreamResponse) -> None:
    """Let the browser forget it."""
    response.del_cookie(COOKIE, path="/", httponly=True, samesite="Strict")
