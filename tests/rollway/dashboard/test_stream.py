"""The stream: what changed is told, what was missed too, and nobody is waited for."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx
import pytest

from interpreter.cluster.connection import connect
from interpreter.objects import Ref
from interpreter.web.people import LocalAuthority, Person
from rollway.dashboard import stream
from rollway.dashboard.stream import STREAMS
from rollway.dashboard.watch import Key, Watch
from tests.controlplane.cluster import ControlPlane
from tests.rollway.cluster import objects, writing
from tests.rollway.dashboard.board import Board, board

PATIENCE_S = 30.0


@pytest.fixture(autouse=True)
def _definitions(control_plane: ControlPlane) -> None:
    control_plane.install_crds("rollway", "flagger")


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if happened():
                return
            await asyncio.sleep(0.05)


class Told:
    """What a stream says, event by event: its name, and its id."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.aiter_lines()

    async def aclose(self) -> None:
        await self._lines.aclose()

    async def next(self) -> tuple[str, str]:
        name = number = ""
        async with asyncio.timeout(PATIENCE_S):
            async for line in self._lines:
                field, _, value = line.partition(": ")
                if line.startswith(":"):
                    return "comment", ""
                if field == "event":
                    name = value
                if field == "id":
                    number = value
                if not line and name:
                    return name, number
        return "over", ""


