"""Protects that a cluster moves over from Flagger in the middle of anything: our controller starts where Flagger has
stopped, in each of its phases, and no manifest is changed."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from interpreter.objects import Manifest
from tests.controlplane.cluster import ControlPlane
from tests.flagger.left import Left, leave, let_go_of, pods_of_primary
from tests.flagger.stage import Stage, phases, promoted, sample, stage
from tests.flagger.test_lives_hooks import CHECKED, hook
from tests.flagger.test_lives_istio import TEMPLATE, WEIGHTS
from tests.flagger.town import Town
from tests.interpreter.cluster.life import canary_weight

PRIMARY = ("Deployment podinfo-primary",)
ENUM = {
    "", "Initializing", "Initialized", "Waiting", "Progressing", "WaitingPromotion", "Promoting", "Finalising",
    "Succeeded", "Failed", "Terminating", "Terminated",
}  # fmt: skip


def canary(*hooks: dict[str, Any]) -> Manifest:
    """The sample, with more hooks."""
    made = copy.deepcopy(sample(WEIGHTS))
    made["spec"]["analysis"]["webhooks"] += hooks
    return made


async def left_to_us(at_work: Stage, left: Left, *hooks: dict[str, Any]) -> None:
    """Flagger came so far, and was stopped."""
    await at_work.apply(TEMPLATE)
    await leave(at_work, left, canary(*hooks))


@pytest.mark.parametrize(
    "left",
    [
        Left("Initialized", target="podinfo:1", replicas=0),
        Left("Succeeded", target="podinfo:1", replicas=0),
        Left("Failed", failed=15, replicas=0),
    ],
    ids=lambda left: left.phase,
)
async def test_at_rest_nothing_is_moved(cluster: ControlPlane, around: Town, left: Left) -> None:
    async with stage(cluster, around, start=False) as at_work:
        life = at_work.life
        await left_to_us(at_work, left)
        before, seen_before = await pods_of_primary(at_work), await at_work.status()
        async with at_work.seeing("VirtualService", "Deployment", "Service", "Pod") as seen:
            await life.start()
            await life.so(lambda: let_go_of(at_work, kept=_kept(left)), "Flagger's objects become ours")
        assert phases(seen) == [left.phase]
        assert await pods_of_primary(at_work) == before
        assert len(seen.values("Deployment", "podinfo-primary", lambda one: one["spec"])) == 1
        assert seen.values("VirtualService", "podinfo", canary_weight) == [0]
        assert seen.behind("podinfo") == [2]
        status = await at_work.status()
        assert promoted(status) == promoted(seen_before)
        assert status["conditions"][0]["lastTransitionTime"] == seen_before["conditions"][0]["lastTransitionTime"]
        assert readable_for_flagger(status)

        await at_work.push("podinfo:3")
        await at_work.promoted()
        assert await life.image("podinfo-primary") == "podinfo:3"
        assert await let_go_of(at_work)
        assert await life.replicas("podinfo") == 0


def _kept(left: Left) -> tuple[str, ...]:
    """What the primary was made of is not known where the target has moved on: it is left alone until a promotion."""
    return () if left.target == left.primary else PRIMARY


def readable_for_flagger(status: dict[str, Any]) -> bool:
    """Whole numbers, and a phase that it has: what else there is would not be read at all."""
    numbers = [status[name] for name in ("canaryWeight", "failedChecks", "iterations")]
    return status["phase"] in ENUM and all(type(number) is int and number >= 0 for number in numbers)


async def test_in_the_middle_of_its_steps(cluster: ControlPlane, around: Town) -> None:
    """The step that it stood at is held again, and no more is given before a check has passed."""
    async with stage(cluster, around, start=False) as at_work:
        life = at_work.life
        await left_to_us(at_work, Left("Progressing", weight=20, shown=20, failed=2))
        before = await pods_of_primary(at_work)
        async with at_work.seeing("VirtualService", "Deployment", "Service", "Pod") as seen:
            await life.start()
            status = await at_work.until(lambda one: one["canaryWeight"] == 30)
            checks = len(at_work.town.tasks())
            assert status["failedChecks"] == 2
            assert await pods_of_primary(at_work) == before
            await at_work.waited_for()
        assert checks >= 1
        assert seen.values("VirtualService", "podinfo", canary_weight) == [20, 30, 0]
        assert phases(seen) == ["Progressing", "Promoting", "Succeeded"]
        assert 0 not in seen.behind("podinfo")
        assert await life.image("podinfo-primary") == "podinfo:2"
        assert await let_go_of(at_work)
        assert readable_for_flagger(await at_work.status())


async def test_while_it_waits_to_begin(cluster: ControlPlane, around: Town) -> None:
    async with stage(cluster, around, start=False) as at_work:
        await left_to_us(at_work, Left("Waiting", replicas=0), hook("confirm-rollout", CHECKED))
        async with at_work.seeing("VirtualService") as seen:
            await at_work.life.start()
            await at_work.life.so(lambda: let_go_of(at_work, kept=PRIMARY), "Flagger's objects become ours")
            assert await at_work.life.replicas("podinfo") == 0
            at_work.town.open_gates.add("gate")
            await at_work.promoted()
        assert phases(seen) == ["Waiting", "Progressing", "Promoting", "Succeeded"]
        assert seen.values("VirtualService", "podinfo", canary_weight) == [0, 10, 20, 30, 0]


async def test_while_it_waits_for_its_promotion(cluster: ControlPlane, around: Town) -> None:
    """Flagger shows a weight of 0 and -1 iterations here, whatever the traffic is."""
    async with stage(cluster, around, start=False) as at_work:
        left = Left("WaitingPromotion", weight=30, iterations=-1)
        await left_to_us(at_work, left, hook("confirm-promotion", CHECKED))
        async with at_work.seeing("VirtualService", "Deployment") as seen:
            await at_work.life.start()
            status = await at_work.until(lambda one: one["canaryWeight"] == 30)
            assert (status["phase"], status["iterations"]) == ("WaitingPromotion", 0)
            assert await at_work.life.image("podinfo-primary") == "podinfo:1"
            at_work.town.open_gates.add("gate")
            await at_work.waited_for()
        assert seen.values("VirtualService", "podinfo", canary_weight) == [30, 0]
        assert phases(seen) == ["WaitingPromotion", "Promoting", "Succeeded"]


@pytest.mark.parametrize(
    ("left", "weights"),
    [
        (Left("Promoting", weight=30, shown=30, primary="podinfo:2"), [30, 0]),
        (Left("Finalising", primary="podinfo:2"), [0]),
    ],
    ids=["Promoting", "Finalising"],
)
async def test_in_a_promotion(cluster: ControlPlane, around: Town, left: Left, weights: list[int]) -> None:
    """The primary has its new pods already: they are kept."""
    async with stage(cluster, around, start=False) as at_work:
        await left_to_us(at_work, left)
        before = await pods_of_primary(at_work)
        async with at_work.seeing("VirtualService", "Service", "Pod") as seen:
            await at_work.life.start()
            await at_work.phase("Succeeded")
        assert seen.values("VirtualService", "podinfo", canary_weight) == weights
        assert await pods_of_primary(at_work) == before
        assert 0 not in seen.behind("podinfo")
        await at_work.life.so(lambda: _down(at_work), "the canary goes down")


async def _down(at_work: Stage) -> bool:
    return await at_work.life.replicas("podinfo") == 0


async def test_a_bad_one_goes_back(cluster: ControlPlane, around_a_bad_one: Town) -> None:
    """What Flagger counted still counts: one more failed check of three, and it is over."""
    async with stage(cluster, around_a_bad_one, start=False) as at_work:
        await at_work.apply(TEMPLATE)
        made = canary()
        made["spec"]["analysis"]["threshold"] = 3
        await leave(at_work, Left("Progressing", weight=20, shown=20, failed=2), made)
        async with at_work.seeing("VirtualService") as seen:
            await at_work.life.start()
            status = await at_work.phase("Failed")
        assert status["failedChecks"] == 3
        assert seen.values("VirtualService", "podinfo", canary_weight) == [20, 0]
        assert await at_work.life.image("podinfo-primary") == "podinfo:1"
