"""Protects how the traffic of a Service of Knative's is shared out: by names of Revisions, and nothing else changed."""

from __future__ import annotations

from typing import Any

import pytest

from interpreter.desired import Routing
from interpreter.objects import Edit, Manifest, ref_of
from interpreter.routing import HOME
from interpreter.traffic.knative import Knative
from interpreter.traffic.provider import ORIGINAL, TrafficError
from interpreter.workloads.kind import REVISION
from interpreter.workloads.knative import FLAGGERS_PRIMARY, PRIMARY, KnativeKind, promoted
from tests.interpreter.traffic.pretence import Pretence
from tests.interpreter.traffic.rigs import RIGS
from tests.interpreter.traffic.rigs_knative import NEW, OLD, service
from tests.interpreter.traffic.situations import HEADER, STICKY, matching, weight

KNATIVE = Knative()
SITE = RIGS["knative"]("test").site
LATEST: dict[str, Any] = {"latestRevision": True, "percent": 100}


class Cluster(Pretence):
    """Knative's Service alone."""

    def __init__(self, traffic: list[dict[str, Any]] | None = None, **annotations: str) -> None:
        super().__init__([service("test", traffic, **(annotations or {PRIMARY: OLD}))])

    @property
    def service(self) -> Manifest:
        (found,) = self.objects.values()
        return found

    @property
    def traffic(self) -> Any:
        return self.service["spec"].get("traffic")

    def route(self, routing: Routing) -> Routing | None:
        self.do(KNATIVE.render(SITE, routing, self.objects))
        return self.read()

    def read(self) -> Routing | None:
        return KNATIVE.read(SITE, self.objects)

    def promote(self, revision: str = "abc") -> None:
        change = promoted(self.service, revision)
        assert change is not None
        self.do([change])


def test_revisions_are_named() -> None:
    cluster = Cluster()
    assert cluster.read() == weight(100), "all requests go to the latest, which is not the primary"
    assert cluster.route(HOME) == HOME
    assert cluster.traffic == [{"revisionName": OLD, "percent": 100}, {"latestRevision": True, "percent": 0}]
    assert cluster.route(weight(20)) == weight(20)
    assert cluster.traffic == [{"revisionName": OLD, "percent": 80}, {"revisionName": NEW, "percent": 20}]


def test_a_further_revision_gets_nothing_by_itself() -> None:
    cluster = Cluster()
    cluster.route(weight(20))
    cluster.service["status"] = {"latestCreatedRevisionName": "podinfo-3", "latestReadyRevisionName": "podinfo-3"}
    assert cluster.read() == weight(20)
    assert cluster.route(HOME) == HOME


def test_traffic_that_was_given_back_by_hand_is_seen() -> None:
    cluster = Cluster()
    cluster.route(weight(20))
    cluster.service["spec"]["traffic"] = [{"revisionName": OLD, "percent": 100}]
    assert cluster.read() == HOME


def test_a_promotion_leads_everything_to_the_new_primary() -> None:
    cluster = Cluster(None, **{PRIMARY: OLD, FLAGGERS_PRIMARY: OLD})
    cluster.route(weight(20))
    cluster.promote()
    annotations = cluster.service["metadata"]["annotations"]
    assert [annotations[key] for key in (PRIMARY, FLAGGERS_PRIMARY, REVISION)] == [NEW, NEW, "abc"]
    assert cluster.route(weight(20)) == weight(20), "a note, until it is taken back"
    assert cluster.traffic[0] == {"revisionName": NEW, "percent": 100}
    assert cluster.route(HOME) == HOME
    assert promoted(cluster.service, "abc") is None


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"latestCreatedRevisionName": NEW, "latestReadyRevisionName": OLD, "observedGeneration": 2},
        {"latestCreatedRevisionName": NEW, "latestReadyRevisionName": NEW, "observedGeneration": 1},
    ],
)
def test_nothing_is_promoted_that_is_not_there_or_not_ready(status: dict[str, Any]) -> None:
    found = Cluster().service
    found["metadata"]["generation"] = 2
    assert promoted({**found, "status": status}, "abc") is None


