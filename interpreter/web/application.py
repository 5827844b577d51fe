"""The web application: what stands around every page, every call of the API and every link.

Each answer has the headers that tell a browser what the page may do. From the outside in: the access log; what went
wrong, in words; a limit of time; the host that is asked for, which must be ours (a name of somebody else's that leads
here is DNS rebinding); who is asking, by bearer token or by the session's cookie; and, for what changes something, that
it comes from a page of our own. What is added to it later (`rollway dashboard`) stands inside of all of that.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import structlog
from aiohttp import web

from interpreter.cluster.api import Api
from interpreter.web import session
from interpreter.web.keys import LinkKeys
from interpreter.web.limits import Tries
from interpreter.web.link_pages import BAD_LINKS, add_links
from interpreter.web.people import Authority, Person, Unavailable
from interpreter.web.problems import page_or_problem, problem, told
from interpreter.web.rest import Views, add_api
from interpreter.web.site import ASKER, SITE, Asker, Site, address_of, host_of, person_of

MOST_BODY = 64 * 1024
REQUEST_S = 30.0
"""How long a request may take, its body included; one that `lasting` marks may last."""
BAD_LOGINS = (10, 6.0)
"""Tokens that are not valid: so many at once from one address, and so many a minute after that."""
CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "X-Robots-Tag": "noindex, nofollow",
    "Cache-Control": "no-store",
}
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_HSTS = "max-age=31536000"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = structlog.get_logger(__name__)


def application(
    api: Api,
    authority: Authority,
    *,
    read_only: bool = False,
    external_url: str | None = None,
    views: Views | None = None,
    keys: LinkKeys | None = None,
) -> web.Application:
    """The application, with the API under `/api/v1/` and links under `/l/`. `external_url` is the address by which
    people reach it; without `keys` no link is good."""
    # The middleware of the list's head is the outermost.
    around = [_logged, _told, _timed, _hosted, _known, _own]
    app = web.Application(middlewares=around, client_max_size=MOST_BODY)
    app.on_response_prepare.append(_head)
    url = external_url.rstrip("/") if external_url else None
    app[SITE] = Site(api, authority, read_only, url, views, keys, Tries(*BAD_LOGINS), Tries(*BAD_LINKS))
    add_api(app)
    add_links(app)
    return app


def lasting(handler: Handler) -> Handler:
    """Marks a handler whose answer goes on for as long as somebody listens."""
    handler.lasting = True  # type: ignore[attr-defined]
    return handler


def csrf_of(request: web.Request) -> str:
    """The word that a form of this session must have in its field `csrf`; empty without a session."""
    token = request.cookies.get(session.COOKIE, "")
    return session.word(token) if token else ""


async def log_in(request: web.Request, response: web.StreamResponse, token: str) -> Person | None:
    """Begin a session with this token; None, and no session, if it is not valid. Raises `Unavailable`,
    `web.HTTPTooManyRequests` for an address that has tried too often, and `web.HTTPForbidden` where another site leads
    somebody in, by a link with a token of its own."""
    if not _is_from_us(request):
        raise web.HTTPForbidden(text="another site has sent you here to log in; open the address yourself")
    person = await _recognised(request, token.strip())
    if person is not None:
        session.begin(response, token.strip(), secure=_over_tls(request))
    return person


def log_out(response: web.StreamResponse) -> None:
    """End the session."""
    session.end(response)


async def _head(request: web.Request, response: web.StreamResponse) -> None:
    """What a browser may do with an answer, a streamed one included; a handler may say more, never less."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "rollway"
    if _over_tls(request):
        response.headers.setdefault("Strict-Transport-Security", _HSTS)


# --- the middlewares, from the outside in -------------------------------------------------------------------------


@web.middleware
async def _timed(request: web.Request, handler: Handler) -> web.StreamResponse:
    if getattr(request.match_info.handler, "lasting", False):
        return await handler(request)
    try:
        async with asyncio.timeout(REQUEST_S):
            return await handler(request)
    except TimeoutError:
        return page_or_problem(request, problem(503, "it took too long", "the cluster answers slowly; try again"))


