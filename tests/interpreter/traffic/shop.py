"""A shop behind a real data plane, which reads a real API server: what the tests of data planes have in common.

Each Service has one server, on the loopback interface. An API server takes no endpoint there, unless it is the name of
a host: `127.0.0.1` passes for one, and data planes connect to it all the same.

A data plane says nowhere which of the objects it goes by. So every change ends with a route of the test's own, made
last, that leads to a server which nobody else is sent to: when that answers, all before it holds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from time import monotonic, sleep

import httpx

from interpreter.desired import Routing
from interpreter.objects import Change, Manifest, Objects
from interpreter.traffic.provider import Site, TrafficProvider
from tests.controlplane.api import ApiError
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.traffic.rigs import manifest
from tests.interpreter.traffic.test_on_a_control_plane import Cluster

PRIMARY, CANARY, BASELINE = "podinfo-primary", "podinfo-canary", "podinfo-baseline"
ELSEWHERE, TIME = "elsewhere", "time"
NAMES = ("podinfo", PRIMARY, CANARY, BASELINE, ELSEWHERE, TIME)
HOST = "shop.example.com"
SESSION = "s3ss10n"
PORT = 9898
"""Of all Services."""
PATIENCE_S = 30.0
READS_SERVICES = {
    "apiGroups": ["", "discovery.k8s.io"],
    "resources": ["services", "secrets", "endpointslices", "configmaps"],
    "verbs": ["get", "list", "watch"],
}


class Backend:
    """A Service's only server: answers with the Service's name and a cookie, and remembers what it was asked."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked: list[Mapping[str, str]] = []


class Watched(Cluster):
    """A cluster with somebody who writes the status of what there is."""

    def _write_status(self, path: str, manifest: Manifest) -> None:
        pass


class Shop(ABC):
    """A user's routes behind a data plane that listens at `url`, and the servers of its Services."""

    def __init__(
        self,
        provider: TrafficProvider,
        url: str,
        cluster: Cluster,
        place: Site,
        backends: Mapping[str, Backend],
        client: httpx.Client,
    ) -> None:
        self.provider, self.url, self.cluster, self.place = provider, url, cluster, place
        self.backends, self._client = backends, client
        self._times = 0

    @abstractmethod
    def last_route(self, name: str) -> tuple[Sequence[Manifest], str, str]:
        """Objects that lead a host and a path, which follow, to the Service `time`."""

    def route(self, routing: Routing, place: Site | None = None) -> None:
        """Render, and wait until the data plane goes by it."""
        where = place or self.place
        self._change(where, lambda existing: self.provider.render(where, routing, existing))

    def release(self, place: Site | None = None) -> None:
        where = place or self.place
        self._change(where, lambda existing: self.provider.release(where, existing))

    def _change(self, place: Site, changes: Callable[[Objects], Iterable[Change]]) -> None:
        until(lambda: self._changed(changes(self.cluster.objects(self.provider.refs(place)))))
        self.until_seen()

    def _changed(self, changes: Iterable[Change]) -> bool:
        """False if the data plane has written the status of an object in the meantime."""
        try:
            self.cluster.do(changes)
        except ApiError as error:
            if error.status != 409:
                raise
            return False
        return True

    def until_seen(self) -> None:
        """Until the data plane goes by all that there is."""
        self._times += 1
        made, host, path = self.last_route(f"time-{self._times}")
        for each in made:
            self.cluster.make(each)
        until(lambda: self._leads_to_the_time(host, path))

    def _leads_to_the_time(self, host: str, path: str) -> bool:
        try:
            return self.get(path, Host=host).text == TIME
        except httpx.TransportError:
            return False  # it does not even listen yet

    def get(self, path: str = "/", **headers: str) -> httpx.Response:
        spelt = {key.replace("_", "-"): value for key, value in headers.items()}
        self._client.cookies.clear()
        return self._client.get(f"{self.url}{path}", headers={"Host": HOST, **spelt})

    def answers(self, count: int = 1, path: str = "/", **headers: str) -> Counter[str]:
        """Who answered how many of so many requests."""
        return Counter(self.get(path, **headers).text for _ in range(count))

    def asked(self, name: str) -> int:
        """How many requests have come to a Service's server so far."""
        return len(self.backends[name].asked)


def until(holds: Callable[[], object]) -> None:
    limit = monotonic() + PATIENCE_S
    while not holds():
        assert monotonic() < limit, "it did not come to be so"
        sleep(0.02)


@contextmanager
def servers(cluster: Cluster, namespace: str) -> Iterator[dict[str, Backend]]:
    """Services and their servers, by the Services' names."""
    backends = {name: Backend(name) for name in NAMES}
    with ExitStack() as stack:
        for backend in backends.values():
            port = stack.enter_context(_served(backend))
            ports = [{"name": "http", "port": PORT, "targetPort": port}]
            cluster.make(manifest(namespace, "v1", "Service", backend.name, {"ports": ports}))
            cluster.make(_slice(namespace, backend.name, port))
        yield backends


def define(control_plane: ControlPlane, api_version: str, kinds: Mapping[str, str]) -> None:
    """Kinds and their plurals, which a data plane wants to be served, whether there are any or not."""
    group, _, version = api_version.partition("/")
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    served = {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": anything}}
    allowed = {"api-approved.kubernetes.io": "unapproved, for tests"}
    for kind, plural in kinds.items():
        if not control_plane.api.answers(f"{path}/{plural}.{group}"):
            names = {"kind": kind, "plural": plural, "singular": kind.lower()}
            spec = {"group": group, "names": names, "scope": "Namespaced", "versions": [served]}
            metadata = {"name": f"{plural}.{group}", "annotations": allowed}
            control_plane.api.call("POST", path, {"metadata": metadata, "spec": spec})
    for plural in kinds.values():
        until(partial(_is_served, control_plane, f"/apis/{api_version}/{plural}"))


def _is_served(control_plane: ControlPlane, path: str) -> bool:
    try:
        control_plane.api.get(path)
    except ApiError:
        return False
    return True


def _slice(namespace: str, name: str, port: int) -> Manifest:
    made = manifest(namespace, "discovery.k8s.io/v1", "EndpointSlice", f"{name}-1", {})
    del made["spec"]
    made["metadata"]["labels"] = {"kubernetes.io/service-name": name}
    ready = {"ready": True, "serving": True, "terminating": False}
    return {
        **made,
        "addressType": "FQDN",
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": ready}],
    }


@contextmanager
def _served(app: Backend) -> Iterator[int]:
    """Its port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # which keeps connections, as servers do
        wbufsize = -1  # an answer in one piece: in two the second waits for a delayed acknowledgement

        def do_GET(self) -> None:
            app.asked.append(dict(self.headers.items()))
            self.send_response(200)
            self.send_header("Content-Length", str(len(app.name)))
            self.send_header("Set-Cookie", "own=1")
            self.end_headers()
            self.wfile.write(app.name.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
