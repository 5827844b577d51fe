"""Protects that a real Skipper does with the rendered Ingresses what the routing says: who answers, who is bound by a
cookie, what is copied, and what of the user's other routes is left alone.

Skipper reads from an API that has just the lists it asks for: a real one takes no endpoints on the loopback interface.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Any, NamedTuple

import certifi
import httpx
import pytest

from dsl.ir import MatchTest, StickySpec
from interpreter.desired import Routing
from interpreter.objects import Manifest, Ref
from interpreter.routing import HOME
from interpreter.traffic.provider import Site
from interpreter.traffic.skipper import FILTER, MARK, Skipper
from tests.controlplane.plane import write_kubeconfig
from tests.interpreter.traffic.pretence import Pretence
from tests.interpreter.traffic.rigs import manifest, site
from tests.interpreter.traffic.situations import HEADER, matching, weight
from tests.servers.process import program
from tests.servers.recipes import SKIPPER as SKIPPER_SERVER
from tests.skipper.server import RealSkipper, running

pytestmark = pytest.mark.data_plane("skipper")

SKIPPER = Skipper()
SESSION = "s3ss10n"
PLACE = site("test", "skipper", {"ingress": "shop"}, session=SESSION)
ARMS = ("podinfo", "podinfo-primary", "podinfo-canary", "podinfo-baseline", "elsewhere")
BASELINED = replace(PLACE, baseline=PLACE.baseline_service)
PATIENCE_S = 30.0


class Backend:
    """A Service's only pod: answers with the Service's name, and remembers what it was asked."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked: list[Mapping[str, str]] = []

    def get(self, _path: str, headers: Mapping[str, str]) -> tuple[int, str]:
        self.asked.append(headers)
        return 200, self.name


class Lists:
    """The API: its lists, by the last part of their paths."""

    def __init__(self) -> None:
        self.items: dict[str, Sequence[Manifest]] = {}

    def get(self, path: str, _headers: Mapping[str, str]) -> tuple[int, str]:
        name = path.partition("?")[0].rpartition("/")[-1]
        return (200, json.dumps({"items": list(self.items[name])})) if name in self.items else (404, "{}")


@contextmanager
def served(app: Backend | Lists) -> Iterator[int]:
    """Its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, text = app.get(self.path, dict(self.headers.items()))
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

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


class Shop(NamedTuple):
    """A user's Ingress `shop` behind a Skipper, and the pods of its Services. `cluster` has the Ingresses."""

    skipper: RealSkipper
    lists: Lists
    backends: Mapping[str, Backend]
    cluster: Pretence
    client: httpx.Client

    def route(self, routing: Routing, place: Site = PLACE) -> None:
        """Render, and wait until Skipper goes by it: the user's filter, which ours have too, tells which time it is."""
        users = self.cluster.objects[USERS]["metadata"]["annotations"]
        users[FILTER] = f'setResponseHeader("X-Time", "{int(users[FILTER].split(chr(34))[3]) + 1}")'
        self.cluster.do(SKIPPER.render(place, routing, self.cluster.objects))
        self.lists.items["ingresses"] = list(self.cluster.objects.values())
        wanted = users[FILTER].split('"')[3]
        until(lambda: self.get("/other").headers.get("X-Time") == wanted)

    def get(self, path: str = "/", **headers: str) -> httpx.Response:
        spelt = {key.replace("_", "-"): value for key, value in headers.items()}
        self.client.cookies.clear()
        return self.client.get(f"{self.skipper.url}{path}", headers={"Host": "shop.example.com", **spelt})

    def answers(self, count: int = 1, path: str = "/", **headers: str) -> Counter[str]:
        """Who answered how many of so many requests."""
        return Counter(self.get(path, **headers).text for _ in range(count))


def until(holds: Callable[[], object]) -> None:
    limit = monotonic() + PATIENCE_S
    while not holds():
        assert monotonic() < limit, "it did not come to be so"
        sleep(0.02)


USERS: Ref = SKIPPER.refs(PLACE)[0]


def _ingress() -> Manifest:
    def path(service: str, where: str) -> dict[str, Any]:
        backend = {"service": {"name": service, "port": {"number": 9898}}}
        return {"path": where, "pathType": "Prefix", "backend": backend}

    paths = [path("podinfo", "/"), path("podinfo", "/deep/"), path("elsewhere", "/other")]
    spec = {"rules": [{"host": "shop.example.com", "http": {"paths": paths}}]}
    annotations = {FILTER: 'setResponseHeader("X-Time", "0")'}
    return manifest("test", "networking.k8s.io/v1", "Ingress", "shop", spec, annotations=annotations)


