"""Protects the life of a rollout: from its first start through promotion, rollback and everything between, to
deletion."""

from __future__ import annotations

from dsl import ir
from interpreter.desired import CanaryScale, Routing
from interpreter.machine import HANDLERS
from interpreter.phases import CHANGES
from interpreter.questions import Readiness
from interpreter.state import Outcome, Phase, Stage
from interpreter.state_json import decode
from tests.interpreter.machine.rig import MINUTE, Rig, program, ramp


def test_every_phase_has_a_handler_and_a_row_in_the_table() -> None:
    assert set(HANDLERS) == set(CHANGES) == set(Phase)


def test_the_target_is_kept_until_the_primary_has_its_traffic() -> None:
    rig = Rig(ramp(10))
    rig.ready = lambda question: Readiness(False, "0 of 1 replicas are ready")
    rig.settle()
    assert rig.is_in(Phase.INITIALIZING)
    assert rig.desired is not None
    assert (rig.desired.primary, rig.desired.canary, rig.desired.canary_scale.mode) == ("v1", "v1", "full")
    assert rig.state.reason == "waiting for the primary to be ready: 0 of 1 replicas are ready"
    rig.ready = lambda question: Readiness(True)
    rig.settle()
    assert rig.is_in(Phase.INITIALIZED)
    assert (rig.desired.primary, rig.desired.canary, rig.desired.canary_scale.mode) == ("v1", None, "off")


def test_the_data_plane_is_left_alone_until_the_primary_has_been_ready() -> None:
    """What would be sent to a primary that is not there would be lost."""
    rig = Rig(ramp(10))
    rig.ready = lambda question: Readiness(False, "its pods start")
    rig.settle()
    assert (rig.routes, rig.desired and rig.desired.primary_up) == ([], False)

    rig.ready = lambda question: Readiness(True)
    rig.settle()
    assert rig.routes == [(0, 0)]
    assert rig.desired is not None
    assert rig.desired.primary_up


def test_a_signal_that_was_taken_back_can_be_given_again() -> None:
    """In the cluster a signal is an annotation: it is taken off once it has been acted on."""
    rig = Rig(program(ir.RouteOp(weight=10), ir.WaitOp(), ir.RouteOp(weight=20), ir.WaitOp(), ir.PromoteOp())).begin()
    rig.signal("approve")
    assert rig.weights[-1] == 20
    rig.settle()
    assert rig.weights[-1] == 20, "one approval opens one wait"

    rig.signals.clear()
    rig.settle()
    rig.signal("approve")
    rig.go(1)
    assert rig.is_in(Phase.SUCCEEDED)


def test_what_was_sent_is_noted_with_the_next_write_and_at_rest_at_once() -> None:
    """Each step is written twice: when it is decided on, and when it holds; that its events are out is not a third."""
    code = (ir.RouteOp(weight=10), ir.PauseOp(duration_ms=MINUTE), ir.RouteOp(weight=20), ir.WaitOp())
    rig = Rig(program(*code)).begin()
    before = rig.writes
    rig.go(60)
    assert rig.weights[-1] == 20
    assert rig.writes - before == 2

    rig.signal("abort")
    assert decode(rig.persisted).outbox == ()


def test_a_healthy_revision_is_promoted() -> None:
    rig = Rig(ramp(10, 20)).begin().go(130)
    assert rig.is_in(Phase.SUCCEEDED)
    assert rig.run.outcome is Outcome.PROMOTED
    assert rig.weights == [0, 10, 20, 0]
    assert rig.state.primary == "v2"
    assert rig.desired is not None
    assert (rig.desired.primary, rig.desired.canary) == ("v2", None)


def test_a_bad_revision_is_rolled_back_at_the_check_that_is_too_many() -> None:
    rig = Rig(ramp(10, 20)).begin()
    rig.error_rate = lambda arm: 0.2 if arm == "canary" else 0.0
    rig.go(179)
    assert (rig.state.phase, rig.run.failed_checks, rig.weights) == (Phase.PROGRESSING, 2, [0, 10])
    rig.go(1)
    assert (rig.state.phase, rig.run.failed_checks, rig.weights) == (Phase.FAILED, 3, [0, 10, 0])
    assert rig.run.outcome is Outcome.ROLLED_BACK
    assert rig.state.primary == "v1"
    assert rig.run.reason.startswith("3 failed checks; the last: `success_rate >= 99%`: success_rate is 80%")
    assert rig.event("RolledBack").warning


def test_failed_stays_failed_until_a_new_revision_comes() -> None:
    rig = Rig(ramp(10)).begin()
    rig.error_rate = lambda arm: 1.0
    rig.go(3600)
    assert rig.is_in(Phase.FAILED)
    rig.error_rate = lambda arm: 0.0
    rig.go(3600)
    assert rig.is_in(Phase.FAILED)
    rig.revision = "v3"
    rig.go(61)
    assert (rig.state.phase, rig.state.primary) == (Phase.SUCCEEDED, "v3")


