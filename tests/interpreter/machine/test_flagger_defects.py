"""Protects against the defects of Flagger's state machine, each named: what happens there, what must happen here."""

from __future__ import annotations

from dataclasses import replace

from dsl import ir
from interpreter.actions import Action, ActionResult, CallAction
from interpreter.questions import ErrorAnswer, Events, Readiness
from interpreter.state import Approval, Outcome, Phase
from tests.interpreter.machine.rig import HOLD, MINUTE, Rig, program, ramp

APPROVAL = ir.WaitOp(who="release managers", within_ms=None)


def test_swallowed_revision() -> None:
    """There: in Failed the new revision is noted as seen before anything is done with it; an error then loses it."""
    rig = Rig(ramp(10)).begin().signal("abort")
    rig.revision = "v3"
    first = rig.look()  # a pass that is computed and then lost: nothing of it was written
    assert first.state.run is not None
    assert first.state.run.revision == "v3"
    rig.go(61)
    assert rig.state.primary == "v3"


def test_swallowed_revision_with_a_crash_at_every_effect() -> None:
    """The same with the process dying after each effect in turn."""
    for crash_after in range(1, 40):
        rig = Rig(ramp(10)).begin().signal("abort")
        rig.revision = "v3"
        rig.effects_done, rig.crash_after = 0, crash_after
        rig.go(61)
        assert rig.state.primary == "v3"


def test_approval_not_bound_to_a_revision() -> None:
    """There: whoever approves, approves of whatever is the revision by then."""
    rig = Rig(program(ir.RouteOp(weight=10), HOLD, APPROVAL, ir.PromoteOp())).begin().go(60)
    assert (rig.state.phase, rig.state.reason) == (
        Phase.WAITING_PROMOTION,
        "waiting for approval from release managers",
    )
    rig.revision = "v3"
    rig.go(60)
    rig.signal("approve", "v2", who="anna")
    assert rig.is_in(Phase.WAITING_PROMOTION)
    assert "ignored `approve` for revision v2 by anna: v3 is under way" in rig.event("SignalIgnored").message
    rig.signal("approve", "v3", who="anna")
    assert rig.state.primary == "v3"
    assert [approval.who for approval in rig.run.approvals if isinstance(approval, Approval)] == ["anna"]


def test_approval_of_one_step_does_not_approve_the_next() -> None:
    """Nothing is approved twice: one approval opens one wait."""
    rig = Rig(program(APPROVAL, ir.RouteOp(weight=10), HOLD, APPROVAL, ir.PromoteOp())).begin()
    rig.signal("approve", "v2", id="1").go(120)
    assert rig.is_in(Phase.WAITING_PROMOTION)
    rig.signal("approve", "v2", id="2")
    assert rig.is_in(Phase.SUCCEEDED)


def test_promoting_something_other_than_what_was_analysed() -> None:
    """There: the target is copied as it is at that moment, with an edit that nobody analysed in it."""
    rig = Rig(ramp(10)).begin()
    rig.ready = lambda q: Readiness(q.role == "canary", "rolling")
    rig.go(60)
    assert rig.is_in(Phase.PROMOTING)
    rig.revision = "v3"
    rig.settle()
    assert rig.desired is not None
    assert rig.desired.primary == "v2"
    rig.ready = lambda q: Readiness(True)
    rig.settle()
    assert rig.state.known[0] == "v2"
    assert (rig.state.phase, rig.run.revision) == (Phase.PROGRESSING, "v3")


def test_an_edit_during_promotion_gets_no_traffic_by_the_back_door() -> None:
    """The canary's pods follow the target: once it moved on, what they run was never analysed, and they get nothing."""
    code = (ir.RouteOp(weight=60), HOLD, ir.PromoteOp(10, MINUTE))
    rig = Rig(program(*code)).begin().go(60)
    assert rig.weights == [0, 60, 50]
    rig.revision = "v3"
    rig.settle()
    assert rig.weights[:4] == [0, 60, 50, 0]