@web.middleware
async def _logged(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Who asked for what, and what came of it; of a link only that it is one, for its address is a secret."""
    begun = time.monotonic()
    status = 500
    try:
        response = await handler(request)
        status = response.status
    finally:
        person = person_of(request)
        path = "/l/…" if request.path.startswith("/l/") else request.rel_url.raw_path[:300]
        log.info(
            "request",
            method=request.method,
            path=path,
            status=status,
            person=person.name if person else "",
            address=address_of(request),
            ms=round((time.monotonic() - begun) * 1000),
        )
    return response


@web.middleware
async def _told(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What went wrong, in the form that who asked can read."""
    try:
        return await handler(request)
    except web.HTTPException as refused:
        if refused.status < 400:
            raise
        said = page_or_problem(request, problem(refused.status, refused.reason, refused.text or ""))
        said.headers.update(
            {name: refused.headers[name] for name in ("Allow", "Retry-After") if name in refused.headers}
        )
        return said
    except Exception as error:
        return page_or_problem(request, told(error))


@web.middleware
async def _hosted(request: web.Request, handler: Handler) -> web.StreamResponse:
    if not _is_ours(host_of(request), request.app[SITE].external_url):
        raise web.HTTPMisdirectedRequest(text="this is not the host that you asked for; `--external-url` says its name")
    return await handler(request)


@web.middleware
async def _known(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whose request it is. A token that is not valid is refused, and a cookie that is not valid any more is nobody."""
    bearer = request.headers.get("Authorization", "")
    kind, _, token = bearer.partition(" ")
    if bearer:
        if kind.lower() != "bearer":
            raise web.HTTPUnauthorized(text="show a token: `Authorization: Bearer TOKEN`")
        person = await _recognised(request, token.strip())
        if person is None:
            raise web.HTTPUnauthorized(text="the token is not valid, or has run out")
        request[ASKER] = Asker(person, by_cookie=False)
    elif cookie := request.cookies.get(session.COOKIE):
        request[ASKER] = Asker(await _recognised(request, cookie), by_cookie=True)
    return await handler(request)


@web.middleware
async def _own(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What changes something comes from a page of ours: by its origin, and in a session by the form's word. A request
    with a bearer token is nobody's page."""
    asker = request.get(ASKER)
    if request.method not in _SAFE and (asker is None or asker.by_cookie):
        if not _is_from_us(request):
            raise web.HTTPForbidden(text="this was sent by another site, and is not carried out")
        if asker is not None and asker.person is not None:
            said = request.headers.get(session.HEADER)
            if said is None:
                field = (await request.post()).get(session.FIELD, "")
                said = field if isinstance(field, str) else ""
            if not session.matches(request.cookies[session.COOKIE], said):
                raise web.HTTPForbidden(text="the form is too old; load the page again")
    return await handler(request)


# --- what they ask ------------------------------------------------------------------------------------------------


async def _recognised(request: web.Request, token: str) -> Person | None:
    site, address = request.app[SITE], address_of(request)
    wait = site.bad_logins.wait_s(address)
    if wait > 0:
        headers = {"Retry-After": str(int(wait) + 1)}
        raise web.HTTPTooManyRequests(text="too many tokens that are not valid; wait a moment", headers=headers)
    person = await site.authority.person(token)
    if person is None:
        site.bad_logins.take(address)
    return person


def _is_ours(host: str, external_url: str | None) -> bool:
    """Whether a Host header names us. A browser that was led here by a name of somebody else's says that name, so any
    address in digits is fine, and so is a Service's, which no one can register."""
    if external_url is not None and host.lower() == urlsplit(external_url).netloc.lower():
        return True
    try:
        name = (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return False
    if name == "localhost" or name.endswith((".localhost", ".svc", ".svc.cluster.local")):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_from_us(request: web.Request) -> bool:
    """Whether a browser says that a page of ours sends this; what is no browser says nothing."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    external = request.app[SITE].external_url
    ours = {host_of(request), urlsplit(external or "").netloc.lower()}
    netloc = urlsplit(origin).netloc.lower()
    return bool(netloc) and netloc in ours


def _over_tls(request: web.Request) -> bool:
    external = request.app[SITE].external_url
    outside = external is not None and urlsplit(external).netloc.lower() == host_of(request)
    return request.secure or (outside and urlsplit(external or "").scheme == "https")


__all__ = [
    "SITE",
    "Site",
    "Unavailable",
    "application",
    "csrf_of",
    "lasting",
    "log_in",
    "log_out",
    "person_of",
]
