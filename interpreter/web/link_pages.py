"""What a link shows, and what it does.

A GET shows what would be decided, and asks; only the POST of that page's form decides, for chat services fetch the
links of a message. Nothing here acts on a link that is forged, has run out, or speaks of what is over; each gets a page
that says so. Who has no session decides as "a link sent to AUDIENCE"; who has one, under their own name.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import structlog
from aiohttp import web

from interpreter.cluster.errors import ApiError
from interpreter.cluster.owner import API_VERSIONS
from interpreter.objects import Ref
from interpreter.web import session
from interpreter.web.deciding import decide, look
from interpreter.web.fitting import MOST_TEXT, Decision, Refused, Why, check
from interpreter.web.keys import LinkKeys
from interpreter.web.links import Link, LinkProblem, verify
from interpreter.web.people import Person, Unavailable
from interpreter.web.problems import problem, told
from interpreter.web.rendering import STYLE, page, style
from interpreter.web.site import SITE, Site, address_of, person_of
from interpreter.web.standing import Standing
from interpreter.web.steering import is_named

log = structlog.get_logger(__name__)

BAD_LINKS = (20, 10.0)
"""Links that are none: so many at once from one address, and so many a minute after that."""
_STATUS = {LinkProblem.MALFORMED: 404, LinkProblem.FORGED: 404, LinkProblem.EXPIRED: 410}
_WILL = {
    "approve": "The rollout goes on with its next step.",
    "abort": "All traffic goes back to the primary, and the rollout ends.",
    "promote": "The revision becomes the primary's now, without the rest of the steps.",
}


def add_links(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get(STYLE, _style)
    app.router.add_get("/l/{token}", _show)
    app.router.add_post("/l/{token}", _act)


async def _style(_: web.Request) -> web.Response:
    headers = {"Cache-Control": "public, max-age=3600"}
    return web.Response(text=style(), content_type="text/css", headers=headers)


async def _show(request: web.Request) -> web.Response:
    try:
        link = await _verified(request)
        one, _ = await look(request.app[SITE].api, _owner(link), link.uid)
        check(one, _decision(link, None, ""))
        await _allowed(request.app[SITE], link, person_of(request), one)
    except (Refused, ApiError, Unavailable) as error:
        return _told(error)
    return page("confirm.html", 200, **_said(request, link, one))


async def _act(request: web.Request) -> web.Response:
    site, person = request.app[SITE], person_of(request)

    async def allow(one: Standing) -> None:
        await _allowed(site, link, person, one)

    try:
        link = await _verified(request)
        reason = (await request.post()).get("reason", "")
        decision = _decision(link, person, reason if isinstance(reason, str) else "")
        done = await decide(site.api, _owner(link), decision, uid=link.uid, allow=allow)
    except (Refused, ApiError, Unavailable) as error:
        return _told(error)
    return page("done.html", 200, link=link, one=done.standing, repeated=done.repeated, later=done.later)


async def _verified(request: web.Request) -> Link:
    """The link that is followed. Raises `Refused`."""
    site, address = request.app[SITE], address_of(request)
    if site.read_only or site.keys is None:
        raise Refused(Why.FORBIDDEN, "links decide nothing here", "`rollway approve` and its likes can")
    wait = site.bad_links.wait_s(address)
    if wait > 0:
        headers = {"Retry-After": str(int(wait) + 1)}
        raise web.HTTPTooManyRequests(text="too many links that are none; wait a moment", headers=headers)
    found = await verified(site.keys, request.match_info["token"], int(time.time() * 1000))
    if isinstance(found, LinkProblem):
        site.bad_links.take(address)
        raise Refused(Why(_STATUS[found]), found.value, "the page and `rollway status` show how the rollout stands")
    return found


async def verified(keys: LinkKeys, token: str, now_ms: int) -> Link | LinkProblem:
    """The link in a text. One that no key of ours has signed may be of a key that another replica made just now."""
    found = verify((await keys.get()).all, token, now_ms)
    if found is LinkProblem.FORGED:
        found = verify((await keys.get(again=True)).all, token, now_ms)
    return found


async def _allowed(site: Site, link: Link, person: Person | None, one: Standing) -> None:
    """A link is the right itself; but where the policy names who approves, it must have been sent to them, or be
    followed by one of them."""
    if link.verb != "approve" or one.wait is None:
        return
    who = one.wait.who
    if is_named(Person("", (link.audience,)), who) or _plain(link.audience) == _plain(f"the channel {who}"):
        return
    if person is not None and (is_named(person, who) or await site.authority.holds(person, "approve", _owner(link))):
        return
    said = (
        f"{one.the} waits for approval from {who}, and this link was sent to {link.audience or 'nobody in particular'}"
    )
    raise Refused(Why.FORBIDDEN, said, f"one of {who} can approve it on the page, or by `rollway approve {one.spoken}`")


def _plain(words: str) -> str:
    """A name as it is said: a channel's has underscores where people's words have spaces."""
    return " ".join(words.replace("_", " ").replace("-", " ").lower().split())


def _owner(link: Link) -> Ref:
    version = API_VERSIONS.get(link.kind)
    if version is None:
        raise Refused(Why.MISSING, f"there is no kind `{link.kind}`")
    return Ref(version, link.kind, link.namespace, link.name)


def _decision(link: Link, person: Person | None, reason: str) -> Decision:
    by = person.name if person is not None else f"a link sent to {link.audience or 'somebody'}"
    return Decision(link.verb, link.revision, link.step, by, reason[:MOST_TEXT], link.nonce, "link", link.run)


def _said(request: web.Request, link: Link, one: Standing) -> dict[str, Any]:
    person, cookie = person_of(request), request.cookies.get(session.COOKIE, "")
    return {
        "link": link,
        "one": one,
        "will": _WILL[link.verb],
        "person": person,
        "csrf": session.word(cookie) if person is not None and cookie else "",
        "until": datetime.fromtimestamp(link.expires_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "longest": MOST_TEXT,
    }


def _told(error: Exception) -> web.Response:
    """Who follows a link may be anybody: what the cluster says of itself is for the log."""
    if isinstance(error, ApiError):
        log.warning("a link could not be followed", why=error.message)
        what = problem(503, "the cluster does not answer as it should", "try again in a moment; nothing is lost")
    else:
        what = told(error)
    headers = {"Retry-After": str(what.retry_after)} if what.retry_after else {}
    response = page("sorry.html", what.status, heading="Nothing was done", what=what)
    response.headers.update(headers)
    return response
