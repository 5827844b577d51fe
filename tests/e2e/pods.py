"""The target's pods: for each pod of the namespace an HTTP server at the pod's own address.

KWOK gives pods addresses and says that they run; it runs nothing. Here a server is started for each pod that runs, and
only then the pod becomes Ready, as with a readiness probe: its template has the annotation `kwok.test/fail: NotReady`,
which is taken off the living pod. A pod that is deleted is terminating for as long as `kwok.test/gone-after` says, and
answers till its end, as one with a pause in its preStop hook does.

How a pod behaves is in its environment: `VERSION`, and `FAILS`, the percent of requests that it answers with 500. Each
answer says which version gave it, and of which workload the pod is (the value of its label `app`). Each is counted
here, once it has been written whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections import Counter
from collections.abc import Coroutine, Mapping
from typing import Any, NamedTuple

import httpx

from tests.controlplane.api import Api

PORT = 8080
STARTS_S = 1.5
"""From when a pod runs to when it listens. It is longer than the data plane takes to see it: who does not wait for pods
to be ready loses requests."""
NOT_READY = "kwok.test/fail"
VERSION_HEADER, WORKLOAD_HEADER = "X-Version", "X-Workload"
_MERGE = {"Content-Type": "application/merge-patch+json"}


class Answer(NamedTuple):
    """One kind of answer."""

    version: str
    status: int


class Pods:
    """The servers of one namespace. `answered` counts what all of them gave, also those that are gone."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.answered: Counter[Answer] = Counter()
        self.troubles: list[str] = []
        """What went wrong in the stand-in itself; empty after a run that means something."""
        self._path = f"/api/v1/namespaces/{namespace}/pods"
        self._client = httpx.AsyncClient(
            base_url=api.server,
            headers={"Authorization": f"Bearer {api.token}"},
            verify=ssl.create_default_context(cadata=api.authority.decode()),
            trust_env=False,
            timeout=30,
        )
        self._lives: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._watch: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Pods:
        self._watch = asyncio.create_task(self._follow())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        for life in self._lives.values():
            life.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    # --- the pods of the cluster ----------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """List and watch, for ever."""
        while True:
            try:
                listed = (await self._client.get(self._path)).raise_for_status().json()
                for pod in listed["items"]:
                    self._see("MODIFIED", pod)
                await self._events(listed["metadata"]["resourceVersion"])
            except httpx.HTTPError as error:
                self.troubles.append(f"pods cannot be watched: {error!r}")
                await asyncio.sleep(0.1)

    async def _events(self, version: str) -> None:
        query = {"watch": "1", "resourceVersion": version}
        async with self._client.stream("GET", self._path, params=query, timeout=None) as stream:
            async for line in stream.raise_for_status().aiter_lines():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                self._see(event["type"], event["object"])

    def _see(self, event: str, pod: Mapping[str, Any]) -> None:
        uid, status = pod["metadata"]["uid"], pod.get("status") or {}
        address = status.get("podIP")
        if event == "DELETED":
            if uid in self._lives:
                self._lives.pop(uid).cancel()
        elif address and status.get("phase") == "Running" and uid not in self._lives:
            self._lives[uid] = self._begin(self._live(address, pod))

    async def _live(self, address: str, pod: Mapping[str, Any]) -> None:
        """A pod's whole life. It ends as a process does: with all its connections."""
        name, (container,) = pod["metadata"]["name"], pod["spec"]["containers"]
        given = {one["name"]: one.get("value", "") for one in container.get("env", ())}
        behaviour = Behaviour(
            given.get("VERSION", "?"),
            pod["metadata"]["labels"]["app"],
            float(given.get("FAILS", 0)) / 100,
            self.answered,
        )

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._begin(behaviour.serve(reader, writer))

        await asyncio.sleep(STARTS_S)
        try:
            server = await asyncio.start_server(connected, address, PORT)
        except OSError as error:
            self.troubles.append(f"pod {name} cannot listen at {address}:{PORT}: {error}")
            return
        try:
            await self._become_ready(name)
            await asyncio.Event().wait()
        finally:
            server.close()
            for writer in behaviour.connections:
                writer.close()

    async def _become_ready(self, name: str) -> None:
        patch = json.dumps({"metadata": {"annotations": {NOT_READY: None}}})
        try:
            answer = await self._client.patch(f"{self._path}/{name}", content=patch, headers=_MERGE)
        except httpx.HTTPError as error:
            self.troubles.append(f"pod {name} cannot be made ready: {error!r}")
        else:
            if answer.status_code not in (200, 404):
                self.troubles.append(f"pod {name} cannot be made ready: {answer.text}")

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


class Behaviour:
    """What one pod does. Failures come evenly: with 30%, three of each ten requests."""

    def __init__(self, version: str, workload: str, fails: float, answered: Counter[Answer]) -> None:
        self._version = version
        self._workload = workload
        self._fails = fails
        self._owed = 0.0
        self._answered = answered
        self.connections: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection in order, until the other side closes it."""
        self.connections.add(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                answer = self._answer()
                writer.write(self._text(answer))
                await writer.drain()
                self._answered[answer] += 1
        self.connections.discard(writer)
        writer.close()

    def _answer(self) -> Answer:
        self._owed += self._fails
        if self._owed >= 1:
            self._owed -= 1
            return Answer(self._version, 500)
        return Answer(self._version, 200)

    def _text(self, answer: Answer) -> bytes:
        word = "OK" if answer.status == 200 else "Internal Server Error"
        who = f"{VERSION_HEADER}: {answer.version}\r\n{WORKLOAD_HEADER}: {self._workload}\r\n"
        return f"HTTP/1.1 {answer.status} {word}\r\nContent-Length: 0\r\n{who}\r\n".encode()
