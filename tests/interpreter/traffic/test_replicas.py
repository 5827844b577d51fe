"""Protects the split by pods: what is raised, and when, by pods that come and go one after another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsl.ir import WorkloadRef
from interpreter.desired import Routing
from interpreter.objects import Manifest, Ref, ref_of
from interpreter.routing import HOME
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.replicas import Replicas
from interpreter.workloads.leads import Leads, led
from interpreter.workloads.ratio import asked, counts, next_primary, ready, sized, total
from tests.interpreter.traffic.pretence import Pretence
from tests.interpreter.traffic.rigs import RIGS, site
from tests.interpreter.traffic.rigs_replicas import COMMON, apex, workload
from tests.interpreter.traffic.situations import HEADER, STICKY, matching, weight

REPLICAS = Replicas()
SITE = site("test", "replicas")
HALF = weight(50)


class Town:
    """A cluster in which pods become ready and go when it is told so, one at a time."""

    def __init__(self, pods: int, place: Site = SITE) -> None:
        self.site = place
        given = (
            apex("test"),
            workload("test", "podinfo", replicas=1),
            workload("test", "podinfo-primary", replicas=pods),
        )
        self.cluster = Pretence(given)
        self.apex, self.target, self.primary = REPLICAS.refs(place)

    def look(self, routing: Routing) -> Routing | None:
        """What a look at the rollout does; what is read then."""
        self.cluster.do(REPLICAS.render(self.site, routing, self.cluster.objects))
        primary = self.of(self.primary)
        wanted = counts(total(primary), routing.weight, whole=self.site.whole).primary
        serving = ready(self.of(self.target)) if self.leads is Leads.BOTH else 0
        change = sized(primary, next_primary(wanted, primary, serving))
        self.cluster.do([change] if change is not None else [])
        return REPLICAS.read(self.site, self.cluster.objects)

    def tick(self) -> bool:
        """One pod more or less, of either; whether there was anything to do. Pods that are too many go at once."""
        moved = False
        for ref in (self.target, self.primary):
            found = self.of(ref)
            there, wanted = ready(found), asked(found)
            if there != wanted:
                moved = True
                after = {**found, "status": {"readyReplicas": min(there + 1, wanted)}}
                self.cluster.objects[ref] = after
        return moved

    def settle(self, routing: Routing) -> list[tuple[int, int]]:
        """Look and tick until nothing moves; the ready pods behind the Service after each."""
        seen = [self.behind]
        for _ in range(100):
            before = dict(self.cluster.objects)
            self.look(routing)
            seen.append(self.behind)
            moved = self.tick()
            seen.append(self.behind)
            if not moved and self.cluster.objects == before:
                return seen
        raise AssertionError("it does not come to rest")

    def of(self, ref: Ref) -> Manifest:
        return self.cluster.objects[ref]

    @property
    def leads(self) -> Leads | None:
        label = (self.site.label, self.site.workload)
        return led(self.of(self.apex), label, self.of(self.target), self.of(self.primary))

    @property
    def behind(self) -> tuple[int, int]:
        """Ready pods of primary and canary that the Service leads to."""
        primary, canary = ready(self.of(self.primary)), ready(self.of(self.target))
        match self.leads:
            case Leads.BOTH:
                return primary, canary
            case Leads.TARGET:
                return 0, canary
            case _:
                return primary, 0

    def read(self) -> Routing | None:
        return REPLICAS.read(self.site, self.cluster.objects)


def share(behind: tuple[int, int]) -> float:
    return 100 * behind[1] / sum(behind)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 30), st.lists(st.integers(1, 9_999).map(lambda parts: parts / 100), min_size=1, max_size=5))
def test_raised_by_ready_pods_alone_and_never_short_of_pods(pods: int, steps: list[float]) -> None:
    town = Town(pods)
    highest = 0.0
    for step in sorted(steps):
        wanted = counts(pods, step)
        highest = max(highest, 100 * wanted.canary / sum(wanted))
        seen = town.settle(weight(step))
        assert town.read() == weight(step)
        assert town.behind == wanted
        assert min(sum(each) for each in seen) >= pods
        assert max(share(each) for each in seen) <= highest + 1e-9
    last = town.settle(weight(100))
    assert (town.read(), town.behind) == (weight(100), (0, pods))
    assert min(sum(each) for each in last) >= pods


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 30), st.integers(1, 10_000).map(lambda parts: parts / 100))
def test_home_is_one_write_and_needs_no_pod(pods: int, step: float) -> None:
    town = Town(pods)
    town.settle(weight(step))
    assert town.look(HOME) == HOME
    assert town.leads is Leads.PRIMARY
    assert town.behind[1] == 0
    town.settle(HOME)
    assert town.behind == (pods, 0)


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 30), st.integers(2, 9_999), st.integers(1, 9_998))
def test_less_is_taken_at_once(pods: int, high: int, low: int) -> None:
    town = Town(pods)
    one, other = weight(max(high, low) / 100), weight(min(high, low) / 100)
    town.settle(one)
    town.look(other)
    assert asked(town.of(town.target)) == counts(pods, other.weight).canary
    town.settle(other)
    assert (town.read(), town.behind) == (other, counts(pods, other.weight))


def test_a_weight_is_reached_when_the_pods_are_ready_and_not_before() -> None:
    town = Town(4)
    assert town.look(weight(50)) == HOME
    assert town.behind == (4, 0)
    seen = [(town.tick(), town.look(weight(50)), town.behind)[1:] for _ in range(3)]
    assert seen == [(weight(33.33), (4, 2)), (weight(50), (2, 2)), (weight(50), (2, 2))]


def test_a_weight_that_was_reached_once_is_not_reached_again_by_that() -> None:
    town = Town(4)
    for routing in (weight(50), HOME):
        town.settle(routing)
    town.cluster.objects[town.target]["spec"]["replicas"] = 2
    town.cluster.objects[town.target]["status"]["readyReplicas"] = 2
    town.cluster.do(REPLICAS.render(SITE, weight(50), town.cluster.objects))
    assert (town.read(), town.behind) == (weight(33.33), (4, 2))


def test_a_pod_that_fails_later_is_no_other_weight_and_one_too_many_is() -> None:
    town = Town(4)
    town.settle(weight(50))
    town.cluster.objects[town.primary]["status"]["readyReplicas"] = 1
    assert town.read() == weight(50)
    town.cluster.objects[town.target]["spec"]["replicas"] = 3
    town.cluster.objects[town.target]["status"]["readyReplicas"] = 3
    assert town.read() == weight(75)
    town.settle(weight(50))
    assert town.behind == (2, 2)


def test_a_canary_that_is_not_ready_gets_nothing() -> None:
    town = Town(4)
    town.cluster.objects[town.target]["status"]["readyReplicas"] = 0
    for _ in range(3):
        assert town.look(weight(50)) == HOME
    assert town.behind == (4, 0)


def test_both_sides_without_ready_pods_are_never_read_as_home() -> None:
    """It is not home: the next canary that is ready would get traffic."""
    town = Town(4)
    town.settle(weight(50))
    for ref in (town.target, town.primary):
        found = town.of(ref)
        town.cluster.objects[ref] = {**found, "spec": {**found["spec"], "replicas": 9}, "status": {}}
    assert town.read() == weight(0.01)


def test_while_the_primary_is_promoted_it_is_whole() -> None:
    town = Town(4)
    town.settle(weight(50))
    town.site = replace(SITE, whole=True)
    assert town.read() == weight(50), "before it is scaled up"
    town.settle(weight(50))
    assert (town.read(), town.behind) == (weight(50), (4, 2))
    town.settle(weight(25))
    assert (town.read(), town.behind) == (weight(25), (4, 1))
    assert town.look(HOME) == HOME


def test_a_users_selector_comes_back_whole() -> None:
    """Beside the label that tells the two apart."""
    town = Town(4)
    found = town.of(town.apex)
    found["spec"]["selector"] = {"app": "podinfo-primary", "tier": "web"}
    found["metadata"]["annotations"] = {"rollway.dev/original": '{"selector": {"app": "podinfo", "tier": "web"}}'}
    town.settle(weight(50))
    assert town.of(town.apex)["spec"]["selector"] == COMMON
    town.settle(weight(100))
    assert town.of(town.apex)["spec"]["selector"] == {"app": "podinfo", "tier": "web"}
    town.settle(HOME)
    assert town.of(town.apex)["spec"]["selector"] == {"app": "podinfo-primary", "tier": "web"}


def test_a_new_revision_with_labels_of_its_own_loses_nobody() -> None:
    """While both are led to, the selector stays, for pods of the primary that are not rolled yet."""
    town = Town(4)
    town.cluster.objects[town.target]["spec"]["template"]["metadata"]["labels"]["version"] = "v2"
    town.settle(weight(50))
    town.cluster.objects[town.primary]["spec"]["template"]["metadata"]["labels"]["version"] = "v2"
    town.settle(weight(50))
    assert town.of(town.apex)["spec"]["selector"] == COMMON


class TestRefusals:
    def of(self, place: Site, *changed: Manifest, routing: Routing = HALF) -> str:
        given = {ref_of(one): one for one in (*RIGS["replicas"]("test").given, *changed)}
        with pytest.raises(TrafficError) as refused:
            REPLICAS.render(place, routing, given)
        return str(refused.value)

    def bare(self, name: str) -> Manifest:
        found = workload("test", name)
        found["spec"]["template"]["metadata"]["labels"] = {"app": name}
        return found

    def test_no_label_in_common(self) -> None:
        said = self.of(SITE, self.bare("podinfo"), self.bare("podinfo-primary"))
        assert "have no label in common, since `app` tells them apart" in said
        assert "give the pods of Deployment `test/podinfo` a label that no others have" in said

    def test_labels_of_others_too(self) -> None:
        neighbours = {"Deployment `db`": {**COMMON, "app": "db"}, "Deployment `api`": {"app": "api"}}
        said = self.of(replace(SITE, neighbours=neighbours))
        assert "(`example.com/service: podinfo`) are those of the pods of Deployment `db` too" in said
        assert "api" not in said

    @pytest.mark.parametrize(
        "routing", [Routing(mirror=100.0), matching([HEADER]), Routing(50.0, sticky=STICKY), Routing(50.0, mirror=1.0)]
    )
    def test_all_but_weights(self, routing: Routing) -> None:
        assert "a share of all requests" in self.of(SITE, routing=routing)

    def test_other_kinds(self) -> None:
        program = replace(SITE.program, target=WorkloadRef("DaemonSet", "podinfo"))
        assert "not of a DaemonSet" in self.of(replace(SITE, program=program))

    def test_an_autoscaler(self) -> None:
        said = self.of(replace(SITE, scalers=("podinfo-hpa",)))
        assert "the HorizontalPodAutoscaler `podinfo-hpa` changes the number of pods" in said

    @pytest.mark.parametrize("index", [0, 1, 2])
    def test_without_an_object(self, index: int) -> None:
        given = {ref_of(one): one for one in RIGS["replicas"]("test").given}
        missing = REPLICAS.refs(SITE)[index]
        del given[missing]
        with pytest.raises(TrafficError, match="does not exist") as refused:
            REPLICAS.render(SITE, weight(50), given)
        assert str(missing) in str(refused.value)


@pytest.mark.parametrize("selector", [{}, {"app": "else"}, {"tier": "web"}])
def test_a_service_that_selects_others_is_no_routing(selector: dict[str, Any]) -> None:
    town = Town(4)
    town.cluster.objects[town.apex]["spec"]["selector"] = selector
    assert town.read() is None
    assert town.look(HOME) == HOME