def test_retry_runs_the_same_revision_again() -> None:
    rig = Rig(ramp(10)).begin()
    rig.error_rate = lambda arm: 1.0
    rig.go(300)
    rig.error_rate = lambda arm: 0.0
    rig.signal("retry", who="anna").go(61)
    assert (rig.state.phase, rig.run.number, rig.state.primary) == (Phase.SUCCEEDED, 2, "v2")


def test_a_newer_revision_sends_the_traffic_home_and_starts_again() -> None:
    rig = Rig(ramp(10, 20, 30)).begin().go(70)
    assert rig.weights == [0, 10, 20]
    rig.revision = "v3"
    rig.settle()
    assert rig.weights == [0, 10, 20, 0, 10]
    assert (rig.run.revision, rig.run.failed_checks, rig.run.number) == ("v3", 0, 2)
    assert "Superseded" in rig.reasons()
    rig.go(181)
    assert rig.state.primary == "v3"


def test_abort_by_hand() -> None:
    rig = Rig(ramp(10, 20)).begin().go(70).signal("abort", who="anna", reason="wrong build")
    assert (rig.state.phase, rig.weights[-1]) == (Phase.FAILED, 0)
    assert rig.run.reason == "aborted by anna: wrong build"


def test_promote_by_hand_skips_the_steps() -> None:
    rig = Rig(ramp(10, 20, 30)).begin().signal("promote", who="anna")
    assert (rig.state.phase, rig.state.primary) == (Phase.SUCCEEDED, "v2")
    assert "promoted by hand by anna" in rig.event("Promoting").message


def test_pause_keeps_the_traffic_and_resume_goes_on() -> None:
    rig = Rig(ramp(10, 20)).begin().signal("pause", who="anna", id="1")
    rig.go(3600)
    assert (rig.weights, rig.state.reason, rig.run.iterations) == ([0, 10], "paused by anna", 0)
    rig.signal("resume", id="2")
    assert rig.weights == [0, 10, 20]


def test_a_paused_rollout_that_was_suspended_says_again_that_it_is_paused() -> None:
    rig = Rig(ramp(10)).begin().signal("pause", id="1")
    rig.suspended = True
    rig.settle()
    assert rig.state.reason.startswith("suspended")
    rig.suspended = False
    rig.settle()
    assert rig.state.reason == "paused by hand"


def test_a_paused_rollout_is_still_aborted() -> None:
    rig = Rig(ramp(10)).begin().signal("pause", id="1").signal("abort", id="2")
    assert rig.is_in(Phase.FAILED)


def test_a_signal_out_of_season_is_said_to_be_ignored_and_not_kept() -> None:
    rig = Rig(ramp(10)).begin().signal("retry", who="anna").signal("abort")
    assert rig.event("SignalIgnored").message == (
        "ignored `retry` for revision v2 by anna: the rollout is in phase Progressing"
    )
    rig.go(3600)
    assert (rig.state.phase, rig.run.number) == (Phase.FAILED, 1)


def test_suspend_freezes_and_says_so() -> None:
    rig = Rig(ramp(10, 20)).begin()
    rig.suspended = True
    rig.go(3600)
    assert (rig.weights, rig.state.reason) == ([0, 10], "suspended: the traffic stays as it is")
    rig.suspended = False
    rig.settle()
    assert rig.weights == [0, 10, 20]
    assert rig.state.reason == ""


def test_a_primary_that_does_not_become_ready_leaves_the_traffic_on_the_canary() -> None:
    rig = Rig(ramp(10)).begin()
    rig.ready = lambda q: Readiness(q.role == "canary", "image cannot be pulled", failed=q.role == "primary")
    rig.go(61)
    assert (rig.state.phase, rig.run.outcome, rig.weights[-1]) == (Phase.FAILED, Outcome.PROMOTION_FAILED, 100)
    assert "image cannot be pulled" in rig.state.reason
    assert "all traffic is on the canary" in rig.state.reason
    assert rig.desired is not None
    assert (rig.desired.canary, rig.desired.canary_scale.mode) == ("v2", "full")
    rig.go(86_400)
    assert rig.weights[-1] == 100


def test_after_a_failed_promotion_the_next_revision_goes_to_the_primary() -> None:
    rig = Rig(ramp(10)).begin()
    rig.ready = lambda q: Readiness(q.role == "canary" or q.revision == "v3", "crash loop", failed=True)
    rig.go(61)
    rig.revision = "v3"
    rig.settle()
    assert (rig.state.phase, rig.state.primary, rig.weights[-1]) == (Phase.SUCCEEDED, "v3", 0)


def test_a_failed_promotion_can_be_retried() -> None:
    rig = Rig(ramp(10)).begin()
    rig.ready = lambda q: Readiness(q.role == "canary", "crash loop", failed=True)
    rig.go(61)
    rig.ready = lambda q: Readiness(True)
    rig.signal("retry")
    assert (rig.state.phase, rig.state.primary, rig.weights[-1]) == (Phase.SUCCEEDED, "v2", 0)


