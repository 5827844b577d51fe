"""Coming in and going out: a token is shown once, and the browser holds it until the session ends.

`rollway dashboard` prints an address with a random token in it; who opens that is sent on at once to one without. In a
cluster a person pastes a token. A page that is opened from elsewhere, a chat say, comes without the session's cookie
(`SameSite=Strict`): it is asked for once more, by itself, before anybody is told to log in.
"""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from aiohttp import web

from interpreter.web.application import log_in, log_out
from interpreter.web.site import person_of
from rollway.dashboard.frame import frame

_AWAY = "Sec-Fetch-Site"


def add_doors(app: web.Application) -> None:
    """Add the routes."""
    app.router.add_get("/login", _show)
    app.router.add_post("/login", _enter)
    app.router.add_post("/logout", _leave)


def turned_away(request: web.Request) -> web.StreamResponse:
    """The answer for a page that somebody asks for who has not said who they are."""
    if request.headers.get(_AWAY) == "cross-site":
        return frame(request, "login.html", refused="", next="/", again=True)
    return sent_on(f"/login?next={quote(request.path_qs, safe='')}")


def sent_on(address: str) -> web.Response:
    """The answer that leads to another page of ours, by a GET."""
    return web.Response(status=303, headers={"Location": address})


def onward(asked: str) -> str:
    """Where to go after the login: a page of ours, whatever was asked for."""
    parts = urlsplit(asked)
    is_ours = asked.startswith("/") and not asked.startswith(("//", "/\\")) and not (parts.scheme or parts.netloc)
    return asked if is_ours and asked.isprintable() and not asked.startswith(("/login", "/logout")) else "/"


async def _show(request: web.Request) -> web.StreamResponse:
    asked = onward(request.query.get("next", "/"))
    if token := request.query.get("token"):
        return await _with(request, token, asked)
    if person_of(request) is not None:
        return sent_on(asked)
    return frame(request, "login.html", refused="", next=asked)


async def _enter(request: web.Request) -> web.StreamResponse:
    form = await request.post()
    token, asked = form.get("token", ""), form.get("next", "/")
    return await _with(
        request, token if isinstance(token, str) else "", onward(asked if isinstance(asked, str) else "/")
    )


async def _with(request: web.Request, token: str, asked: str) -> web.StreamResponse:
    response = sent_on(asked)
    if await log_in(request, response, token) is not None:
        return response
    return frame(request, "login.html", status=401, refused="The token is not valid, or has run out.", next=asked)


async def _leave(_: web.Request) -> web.StreamResponse:
    response = sent_on("/login")
    log_out(response)
    return response