def _service(name: str, port: int) -> Manifest:
    spec = {"type": "ClusterIP", "clusterIP": "10.0.0.1", "ports": [{"name": "http", "port": 9898, "targetPort": port}]}
    return manifest("test", "v1", "Service", name, spec)


def _slice(name: str, port: int) -> Manifest:
    made = manifest("test", "discovery.k8s.io/v1", "EndpointSlice", f"{name}-1", {})
    made["metadata"]["labels"] = {"kubernetes.io/service-name": name}
    endpoint = {"addresses": ["127.0.0.1"], "conditions": {"ready": True, "serving": True, "terminating": False}}
    return {
        **made,
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
        "endpoints": [endpoint],
    }


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder, lists = tmp_path_factory.mktemp("skipper"), Lists()
    backends = {name: Backend(name) for name in ARMS}
    with ExitStack() as stack:
        ports = {name: stack.enter_context(served(backend)) for name, backend in backends.items()}
        lists.items = {
            "ingresses": [_ingress()],
            "services": [_service(name, port) for name, port in ports.items()],
            "endpointslices": [_slice(name, port) for name, port in ports.items()],
            "secrets": [],
        }
        url = f"http://127.0.0.1:{stack.enter_context(served(lists))}"
        kubeconfig = write_kubeconfig(folder / "kubeconfig", url, Path(certifi.where()).read_bytes(), "token", "test")
        skipper = stack.enter_context(running(program(SKIPPER_SERVER), folder, kubeconfig, "test"))
        client = stack.enter_context(httpx.Client(trust_env=False, timeout=10))
        yield Shop(skipper, lists, backends, Pretence([_ingress()]), client)


def test_weights(shop: Shop) -> None:
    shop.route(HOME)
    assert shop.answers(20) == {"podinfo": 20}
    shop.route(weight(100))
    assert shop.answers(20) == {"podinfo-canary": 20}
    shop.route(weight(50))
    split = shop.answers(200, "/deep/er")
    assert split.keys() == {"podinfo-primary", "podinfo-canary"}
    assert shop.answers(1, "/other") == {"elsewhere": 1}
    shop.route(HOME)
    assert shop.answers(20) == {"podinfo": 20}


TESTS = [
    (("==", "a.b"), ["a.b"], ["axb", "a.bc", "xa.b"]),
    (("=~", "^(insider|beta)-"), ["beta-1"], ["xbeta-1", "beta"]),
    (("=~", "b$"), ["ab"], ["ba"]),
    (("^=", "be."), ["be.ta"], ["beta", "xbe."]),
    (("exists", ""), ["x"], []),
]


@pytest.mark.parametrize("kind", ["header", "cookie", "query"])
@pytest.mark.parametrize(("test", "yes", "no"), TESTS)
def test_matches(shop: Shop, kind: str, test: tuple[str, str], yes: list[str], no: list[str]) -> None:
    shop.route(matching([MatchTest(kind, "x-group", *test)]))  # type: ignore[arg-type]

    def answered(value: str) -> str:
        path = f"/deep/?x-group={value}" if kind == "query" else "/deep/"
        headers = {"header": {"X_Group": value}, "cookie": {"Cookie": f"a=1; x-group={value}"}, "query": {}}[kind]
        return shop.get(path, **headers).text

    assert {answered(value) for value in yes} == {"podinfo-canary"}
    assert {answered(value) for value in no} <= {"podinfo-primary"}
    assert shop.get().text == "podinfo-primary"


def test_alternatives_conjunctions_and_weights(shop: Shop) -> None:
    both = [HEADER, MatchTest("cookie", "c", "==", "1")]
    shop.route(Routing(0.0, matches=(tuple(both), (MatchTest("query", "v", "==", "2"),))))
    assert shop.answers(3, X_Canary="insider") == {"podinfo-primary": 3}
    assert shop.answers(3, X_Canary="insider", Cookie="c=1") == {"podinfo-canary": 3}
    assert shop.answers(3, "/?v=2") == {"podinfo-canary": 3}
    shop.route(Routing(50.0, matches=((HEADER,),)))
    assert shop.answers(100).keys() == {"podinfo-primary", "podinfo-canary"}
    assert shop.answers(20, X_Canary="insider") == {"podinfo-canary": 20}


