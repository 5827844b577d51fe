"""What the handlers of one web application share."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from aiohttp import web

from interpreter.cluster.api import Api
from interpreter.web.limits import Tries
from interpreter.web.people import Authority, Person

if TYPE_CHECKING:
    from interpreter.web.keys import LinkKeys
    from interpreter.web.rest import Views


class Site(NamedTuple):
    """`external_url` is how people reach it, None if nobody has said; it has no slash at its end. `views` is None where
    the API has nothing to show, `keys` where there are no links. `bad_logins` and `bad_links` count what was wrong."""

    api: Api
    authority: Authority
    read_only: bool
    external_url: str | None
    views: Views | None
    keys: LinkKeys | None
    bad_logins: Tries
    bad_links: Tries


SITE = web.AppKey("site", Site)
PERSON = web.RequestKey("person", Person)
BY_COOKIE = web.RequestKey("by_cookie", bool)
"""Whether a request says who it is from by the session's cookie, and not by a token of its own."""


class Asker(NamedTuple):
    """Who a request is from; None for a session that is over. `by_cookie`: from a browser's session."""

    person: Person | None
    by_cookie: bool


ASKER = web.RequestKey("asker", Asker)


def person_of(request: web.Request) -> Person | None:
    """Who asks; None if they have not said."""
    asker = request.get(ASKER)
    return asker.person if asker is not None else None


def host_of(request: web.Request) -> str:
    """The host that is asked for, in small letters; empty for who says none. (aiohttp's own would ask the resolver.)"""
    return request.headers.get("Host", "").lower()


def address_of(request: web.Request) -> str:
    """Where a request comes from, for limits and the log: what the proxy in front of us says last, if there is one.
    Nothing is allowed by it."""
    said = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    return said[:64] or request.remote or ""
