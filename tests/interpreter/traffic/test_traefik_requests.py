"""Protects that a real Traefik does with the rendered objects what the routing says: who answers, who is bound by a
cookie, what is copied, what the metrics are called, and what of the user's other routes is left alone.

Traefik reads a real API server.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import httpx
import pytest

from dsl.ir import StickySpec
from interpreter.desired import Routing
from interpreter.objects import Manifest
from interpreter.routing import HOME
from interpreter.traffic.provider import Site
from interpreter.traffic.traefik import Traefik
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.traffic import behaviour
from tests.interpreter.traffic.rigs import manifest, site
from tests.interpreter.traffic.shop import (
    BASELINE,
    CANARY,
    ELSEWHERE,
    HOST,
    PORT,
    PRIMARY,
    READS_SERVICES,
    SESSION,
    TIME,
    Shop,
    Watched,
    define,
    servers,
    until,
)
from tests.interpreter.traffic.situations import HEADER, weight
from tests.traefik.server import GROUP, MORE_KINDS, running

pytestmark = pytest.mark.data_plane("traefik")

TRAEFIK = Traefik()
API = f"{GROUP}/v1alpha1"
READS = (
    {"apiGroups": [GROUP], "resources": ["*"], "verbs": ["get", "list", "watch"]},
    READS_SERVICES,
)


class TraefikShop(Shop):
    """A user's IngressRoute `shop`. Traefik reads each kind in the order of its changes, so when it goes by the newest
    of either kind, it goes by all."""

    def __init__(self, support: str, *args: Any) -> None:
        super().__init__(TRAEFIK, *args)
        self.support = support

    @property
    def baselined(self) -> Site:
        return replace(self.place, baseline=self.place.baseline_service)

    def last_route(self, name: str) -> tuple[Sequence[Manifest], str, str]:
        namespace, host = self.place.namespace, f"{name}.example.com"
        backend = {"name": TIME, "port": PORT}
        rule = {
            "kind": "Rule",
            "match": f"Host(`{host}`)",
            "priority": 1000,
            "services": [{"name": name, "kind": "TraefikService"}],
        }
        service = manifest(namespace, API, "TraefikService", name, {"weighted": {"services": [backend]}})
        return [service, manifest(namespace, API, "IngressRoute", name, {"routes": [rule]})], host, "/"


def _users(namespace: str) -> Manifest:
    def route(rule: str, name: str, **more: Any) -> dict[str, Any]:
        return {"kind": "Rule", "match": rule, "services": [{"name": name, "port": PORT}], **more}

    host = f"Host(`{HOST}`)"
    routes = [
        route(f"{host} && PathPrefix(`/o`)", ELSEWHERE),
        route(host, "podinfo", priority=len(host) + 15),
        route("PathPrefix(`/`)", ELSEWHERE, priority=1),
    ]
    return manifest(namespace, API, "IngressRoute", "shop", {"routes": routes})


@pytest.fixture(scope="module")
def shop(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TraefikShop]:
    folder = tmp_path_factory.mktemp("traefik")
    control_plane.install_crds("traefik")
    define(control_plane, API, MORE_KINDS)
    namespace = control_plane.make_namespace()
    place = site(namespace, "traefik", {"route": "shop"}, session=SESSION)
    cluster = Watched(control_plane.api)
    kubeconfig = control_plane.as_service_account(namespace, "traefik", READS)
    with ExitStack() as stack:
        backends = stack.enter_context(servers(cluster, namespace))
        cluster.make(_users(namespace))
        traefik = stack.enter_context(running(folder, kubeconfig, namespace))
        client = stack.enter_context(httpx.Client(trust_env=False, timeout=10))
        yield TraefikShop(traefik.support, traefik.url, cluster, place, backends, client)
    control_plane.drop_namespace(namespace)


def test_weights(shop: TraefikShop) -> None:
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


@pytest.mark.parametrize("kind", ["header", "cookie", "query"])
def test_matches(shop: TraefikShop, kind: str) -> None:
    behaviour.matches(shop, kind)
    shop.route(Routing(0.0, matches=((HEADER,),)))
    assert shop.answers(2, "/other", X_Canary="insider") == {ELSEWHERE: 2}


def test_alternatives_conjunctions_and_weights(shop: TraefikShop) -> None:
    behaviour.alternatives_conjunctions_and_weights(shop)


def test_clients_stay_with_the_arm_that_answered_them(shop: TraefikShop) -> None:
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


def test_a_baseline_is_asked_as_often_as_the_canary(shop: TraefikShop) -> None:
    shop.route(Routing(30.0, matches=((HEADER,),), mirror=10), shop.baselined)
    assert shop.answers(200) == {PRIMARY: 80, CANARY: 60, BASELINE: 60}
    assert shop.answers(10, X_Canary="insider") == {CANARY: 10}
    shop.route(Routing(30.0))
    assert shop.answers(100) == {PRIMARY: 70, CANARY: 30}


def test_metrics_are_called_as_the_standard_library_asks_for_them(shop: TraefikShop) -> None:
    shop.route(Routing(50.0, mirror=10, sticky=StickySpec("c", 60_000, {"primary_cookie": "p"})))
    shop.answers(20)
    text = httpx.get(f"{shop.support}/metrics", trust_env=False).text
    counted = [line for line in text.splitlines() if line.startswith("traefik_service_requests_total{")]
    named = {line.partition('service="')[2].partition('"')[0] for line in counted}
    assert {f"{shop.place.namespace}-{arm}-{PORT}@kubernetescrd" for arm in (PRIMARY, CANARY)} <= named
    assert not [name for name in named if "sticky" in name or "mirrored" in name]


def test_after_the_release_the_users_routes_hold(shop: TraefikShop) -> None:
    shop.route(Routing(50.0, matches=((HEADER,),), sticky=StickySpec("c", 60_000)))
    shop.release()
    assert shop.answers(10, X_Canary="insider") == {"podinfo": 10}


def test_no_request_is_lost_while_weights_change(shop: TraefikShop) -> None:
    last = Routing(50.0, mirror=10, sticky=StickySpec("c", 60_000))
    behaviour.no_request_is_lost(shop, weight(10), weight(50), weight(100), last)
