"""Protects the lives of Flagger's own Canaries on Knative's Services."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from interpreter.workloads.knative import API_VERSION, FLAGGERS_PRIMARY, PRIMARY
from tests.controlplane.cluster import ControlPlane
from tests.flagger.stage import PHASES_OF_A_PROMOTION, Stage, phases, sample, stage, weights
from tests.flagger.town import Town
from tests.interpreter.cluster.knative import Knative, knative

GOOD = "e2e/knative/test-canary--01-canary-podinfo.yaml"
BAD = "e2e/knative/test-canary--02-canary-podinfo.yaml"
SERVICE = "e2e/knative/support/init--01-service-podinfo.yaml"
FIRST, SECOND = "podinfo-00001", "podinfo-00002"


@pytest.fixture
async def on_knative(cluster: ControlPlane, around: Town) -> AsyncIterator[tuple[Stage, Knative]]:
    cluster.install_crds("knative")
    async with stage(cluster, around) as made, knative(made.life) as seen:
        yield made, seen
        await made.life.delete("Service", "podinfo", API_VERSION)


@pytest.fixture
async def with_a_bad_one(cluster: ControlPlane, around_a_bad_one: Town) -> AsyncIterator[tuple[Stage, Knative]]:
    cluster.install_crds("knative")
    async with stage(cluster, around_a_bad_one) as made, knative(made.life) as seen:
        yield made, seen
        await made.life.delete("Service", "podinfo", API_VERSION)


async def push(at_work: Stage) -> None:
    """As the script of Flagger's tests does, by a patch of the image."""
    found = await at_work.life.get("Service", "podinfo", API_VERSION)
    (container,) = found["spec"]["template"]["spec"]["containers"]
    container["image"] = "ghcr.io/stefanprodan/podinfo:6.0.1"
    spec: dict[str, Any] = {"template": {"spec": {"containers": [container]}}}
    await at_work.life.api.patch(at_work.life.ref("Service", "podinfo", API_VERSION), {"spec": spec})


async def notes(at_work: Stage) -> dict[str, str]:
    return dict((await at_work.life.get("Service", "podinfo", API_VERSION))["metadata"]["annotations"])


async def test_a_canary(on_knative: tuple[Stage, Knative]) -> None:
    at_work, routed = on_knative
    await at_work.begin(GOOD, target=sample(SERVICE))
    async with at_work.seeing() as seen:
        await push(at_work)
        await at_work.promoted()
    assert phases(seen) == PHASES_OF_A_PROMOTION
    assert weights(seen) == [0, 10, 20, 30, 40, 50, 0]
    shares = [dict(each).get(SECOND, 0) for each in routed.seen]
    assert [share for share in shares if share] == [10, 20, 30, 40, 50, 100]
    assert dict(routed.seen[-1]) == {SECOND: 100, "latest": 0}
    assert (await notes(at_work))[PRIMARY] == SECOND


async def test_a_canary_whose_requests_fail(with_a_bad_one: tuple[Stage, Knative]) -> None:
    at_work, routed = with_a_bad_one
    await at_work.life.apply(sample(SERVICE))
    await at_work.canary(BAD, analysis__threshold=2)
    await at_work.phase("Initialized")
    await push(at_work)
    await at_work.phase("Failed")
    assert dict(routed.seen[-1]) == {FIRST: 100, "latest": 0}
    assert (await notes(at_work))[PRIMARY] == FIRST


async def test_one_that_flagger_has_begun(on_knative: tuple[Stage, Knative]) -> None:
    """Flagger's annotation says which Revision is the primary, and is kept up."""
    at_work, routed = on_knative
    service = sample(SERVICE)
    service["metadata"]["annotations"] = {FLAGGERS_PRIMARY: FIRST}
    service["spec"]["traffic"] = [{"latestRevision": True, "percent": 0}, {"revisionName": FIRST, "percent": 100}]
    await at_work.begin(GOOD, target=service)
    await push(at_work)
    await at_work.promoted()
    assert (await notes(at_work))[FLAGGERS_PRIMARY] == SECOND
    assert dict(routed.seen[-1]) == {SECOND: 100, "latest": 0}
