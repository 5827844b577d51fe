"""The tester over HTTP: what Flagger's loadtester answers, with the same statuses, and what it lacks.

Every answer but lists is one line of text, for it is what a rollout shows when a webhook refuses. A request that a
browser sends for a page of somebody else's is refused: a tester on this machine is within every page's reach.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Protocol

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from interpreter.masking import mask
from interpreter.tester.allowed import NotAllowed
from interpreter.tester.gates import Gates, Kind
from interpreter.tester.guard import Act, Denied, Guard
from interpreter.tester.kinds.registry import plan_of
from interpreter.tester.metrics import Metrics
from interpreter.tester.output import Output
from interpreter.tester.payload import BadRequest, Payload, read
from interpreter.tester.record import Record
from interpreter.tester.store import StoreError
from interpreter.tester.tasks import Tasks, TooMany
from interpreter.web.limits import Tries

MOST_BODY = 256 * 1024
BODY_S = 10.0
MOST_LINE = 8192
WRONG_TOKENS = 20
"""So many from one address at once, and so many a minute after that: each is a question to the API server."""
NOT_FOUND = "404: Not Found"
TASK = "Rollway-Task"
"""The header of an answer that names the task."""

log = structlog.get_logger(__name__)


class Pattern(Protocol):
    """A regular expression."""

    def search(self, text: str) -> object:
        """None if it is not found."""
        ...


@dataclass(frozen=True, slots=True)
class Tester:
    """What the handlers work with. `namespaces` is found in the namespace of whoever may call; None: all may.
    `scripts` is the folder of the operator's scripts."""

    tasks: Tasks
    gates: Gates
    guard: Guard
    metrics: Metrics
    namespaces: Pattern | None = None
    scripts: PurePosixPath | None = None
    strangers: Tries = field(default_factory=lambda: Tries(WRONG_TOKENS, WRONG_TOKENS))


def application(tester: Tester) -> web.Application:
    """All routes."""
    app = web.Application(middlewares=[_answering(tester)], client_max_size=MOST_BODY)
    calls = _Calls(tester)
    looks = _Looks(tester)
    app.router.add_post("/", calls.run)
    for kind in Kind:
        app.router.add_route("*", f"/{kind.value}/check", calls.checked(kind))
        app.router.add_post(f"/{kind.value}/open", calls.moved(kind, to_open=True))
        app.router.add_post(f"/{kind.value}/close", calls.moved(kind, to_open=False))
    app.router.add_route("*", "/gate/approve", _always(200, "OK"))
    app.router.add_route("*", "/gate/halt", _always(403, "Forbidden"))
    app.router.add_route("*", "/healthz", _always(200, "OK"))
    app.router.add_get("/metrics", looks.metrics)
    app.router.add_get("/gates", looks.gates)
    app.router.add_get("/tasks", looks.tasks)
    app.router.add_get("/tasks/{id}", looks.task)
    app.router.add_get("/tasks/{id}/output", looks.output)
    app.router.add_post("/tasks/{id}/stop", looks.stop)
    return app


class _Calls:
    """What webhooks call."""

    def __init__(self, tester: Tester) -> None:
        self._tester = tester

    async def run(self, request: web.Request) -> web.StreamResponse:
        payload = await self._payload(request)
        await _admitted(self._tester, request, Act.RUN, payload.namespace, payload.name)
        plan = plan_of(payload, self._tester.scripts)
        outcome = await self._tester.tasks.ask(payload, plan, lambda: _has_gone(request))
        return web.Response(status=outcome.status, text=outcome.text, headers={TASK: outcome.record.id})

    def checked(self, kind: Kind) -> Handler:
        """Open or not."""

        async def check(request: web.Request) -> web.StreamResponse:
            payload = await self._payload(request)
            await _admitted(self._tester, request, Act.CHECK, payload.namespace, payload.name)
            gate = await self._tester.gates.check(kind, payload)
            if gate.by:  # whoever asks for gates that nobody has made must not make series
                self._tester.metrics.gate(kind.value, payload.namespace, payload.name, is_open=gate.open)
            said = "Approved" if gate.open else "Forbidden"
            return web.Response(status=200 if gate.open else 403, text=f"{said}: {kind.value} {gate.words()}")

        return check

    def moved(self, kind: Kind, *, to_open: bool) -> Handler:
        """Opened, or closed."""
        act = Act.MOVE_GATE if kind is Kind.GATE else Act.MOVE_ROLLBACK

        async def move(request: web.Request) -> web.StreamResponse:
            payload = await self._payload(request)
            by = await _admitted(self._tester, request, act, payload.namespace, payload.name)
            at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
            await self._tester.gates.set(kind, payload, to_open=to_open, by=by, at=at)
            self._tester.metrics.gate(kind.value, payload.namespace, payload.name, is_open=to_open)
            done = "opened" if to_open else "closed"
            log.info("a gate was moved", gate=kind.value, rollout=payload.owner, now=done, by=by)
            return web.Response(status=202, text=f"{kind.value} of {payload.owner} {done} by {by}")

        return move

    async def _payload(self, request: web.Request) -> Payload:
        try:
            async with asyncio.timeout(BODY_S):
                body = await request.read()
        except TimeoutError as error:
            raise BadRequest(f"the body did not come within {BODY_S:g}s") from error
        payload = read(body)
        wanted = self._tester.namespaces
        if wanted is not None and wanted.search(payload.namespace) is None:
            raise Denied(403, f"rollouts of namespace `{payload.namespace}` are not served here")
        return payload


