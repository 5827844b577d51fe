"""Protects what people and their tools do to a Canary on its way, by Flagger's hooks: gates that are shut, a rollback
that is asked for, events, alerts. Flagger's sample by weights, with hooks of each type added."""

from __future__ import annotations

from typing import Any

from tests.controlplane.cluster import ControlPlane
from tests.flagger.stage import Stage, phases, podinfo, promoted, sample, stage
from tests.flagger.test_lives_istio import WEIGHTS
from tests.flagger.town import CHAT, EVENTS, LOAD_TESTER, Town

HALTED = f"http://{LOAD_TESTER}/gate/halt"
CHECKED = f"http://{LOAD_TESTER}/gate/check"
ROLLBACK = f"http://{LOAD_TESTER}/rollback/check"


def hook(type: str, url: str, **more: Any) -> dict[str, Any]:
    return {"name": type, "type": type, "url": url, **more}


async def begin(at_work: Stage, *hooks: dict[str, Any], **analysis: Any) -> None:
    """The sample with these hooks, without metrics, and at rest."""
    whole = {**sample(WEIGHTS)["spec"]["analysis"], "metrics": [], "webhooks": list(hooks), **analysis}
    await at_work.life.apply(podinfo())
    await at_work.canary(WEIGHTS, analysis=whole)
    await at_work.phase("Initialized")


async def test_confirm_rollout_comes_before_anything_else(at_work: Stage) -> None:
    life = at_work.life
    await begin(at_work, hook("confirm-rollout", CHECKED))
    await at_work.push()
    status = await at_work.phase("Waiting")
    assert promoted(status) == {
        "type": "Promoted",
        "status": "Unknown",
        "reason": "Waiting",
        "message": "Waiting for approval.",
    }
    assert await life.replicas("podinfo") == 0
    await life.so(lambda: asked(at_work, "/gate/check", 2), "the gate is asked again")
    told = [(each["name"], each["namespace"], each["phase"]) for each in at_work.town.said_to(LOAD_TESTER)]
    assert told[:2] == [("podinfo", "test", "Initialized"), ("podinfo", "test", "Waiting")]
    at_work.town.open_gates.add("gate")
    await at_work.promoted()


async def test_confirm_traffic_increase_holds_each_step(at_work: Stage) -> None:
    await begin(at_work, hook("confirm-traffic-increase", CHECKED))
    async with at_work.seeing("VirtualService") as seen:
        await at_work.push()
        await at_work.life.so(lambda: asked(at_work, "/gate/check", 3), "the gate is asked again")
        assert (await at_work.status())["canaryWeight"] == 0
        at_work.town.open_gates.add("gate")
        await at_work.promoted()
    assert (await at_work.status())["failedChecks"] == 0
    assert phases(seen) == ["Initialized", "Progressing", "Promoting", "Succeeded"]


async def asked(at_work: Stage, path: str, times: int) -> bool:
    return len(at_work.town.said_to(LOAD_TESTER, path)) >= times


async def test_confirm_promotion_waits_with_the_traffic_where_it_is(at_work: Stage) -> None:
    await begin(at_work, hook("confirm-promotion", CHECKED))
    await at_work.push()
    status = await at_work.phase("WaitingPromotion")
    assert promoted(status)["message"] == "Waiting for approval."
    assert (promoted(status)["status"], status["canaryWeight"]) == ("Unknown", 30)
    assert await at_work.life.weight("podinfo") == 30
    at_work.town.open_gates.add("gate")
    await at_work.waited_for()
    assert await at_work.life.image("podinfo-primary") == "podinfo:2"


async def test_a_rollback_is_asked_for(at_work: Stage) -> None:
    life = at_work.life
    await begin(
        at_work,
        hook("confirm-promotion", HALTED),
        hook("rollback", ROLLBACK),
        hook("post-rollout", f"http://{LOAD_TESTER}/after"),
    )
    await at_work.push()
    await at_work.phase("WaitingPromotion")
    at_work.town.open_gates.add("rollback")
    status = await at_work.phase("Failed")
    assert promoted(status) == {
        "type": "Promoted",
        "status": "False",
        "reason": "Failed",
        "message": "Canary analysis failed, Deployment scaled to zero.",
    }
    assert await life.weight("podinfo") == 0
    assert await life.image("podinfo-primary") == "podinfo:1"
    await life.so(lambda: asked_after(at_work), "what comes after a rollout is called")
    (after,) = at_work.town.said_to(LOAD_TESTER, "/after")
    assert after["phase"] == "Failed"


async def asked_after(at_work: Stage) -> bool:
    return bool(at_work.town.said_to(LOAD_TESTER, "/after"))


