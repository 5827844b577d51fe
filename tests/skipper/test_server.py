"""The tests' Skipper is a real one: it splits traffic as a RouteGroup in a real API server says, from one change to the
next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import httpx

from tests.controlplane.cluster import ControlPlane
from tests.servers.process import program
from tests.servers.recipes import SKIPPER
from tests.skipper.server import running

RULES = [
    {"apiGroups": [group], "resources": ["*"], "verbs": ["get", "list"]}
    for group in ("", "zalando.org", "networking.k8s.io", "discovery.k8s.io")
]


@contextmanager
def answering(text: str) -> Iterator[str]:
    """A server that says this to everybody; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_traffic_goes_where_the_route_group_says(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> None:
    binary = program(SKIPPER)
    control_plane.install_crds("skipper")
    path = f"/apis/zalando.org/v1/namespaces/{namespace}/routegroups/app"
    kubeconfig = control_plane.as_service_account(namespace, "skipper", RULES)
    with answering("one") as one, answering("two") as two:

        def shares(first: int) -> dict[str, object]:
            backends = [{"name": name, "type": "network", "address": url} for name, url in (("one", one), ("two", two))]
            weights = [{"backendName": "one", "weight": first}, {"backendName": "two", "weight": 100 - first}]
            routes = [{"pathSubtree": "/", "backends": weights}]
            spec = {"hosts": ["app.test"], "backends": backends, "routes": routes}
            return {"apiVersion": "zalando.org/v1", "kind": "RouteGroup", "metadata": {"name": "app"}, "spec": spec}

        control_plane.api.apply(path, shares(100))
        with (
            running(binary, tmp_path, kubeconfig, namespace) as skipper,
            httpx.Client(trust_env=False) as client,
        ):

            def answers() -> set[str]:
                return {client.get(skipper.url, headers={"Host": "app.test"}).text for _ in range(100)}

            skipper.until(lambda routes: one in routes)
            assert answers() == {"one"}
            control_plane.api.apply(path, shares(50))
            skipper.until(lambda routes: "Traffic(0.5)" in routes)
            assert answers() == {"one", "two"}
            control_plane.api.apply(path, shares(0))
            skipper.until(lambda routes: "Traffic(0)" in routes)
            assert answers() == {"two"}