def test_a_primary_that_is_late_is_waited_for_and_no_longer_than_the_deadline() -> None:
    rig = Rig(ramp(10, deadline_ms=120_000)).begin()
    rig.ready = lambda q: Readiness(q.role == "canary", "1 of 2 replicas are ready")
    rig.go(60 + 119)
    assert (rig.state.phase, rig.weights[-1]) == (Phase.PROMOTING, 10)
    rig.go(2)
    assert rig.is_in(Phase.FAILED)
    assert "within 2m" in rig.state.reason


def test_traffic_returns_in_steps_where_the_policy_says_so() -> None:
    code = (ir.RouteOp(weight=50), ir.HoldOp(checks=1, analysis="slo"), ir.PromoteOp(20, 60_000))
    rig = Rig(program(*code)).begin().go(60)
    assert rig.weights == [0, 50, 30]
    rig.go(60)
    assert rig.weights == [0, 50, 30, 10]
    rig.go(60)
    assert rig.weights == [0, 50, 30, 10, 0]
    assert rig.is_in(Phase.SUCCEEDED)


def test_scale_down_waits_for_its_delay_after_the_traffic_is_home() -> None:
    rig = Rig(ramp(10, scale_down_delay_ms=30_000)).begin().signal("abort")
    assert (rig.weights[-1], rig.state.canary_scale.mode, rig.run.stage) == (0, "full", Stage.DRAIN)
    assert "RolledBack" in rig.reasons()
    rig.go(30)
    assert (rig.state.canary_scale.mode, rig.run.stage) == ("off", Stage.OVER)


def test_rollback_waits_for_nothing_but_the_data_plane() -> None:
    handlers = {"rollback": (ir.CallOp("page", 60_000), ir.NotifyOp("oncall"))}
    channels = {"oncall": ir.Channel("slack", "oncall")}
    rig = Rig(ramp(10, handlers=handlers, channels=channels, notify=("oncall",), webhooks={"page": ir.Webhook("x")}))
    rig.begin()
    rig.error_rate = lambda arm: None  # the metric server hangs from here on
    rig.go(60)
    rig.performing = lambda action: False  # and so do webhooks and channels
    rig.signal("abort")
    assert (rig.weights[-1], rig.state.canary_scale.mode, rig.state.phase) == (0, "off", Phase.FAILED)


def test_deletion_gives_the_target_its_replicas_back_before_its_traffic() -> None:
    rig = Rig(ramp(10, revert_on_delete=True)).begin()
    rig.ready = lambda q: Readiness(False, "starting")
    rig.deleted = True
    rig.settle()
    assert rig.is_in(Phase.TERMINATING)
    assert rig.desired is not None
    assert (rig.desired.canary_scale, rig.desired.released) == (CanaryScale("full"), False)
    rig.ready = lambda q: Readiness(True)
    rig.settle()
    assert (rig.state.phase, rig.desired.released) == (Phase.TERMINATED, True)


def test_deletion_without_revert_ends_at_once() -> None:
    rig = Rig(ramp(10)).begin()
    rig.deleted = True
    rig.settle()
    assert rig.is_in(Phase.TERMINATED)


def test_deletion_in_mid_rollout_takes_the_traffic_off_the_canary() -> None:
    """What nobody watches any more stays on what is known to be good."""
    rig = Rig(program(ir.RouteOp(weight=30), ir.WaitOp(), ir.PromoteOp())).begin()
    assert rig.weights[-1] == 30
    rig.deleted = True
    rig.settle()
    assert rig.is_in(Phase.TERMINATED)
    assert rig.weights[-1] == 0


def test_a_known_revision_skips_its_analysis_within_the_window() -> None:
    rig = Rig(ramp(10, skip_analysis=ir.SkipAnalysis(known_within=2))).begin("v2").go(61)
    rig.revision = "v1"
    rig.settle()
    assert (rig.state.phase, rig.state.primary) == (Phase.SUCCEEDED, "v1")
    assert rig.event("AnalysisSkipped").message == "v1 goes straight to promotion: this revision was promoted before"
    rig.begin("v4")
    assert rig.is_in(Phase.PROGRESSING)


def test_an_idle_rollout_writes_nothing_and_asks_nothing() -> None:
    rig = Rig(ramp(10)).begin().go(61)
    writes, asked = rig.writes, len(rig.asked)
    rig.go(86_400)
    assert (rig.writes, len(rig.asked)) == (writes, asked)
    assert rig.step is not None
    assert rig.step.wake_at_ms is None


def test_a_hand_edited_route_is_put_right() -> None:
    rig = Rig(ramp(10, 20)).begin()
    rig.routing = Routing(weight=90)
    rig.settle()
    assert rig.routing.weight == 10
