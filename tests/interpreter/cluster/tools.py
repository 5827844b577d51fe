"""What the tests of the cluster's I/O share: connections, a line that can be cut, waiting for something to be so."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from aiohttp import web
from kubernetes.aio.client import ApiClient, Configuration

from interpreter.cluster.api import Api
from interpreter.cluster.connection import connect
from interpreter.objects import Manifest

PATIENCE_S = 60.0


async def until(happened: Callable[[], object], what: str = "it") -> None:
    """Wait until it is so."""
    for _ in range(int(PATIENCE_S / 0.02)):
        if happened():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{what} did not happen")


@contextlib.asynccontextmanager
async def connected(kubeconfig: Path, *, seconds: float = 30.0) -> AsyncIterator[Api]:
    async with await connect(str(kubeconfig), seconds=seconds) as api:
        yield api


@contextlib.asynccontextmanager
async def serving(
    answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], *, seconds: float = 10.0
) -> AsyncIterator[Api]:
    """A connection to an API server that answers so."""
    runner = web.ServerRunner(web.Server(answer, access_log=None), shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    configuration: Any = Configuration(host=f"http://127.0.0.1:{runner.addresses[0][1]}")
    try:
        async with Api(ApiClient(configuration), timeout=seconds) as api:
            yield api
    finally:
        await runner.cleanup()


def config_map(namespace: str, name: str, **data: str) -> Manifest:
    metadata = {"namespace": namespace, "name": name}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


class Line:
    """A TCP connection to the API server that can be cut, or fall silent."""

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        self._config = yaml.safe_load(kubeconfig.read_text())
        self._folder = folder
        self._writers: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.kubeconfig = folder / "line.kubeconfig"
        self.opened = 0

    async def __aenter__(self) -> Line:
        cluster = self._config["clusters"][0]["cluster"]
        self._target = urlsplit(cluster["server"])
        self._flowing.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        cluster["server"] = f"https://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self.kubeconfig.write_text(json.dumps(self._config))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Reset every connection there is."""
        for writer in tuple(self._writers):
            writer.transport.abort()

    def silence(self) -> None:
        """Nothing comes through any more, and nobody is told."""
        self._flowing.clear()

    def mend(self) -> None:
        """Everything comes through again."""
        self._flowing.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            far_reader, far_writer = await asyncio.open_connection(self._target.hostname, self._target.port)
            self._writers |= {writer, far_writer}
            try:
                await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
            finally:
                for end in (writer, far_writer):
                    self._writers.discard(end)
                    end.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            await self._flowing.wait()
            sink.write(data)
            await sink.drain()
        raise ConnectionResetError