def test_revert_in_mid_analysis_is_seen() -> None:
    """There: the analysis of a template that equals the primary's runs to its end."""
    rig = Rig(ramp(10, 20)).begin().go(60)
    rig.revision = "v1"
    rig.settle()
    assert (rig.state.phase, rig.run.outcome, rig.weights) == (Phase.SUCCEEDED, Outcome.REVERTED, [0, 10, 20, 0])
    assert rig.state.primary == "v1"
    assert "v1, which the primary runs" in rig.event("Reverted").message


def test_a_canary_that_never_becomes_ready_ends_with_a_message() -> None:
    """There: rolled back without an alert, for no check had failed."""
    channels = {"oncall": ir.Channel("slack", "on-call", at=("error",))}
    rig = Rig(ramp(10, deadline_ms=120_000, channels=channels, notify=("oncall",)))
    rig.settle()
    rig.ready = lambda q: Readiness(False, "0 of 2 replicas are ready: ImagePullBackOff")
    rig.begin().go(120)
    assert (rig.state.phase, rig.weights) == (Phase.FAILED, [0])
    said = rig.messages[-1].context["text"]
    assert said == ("rolled back v2: the canary was not ready within 2m: 0 of 2 replicas are ready: ImagePullBackOff")


def test_a_canary_that_cannot_become_ready_is_not_waited_for() -> None:
    rig = Rig(ramp(10))
    rig.settle()
    rig.ready = lambda q: Readiness(False, "progress deadline exceeded", failed=True)
    rig.begin()
    assert "cannot become ready: progress deadline exceeded" in rig.run.reason


def test_no_data_is_not_a_failure_unless_the_metric_says_so() -> None:
    """There: an empty answer is a failed check, whatever the author thinks."""
    for policy, failed, weights in (("fail", 3, [0, 10, 0]), ("pass", 0, [0, 10, 20, 0]), ("hold", 0, [0, 10])):
        source = ramp(10, 20)
        metrics = {
            name: ir.Metric(m.unit, m.queries, m.expr, no_data=ir.NoData(policy)) for name, m in source.metrics.items()
        }
        rig = Rig(ramp(10, 20, metrics=metrics)).begin()
        rig.metric = lambda question: Events(0, 0)
        rig.go(600)
        assert (policy, rig.run.failed_checks, rig.weights) == (policy, failed, weights)


def test_no_weight_is_set_before_the_canary_and_the_first_hook_have_passed() -> None:
    """There: the first step is taken in a tick that skips its analysis, hooks in `rollout` and metrics included."""
    code = (ir.CallOp("acceptance", MINUTE, "slo"), ir.RouteOp(weight=10), HOLD, ir.PromoteOp())
    rig = Rig(program(*code, webhooks={"acceptance": ir.Webhook("http://x")}))
    rig.webhooks["acceptance"] = ActionResult(False, "not yet")
    rig.begin().go(61)
    assert (rig.weights, rig.run.failed_checks, len(rig.calls)) == ([0], 2, 2)
    rig.webhooks["acceptance"] = ActionResult(True)
    rig.go(60)
    assert rig.weights == [0, 10]


def test_the_first_weight_is_analysed_before_the_second() -> None:
    """Each raise but the first is preceded by a passed check at the weight before, and so is the promotion."""
    rig = Rig(ramp(5, 10, 50)).begin()
    for expected in ([0, 5], [0, 5, 10], [0, 5, 10, 50]):
        assert rig.weights == expected
        assert rig.run.iterations == len(expected) - 2
        rig.go(60)
    assert rig.is_in(Phase.SUCCEEDED)


def test_skipped_analysis_still_waits_for_the_primary() -> None:
    """There: the canary goes down at once, and nobody looks whether the primary became ready."""
    rig = Rig(ramp(10, skip_analysis=ir.SkipAnalysis(always=True)))
    rig.settle()
    rig.ready = lambda q: Readiness(q.role == "canary", "rolling")
    rig.begin()
    assert (rig.state.phase, rig.state.canary_scale.mode) == (Phase.PROMOTING, "full")
    rig.ready = lambda q: Readiness(True)
    rig.settle()
    assert (rig.state.phase, rig.state.canary_scale.mode) == (Phase.SUCCEEDED, "off")