class _Looks:
    """What people and programs look at."""

    def __init__(self, tester: Tester) -> None:
        self._tester = tester

    async def metrics(self, request: web.Request) -> web.StreamResponse:
        del request
        page = await asyncio.to_thread(generate_latest, self._tester.metrics.registry)
        return web.Response(body=page, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def gates(self, request: web.Request) -> web.StreamResponse:
        await _admitted(self._tester, request, Act.LOOK, "", "")
        return web.json_response({key: gate._asdict() for key, gate in (await self._tester.gates.all()).items()})

    async def tasks(self, request: web.Request) -> web.StreamResponse:
        namespace = request.query.get("namespace", "")
        await _admitted(self._tester, request, Act.LOOK, namespace, "")
        found = self._tester.tasks.list(namespace or None)
        return web.json_response({"tasks": [record.shown_json() for record in found]})

    async def task(self, request: web.Request) -> web.StreamResponse:
        record, _ = await self._found(request, Act.LOOK)
        return web.json_response(record.shown_json(), headers={TASK: record.id})

    async def output(self, request: web.Request) -> web.StreamResponse:
        record, output = await self._found(request, Act.LOOK)
        if request.query.get("follow", "") in ("", "false", "0"):
            return web.Response(text=mask(output.text() if output.total else record.tail))
        response = web.StreamResponse(headers={"Content-Type": "text/plain; charset=utf-8"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        kept = b""
        async for piece in output.follow():
            whole, _, kept = (kept + piece).rpartition(b"\n")
            if len(kept) > MOST_LINE:
                whole, kept = whole + b"\n" + kept if whole else kept, b""
            if whole:
                await response.write(_masked(whole) + b"\n")
        await response.write(_masked(kept))
        await response.write_eof()
        return response

    async def stop(self, request: web.Request) -> web.StreamResponse:
        record, _ = await self._found(request, Act.STOP)
        by = await _admitted(self._tester, request, Act.STOP, *record.owner.split("/", 1))
        if not self._tester.tasks.stop(record.id, by):
            return web.Response(status=409, text=f"task {record.id} does not run: it has {record.state.value}")
        return web.Response(status=202, text=f"task {record.id} is being stopped")

    async def _found(self, request: web.Request, act: Act) -> tuple[Record, Output]:
        found = self._tester.tasks.get(request.match_info["id"])
        namespace, _, name = found[0].owner.partition("/") if found is not None else ("", "", "")
        await _admitted(self._tester, request, act, namespace, name)
        if found is None:
            raise web.HTTPNotFound(text="there is no such task; GET /tasks lists those that are remembered")
        return found


async def _admitted(tester: Tester, request: web.Request, act: Act, namespace: str, name: str) -> str:
    """Who it is. Raises `Denied`."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip() if scheme.lower() == "bearer" else ""
    peer = request.remote or "an unknown address"
    if token and (wait_s := tester.strangers.wait_s(peer)) > 0:
        raise Denied(429, f"too many tokens from {peer} were wrong: try again in {wait_s:.0f}s")
    try:
        return await tester.guard.admit(act, token, peer, namespace, name)
    except Denied as error:
        if token and error.status == 401:
            tester.strangers.take(peer)
        raise


def _answering(tester: Tester) -> Middleware:
    """Whatever happens, an answer; and each refusal counted."""

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await _answer(request, handler)
        if response.status >= 400 and request.path not in ("/gate/check", "/gate/halt", "/rollback/check"):
            tester.metrics.refused.labels(str(response.status)).inc()
        if not response.prepared:
            response.headers["X-Content-Type-Options"] = "nosniff"
            response.headers["Cache-Control"] = "no-store"
        return response

    return answer


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    if "Origin" in request.headers or request.headers.get("Sec-Fetch-Site") == "cross-site":
        return web.Response(status=403, text="this is for webhooks, not for browsers")
    try:
        return await handler(request)
    except web.HTTPRequestEntityTooLarge:
        return web.Response(status=413, text=f"the body is larger than {MOST_BODY} bytes")
    except web.HTTPMethodNotAllowed as error:
        text = f"{request.method} is not taken here, but {' and '.join(sorted(error.allowed_methods))} is"
        return web.Response(status=405, text=text, headers={"Allow": ", ".join(sorted(error.allowed_methods))})
    except web.HTTPNotFound as error:
        known = (
            "there is nothing here: webhooks call /, /gate/check or /rollback/check; people look at /tasks and /gates"
        )
        return web.Response(status=404, text=error.text if error.text != NOT_FOUND else known)
    except web.HTTPException as error:
        return web.Response(status=error.status, text=error.text)
    except NotAllowed as error:
        return _refusal(request, 403, str(error))
    except BadRequest as error:
        return _refusal(request, 400, str(error))
    except Denied as error:
        response = _refusal(request, error.status, str(error))
        if error.status == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        return response
    except TooMany as error:
        return web.Response(status=429, text=str(error), headers={"Retry-After": "10"})
    except StoreError as error:
        log.warning("the store does not answer", path=request.path, why=str(error))
        return web.Response(status=503, text=str(error))


def _refusal(request: web.Request, status: int, why: str) -> web.Response:
    log.warning("a request was refused", path=request.path, status=status, why=why, peer=request.remote)
    return web.Response(status=status, text=mask(why))


def _always(status: int, text: str) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        del request
        return web.Response(status=status, text=text)

    return answer


def _has_gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _masked(piece: bytes) -> bytes:
    return mask(piece.decode("utf-8", errors="replace")).encode()
