"""Protects the lives of Flagger's own Canaries on Istio, each applied as it stands in Flagger's docs and tests."""

from __future__ import annotations

from tests.flagger.stage import PHASES_OF_A_PROMOTION, Stage, phases, promoted, weights
from tests.interpreter.cluster.life import canary_weight

TEMPLATE = "e2e/istio/test-canary--01-metrictemplate-latency.yaml"


async def test_a_canary_by_weights(at_work: Stage) -> None:
    life = at_work.life
    await at_work.apply(TEMPLATE)
    await at_work.begin("e2e/istio/test-canary--02-canary-podinfo.yaml")
    status = await at_work.status()
    assert promoted(status) == {
        "type": "Promoted",
        "status": "True",
        "reason": "Initialized",
        "message": "Deployment initialization completed.",
    }
    async with at_work.seeing("VirtualService", "Deployment") as seen:
        await at_work.push()
        status = await at_work.promoted()
    assert phases(seen) == PHASES_OF_A_PROMOTION
    print(weights(seen), status, await at_work.said())
    assert seen.values("VirtualService", "podinfo", canary_weight) == [0, 10, 20, 30, 0]