def test_waiting_for_promotion_keeps_its_weight_and_its_count() -> None:
    """There: the status says weight 0 and iterations -1 while half of the traffic is on the canary."""
    rig = Rig(program(ir.RouteOp(weight=50), HOLD, APPROVAL, ir.PromoteOp())).begin().go(60)
    assert (rig.state.phase, rig.state.routing.weight, rig.run.iterations) == (Phase.WAITING_PROMOTION, 50, 1)


def test_waiting_with_traffic_on_the_canary_goes_on_watching() -> None:
    rig = Rig(program(ir.RouteOp(weight=50), HOLD, APPROVAL, ir.PromoteOp())).begin().go(60)
    rig.error_rate = lambda arm: 1.0
    rig.go(180)
    assert (rig.state.phase, rig.weights[-1]) == (Phase.FAILED, 0)


def test_a_rollback_by_hand_is_possible_while_waiting_to_start() -> None:
    """There: the rollback gate is not looked at in Waiting."""
    rig = Rig(ramp(10, start_gates=("go",), gates={"go": ir.Webhook("http://x")}))
    rig.gates["go"] = False
    rig.begin()
    assert (rig.state.phase, rig.state.reason) == (Phase.WAITING, "waiting for gate `go`")
    rig.signal("abort")
    assert rig.is_in(Phase.FAILED)


def test_rollback_comes_with_the_check_that_is_too_many_not_an_interval_later() -> None:
    rig = Rig(ramp(10, slo=ir.Analysis(MINUTE, ramp(10).analyses["slo"].checks, ir.Tolerance(1)))).begin()
    rig.error_rate = lambda arm: 1.0
    rig.go(60)
    assert rig.routes[-1] == (60, 0)


def test_a_policy_without_promotion_ends_and_says_so() -> None:
    """There: neither stepWeight nor stepWeights leaves the canary progressing for ever."""
    rig = Rig(program(ir.RouteOp(weight=10), HOLD)).begin().go(60)
    assert (rig.state.phase, rig.run.reason) == (Phase.FAILED, "the policy ends without a promotion")


def test_mirroring_that_the_data_plane_ignores_does_not_hold_for_ever() -> None:
    """There: a router that ignores the mirrored flag repeats the first step at weight 0 for ever."""
    rig = Rig(program(ir.RouteOp(mirror=50), HOLD, ir.PromoteOp())).begin("v1")
    rig.takes_routing = False
    rig.begin().go(601)
    assert (rig.state.phase, rig.run.reason) == (
        Phase.FAILED,
        "the data plane did not take the new routing within 10m",
    )


def test_a_route_overwritten_during_promotion_does_not_stop_it() -> None:
    """There: routes that read 0 while traffic is stepping back leave the rollout in Promoting for ever."""
    rig = Rig(program(ir.RouteOp(weight=60), HOLD, ir.PromoteOp(20, MINUTE))).begin().go(60)
    assert rig.is_in(Phase.PROMOTING)
    rig.routing = type(rig.state.routing)()
    rig.go(120)
    assert (rig.state.phase, rig.state.primary) == (Phase.SUCCEEDED, "v2")


def test_hooks_before_the_first_weight_run_once() -> None:
    """There: pre-rollout hooks run again at every tick while the weight is 0."""
    code = (ir.CallOp("acceptance", MINUTE, "slo"), APPROVAL, ir.RouteOp(weight=10), HOLD, ir.PromoteOp())
    rig = Rig(program(*code, webhooks={"acceptance": ir.Webhook("http://x")})).begin().go(3600)
    assert len(rig.calls) == 1


def test_a_failed_rollout_does_not_write_its_status_again_and_again() -> None:
    rig = Rig(ramp(10)).begin().signal("abort")
    writes = rig.writes
    rig.go(3600)
    assert rig.writes == writes


