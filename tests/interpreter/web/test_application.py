"""What stands around every request: whose host, whose page, how much, how often, and what a browser may do with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from aiohttp import web

from interpreter.cluster.api import Api
from interpreter.web import application as module
from interpreter.web import session
from interpreter.web.application import application, csrf_of, lasting, log_in, log_out
from interpreter.web.limits import Tries
from interpreter.web.people import LocalAuthority
from interpreter.web.server import WebServer
from interpreter.web.site import person_of

SECRET = "s3cret"
URL = "https://rollway.example.com"


async def _echo(request: web.Request) -> web.Response:
    person = person_of(request)
    return web.json_response({"person": person.name if person else None, "csrf": csrf_of(request)})


async def _read(request: web.Request) -> web.Response:
    return web.json_response({"bytes": len(await request.read())})


async def _enter(request: web.Request) -> web.Response:
    response = web.Response(text="in")
    token = request.query.get("token") or (await request.post()).get("token", "")
    person = await log_in(request, response, str(token))
    return response if person is not None else web.Response(status=401)


async def _leave(_: web.Request) -> web.Response:
    response = web.Response(text="out")
    log_out(response)
    return response


async def _stuck(_: web.Request) -> web.Response:
    await asyncio.sleep(60)
    return web.Response()


async def _stream(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await asyncio.sleep(0.6)
    await response.write(b"still here")
    return response


async def _broken(_: web.Request) -> web.Response:
    raise RuntimeError("the secret is hunter2")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """In front of an application whose API server is never asked."""
    from kubernetes.aio.client import ApiClient

    async with Api(ApiClient()) as api:
        app = application(api, LocalAuthority(SECRET, "me"), external_url=URL + "/")
        app.router.add_route("*", "/echo", _echo)
        app.router.add_post("/read", _read)
        app.router.add_route("*", "/enter", _enter)
        app.router.add_post("/leave", _leave)
        app.router.add_get("/stuck", _stuck)
        app.router.add_get("/stream", lasting(_stream))
        app.router.add_get("/broken", _broken)
        server = WebServer(app)
        port = await server.start("127.0.0.1", 0)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=20) as made:
            yield made
        await server.aclose()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("rollway.example.com", 200),
        ("ROLLWAY.example.com", 200),
        ("localhost:8081", 200),
        ("[::1]:8081", 200),
        ("10.0.0.7", 200),
        ("rollway-web.rollway-system.svc", 200),
        ("rollway-web.rollway-system.svc.cluster.local:80", 200),
        ("evil.example.com", 421),
        ("rollway.example.com.evil.example.com", 421),
        ("rollway.example.com:8443", 421),
        ("svc", 421),
        ("evil.example.com#.svc", 421),
        ("]", 421),
    ],
)
async def test_a_name_that_is_not_ours_is_not_answered(client: httpx.AsyncClient, host: str, status: int) -> None:
    assert (await client.get("/echo", headers={"Host": host})).status_code == status


async def test_who_says_no_host_is_not_answered(client: httpx.AsyncClient) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
    writer.write(b"GET /echo HTTP/1.0\r\n\r\n")
    assert b" 421 " in await reader.readline()
    writer.close()


async def test_a_session_is_a_cookie_that_scripts_and_other_sites_do_not_have(client: httpx.AsyncClient) -> None:
    outside = {"Host": "rollway.example.com"}
    came = await client.post("/enter", data={"token": SECRET}, headers=outside)
    cookie = came.headers["Set-Cookie"]
    for words in ("HttpOnly", "SameSite=Strict", "Path=/", "Secure"):
        assert words in cookie
    assert came.headers["Strict-Transport-Security"]
    plain = await client.post("/enter", data={"token": SECRET})
    assert "Secure" not in plain.headers["Set-Cookie"]
    assert (await client.get("/echo")).json()["person"] == "me"
    word = (await client.get("/echo")).json()["csrf"]
    await client.post("/leave", data={"csrf": word})
    assert (await client.get("/echo")).json()["person"] is None


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"X-CSRF-Token": "wrong"}, 403),
        ({"X-CSRF-Token": session.word("another")}, 403),
        ({"X-CSRF-Token": session.word(SECRET)}, 200),
        ({"X-CSRF-Token": session.word(SECRET), "Origin": "https://evil.example.com"}, 403),
        ({"X-CSRF-Token": session.word(SECRET), "Origin": "null"}, 403),
        ({"X-CSRF-Token": session.word(SECRET), "Origin": URL}, 200),
        ({"X-CSRF-Token": session.word(SECRET), "Sec-Fetch-Site": "cross-site"}, 403),
        ({"X-CSRF-Token": session.word(SECRET), "Sec-Fetch-Site": "same-site"}, 403),
        ({"X-CSRF-Token": session.word(SECRET), "Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
async def test_what_changes_something_comes_from_a_page_of_ours(
    client: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    client.cookies.set(session.COOKIE, SECRET)
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert (await client.request(method, "/echo", headers=headers)).status_code == status
    assert (await client.get("/echo", headers=headers)).status_code == 200


async def test_the_word_may_stand_in_the_form(client: httpx.AsyncClient) -> None:
    client.cookies.set(session.COOKIE, SECRET)
    assert (await client.post("/echo", data={"csrf": session.word(SECRET)})).status_code == 200
    assert (await client.post("/echo", data={"csrf": ""})).status_code == 403


async def test_another_site_cannot_log_somebody_in(client: httpx.AsyncClient) -> None:
    came = await client.post("/enter", data={"token": SECRET}, headers={"Origin": "https://evil.example.com"})
    assert (came.status_code, came.headers.get("Set-Cookie")) == (403, None)
    led = await client.get("/enter", params={"token": SECRET}, headers={"Sec-Fetch-Site": "cross-site"})
    assert (led.status_code, led.headers.get("Set-Cookie")) == (403, None)
    typed = await client.get("/enter", params={"token": SECRET}, headers={"Sec-Fetch-Site": "none"})
    assert (typed.status_code, "Set-Cookie" in typed.headers) == (200, True)


async def test_a_token_of_a_program_needs_no_form_and_a_bad_one_is_refused(client: httpx.AsyncClient) -> None:
    good = {"Authorization": f"Bearer {SECRET}", "Origin": "https://elsewhere.example.com"}
    assert (await client.post("/echo", headers=good)).json()["person"] == "me"
    for bad in (f"Bearer {SECRET}x", "Basic YTpi", "Bearer", "nonsense"):
        assert (await client.get("/echo", headers={"Authorization": bad})).status_code == 401


async def test_who_tries_tokens_is_made_to_wait(client: httpx.AsyncClient) -> None:
    bad = {"Authorization": "Bearer guess"}
    answers = [(await client.get("/echo", headers=bad)).status_code for _ in range(11)]
    assert answers == [401] * 10 + [429]
    other = {**bad, "X-Forwarded-For": "203.0.113.9"}
    assert (await client.get("/echo", headers=other)).status_code == 401


async def test_a_body_has_an_end(client: httpx.AsyncClient) -> None:
    assert (await client.post("/read", content=b"x" * 65_536)).json() == {"bytes": 65_536}
    assert (await client.post("/read", content=b"x" * 65_537)).status_code == 413

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b"x" * 1000

    assert (await client.post("/read", content=endless())).status_code == 413


async def test_every_answer_tells_a_browser_what_it_may_do(client: httpx.AsyncClient) -> None:
    for path in ("/echo", "/nowhere", "/api/v1/rollouts", "/l/nonsense", "/stream"):
        answer = await client.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Server"] == "rollway"


async def test_a_request_has_an_end_and_a_stream_has_none(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REQUEST_S", 0.2)
    late = await client.get("/stuck")
    assert late.status_code == 503
    assert "too long" in late.json()["title"]
    assert (await client.get("/stream")).text == "still here"


async def test_a_bug_is_told_without_what_it_was_about(client: httpx.AsyncClient) -> None:
    answer = await client.get("/broken", headers={"Accept": "text/html"})
    assert answer.status_code == 500
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "Something went wrong here." in answer.text
    assert "hunter2" not in answer.text


async def test_the_log_says_who_asked_for_what_and_no_secret(
    client: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    await client.get("/echo", headers={"Authorization": f"Bearer {SECRET}"})
    await client.get("/l/1.cGF5bG9hZA.bWFj?a=b")
    await client.get("/echo/%0Aperson=admin")
    logged = "".join(capsys.readouterr())
    assert "person=me" in logged
    assert "/l/…" in logged
    assert "/echo/%0Aperson=admin" in logged
    for hidden in (SECRET, "cGF5bG9hZA", "a=b"):
        assert hidden not in logged


def test_a_bucket_is_filled_again_and_forgets_who_was_not_seen_for_long() -> None:
    now = [0.0]
    tries = Tries(2, 60.0, most=2, clock=lambda: now[0])
    for _ in range(2):
        assert tries.wait_s("a") == 0
        tries.take("a")
    assert tries.wait_s("a") == 1.0
    now[0] += 0.5
    assert tries.wait_s("a") == 0.5
    now[0] += 0.5
    assert tries.wait_s("a") == 0
    tries.take("b")
    tries.take("c")
    assert len(tries._left) == 2
