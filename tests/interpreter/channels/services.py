"""Chat and alert services on the loopback interface, which speak the documented wire format: they hold what they are
sent against the service's schema, answer as the service does, and can be told to be in trouble.

They stand in for services that cannot run here. Alertmanager can, and does (`test_alertmanager.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

import jsonschema
from aiohttp import web

from tests.interpreter.channels import schemas

Trouble = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
KEY = "0123456789abcdef0123456789abcdef"
BOT = "xoxb-1-very-secret-token"
HOOK = "/services/T000/B000/hidden-in-the-path"


class Call(NamedTuple):
    """What somebody was sent, and whether it was taken."""

    path: str
    headers: dict[str, str]
    body: Any
    taken: bool


class Town:
    """All services behind one address. `trouble` are answers for the next requests, whatever is asked: each is used
    once. `shown` is what a Slack channel shows: the text of each message by its stamp, answers in a thread apart."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.trouble: list[Trouble] = []
        self.shown: dict[str, Any] = {}
        self.threads: dict[str, list[Any]] = {}
        self.url = ""
        self._stamps = 0

    def taken(self, path: str = "") -> list[Any]:
        """The bodies of what was taken at paths that begin so."""
        return [call.body for call in self.calls if call.taken and call.path.startswith(path)]

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            said = json.loads(body)
        except ValueError:
            said = body.decode(errors="replace")
        if self.trouble:
            self.calls.append(Call(request.path, headers, said, False))
            return await self.trouble.pop(0)(request)
        answer = self._serve(request, said, headers)
        self.calls.append(Call(request.path, headers, said, answer.headers.get("X-Taken") != "no"))
        answer.headers.popall("X-Taken", None)
        return answer

    def _serve(self, request: web.BaseRequest, said: Any, headers: dict[str, str]) -> web.Response:
        path = request.path
        if path.startswith("/api/chat."):
            return self._slack_api(path.rpartition("/")[2], said, headers)
        if path == "/workflows/teams" and len(json.dumps(said, ensure_ascii=False).encode()) > 28 * 1024:
            return _no(web.Response(status=413, text="RequestEntityTooLarge"))
        for start, (schema, yes, no) in _WEBHOOKS.items():
            if path.startswith(start):
                why = _problem(said, schema)
                if why is None and start == "/api/webhooks" and schemas.discord_total(said) > 6000:
                    why = "embeds are too long"
                return yes(said) if why is None else _no(no(why))
        if path == "/v2/enqueue" and said.get("routing_key") != KEY:
            return _no(web.json_response({"status": "invalid event", "errors": ["bad routing_key"]}, status=400))
        return _no(web.Response(status=404, text="no such service"))

    def _slack_api(self, method: str, said: Any, headers: dict[str, str]) -> web.Response:
        """The Web API answers 200 whatever it thinks."""
        if headers.get("authorization") != f"Bearer {BOT}":
            return _refused("invalid_auth")
        if method == "chat.update":
            if _problem(said, schemas.SLACK_UPDATE):
                return _refused("invalid_arguments")
            if said["ts"] not in self.shown:
                return _refused("message_not_found")
            self.shown[said["ts"]] = said
            return web.json_response({"ok": True, "channel": said["channel"], "ts": said["ts"], "text": said["text"]})
        if method != "chat.postMessage":
            return _refused("unknown_method")
        if why := _problem(said, schemas.SLACK_POST):
            return _refused("invalid_arguments: " + why)
        if said["channel"] not in ("on-call", "C0123"):
            return _refused("channel_not_found")
        self._stamps += 1
        stamp = f"1700000000.{self._stamps:06}"
        if "thread_ts" in said:
            self.threads.setdefault(said["thread_ts"], []).append(said)
        else:
            self.shown[stamp] = said
        return web.json_response({"ok": True, "channel": "C0123", "ts": stamp, "message": {"text": said["text"]}})


def _problem(said: Any, schema: schemas.Schema) -> str | None:
    found = next(jsonschema.Draft202012Validator(schema).iter_errors(said), None)
    return None if found is None else f"{found.json_path}: {found.message}"[:2000]


def _no(answer: web.Response) -> web.Response:
    answer.headers["X-Taken"] = "no"
    return answer


def _refused(error: str) -> web.Response:
    return _no(web.json_response({"ok": False, "error": error}))


_Said = Callable[[Any], web.Response]
_WEBHOOKS: dict[str, tuple[schemas.Schema, _Said, Callable[[str], web.Response]]] = {
    "/services/": (
        schemas.SLACK_WEBHOOK,
        lambda _: web.Response(text="ok"),
        lambda why: web.Response(status=400, text=f"invalid_payload {why}"),
    ),
    "/hooks/": (
        schemas.ROCKET,
        lambda _: web.json_response({"success": True}),
        lambda why: web.json_response({"success": False, "error": why}, status=400),
    ),
    "/api/webhooks": (
        schemas.DISCORD,
        lambda _: web.Response(status=204),
        lambda why: web.json_response({"code": 50035, "message": "Invalid Form Body", "errors": why}, status=400),
    ),
    "/workflows/teams": (
        schemas.MSTEAMS,
        lambda _: web.Response(status=202),
        lambda why: web.json_response({"error": {"code": "InvalidRequest", "message": why}}, status=400),
    ),
    "/v1/spaces/": (
        schemas.GCHAT,
        lambda said: web.json_response({"name": "spaces/AAA/messages/BBB", **said}),
        lambda why: web.json_response({"error": {"code": 400, "message": why}}, status=400),
    ),
    "/v2/enqueue": (
        schemas.PAGERDUTY,
        lambda said: web.json_response(
            {"status": "success", "message": "Event processed", "dedup_key": said["dedup_key"]}, status=202
        ),
        lambda why: web.json_response({"status": "invalid event", "errors": [why]}, status=400),
    ),
    "/api/v2/alerts": (
        schemas.ALERTMANAGER,
        lambda _: web.Response(),
        lambda why: web.json_response({"code": 400, "message": why}, status=400),
    ),
    "/events": (
        schemas.CLOUDEVENTS,
        lambda _: web.Response(status=202),
        lambda why: web.Response(status=400, text=why),
    ),
    "/own": ({"type": "object"}, lambda _: web.Response(), lambda why: web.Response(status=400, text=why)),
}


def says(status: int, body: str = "", **headers: str) -> Trouble:
    """An answer of a service in trouble."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        del request
        return web.Response(
            status=status, text=body, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )

    return answer


def silent(until: asyncio.Event) -> Trouble:
    """No answer before this."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        del request
        await until.wait()
        return web.Response(status=500)

    return answer


def hangs_up() -> Trouble:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        transport = request.transport
        assert transport is not None
        transport.close()
        return web.Response()

    return answer


@contextlib.asynccontextmanager
async def town() -> AsyncIterator[Town]:
    """At work until the end of the block."""
    made = Town()
    runner = web.ServerRunner(web.Server(made.answer, access_log=None), shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()
