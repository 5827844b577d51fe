"""Following goes on through whatever happens to its connection, and polls nothing meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from interpreter.cluster.api import Api, Forbidden, NotServed
from interpreter.cluster.connection import connect
from rollway.cluster import following
from rollway.cluster.following import Following, Wanted
from tests.controlplane.cluster import ControlPlane
from tests.rollway.cluster import objects, writing

KIND = ("rollway.dev/v1alpha1", "Rollout")
LIMIT_S = 60


class Wire:
    """A way to the API server that can be cut."""

    def __init__(self, server: str) -> None:
        self._target = urlsplit(server)
        self._open: set[asyncio.StreamWriter] = set()
        self._listening: asyncio.Server | None = None
        self.port = 0
        self.is_down = False

    async def start(self) -> None:
        self._listening = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = self._listening.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._listening is not None
        self._listening.close()
        self.cut()

    def cut(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_down:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection(self._target.hostname, self._target.port)
        self._open |= {writer, far_writer}
        await asyncio.gather(_pour(reader, far_writer), _pour(far_reader, writer))
        self._open -= {writer, far_writer}


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    writer.transport.abort()


@asynccontextmanager
async def wired(plane: ControlPlane, folder: Path) -> AsyncIterator[tuple[Wire, Api]]:
    """A connection that goes over a wire."""
    wire = Wire(plane.server)
    await wire.start()
    config = yaml.safe_load(plane.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{wire.port}"
    path = folder / "kubeconfig"
    path.write_text(json.dumps(config))
    async with await connect(str(path)) as api:
        yield wire, api
    await wire.stop()


async def until_named(seen: Following, *names: str) -> None:
    async with asyncio.timeout(LIMIT_S):
        while {one["metadata"]["name"] for one in seen.objects()} != set(names):
            await seen.changed()


def make(plane: ControlPlane, namespace: str, name: str) -> None:
    writing.write(plane.api, objects.rollout(name, namespace))


@pytest.fixture(autouse=True)
def definitions(control_plane: ControlPlane) -> None:
    control_plane.install_crds("rollway", "flagger")


async def test_what_comes_changes_and_goes_is_seen(control_plane: ControlPlane, namespace: str) -> None:
    make(control_plane, namespace, "one")
    mark = control_plane.mark()
    async with (
        await connect(str(control_plane.kubeconfig)) as api,
        Following(api, [Wanted(KIND, namespace)]) as seen,
    ):
        await until_named(seen, "one")
        make(control_plane, namespace, "two")
        await until_named(seen, "one", "two")
        changed = writing.status(control_plane.api, objects.rollout("two", namespace), phase="Failed")
        async with asyncio.timeout(LIMIT_S):
            while changed not in seen.objects():
                await seen.changed()
        control_plane.api.delete(writing.path(objects.rollout("one", namespace)))
        await until_named(seen, "two")
    asked = control_plane.requests(mark, resource="rollouts", namespace=namespace)
    ours = [request.verb for request in asked if request.agent == "rollway"]
    assert ours == ["list", "watch"]


async def test_a_cut_connection_is_told_and_lost_changes_are_found(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    make(control_plane, namespace, "one")
    async with wired(control_plane, tmp_path) as (wire, api), Following(api, [Wanted(KIND, namespace)]) as seen:
        await until_named(seen, "one")
        wire.is_down = True
        wire.cut()
        async with asyncio.timeout(LIMIT_S):
            while not seen.trouble:
                await seen.changed()
        assert "cannot be reached" in seen.trouble
        control_plane.api.delete(writing.path(objects.rollout("one", namespace)))
        make(control_plane, namespace, "two")
        wire.is_down = False
        await until_named(seen, "two")
        assert seen.trouble == ""


async def test_a_watch_that_the_server_ends_goes_on_without_another_list(
    control_plane: ControlPlane, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "WATCH_S", 1.0)
    async with (
        await connect(str(control_plane.kubeconfig)) as api,
        Following(api, [Wanted(KIND, namespace)]) as seen,
    ):
        async with asyncio.timeout(LIMIT_S):
            while api.requests["watch", "Rollout"] < 3:  # noqa: ASYNC110 - nothing tells of a watch that begins
                await asyncio.sleep(0.05)
        make(control_plane, namespace, "late")
        await until_named(seen, "late")
        assert api.requests["list", "Rollout"] == 1


async def test_a_version_that_is_too_old_is_listed_anew(
    control_plane: ControlPlane, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(control_plane, namespace, "one")
    async with await connect(str(control_plane.kubeconfig)) as api:
        watch = api.watch

        def old(kind: tuple[str, str], place: str | None, version: str, timeout: float, **more: object) -> object:
            first = api.requests["watch", "Rollout"] == 0
            return watch(kind, place, "1" if first else version, timeout, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(api, "watch", old)
        async with Following(api, [Wanted(KIND, namespace)]) as seen:
            async with asyncio.timeout(LIMIT_S):
                while api.requests["watch", "Rollout"] < 2:  # noqa: ASYNC110 - nothing tells of a watch that begins
                    await asyncio.sleep(0.05)
            make(control_plane, namespace, "two")
            await until_named(seen, "one", "two")
        assert api.requests["list", "Rollout"] == 2


async def test_what_may_not_be_watched_ends_it(control_plane: ControlPlane, namespace: str) -> None:
    rules = [{"apiGroups": ["rollway.dev"], "resources": ["rollouts"], "verbs": ["list"]}]
    kubeconfig = control_plane.as_service_account(namespace, "lister", rules)
    async with await connect(str(kubeconfig)) as api, Following(api, [Wanted(KIND, namespace)]) as seen:
        with pytest.raises(Forbidden, match="cannot watch"):
            await until_named(seen, "never")


async def test_what_is_not_served_is_raised_at_once(control_plane: ControlPlane, namespace: str) -> None:
    async with await connect(str(control_plane.kubeconfig)) as api:
        with pytest.raises(NotServed):
            async with Following(api, [Wanted(("rollway.dev/v9", "Rollout"), namespace)]):
                pass
