"""The HTTPS server that the API server asks: `POST /validate`.

A question that cannot be judged, because the API server cannot be read or there is not enough time, is answered with a
server error: what happens then is what the webhook's configuration says, fail open or closed. The API server waits ten
seconds by default; we answer before that, so that it is our words that are logged. Compiling takes the event loop, so
that questions are judged one at a time and in the order in which they came; the rollouts of this process have their
turn in between.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import structlog
from aiohttp import web

from interpreter.admission.judging import Judge
from interpreter.admission.review import NoReview, answer, read
from interpreter.cluster.errors import ApiError
from interpreter.masking import mask
from interpreter.web.server import Secured, WebServer

PATH = "/validate"
MOST_BODY = 8 * 1024 * 1024
"""Of two objects, each up to the 3 MB that the API server takes, and what stands around them."""
ANSWER_S = 8.0
MOST_WAITING = 64

log = structlog.get_logger(__name__)


class Admission:
    """The server. `start` it; `aclose` ends it. `unready` says why it cannot answer, if it cannot."""

    def __init__(
        self, judge: Judge, certificate: Secured, unready: Callable[[], str | None], *, answer_s: float = ANSWER_S
    ) -> None:
        self._judge = judge
        self._certificate = certificate
        self._unready = unready
        self._answer_s = answer_s
        self._turn = asyncio.Semaphore(1)
        self._waiting = 0
        self._server: WebServer | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; the port is returned. Raises `OSError` if it cannot be had."""
        application = web.Application(client_max_size=MOST_BODY)
        application.router.add_post(PATH, self._validate)
        self._server = WebServer(application, certificate=self._certificate)
        return await self._server.start(host, port)

    async def aclose(self) -> None:
        """What is being judged is answered first."""
        if self._server is not None:
            await self._server.aclose()
            self._server = None

    async def _validate(self, request: web.Request) -> web.Response:
        try:
            asked = read(json.loads(await request.read()))
        except (NoReview, ValueError, RecursionError) as problem:
            return web.Response(status=400, text=f"{problem}\n")
        if (unready := self._unready()) is not None:
            return _cannot(f"not ready yet: {unready}")
        if self._waiting >= MOST_WAITING:
            return _cannot("too many questions at once")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._answer_s), self._turn:
                verdict = await self._judge.judge(asked)
        except TimeoutError:
            return _cannot(f"not judged within {self._answer_s:g}s")
        except ApiError as error:
            return _cannot(mask(str(error)))
        except Exception:
            log.exception("a bug in the admission webhook", object=str(asked.ref))
            return _cannot("a bug in rollway; its log has more")
        finally:
            self._waiting -= 1
        if verdict.problems:
            log.info("refused", object=str(asked.ref), who=asked.who, why=verdict.problems)
        return web.json_response(answer(asked.uid, verdict))


def _cannot(why: str) -> web.Response:
    return web.Response(status=503, text=f"rollway cannot judge this now: {why}\n")
