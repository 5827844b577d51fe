"""Protects rollouts from gates that misbehave: one that says nothing, one that changes its mind, one that is gone."""

from __future__ import annotations

import json

from tests.interpreter.cluster.hooks import Call, Hooks
from tests.interpreter.cluster.life import Life, life

POLICY = """
    GATES
    channel room { webhook "ROOM" }
    rollout web in NAMESPACE {
      target   deployment/web
      service  { port 80; target_port http }
      traffic  istio
      deadline 30m
      notify   room
      analysis { every 10s; abort when gate panic opens }
      steps    { STEPS; promote }
    }
"""


async def begin(at_work: Life, hooks: Hooks, steps: str, gates: str = "") -> None:
    """At rest, with the gates `go` and `panic`, which are shut; a call of theirs may take a minute."""
    hooks.shut |= {"go", "panic"}
    gates = gates or "\n".join(f'gate {one} {{ url "{hooks.url(one)}"; timeout 1m }}' for one in ("go", "panic"))
    await at_work.deployment()
    await at_work.rollout(POLICY.replace("GATES", gates).replace("STEPS", steps).replace("ROOM", hooks.url("room")))
    await at_work.phase("Initialized")
    await at_work.push("web:2")


async def test_a_gate_that_says_nothing_runs_out_of_its_time(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    """It is asked, and the answer is not waited for: `within` counts all the same."""
    async with life(kubeconfig, namespace, speed=20) as at_work:
        hooks.hanging |= {"go"}
        await begin(at_work, hooks, "shift to 20%; wait for gate go within 1m else rollback")
        status = await at_work.phase("Failed")
        assert status["reason"] == "no gate `go` within 1m"
        assert status["weight"] == 0
        assert len(hooks.called("go")) == 1


async def test_who_waits_for_a_silent_gate_can_be_sent_home(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    async with life(kubeconfig, namespace, speed=20) as at_work:
        hooks.hanging |= {"go"}
        await begin(at_work, hooks, "shift to 20%; wait for gate go")
        revision = await at_work.taken_up()
        await at_work.so(lambda: _called(hooks, "go"), "the gate is asked")
        await at_work.annotate(abort=json.dumps({"revision": revision, "by": "ben", "reason": "it is late"}))
        assert (await at_work.phase("Failed"))["reason"] == "aborted by ben: it is late"


async def test_a_gate_whose_answer_comes_late_opens_late(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    async with life(kubeconfig, namespace, speed=20) as at_work:
        hooks.hanging |= {"go"}
        await begin(at_work, hooks, "shift to 20%; wait for gate go")
        await at_work.so(lambda: _called(hooks, "go"), "the gate is asked")
        hooks.open("go")
        hooks.hanging.clear()
        await at_work.phase("Succeeded")
        assert len(hooks.called("go")) == 1


async def test_a_gate_that_opens_for_a_moment_has_opened(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    """Whether it is shut again by the time that the traffic has moved is asked by nobody."""
    async with life(kubeconfig, namespace, speed=20) as at_work:
        hooks.refuse = lambda call: call.hook == "go" and len(hooks.called("go")) != 3
        hooks.shut.discard("go")
        gates = "\n".join(f'gate {one} {{ url "{hooks.url(one)}" }}' for one in ("go", "panic"))
        await at_work.deployment()
        text = POLICY.replace("GATES", gates).replace("STEPS", "shift to 20%; wait for gate go; shift to 60%; hold 30s")
        hooks.shut.add("panic")
        await at_work.rollout(text.replace("ROOM", hooks.url("room")))
        await at_work.phase("Initialized")
        await at_work.push("web:2")
        await at_work.phase("Succeeded")
        assert len(hooks.called("go")) == 3
        assert len(await at_work.events("GateOpen")) == 1


async def test_a_panic_for_a_moment_is_one(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    """Of a gate that ends a rollout only the yes counts, and one is enough."""

    def refusing(call: Call) -> bool:
        return call.hook == "panic" and len(hooks.called("panic")) != 4

    async with life(kubeconfig, namespace, speed=20) as at_work:
        await begin(at_work, hooks, "shift to 20%; wait for gate go")
        hooks.refuse = refusing
        hooks.shut.discard("panic")
        status = await at_work.phase("Failed")
        assert "abort" in status["reason"]
        assert "panic" in status["reason"]
        assert status["weight"] == 0
        assert status["failedChecks"] == 0


async def test_a_muted_gate_is_waited_for_in_silence(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    """The event and the status say it; the room is not told."""
    gates = f'gate go {{ url "{hooks.url("go")}"; mute true }}\ngate panic {{ url "{hooks.url("panic")}" }}'
    async with life(kubeconfig, namespace, speed=20) as at_work:
        await begin(at_work, hooks, "shift to 20%; wait for gate go", gates)
        await at_work.happened("WaitingForGate")
        status = await at_work.phase("WaitingPromotion")
        assert "waiting for gate `go`" in status["reason"]
        hooks.open("go")
        await at_work.phase("Succeeded")
        await at_work.so(lambda: _told(hooks, "promoted"), "the end is told")
        assert not any("waiting for gate" in str(call.body) for call in hooks.called("room"))


async def _called(hooks: Hooks, hook: str) -> bool:
    return bool(hooks.called(hook))


async def _told(hooks: Hooks, words: str) -> bool:
    return any(words in str(call.body).lower() for call in hooks.called("room"))
