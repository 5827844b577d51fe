"""What went wrong, for who asked: problem details (RFC 9457) for programs, a small page for people."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import NamedTuple

import structlog
from aiohttp import web

from interpreter.cluster.errors import ApiError
from interpreter.web.fitting import Refused
from interpreter.web.people import Unavailable
from interpreter.web.rendering import page

MEDIA_TYPE = "application/problem+json"

log = structlog.get_logger(__name__)


class Problem(NamedTuple):
    """`status` of HTTP, what it is in a few words, why and what to do, and seconds until it is worth another try."""

    status: int
    title: str
    detail: str = ""
    retry_after: int | None = None


def problem(status: int, title: str, detail: str = "") -> Problem:
    """One that stands for this status."""
    return Problem(status, title, detail.strip(), 5 if status == 503 else None)


def told(error: Exception) -> Problem:
    """What a person may know of an error."""
    match error:
        case Refused():
            return problem(error.why.value, error.said, error.help)
        case Unavailable():
            return problem(503, "nobody can say who you are or what you may", str(error))
        case ApiError():
            return problem(503 if error.status in (0, 429, 503, 504) else 502, "the cluster refused", error.message)
    log.exception("a bug: a request has failed")
    return problem(500, "something went wrong here", "the log of this process says what")


def page_or_problem(request: web.Request, what: Problem) -> web.Response:
    """The answer, in the form that is asked for."""
    headers = {"Retry-After": str(what.retry_after)} if what.retry_after else {}
    if what.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="rollway"'
    if "text/html" in request.headers.get("Accept", "") and not request.path.startswith("/api/"):
        response = page("sorry.html", what.status, heading=_phrase(what.status), what=what)
        response.headers.update(headers)
        return response
    body = {"type": "about:blank", "title": what.title, "status": what.status}
    if what.detail:
        body["detail"] = what.detail
    return web.Response(
        status=what.status, text=json.dumps(body, ensure_ascii=False) + "\n", content_type=MEDIA_TYPE, headers=headers
    )


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in list(HTTPStatus) else str(status)
