"""Protects each instruction: what it does, what it waits for, and how it ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dsl import ir
from interpreter.actions import Action, ActionResult, NotifyAction
from interpreter.desired import CanaryScale
from interpreter.questions import ErrorAnswer, NoDataAnswer, Readiness, ReadyQuestion
from interpreter.state import Phase, Verdict
from tests.interpreter.machine.rig import DISASTER, HEALTH, HOLD, MINUTE, SLO, START, Rig, program, ramp

HOOK = {"hook": ir.Webhook("http://hook")}
MATCH = ((ir.MatchTest("header", "x-user", "^=", "beta-"),),)


def test_route_changes_only_what_it_names() -> None:
    sticky = ir.StickySpec("s", 1000)
    code = (
        ir.RouteOp(mirror=50),
        ir.RouteOp(matches=MATCH),
        ir.RouteOp(weight=20),
        ir.RouteOp(sticky=sticky, mirror=0),
        ir.WaitOp(),
        ir.PromoteOp(),
    )
    rig = Rig(program(*code)).begin()
    routing = rig.state.routing
    assert (routing.weight, routing.mirror, routing.matches, routing.sticky) == (20, 0, MATCH, sticky)
    assert rig.weights == [0, 20]


def test_route_does_not_raise_traffic_to_a_canary_that_is_not_ready() -> None:
    rig = Rig(ramp(10, 20)).begin()
    rig.ready = lambda q: Readiness(False, "1 of 2 replicas are ready")
    rig.go(60)
    assert (rig.weights, rig.state.reason) == (
        [0, 10],
        "traffic stays: the canary is not ready: 1 of 2 replicas are ready",
    )
    rig.ready = lambda q: Readiness(True)
    rig.settle()
    assert rig.weights == [0, 10, 20]


def test_route_lowers_traffic_whatever_the_canary_says() -> None:
    rig = Rig(program(ir.RouteOp(weight=20), HOLD, ir.RouteOp(weight=5), HOLD, ir.PromoteOp())).begin()
    rig.ready = lambda q: Readiness(False, "1 of 2 replicas are ready")
    rig.go(60)
    assert rig.weights == [0, 20, 5]


def test_a_canary_that_fails_for_good_in_mid_run_is_rolled_back() -> None:
    rig = Rig(ramp(10, 20)).begin()
    rig.ready = lambda q: Readiness(False, "out of memory", failed=True)
    rig.settle()
    assert (rig.weights, rig.run.reason) == ([0, 10, 0], "the canary failed: out of memory")


def test_a_canary_that_follows_its_traffic_is_scaled_up_first() -> None:
    rig = Rig(program(ir.ScaleOp(match_traffic=True), ir.RouteOp(weight=40), HOLD, ir.PromoteOp()))
    rig.settle()
    rig.ready = lambda q: Readiness(q.scale.value < 40, "scaling up")
    rig.begin()
    assert (rig.state.canary_scale, rig.weights) == (CanaryScale("traffic", 40), [0])
    rig.ready = lambda q: Readiness(True)
    rig.settle()
    assert rig.weights == [0, 40]


@pytest.mark.parametrize(
    ("op", "scale"),
    [(ir.ScaleOp(share=25), CanaryScale("share", 25)), (ir.ScaleOp(replicas=3), CanaryScale("replicas", 3))],
)
def test_scale_waits_until_the_canary_is_ready_at_that_scale(op: ir.ScaleOp, scale: CanaryScale) -> None:
    rig = Rig(program(op, ir.WaitOp(), ir.PromoteOp(), deadline_ms=120_000))
    rig.settle()
    rig.ready = lambda q: Readiness(q.scale != scale, "scaling")
    rig.begin()
    assert (rig.state.canary_scale, rig.run.cursor.pc) == (scale, 0)
    rig.go(120)
    assert rig.run.reason == "the canary was not ready within 2m: scaling"


def test_abort_if_rolls_back_at_once_whatever_is_tolerated() -> None:
    rig = Rig(ramp(10, slo=replace(SLO, checks=(HEALTH, DISASTER), tolerate=ir.Tolerance(99)))).begin()
    rig.error_rate = lambda arm: 0.6
    rig.go(60)
    assert (rig.state.phase, rig.run.last_check.verdict) == (Phase.FAILED, Verdict.ABORT)


def test_an_open_gate_aborts() -> None:
    slo = replace(SLO, checks=(HEALTH, ir.GateCheck("panic")))
    rig = Rig(ramp(10, 20, 30, slo=slo, gates={"panic": ir.Webhook("http://x")})).begin().go(60)
    assert rig.weights == [0, 10, 20]
    rig.gates["panic"] = True
    rig.go(60)
    assert rig.weights == [0, 10, 20, 0]
    assert "abort when gate panic opens" in rig.run.reason


def test_a_webhook_is_called_at_every_check_and_a_refusal_fails_it() -> None:
    slo = replace(SLO, checks=(HEALTH, ir.CallCheck("hook")))
    rig = Rig(ramp(10, 20, slo=slo, webhooks=HOOK)).begin().go(60)
    rig.webhooks["hook"] = ActionResult(False, "load test failed")
    rig.go(60)
    assert (rig.run.failed_checks, len(rig.calls), len({c.key for c in rig.calls})) == (1, 2, 2)
    assert "load test failed" in rig.event("CheckFailed").message


@pytest.mark.parametrize(
    ("tolerance", "pattern", "failed_at"),
    [
        (ir.Tolerance(0), "x", 1),
        (ir.Tolerance(1), "x", 1),
        (ir.Tolerance(2), "x.x", 3),
        (ir.Tolerance(2, "consecutive"), "x.x.xx", 6),
        (ir.Tolerance(2, "window", 3), "x..xx", 5),
        (ir.Tolerance(2, "window", 3), "x.x", 3),
    ],
)
def test_tolerate(tolerance: ir.Tolerance, pattern: str, failed_at: int) -> None:
    rig = Rig(
        program(
            ir.RouteOp(weight=10),
            ir.HoldOp(checks=50, analysis="slo"),
            ir.PromoteOp(),
            slo=replace(SLO, tolerate=tolerance),
        )
    ).begin()
    rig.error_rate = lambda arm: 1.0 if pattern[(rig.now - START) // MINUTE - 1] == "x" else 0.0
    rig.go(60 * len(pattern))
    assert (rig.state.phase, rig.run.iterations) == (Phase.FAILED, failed_at)


def test_provider_errors_count_from_the_third_in_a_row() -> None:
    rig = Rig(ramp(10, slo=replace(SLO, tolerate=ir.Tolerance(1)))).begin()
    rig.metric = lambda question: ErrorAnswer("refused")
    rig.go(179)
    assert rig.is_in(Phase.PROGRESSING)
    rig.go(1)
    assert rig.is_in(Phase.FAILED)
    assert "3 checks in a row could not be made" in rig.run.reason


def test_a_wait_that_times_out_does_what_else_says() -> None:
    wait = ir.WaitOp(who="release managers", within_ms=4 * 60 * MINUTE)
    for policy, phase in ((wait, Phase.FAILED), (replace(wait, otherwise="continue"), Phase.SUCCEEDED)):
        rig = Rig(program(policy, ir.PromoteOp())).begin().go(4 * 3600 - 1)
        assert rig.is_in(Phase.WAITING_PROMOTION)
        rig.go(1)
        assert rig.is_in(phase)


def test_a_gate_is_asked_every_so_often() -> None:
    rig = Rig(program(ir.WaitOp(gate="signoff", every_ms=10_000), ir.PromoteOp(), gates={"signoff": HOOK["hook"]}))
    rig.begin().go(35)
    assert len([q for q in rig.asked if q.key.startswith("gate:")]) == 4
    rig.gates["signoff"] = True
    rig.go(5)
    assert rig.is_in(Phase.SUCCEEDED)


def test_a_branch_takes_the_arm_that_its_condition_says() -> None:
    primary = ir.Compare("<", ir.Measure("success_rate", ir.Arm.PRIMARY, MINUTE), ir.Const(0.99, ir.Unit.PERCENT))
    code = (ir.BranchOp(3, primary), ir.RouteOp(weight=1), ir.BranchOp(4), ir.RouteOp(weight=50), HOLD, ir.PromoteOp())
    rig = Rig(program(*code)).begin()
    assert rig.weights == [0, 50]
    rig = Rig(program(*code))
    rig.error_rate = lambda arm: 0.1 if arm == "primary" else 0.0
    assert rig.begin().weights == [0, 1]


def test_a_branch_that_cannot_be_decided_is_a_failed_check_and_asked_again() -> None:
    primary = ir.Compare("<", ir.Measure("success_rate", ir.Arm.PRIMARY, MINUTE), ir.Const(0.99, ir.Unit.PERCENT))
    rig = Rig(program(ir.BranchOp(1, primary, "success_rate of primary < 99%", MINUTE, "slo"), ir.PromoteOp()))
    answers = rig.metric
    rig.metric = lambda question: NoDataAnswer()
    rig.begin().go(61)
    assert (rig.run.failed_checks, rig.run.cursor.pc) == (2, 0)
    rig.metric = answers
    rig.go(60)
    assert rig.is_in(Phase.SUCCEEDED)


def test_analyse_checks_at_once() -> None:
    rig = Rig(program(ir.HoldOp(checks=1, analysis="slo", at_once=True), ir.PromoteOp())).begin()
    assert (rig.state.phase, rig.run.iterations) == (Phase.SUCCEEDED, 1)


def test_pause_makes_no_checks() -> None:
    rig = Rig(program(ir.RouteOp(weight=10), ir.PauseOp(duration_ms=600_000), ir.PromoteOp())).begin().go(600)
    assert (rig.state.phase, rig.run.iterations) == (Phase.SUCCEEDED, 0)


def test_notify_and_handlers_say_what_they_are_told_to() -> None:
    channels = {"audit": ir.Channel("webhook", "http://audit"), "oncall": ir.Channel("slack", "x", at=("error",))}
    handlers = {
        "start": (ir.NotifyOp("audit", "begins"),),
        "promoted": (ir.NotifyOp("audit"), ir.CallOp("hook", MINUTE)),
        "rollback": (ir.NotifyOp("oncall", "{{ rollout }}: {{ reason }}"),),
    }
    rig = Rig(
        program(
            ir.NotifyOp("audit", "hello"),
            ir.PromoteOp(),
            channels=channels,
            handlers=handlers,
            notify=("oncall",),
            webhooks=HOOK,
        )
    ).begin()
    assert [m.template for m in rig.messages] == [
        "begins",
        "hello",
        "{{ rollout }}: {{ revision }} is promoted",
    ]
    assert [(c.webhook, c.phase, c.awaited) for c in rig.calls] == [("hook", "Succeeded", False)]


def test_a_message_that_cannot_be_sent_is_an_event_and_nothing_else() -> None:
    channels = {"audit": ir.Channel("webhook", "http://audit")}
    rig = Rig(program(ir.NotifyOp("audit", "hello"), ir.PromoteOp(), channels=channels))
    perform = rig.performing

    def fail(action: Action) -> bool:
        if not isinstance(action, NotifyAction) or action.key in rig.results:
            return perform(action)
        rig.results[action.key] = ActionResult(False, "429 too many requests")
        return True

    rig.performing = fail
    rig.begin()
    assert rig.is_in(Phase.SUCCEEDED)
    assert rig.event("MessageNotSent").message == "channel `audit`: 429 too many requests"


def test_rollback_as_a_step_says_why() -> None:
    rig = Rig(program(ir.RouteOp(weight=10), HOLD, ir.RollbackOp("a rehearsal"))).begin().go(60)
    assert (rig.state.phase, rig.run.reason) == (Phase.FAILED, "a rehearsal")


def test_guardrails_hold_traffic_back_until_it_may_be_raised() -> None:
    rails = {"production": ir.Guardrail((ir.Limit("traffic", ">", 25, 30 * MINUTE),))}
    rig = Rig(ramp(20, 40, guardrails=rails)).begin().go(60)
    assert rig.weights == [0, 20]
    assert rig.state.reason == "traffic stays: guardrail `production` forbids traffic > 25% within 30m of the start"
    rig.go(29 * 60)
    assert rig.weights == [0, 20, 40]


def test_guardrails_refuse_what_can_never_be_allowed() -> None:
    rig = Rig(ramp(30, guardrails={"production": ir.Guardrail((ir.Limit("step", ">", 20),))})).begin()
    assert (rig.state.phase, rig.weights) == (Phase.FAILED, [0])
    assert rig.run.reason == "guardrail `production` forbids step > 20%; the step asked for 30%"


def test_guardrails_ask_for_an_approval_that_the_policy_forgot() -> None:
    rig = Rig(ramp(10, guardrails={"production": ir.Guardrail(approval_before_promote=True)})).begin().go(60)
    assert rig.is_in(Phase.WAITING_PROMOTION)
    assert rig.state.reason == "waiting for approval, which guardrail `production` requires"
    rig.signal("approve", who="anna")
    assert rig.is_in(Phase.SUCCEEDED)


def test_guardrails_refuse_a_program_that_was_never_linted() -> None:
    rails = {"production": ir.Guardrail(metrics=("latency(0.99)",))}
    rig = Rig(ramp(10, guardrails=rails)).begin()
    assert rig.run.reason == "guardrail `production` requires the metric `latency(0.99)`, which no check uses"
    rig = Rig(ramp(10, guardrails={"production": ir.Guardrail(analysis_every=(("<=", 30_000),))})).begin()
    assert rig.run.reason == "guardrail `production` requires analysis every <= 30s; `slo` is not"
    rig = Rig(ramp(10, guardrails={"production": ir.Guardrail(metrics=("requests",))})).begin()
    assert rig.weights == [0, 10]


def test_guardrails_forbid_skipping_the_analysis() -> None:
    rails = {"production": ir.Guardrail(no_skip_analysis=True)}
    rig = Rig(ramp(10, guardrails=rails, skip_analysis=ir.SkipAnalysis(always=True))).begin()
    assert rig.weights == [0, 10]
    assert "SkipRefused" in rig.reasons()


def test_gates_that_a_guardrail_wants_before_promotion() -> None:
    rails = {"production": ir.Guardrail(gates_before_promote=("signoff",))}
    rig = Rig(ramp(10, guardrails=rails, gates={"signoff": HOOK["hook"]})).begin().go(60)
    assert (rig.state.phase, rig.state.reason) == (Phase.WAITING_PROMOTION, "waiting for gate `signoff`: shut")
    rig.gates["signoff"] = True
    rig.go(10)
    assert rig.is_in(Phase.SUCCEEDED)


def test_after_another_rollout() -> None:
    rig = Rig(ramp(10, after=(ir.RolloutRef("payments", "shop"),)))
    rig.finished["shop/payments"] = False
    rig.begin()
    assert rig.state.reason == "waiting for the rollout `shop/payments` to finish"
    rig.finished["shop/payments"] = True
    rig.settle()
    assert rig.weights == [0, 10]


def test_a_baseline_runs_as_long_as_the_canary_is_judged() -> None:
    rig = Rig(ramp(10, baseline=True)).begin()
    assert rig.desired is not None
    assert rig.desired.baseline
    rig.go(60)
    assert not rig.desired.baseline


def test_a_share_of_the_traffic_waits_for_the_baseline_too() -> None:
    rig = Rig(ramp(10, baseline=True, deadline_ms=60_000))
    rig.ready = lambda question: Readiness(question.role != "baseline", "1 of 2 pods are available")
    rig.begin()
    assert rig.weights == [0]
    assert rig.state.reason == "traffic stays: the baseline is not ready: 1 of 2 pods are available"
    rig.ready = lambda question: Readiness(True)
    rig.go(1)
    assert rig.weights == [0, 10]
    asked = {
        (one.revision, one.scale) for one in rig.asked if isinstance(one, ReadyQuestion) and one.role == "baseline"
    }
    assert asked == {("v1", CanaryScale("full"))}


def test_a_baseline_that_never_comes_up_ends_the_run() -> None:
    rig = Rig(ramp(10, baseline=True, deadline_ms=60_000))
    rig.ready = lambda question: Readiness(question.role != "baseline", "no room")
    rig.begin().go(70)
    assert rig.is_in(Phase.FAILED)
    assert rig.state.run is not None
    assert "the baseline is not ready: no room" in rig.state.run.reason
    assert rig.weights == [0]


def test_without_a_baseline_none_is_waited_for() -> None:
    rig = Rig(ramp(10)).begin()
    assert not [one for one in rig.asked if isinstance(one, ReadyQuestion) and one.role == "baseline"]


def test_a_promotion_takes_the_baseline_away_before_the_primary_changes() -> None:
    rig = Rig(ramp(10, baseline=True)).begin()
    rig.ready = lambda question: Readiness(question.role != "primary")
    rig.go(60)
    assert rig.is_in(Phase.PROMOTING)
    assert rig.desired is not None
    assert (rig.desired.primary, rig.desired.baseline) == ("v2", False)
