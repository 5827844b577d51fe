"""What was just decided, told once on the page that comes after it: in a cookie that lives for a minute, for the form
has been answered with a way to another page. Only who can set a cookie of ours can have it say something, and then only
that a verb has been taken down."""

from __future__ import annotations

import json
from urllib.parse import quote, unquote

from aiohttp import web

from interpreter.cluster.names import VERBS

COOKIE = "rollway_said"
_MOST = 300
_LIVES_S = 60


def give(response: web.StreamResponse, verb: str, revision: str, later: str) -> None:
    """Have the next page tell it. `later` says why it is not acted on at once."""
    value = quote(json.dumps([verb, revision[:_MOST], later[:_MOST]]), safe="")
    response.set_cookie(COOKIE, value, max_age=_LIVES_S, path="/", httponly=True, samesite="Strict")


def taken(request: web.Request) -> str:
    """The message that this page is to tell; empty if there is none."""
    try:
        said = json.loads(unquote(request.cookies.get(COOKIE, "")))
    except ValueError:
        return ""
    if not (isinstance(said, list) and len(said) == 3 and all(isinstance(one, str) for one in said)):
        return ""
    verb, revision, later = (one[:_MOST] for one in said)
    if verb not in VERBS:
        return ""
    then = f"; {later}" if later else ", and is acted on in a moment"
    return f"Taken down: {verb} revision {revision}{then}."


def drop(response: web.StreamResponse) -> None:
    """It has been told."""
    response.del_cookie(COOKIE, path="/", httponly=True, samesite="Strict")