def test_a_rollout_without_analysis_does_not_break_the_machine() -> None:
    """There: several places take the analysis for granted and crash without one."""
    source = program(ir.RouteOp(weight=10), ir.HoldOp(duration_ms=MINUTE), APPROVAL, ir.PromoteOp())
    rig = Rig(replace(source, analysis=None, analyses={})).begin().go(60)
    rig.signal("approve")
    assert rig.is_in(Phase.SUCCEEDED)


def test_provider_trouble_is_not_bad_news_about_the_canary() -> None:
    """There: a metric server that is down for a few ticks rolls a healthy release back."""
    rig = Rig(ramp(10, 20)).begin()
    answers = rig.metric
    rig.metric = lambda question: ErrorAnswer("refused")
    rig.go(120)
    assert (rig.run.failed_checks, rig.run.provider_errors, rig.weights) == (0, 2, [0, 10])
    rig.metric = answers
    rig.go(120)
    assert rig.state.primary == "v2"


def test_a_call_in_flight_survives_a_restart_with_the_same_key() -> None:
    code = (ir.CallOp("acceptance", MINUTE, "slo"), ir.PromoteOp())
    rig = Rig(program(*code, webhooks={"acceptance": ir.Webhook("http://x")}))
    perform = rig.performing

    def hang(action: Action) -> bool:
        if isinstance(action, CallAction):
            rig.calls.append(action)
            return False
        return perform(action)

    rig.performing = hang
    rig.begin()
    rig.results, rig.restarted = {}, True
    rig.performing = perform
    rig.settle()
    assert len({call.key for call in rig.calls}) == 1
    assert rig.calls[-1].attempts == 2
    assert rig.state.primary == "v2"


def test_gates_answer_for_one_asking_only() -> None:
    rig = Rig(program(ir.WaitOp(gate="signoff"), ir.PromoteOp(), gates={"signoff": ir.Webhook("http://x")}))
    rig.begin()
    assert rig.state.reason == "waiting for gate `signoff`: shut"
    step = rig.look({})
    assert not [q for q in step.questions if q.key.startswith("gate")]
    rig.gates["signoff"] = True
    rig.go(10)
    assert rig.state.primary == "v2"


def test_a_muted_gate_tells_nobody_and_is_recorded_all_the_same() -> None:
    told = {"notify": ("ops",), "channels": {"ops": ir.Channel("slack", "x")}}
    for mute in (False, True):
        gates = {"go": ir.Webhook("http://x", mute=mute)}
        code = (ir.RouteOp(weight=50), HOLD, ir.WaitOp("go"), ir.PromoteOp())
        rig = Rig(program(*code, start_gates=("go",), gates=gates, **told))
        rig.gates["go"] = False
        rig.begin().go(30)
        assert rig.state.phase is Phase.WAITING
        rig.gates["go"] = True
        rig.go(30)
        rig.gates["go"] = False
        rig.go(120)
        assert rig.state.phase is Phase.WAITING_PROMOTION
        waited = [message for message in rig.messages if "gate `go`" in message.context["text"]]
        assert len(waited) == (0 if mute else 2)
        assert {"WaitingToStart", "WaitingForGate"} <= {event.reason for event in rig.events}


def test_a_switch_of_all_traffic_is_part_of_the_promotion_that_is_waited_for() -> None:
    """There: blue/green is WaitingPromotion before the traffic goes to the canary."""
    gates = {"go": ir.Webhook("http://x")}
    for code, phase in (
        ((ir.RouteOp(mirror=0), ir.RouteOp(weight=100), HOLD), Phase.WAITING_PROMOTION),
        ((ir.WaitOp("go"),), Phase.WAITING_PROMOTION),
        ((HOLD,), Phase.PROGRESSING),
        ((ir.RouteOp(weight=50), HOLD), Phase.PROGRESSING),
    ):
        rig = Rig(program(HOLD, ir.WaitOp("go"), *code, ir.PromoteOp(), gates=gates))
        rig.gates["go"] = False
        rig.begin().go(120)
        assert rig.state.phase is phase, code
