"""Protects that a real Traefik does with the rendered objects what the routing says: who answers, who is bound by a
cookie, what is copied, what the metrics are called, and what of the user's other routes is left alone.

Traefik reads a real API server. The Services name hosts outside the cluster: each arm has a loopback address.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from time import monotonic, sleep
from typing import Any

import httpx
import pytest

from dsl.ir import MatchTest, StickySpec
from interpreter.local.processes import free_port
from interpreter.objects import Manifest
from interpreter.routing import HOME
from interpreter.state import Routing
from interpreter.traffic.provider import Site
from interpreter.traffic.traefik import Traefik
from tests.controlplane.api import ApiError
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.traffic.rigs import manifest, site
from tests.interpreter.traffic.situations import HEADER, matching, weight
from tests.interpreter.traffic.test_on_a_control_plane import Cluster
from tests.traefik.server import GROUP, MORE_KINDS, RealTraefik, running

TRAEFIK = Traefik()
API = f"{GROUP}/v1alpha1"
SESSION = "s3ss10n"
PRIMARY, CANARY, BASELINE = "podinfo-primary", "podinfo-canary", "podinfo-baseline"
TIME = "time"
NAMES = ("podinfo", PRIMARY, CANARY, BASELINE, "elsewhere", TIME)
PATIENCE_S = 30.0
READS = (
    {"apiGroups": [GROUP], "resources": ["*"], "verbs": ["get", "list", "watch"]},
    {
        "apiGroups": ["", "discovery.k8s.io"],
        "resources": ["services", "secrets", "endpointslices", "configmaps"],
        "verbs": ["get", "list", "watch"],
    },
)


class Backend:
    """A Service's only server: answers with the Service's name and a cookie, and remembers what it was asked."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked: list[Mapping[str, str]] = []