async def test_a_load_test_that_is_refused_is_a_failed_check(at_work: Stage) -> None:
    await begin(at_work, hook("rollout", f"http://{LOAD_TESTER}/refusing"), threshold=2)
    await at_work.push()
    status = await at_work.phase("Failed")
    assert status["failedChecks"] == 2


async def test_a_test_before_the_first_step_keeps_traffic_away(at_work: Stage) -> None:
    await begin(at_work, hook("pre-rollout", f"http://{LOAD_TESTER}/refusing"), threshold=2)
    async with at_work.seeing("VirtualService") as seen:
        await at_work.push()
        await at_work.phase("Failed")
    assert seen.values("VirtualService", "podinfo", lambda one: one["spec"]["http"][0]["route"][-1].get("weight")) in (
        [],
        [0],
    )


async def test_events_and_alerts(at_work: Stage) -> None:
    """Events go to a hook in Flagger's form, alerts to a chat room by an AlertProvider."""
    provider = {"name": "on-call", "namespace": "test"}
    await at_work.life.apply(
        {
            "apiVersion": "flagger.app/v1beta1",
            "kind": "AlertProvider",
            "metadata": {"name": "on-call"},
            "spec": {"type": "slack", "channel": "releases", "username": "robot", "address": f"http://{CHAT}/slack"},
        }
    )
    await begin(
        at_work,
        hook("event", f"http://{EVENTS}/all", metadata={"team": "payments", "eventMessage": "not this"}),
        hook("confirm-promotion", CHECKED),
        alerts=[{"name": "on-call", "severity": "info", "providerRef": provider}],
    )
    await at_work.push()
    await at_work.phase("WaitingPromotion")
    at_work.town.open_gates.add("gate")
    await at_work.waited_for()
    await at_work.life.so(lambda: told(at_work, "promot"), "the end is told")
    events = at_work.town.said_to(EVENTS)
    for event in events:
        assert (event["name"], event["namespace"]) == ("podinfo", "test")
        assert event["metadata"]["team"] == "payments"
        assert event["metadata"]["eventMessage"] not in ("", "not this")
        assert event["metadata"]["eventType"] in ("Normal", "Warning")
        assert event["metadata"]["timestamp"].isdecimal()
    assert {"Progressing", "WaitingPromotion", "Succeeded"} <= {event["phase"] for event in events}
    alerts = at_work.town.said_to(CHAT, "/slack")
    assert {alert["channel"] for alert in alerts} == {"releases"}
    assert {alert["username"] for alert in alerts} == {"robot"}
    assert all(alert["attachments"] for alert in alerts)


async def test_events_go_to_the_controllers_own_hook_if_a_canary_has_none(cluster: ControlPlane, around: Town) -> None:
    async with stage(cluster, around, event_webhook=f"http://{EVENTS}/for-all") as at_work:
        await begin(at_work)
        await at_work.push()
        await at_work.promoted()

        async def heard() -> bool:
            return "Succeeded" in {event["phase"] for event in at_work.town.said_to(EVENTS, "/for-all")}

        await at_work.life.so(heard, "the end is told")
        await at_work.canary(WEIGHTS, analysis__webhooks=[hook("event", f"http://{EVENTS}/its-own")])
        before = len(at_work.town.said_to(EVENTS, "/for-all"))
        await at_work.push("podinfo:3")
        await at_work.phase("Progressing")
        await at_work.life.so(lambda: asked_of(at_work, "/its-own"), "its own hook is told")
        assert len(at_work.town.said_to(EVENTS, "/for-all")) == before


async def asked_of(at_work: Stage, path: str) -> bool:
    return bool(at_work.town.said_to(EVENTS, path))


async def told(at_work: Stage, words: str) -> bool:
    told = [event["metadata"]["eventMessage"] for event in at_work.town.said_to(EVENTS)]
    return any(words in message for message in told) and bool(at_work.town.said_to(CHAT))


async def test_a_muted_gate_tells_nobody_that_it_waits(at_work: Stage) -> None:
    provider = {"name": "on-call", "namespace": "test"}
    await at_work.life.apply(
        {
            "apiVersion": "flagger.app/v1beta1",
            "kind": "AlertProvider",
            "metadata": {"name": "on-call"},
            "spec": {"type": "slack", "address": f"http://{CHAT}/slack"},
        }
    )
    await begin(
        at_work,
        hook("confirm-promotion", CHECKED, muteAlert=True),
        alerts=[{"name": "on-call", "severity": "warn", "providerRef": provider}],
    )
    await at_work.push()
    await at_work.phase("WaitingPromotion")
    at_work.town.open_gates.add("gate")
    await at_work.waited_for()
    assert at_work.town.said_to(CHAT) == []
