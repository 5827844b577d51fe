"""Protects that plain Services give all or nothing, and that the registry says what is not there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dsl.ir import WorkloadRef
from interpreter.desired import Routing
from interpreter.routing import HOME
from interpreter.traffic.kubernetes_services import KubernetesServices
from interpreter.traffic.provider import TrafficError
from interpreter.traffic.registry import PROVIDERS, provider
from tests.interpreter.traffic.pretence import Pretence
from tests.interpreter.traffic.rigs import RIGS, site
from tests.interpreter.traffic.situations import HEADER, STICKY, matching, weight

KUBERNETES = KubernetesServices()


@pytest.mark.parametrize(
    "routing",
    [weight(1), weight(50), weight(99.99), Routing(mirror=100.0), matching([HEADER]), Routing(100.0, sticky=STICKY)],
)
def test_nothing_between_all_and_nothing(routing: Routing) -> None:
    rig = RIGS["kubernetes"]("test")
    with pytest.raises(TrafficError, match="no weights between"):
        KUBERNETES.render(rig.site, routing, Pretence(rig.given).objects)


def test_without_the_apex_service() -> None:
    place = site("test", "kubernetes")
    assert KUBERNETES.read(place, {}) is None
    with pytest.raises(TrafficError, match=r"Service `test/podinfo` does not exist"):
        KUBERNETES.render(place, HOME, {})


@pytest.mark.parametrize("selector", [None, {}, {"app": "else"}, {"tier": "web"}])
def test_a_service_that_selects_others_is_no_routing(selector: dict[str, str] | None) -> None:
    rig = RIGS["kubernetes"]("test")
    (apex,) = rig.given
    apex["spec"]["selector"] = selector
    objects = Pretence([apex])
    assert KUBERNETES.read(rig.site, objects.objects) is None
    objects.do(KUBERNETES.render(rig.site, weight(100), objects.objects))
    assert KUBERNETES.read(rig.site, objects.objects) == weight(100)


def test_a_service_that_is_the_target_is_left_alone() -> None:
    """Its selector is what is released."""
    rig = RIGS["kubernetes"]("test")
    (apex,) = rig.given
    program = replace(rig.site.program, target=WorkloadRef("service", rig.site.apex))
    place, objects = replace(rig.site, program=program), Pretence([apex]).objects
    assert KUBERNETES.read(place, objects) == HOME
    assert KUBERNETES.render(place, HOME, objects) == ()
    with pytest.raises(TrafficError, match="is the target itself"):
        KUBERNETES.render(place, weight(100), objects)


def test_a_provider_that_is_not_there() -> None:
    with pytest.raises(TrafficError, match=r"`pigeons` cannot be run in a cluster yet; use one of .*istio.*kubernetes"):
        provider("pigeons")


def test_a_provider_is_made_once() -> None:
    for name in PROVIDERS:
        assert provider(name) is provider(name)