@contextmanager
def served(app: Backend, host: str, port: int) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            app.asked.append(dict(self.headers.items()))
            self.send_response(200)
            self.send_header("Content-Length", str(len(app.name)))
            self.send_header("Set-Cookie", "own=1")
            self.end_headers()
            self.wfile.write(app.name.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer((host, port), Handler) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


class Shop:
    """A user's IngressRoute `shop` behind a Traefik, and the servers of its Services."""

    def __init__(
        self, traefik: RealTraefik, cluster: Cluster, place: Site, backends: Mapping[str, Backend], client: httpx.Client
    ) -> None:
        self.traefik, self.cluster, self.place, self.backends, self.client = traefik, cluster, place, backends, client
        self._times = 0

    @property
    def baselined(self) -> Site:
        return replace(self.place, baseline=self.place.baseline_service)

    def route(self, routing: Routing, place: Site | None = None) -> None:
        """Render, and wait until Traefik goes by it. Traefik reads each kind in the order of its changes, so when it
        goes by the newest of either kind, it goes by all."""
        where = place or self.place
        existing = self.cluster.objects(TRAEFIK.refs(where))
        self.cluster.do(TRAEFIK.render(where, routing, existing))
        self._times += 1
        name = f"time-{self._times}"
        namespace = self.place.namespace
        backend = {"name": TIME, "port": self.place.program.traffic.options["port"]}
        self.cluster.make(manifest(namespace, API, "TraefikService", name, {"weighted": {"services": [backend]}}))
        rule = {
            "kind": "Rule",
            "match": f"Path(`/{name}`)",
            "priority": 1000,
            "services": [{"name": name, "kind": "TraefikService"}],
        }
        self.cluster.make(manifest(namespace, API, "IngressRoute", name, {"routes": [rule]}))
        until(lambda: self.get(f"/{name}").text == TIME)

    def get(self, path: str = "/", **headers: str) -> httpx.Response:
        spelt = {key.replace("_", "-"): value for key, value in headers.items()}
        self.client.cookies.clear()
        return self.client.get(f"{self.traefik.url}{path}", headers={"Host": "shop.example.com", **spelt})

    def answers(self, count: int = 1, path: str = "/", **headers: str) -> Counter[str]:
        """Who answered how many of so many requests."""
        return Counter(self.get(path, **headers).text for _ in range(count))


def until(holds: Callable[[], object]) -> None:
    limit = monotonic() + PATIENCE_S
    while not holds():
        assert monotonic() < limit, "it did not come to be so"
        sleep(0.02)


def _users(namespace: str, port: int) -> Manifest:
    def route(rule: str, name: str, **more: Any) -> dict[str, Any]:
        return {"kind": "Rule", "match": rule, "services": [{"name": name, "port": port}], **more}

    host = "Host(`shop.example.com`)"
    routes = [
        route(f"{host} && PathPrefix(`/o`)", "elsewhere"),
        route(host, "podinfo", priority=len(host) + 15),
        route("PathPrefix(`/`)", "elsewhere", priority=1),
    ]
    return manifest(namespace, API, "IngressRoute", "shop", {"routes": routes})


def _service(namespace: str, name: str, host: str, port: int) -> Manifest:
    spec = {"type": "ExternalName", "externalName": host, "ports": [{"name": "http", "port": port}]}
    return manifest(namespace, "v1", "Service", name, spec)


def _define_the_rest(control_plane: ControlPlane) -> None:
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1alpha1", "served": True, "storage": True, "schema": {"openAPIV3Schema": anything}}
    for kind, plural in MORE_KINDS.items():
        if not control_plane.api.answers(f"{path}/{plural}.{GROUP}"):
            names = {"kind": kind, "plural": plural, "singular": kind.lower()}
            spec = {"group": GROUP, "names": names, "scope": "Namespaced", "versions": [version]}
            control_plane.api.call("POST", path, {"metadata": {"name": f"{plural}.{GROUP}"}, "spec": spec})
    for plural in MORE_KINDS.values():
        until(partial(_is_served, control_plane, plural))


def _is_served(control_plane: ControlPlane, plural: str) -> bool:
    try:
        control_plane.api.get(f"/apis/{API}/{plural}")
    except ApiError:
        return False
    return True


@pytest.fixture(scope="module")
def shop(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder, port = tmp_path_factory.mktemp("traefik"), free_port()
    control_plane.install_crds("traefik")
    _define_the_rest(control_plane)
    namespace = control_plane.make_namespace()
    place = site(namespace, "traefik", {"route": "shop", "port": port}, session=SESSION)
    cluster, backends = Cluster(control_plane.api), {name: Backend(name) for name in NAMES}
    kubeconfig = control_plane.as_service_account(namespace, "traefik", READS)
    with ExitStack() as stack:
        for number, backend in enumerate(backends.values(), 2):
            stack.enter_context(served(backend, f"127.0.0.{number}", port))
            cluster.make(_service(namespace, backend.name, f"127.0.0.{number}", port))
        cluster.make(_users(namespace, port))
        traefik = stack.enter_context(running(folder, kubeconfig, namespace))
        client = stack.enter_context(httpx.Client(trust_env=False, timeout=10))
        yield Shop(traefik, cluster, place, backends, client)
    control_plane.drop_namespace(namespace)


def test_weights(shop: Shop) -> None:
    shop.route(HOME)
    assert shop.answers(20) == {PRIMARY: 20}
    for percent in (12.5, 50, 99):
        shop.route(weight(percent))
        assert shop.answers(200)[CANARY] == pytest.approx(2 * percent, abs=1), "it deals in turn"
    assert shop.answers(3, "/other") == {"elsewhere": 3}
    assert shop.answers(3, Host="www.example.com") == {"elsewhere": 3}
    shop.route(weight(100))
    assert shop.answers(20) == {CANARY: 20}
    shop.route(HOME)
    assert shop.answers(20) == {PRIMARY: 20}


TESTS = [
    (("==", "a.b"), ["a.b"], ["axb", "a.bc", "xa.b"]),
    (("==", "`"), ["`"], ["'"]),
    (("=~", "^(insider|beta)-"), ["beta-1"], ["xbeta-1", "beta"]),
    (("=~", "b$"), ["ab"], ["ba"]),
    (("^=", "be."), ["be.ta"], ["beta", "xbe."]),
    (("exists", ""), ["x"], []),
]


@pytest.mark.parametrize("kind", ["header", "cookie", "query"])
def test_matches(shop: Shop, kind: str) -> None:
    """All at once, as alternatives, each on a name of its own."""
    tests = [MatchTest(kind, f"x-{number}", *test) for number, (test, _, _) in enumerate(TESTS)]  # type: ignore[arg-type]
    shop.route(matching(*([test] for test in tests)))

    def answered(name: str, value: str, path: str = "/deep/") -> str:
        asked = f"{path}?{name}={value}" if kind == "query" else path
        headers = {"header": {name: value}, "cookie": {"Cookie": f"a=1; {name}={value}"}, "query": {}}[kind]
        return shop.get(asked, **headers).text

    for test, (_, yes, no) in zip(tests, TESTS, strict=True):
        assert {answered(test.key, value) for value in yes} == {CANARY}, test
        assert {answered(test.key, value) for value in no} <= {PRIMARY}, test
        assert answered(test.key, yes[0], "/other") == "elsewhere"
    assert shop.get().text == PRIMARY


def test_alternatives_conjunctions_and_weights(shop: Shop) -> None:
    both = (HEADER, MatchTest("cookie", "c", "==", "1"))
    shop.route(Routing(0.0, matches=(both, (MatchTest("query", "v", "==", "2"),))))
    assert shop.answers(3, X_Canary="insider") == {PRIMARY: 3}
    assert shop.answers(3, X_Canary="insider", Cookie="c=1") == {CANARY: 3}
    assert shop.answers(3, "/?v=2") == {CANARY: 3}
    shop.route(Routing(50.0, matches=((HEADER,),)))
    assert shop.answers(100) == {PRIMARY: 50, CANARY: 50}
    assert shop.answers(20, X_Canary="insider") == {CANARY: 20}


def test_clients_stay_with_the_arm_that_answered_them(shop: Shop) -> None:
    shop.route(Routing(50.0, sticky=StickySpec("c", 60_000, {"primary_cookie": "p"})))
    given: dict[str, str] = {}
    for _ in range(20):
        answer = shop.get()
        (cookie,) = [one for one in answer.headers.get_list("Set-Cookie") if one != "own=1"]
        given[answer.text] = cookie
        assert "own=1" in answer.headers.get_list("Set-Cookie"), "the application's own cookie is lost"
    assert given[CANARY].startswith(f"c-{SESSION}=")
    assert given[PRIMARY].startswith(f"p-{SESSION}=")
    assert {"Max-Age=60", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(given[CANARY].split("; "))
    of_canary, of_primary = given[CANARY].split(";")[0], given[PRIMARY].split(";")[0]
    assert shop.answers(30, Cookie=f"x=1; {of_canary}") == {CANARY: 30}
    assert shop.answers(30, Cookie=f"{of_primary}; x=1") == {PRIMARY: 30}
    assert shop.answers(30, Cookie=f"{of_primary}; {of_canary}") == {CANARY: 30}
    assert shop.answers(20, Cookie="c-0ther=1; p-0ther=1") == {CANARY: 10, PRIMARY: 10}
    shop.route(Routing(50.0, sticky=StickySpec("c", 60_000)))
    primarys = [answer for answer in (shop.get() for _ in range(20)) if answer.text == PRIMARY]
    assert {tuple(answer.headers.get_list("Set-Cookie")) for answer in primarys} == {("own=1",)}
    shop.route(HOME)
    assert shop.answers(20, Cookie=of_canary) == {PRIMARY: 20}
    assert shop.get().headers.get_list("Set-Cookie") == ["own=1"]


@pytest.mark.parametrize(("share", "percent"), [(0.0, 100), (0.0, 30), (50.0, 50)])
def test_a_mirror_copies_what_the_primary_answers(shop: Shop, share: float, percent: int) -> None:
    shop.route(Routing(share, mirror=percent))
    canary = shop.backends[CANARY].asked
    before = len(canary)
    answered = shop.answers(100)
    assert answered[PRIMARY] == 100 - share
    copies = answered[PRIMARY] * percent / 100
    until(lambda: len(canary) >= before + answered[CANARY] + copies)
    assert len(canary) == before + answered[CANARY] + copies
    shop.route(HOME)
    before = len(canary)
    assert shop.answers(20) == {PRIMARY: 20}
    assert len(canary) == before


def test_a_baseline_is_asked_as_often_as_the_canary(shop: Shop) -> None:
    shop.route(Routing(30.0, matches=((HEADER,),), mirror=10), shop.baselined)
    assert shop.answers(200) == {PRIMARY: 80, CANARY: 60, BASELINE: 60}
    assert shop.answers(10, X_Canary="insider") == {CANARY: 10}
    shop.route(Routing(30.0))
    assert shop.answers(100) == {PRIMARY: 70, CANARY: 30}


def test_metrics_are_called_as_the_standard_library_asks_for_them(shop: Shop) -> None:
    shop.route(Routing(50.0, mirror=10, sticky=StickySpec("c", 60_000, {"primary_cookie": "p"})))
    shop.answers(20)
    text = httpx.get(f"{shop.traefik.support}/metrics", trust_env=False).text
    counted = [line for line in text.splitlines() if line.startswith("traefik_service_requests_total{")]
    named = {line.partition('service="')[2].partition('"')[0] for line in counted}
    port = shop.place.program.traffic.options["port"]
    assert {f"{shop.place.namespace}-{arm}-{port}@kubernetescrd" for arm in (PRIMARY, CANARY)} <= named
    assert not [name for name in named if "sticky" in name or "mirrored" in name]


def test_after_the_release_the_users_routes_hold(shop: Shop) -> None:
    shop.route(Routing(50.0, matches=((HEADER,),), sticky=StickySpec("c", 60_000)))
    shop.cluster.do(TRAEFIK.release(shop.place, shop.cluster.objects(TRAEFIK.refs(shop.place))))
    until(lambda: shop.answers(10, X_Canary="insider") == {"podinfo": 10})


def test_no_request_is_lost_while_weights_change(shop: Shop) -> None:
    shop.route(HOME)
    ended, seen = [False], Counter[tuple[int, str]]()

    def ask() -> None:
        with httpx.Client(trust_env=False, timeout=10) as client:
            while not ended[0]:
                answer = client.get(shop.traefik.url, headers={"Host": "shop.example.com"})
                seen[(answer.status_code, answer.text)] += 1

    threads = [Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for percent in (10, 50, 100):
            shop.route(weight(percent))
        shop.route(Routing(50.0, mirror=10, sticky=StickySpec("c", 60_000)))
        shop.route(HOME)
        before = len(shop.backends[CANARY].asked)
        shop.answers(20)
    finally:
        ended[0] = True
        for thread in threads:
            thread.join()
    assert {status for status, _ in seen} == {200}
    assert len(shop.backends[CANARY].asked) == before, "the canary is asked after a rollback"
