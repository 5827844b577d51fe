"""Events as the API server stores them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from interpreter.cluster.events import MOST_WAITING, Recorder
from interpreter.objects import Manifest
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.cluster.tools import config_map, connected, until


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Written:
    def __init__(self, control_plane: ControlPlane, namespace: str, recorder: Recorder, about: Manifest) -> None:
        self._plane, self._namespace, self.recorder, self.about = control_plane, namespace, recorder, about
        self.clock: Clock = recorder._clock  # type: ignore[assignment]

    def tell(self, note: str = "Weight is 10%", **more: Any) -> None:
        self.recorder.record(self.about, "WeightRaised", note, **more)

    async def settle(self) -> None:
        await until(self.recorder._queue.empty)
        await asyncio.sleep(0.3)

    def events(self) -> list[Manifest]:
        path = f"/apis/events.k8s.io/v1/namespaces/{self._namespace}/events"
        items: list[Manifest] = self._plane.api.get(path)["items"]
        return [one for one in items if one.get("reportingController") == "rollway.dev/rollway"]


@contextlib.asynccontextmanager
async def recording(control_plane: ControlPlane, namespace: str) -> AsyncIterator[Written]:
    async with connected(control_plane.kubeconfig) as api:
        about = await api.create(config_map(namespace, "podinfo"))
        recorder = Recorder(api, "rollway-0", clock=Clock())
        recorder.start()
        yield Written(control_plane, namespace, recorder, about)
        await recorder.aclose()


async def test_an_event_says_of_what_by_whom_and_why(control_plane: ControlPlane, namespace: str) -> None:
    async with recording(control_plane, namespace) as written:
        written.tell("x" * 1100 + "é", type="Warning", action="Route")
        await written.settle()
        [event] = written.events()
    assert (event["type"], event["reason"], event["action"]) == ("Warning", "WeightRaised", "Route")
    assert event["reportingInstance"] == "rollway-0"
    assert event["regarding"]["uid"] == written.about["metadata"]["uid"]
    assert len(event["note"].encode()) <= 1024
    assert event["note"].endswith("x…")


async def test_a_loop_floods_nobody(control_plane: ControlPlane, namespace: str) -> None:
    async with recording(control_plane, namespace) as written:
        mark = control_plane.mark()
        for _ in range(50):
            written.tell()
        await written.settle()
        [event] = written.events()
        assert event["series"]["count"] == 2
        written.clock.now += 61
        written.tell()
        await written.settle()
        [event] = written.events()
        assert event["series"]["count"] == 51
        written.tell()
        written.tell("something else")
    assert sorted(one.get("series", {}).get("count", 1) for one in written.events()) == [1, 52]
    asked = [one.verb for one in control_plane.requests(mark, namespace=namespace, resource="events", user="admin")]
    assert [verb for verb in asked if verb != "list"] == ["create", "patch", "patch", "create", "patch"]


async def test_after_ten_minutes_it_is_another_event(control_plane: ControlPlane, namespace: str) -> None:
    async with recording(control_plane, namespace) as written:
        written.tell()
        await written.settle()
        written.clock.now += 601
        written.tell()
        await written.settle()
        assert len(written.events()) == 2


async def test_a_series_whose_event_has_run_out_begins_anew(control_plane: ControlPlane, namespace: str) -> None:
    async with recording(control_plane, namespace) as written:
        written.tell()
        await written.settle()
        [event] = written.events()
        control_plane.api.delete(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events/{event['metadata']['name']}")
        written.tell()
        await written.settle()
        assert len(written.events()) == 1
        assert written.recorder.dropped == 0


async def test_what_cannot_be_written_is_dropped_and_nothing_else_fails(
    control_plane: ControlPlane, namespace: str
) -> None:
    account = control_plane.as_service_account(namespace, "mute", [])
    async with connected(account) as api:
        recorder = Recorder(api, "rollway-0")
        about = config_map(namespace, "podinfo")
        for number in range(MOST_WAITING + 5):
            recorder.record(about, "Told", f"note {number}")
        assert recorder.dropped == 5
        recorder._queue = asyncio.Queue(MOST_WAITING)
        recorder.record(about, "Told", "one more")
        recorder.start()
        await until(lambda: recorder.dropped == 6)
        await recorder.aclose()