def test_the_mark_does_not_reach_the_pods(shop: Shop) -> None:
    shop.route(matching([HEADER]))
    shop.answers(1)
    shop.answers(1, X_Canary="insider")
    for name in ("podinfo-primary", "podinfo-canary"):
        assert MARK.lower() not in {key.lower() for key in shop.backends[name].asked[-1]}


def test_clients_stay_with_the_arm_that_answered_them(shop: Shop) -> None:
    both = StickySpec("c", 60_000, {"primary_cookie": "p"})
    shop.route(Routing(50.0, sticky=both))
    given = {}
    for _ in range(60):
        answer = shop.get()
        given[answer.text] = answer.headers["Set-Cookie"]
    assert given["podinfo-canary"].startswith(f"c={SESSION};")
    assert given["podinfo-primary"].startswith(f"p={SESSION};")
    assert shop.answers(30, Cookie=f"x=1; c={SESSION}") == {"podinfo-canary": 30}
    assert shop.answers(30, Cookie=f"p={SESSION}; x=1") == {"podinfo-primary": 30}
    assert shop.answers(30, Cookie=f"p={SESSION}; c={SESSION}") == {"podinfo-canary": 30}
    assert "Set-Cookie" not in shop.get(Cookie=f"p={SESSION}").headers
    assert shop.answers(100, Cookie="c=0ther; p=0ther").keys() == {"podinfo-primary", "podinfo-canary"}
    shop.route(HOME)
    assert shop.answers(20, Cookie=f"c={SESSION}") == {"podinfo": 20}
    assert "Set-Cookie" not in shop.get().headers


def test_a_mirror_copies_what_the_primary_answers(shop: Shop) -> None:
    shop.route(Routing(mirror=100.0))
    canary = shop.backends["podinfo-canary"].asked
    before = len(canary)
    assert shop.answers(20, X_Number="1") == {"podinfo-primary": 20}
    until(lambda: len(canary) == before + 20)
    shop.route(Routing(50.0, mirror=100.0))
    before = len(canary)
    answered = shop.answers(100)
    assert answered.keys() == {"podinfo-primary", "podinfo-canary"}
    until(lambda: len(canary) == before + 100)
    shop.route(Routing(50.0, mirror=50.0))
    before = len(canary)
    answered = shop.answers(100)
    until(lambda: len(canary) > before + answered["podinfo-canary"])
    shop.route(Routing(mirror=30.0))
    before = len(canary)
    assert shop.answers(100) == {"podinfo-primary": 100}
    until(lambda: len(canary) > before)
    shop.route(HOME)
    assert len(canary) < before + 100


@pytest.mark.parametrize(
    "routing",
    [Routing(30.0), Routing(30.0, matches=((HEADER,),)), Routing(30.0, mirror=50.0), Routing(30.0, mirror=100.0)],
    ids=["weights", "matches", "mirror", "mirror of all"],
)
def test_a_baseline_is_asked_as_often_as_the_canary(shop: Shop, routing: Routing) -> None:
    """Of 600 requests each gets 180; the bounds are five standard deviations away."""
    shop.route(routing, BASELINED)
    answered = shop.answers(600, "/deep/er")
    assert answered.keys() == {"podinfo-primary", "podinfo-canary", "podinfo-baseline"}
    assert all(124 <= answered[arm] <= 236 for arm in ("podinfo-canary", "podinfo-baseline"))
    assert shop.answers(1, "/other") == {"elsewhere": 1}
    assert shop.backends["podinfo-baseline"].asked
    assert MARK.lower() not in {key.lower() for key in shop.backends["podinfo-baseline"].asked[-1]}
    shop.route(routing)
    assert "podinfo-baseline" not in shop.answers(100)


def test_a_baseline_binds_nobody(shop: Shop) -> None:
    both = StickySpec("c", 60_000, {"primary_cookie": "p"})
    shop.route(Routing(40.0, matches=((HEADER,),), sticky=both), BASELINED)
    given = {}
    for _ in range(100):
        answer = shop.get()
        given[answer.text] = answer.headers.get("Set-Cookie")
    assert given["podinfo-baseline"] is None
    assert shop.answers(30, Cookie=f"c={SESSION}") == {"podinfo-canary": 30}
    assert shop.answers(30, Cookie=f"p={SESSION}") == {"podinfo-primary": 30}
    assert shop.answers(30, X_Canary="insider") == {"podinfo-canary": 30}