def test_the_service_is_put_back_as_it_was() -> None:
    tagged: list[dict[str, Any]] = [{**LATEST, "tag": "live"}, {"revisionName": "podinfo-00000", "tag": "old"}]
    for traffic in (None, [dict(LATEST)], tagged):
        cluster = Cluster(traffic, **{"example.com/mine": "1"})
        before = Cluster(traffic, **{"example.com/mine": "1"}).service
        cluster.promote()
        for routing in (HOME, weight(30), HOME):
            cluster.route(routing)
        cluster.do(KNATIVE.release(SITE, cluster.objects))
        assert cluster.service == before


def test_targets_with_an_address_of_their_own_stay_without_a_share() -> None:
    cluster = Cluster([{**LATEST, "tag": "live"}, {"revisionName": "podinfo-00000", "tag": "old"}])
    cluster.route(weight(30))
    assert cluster.traffic[2:] == [
        {"latestRevision": True, "percent": 0, "tag": "live"},
        {"revisionName": "podinfo-00000", "tag": "old"},
    ]


def test_what_flagger_wrote_is_no_original() -> None:
    cluster = Cluster([{**LATEST, "percent": 10}, {"revisionName": OLD, "percent": 90}], **{FLAGGERS_PRIMARY: OLD})
    assert cluster.read() == weight(10)
    cluster.route(weight(20))
    assert cluster.service["metadata"]["annotations"][ORIGINAL] == '{"podinfo":{}}'
    cluster.do(KNATIVE.release(SITE, cluster.objects))
    assert cluster.traffic is None


def test_shares_are_whole_and_never_more() -> None:
    cluster = Cluster()
    assert cluster.route(weight(12.9)) == weight(12)
    assert cluster.route(weight(0.5)) == HOME


def test_what_knative_writes_out_is_no_change() -> None:
    cluster = Cluster()
    cluster.route(weight(20))
    for each in cluster.traffic:
        each["latestRevision"] = False
    assert KNATIVE.render(SITE, weight(20), cluster.objects) == ()


@pytest.mark.parametrize("routing", [Routing(mirror=100.0), matching([HEADER]), Routing(50.0, sticky=STICKY)])
def test_all_but_weights_is_refused(routing: Routing) -> None:
    with pytest.raises(TrafficError, match="a share of all requests"):
        KNATIVE.render(SITE, routing, Cluster().objects)


def test_without_a_service_or_a_primary() -> None:
    assert KNATIVE.read(SITE, {}) is None
    with pytest.raises(TrafficError, match=r"does not exist in serving\.knative\.dev/v1"):
        KNATIVE.render(SITE, HOME, {})
    cluster = Cluster(None, **{"example.com/mine": "1"})
    assert cluster.read() is None
    with pytest.raises(TrafficError, match="has no primary yet"):
        KNATIVE.render(SITE, HOME, cluster.objects)


class TestReadiness:
    def of(self, **status: Any) -> tuple[bool, bool, str]:
        found = {**Cluster().service, "status": status}
        found["metadata"]["generation"] = 2
        said = KnativeKind().readiness(found, 100.0, 1000, 0)
        return said.ready, said.failed, said.reason

    def test_of_the_latest(self) -> None:
        ready = {"observedGeneration": 2, "latestCreatedRevisionName": NEW, "latestReadyRevisionName": NEW}
        assert self.of(**ready) == (True, False, "")
        assert self.of(**{**ready, "observedGeneration": 1})[2].startswith("Knative has not made a Revision")
        waits = {**ready, "latestReadyRevisionName": OLD}
        assert self.of(**waits) == (False, False, f"Revision `{NEW}` is not ready yet")

    def test_one_that_knative_has_given_up(self) -> None:
        said = 'Revision "podinfo-00002" failed with message: Unable to fetch image'
        condition = {"type": "ConfigurationsReady", "status": "False", "reason": "RevisionFailed", "message": said}
        status = {"latestCreatedRevisionName": NEW, "latestReadyRevisionName": OLD, "conditions": [condition]}
        assert self.of(observedGeneration=2, **status) == (False, True, f"Revision `{NEW}`: {said}")


def test_no_service_of_anybody_elses_is_touched() -> None:
    cluster = Cluster()
    changes = KNATIVE.render(SITE, weight(20), cluster.objects)
    assert [type(change) for change in changes] == [Edit]
    assert KNATIVE.refs(SITE) == (ref_of(cluster.service),)