@asynccontextmanager
async def listening(here: Board, path: str = "/stream", **headers: str) -> AsyncIterator[Told]:
    async with here.client() as client, client.stream("GET", path, headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        told = Told(response)
        yield told
        await told.aclose()


async def test_a_change_is_told_and_one_that_was_missed_too(control_plane: ControlPlane, namespace: str) -> None:
    owner = writing.write(control_plane.api, objects.rollout("checkout", namespace))
    path = f"/rollouts/rollout/{namespace}/checkout/stream"
    async with board(str(control_plane.kubeconfig), namespace) as here:
        await here.watch.ready()
        key = Key("Rollout", namespace, "checkout")
        seen = f"{here.watch.epoch}-{here.watch.changed(key)}"
        async with listening(here, f"{path}?seen={seen}") as told:
            writing.status(control_plane.api, owner, weight=40)
            name, last = await told.next()
            assert name == "changed"
        writing.status(control_plane.api, owner, weight=50)
        before = here.watch.changed(key)
        while here.watch.changed(key) == before and f"{here.watch.epoch}-{before}" == last:
            await asyncio.wait_for(here.watch.news(), PATIENCE_S)
        async with listening(here, path, **{"Last-Event-ID": last}) as told:
            name, number = await told.next()
            assert (name, number != last) == ("changed", True)


async def test_a_change_of_another_rollout_is_not_told_and_one_of_its_run_is(
    control_plane: ControlPlane, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "PULSE_S", 1000.0)
    mine, other = (writing.write(control_plane.api, objects.rollout(name, namespace)) for name in ("mine", "other"))
    async with board(str(control_plane.kubeconfig), namespace) as here:
        await here.watch.ready()
        key, elsewhere = (Key("Rollout", namespace, name) for name in ("mine", "other"))
        number, before = here.watch.changed(key), here.watch.changed(elsewhere)
        path = f"/rollouts/rollout/{namespace}/mine/stream?seen={here.watch.epoch}-{number}"
        async with listening(here, path) as told:
            writing.status(control_plane.api, other, weight=40)
            await until(lambda: here.watch.changed(elsewhere) > before)
            assert here.watch.changed(key) == number
            writing.write(control_plane.api, objects.run(mine))
            name, last = await told.next()
        assert name == "changed"
        assert int(last.rpartition("-")[2]) > here.watch.changed(elsewhere)


@pytest.mark.parametrize(("phase", "wanted"), [("Progressing", "changed"), ("Succeeded", "comment")])
async def test_the_page_of_what_is_under_way_is_told_to_look_again_at_the_pods(
    control_plane: ControlPlane, namespace: str, monkeypatch: pytest.MonkeyPatch, phase: str, wanted: str
) -> None:
    monkeypatch.setattr(stream, "PULSE_S", 0.3)
    writing.write(control_plane.api, objects.rollout("checkout", namespace, phase))
    async with board(str(control_plane.kubeconfig), namespace) as here:
        await here.watch.ready()
        seen = f"{here.watch.epoch}-{here.watch.number}"
        async with listening(here, f"/rollouts/rollout/{namespace}/checkout/stream?seen={seen}") as told:
            heard = {(await told.next())[0] for _ in range(2)}
    assert wanted in heard
    assert ("changed" in heard) == (wanted == "changed")


async def test_of_a_canary_the_latest_run_says_what_it_waits_for(control_plane: ControlPlane, namespace: str) -> None:
    owner = writing.write(control_plane.api, objects.canary("cart", namespace, "Progressing"))
    for number, reason in ((1, "long ago"), (2, "waiting for approval")):
        run = objects.run(owner, number, reason=reason)
        run["metadata"]["name"] = f"cart-canary-{number}"
        written = writing.write(control_plane.api, run)
    async with await connect(str(control_plane.kubeconfig)) as api:
        watch = Watch(api, namespace)
        await watch.ready()
        assert [one.reason for one in watch.rollouts()] == ["waiting for approval"]
        control_plane.api.delete(writing.path(written))
        await until(lambda: [one.reason for one in watch.rollouts()] == ["long ago"])
        await watch.aclose()


async def test_numbers_of_another_process_are_not_ours(control_plane: ControlPlane, namespace: str) -> None:
    async with board(str(control_plane.kubeconfig), namespace) as here:
        await here.watch.ready()
        async with listening(here, **{"Last-Event-ID": "another-999999"}) as told:
            assert (await told.next())[0] == "changed"


async def test_there_are_no_more_viewers_than_there_may_be(control_plane: ControlPlane, namespace: str) -> None:
    async with board(str(control_plane.kubeconfig), namespace) as here:
        here.app[STREAMS]._most = 1
        async with listening(here), here.client() as client:
            full = await client.get("/stream")
            assert (full.status_code, full.headers["Retry-After"]) == (503, "30")
        async with asyncio.timeout(PATIENCE_S):
            while here.app[STREAMS].viewers:
                writing.write(control_plane.api, objects.rollout(f"r{here.watch.number}", namespace))
                await asyncio.sleep(0.2)
        async with listening(here) as told:
            assert (await told.next())[0] == "changed"


async def test_the_stream_ends_with_the_session(control_plane: ControlPlane, namespace: str) -> None:
    class Forgetful(LocalAuthority):
        known = True

        async def person(self, token: str) -> Person | None:
            return await super().person(token) if self.known else None

        async def may(self, person: Person, verb: str, owner: Ref) -> bool:
            return True

    authority = Forgetful("token", "ann")
    async with board(str(control_plane.kubeconfig), namespace, authority=lambda _: authority) as here:
        here = here._replace(token="token")
        here.app[STREAMS]._recheck_s = here.app[STREAMS]._heartbeat_s = 0.2
        async with listening(here) as told:
            assert (await told.next())[0] in ("changed", "comment")
            authority.known = False
            said = [await told.next()]
            while said[-1][0] in ("changed", "comment"):
                said.append(await told.next())
            assert said[-1][0] == "end"
            assert (await told.next())[0] == "over"


class Babbling(Watch):
    """Always something new, and much of it."""

    def changed(self, key: Key | None) -> int:
        self.number += 1
        return self.number


async def test_who_does_not_take_what_is_sent_is_dropped(
    control_plane: ControlPlane, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "GAP_S", 0.0)
    async with board(str(control_plane.kubeconfig), namespace) as here:
        streams = here.app[STREAMS]
        streams._send_s = 0.5
        streams._watch = Babbling(here.api, namespace)
        streams._watch.epoch = "e" * 100_000
        where = urlsplit(here.url)
        with socket.create_connection((where.hostname, where.port)) as connection:
            ask = f"GET /stream HTTP/1.1\r\nHost: {where.netloc}\r\nCookie: rollway_token={here.token}\r\n\r\n"
            await asyncio.get_running_loop().run_in_executor(None, connection.sendall, ask.encode())
            await until(lambda: streams.viewers == 1)
            await until(lambda: streams.viewers == 0)
        await streams._watch.aclose()


async def test_the_watch_ends_when_nobody_has_looked_for_a_while(control_plane: ControlPlane, namespace: str) -> None:
    async with await connect(str(control_plane.kubeconfig)) as api:
        watch = Watch(api, namespace, idle_s=0.2)
        writing.write(control_plane.api, objects.rollout("checkout", namespace))
        async with watch.used():
            await asyncio.sleep(0.6)
            assert [one.name for one in watch.rollouts()] == ["checkout"]
        await until(lambda: not watch.rollouts())
        await watch.ready()
        assert [one.name for one in watch.rollouts()] == ["checkout"]
        await watch.aclose()
