"""Protects what people, Flux, Argo CD and `kubectl` are shown: the right words, nothing secret, and no write without a
change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dsl import ir
from interpreter.cluster import names
from interpreter.cluster.flagger_status import canary_status
from interpreter.cluster.status import invalid_status, library_status, rollout_status, run_status
from interpreter.desired import Routing
from interpreter.questions import Readiness
from interpreter.state import CheckRecord, CheckResult, Phase, State, Verdict
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.machine.rig import HOLD, START, Rig, program, ramp

CONFIGS = {"configmap/settings": "0123456789abcdef"}
Json = dict[str, Any]


def spanned(one: ir.Program) -> ir.Program:
    spans = tuple(ir.Span("web.rollout", 1, 1, 1, 9, f"step number {n}") for n in range(len(one.code)))
    return replace(one, spans=spans)


def shown(rig: Rig, previous: Json | None = None, *, problems: tuple[str, ...] = (), later: int = 0) -> Json:
    return rollout_status(
        rig.program,
        rig.state,
        previous=previous or {},
        generation=3,
        now_ms=rig.now + later,
        run_name="web-1",
        configs=CONFIGS,
        problems=problems,
    )


def flagger(rig: Rig, previous: Json | None = None, later: int = 0) -> Json:
    program = replace(rig.program, target=ir.WorkloadRef("Deployment", "web"))
    return canary_status(program, rig.state, previous=previous or {}, now_ms=rig.now + later, configs=CONFIGS)


def truths(status: Json) -> dict[str, str]:
    return {one["type"]: one["status"] for one in status["conditions"]}


def gated(**changes: Any) -> Rig:
    """At 20%, waiting for the gate that stands before the promotion."""
    code = (ir.RouteOp(weight=20), HOLD, ir.WaitOp(gate="go"), ir.PromoteOp())
    return Rig(program(*code, gates={"go": ir.Webhook("http://go")}, **changes)).begin().go(61)


def at(phase: Phase) -> Rig:
    """A rollout in this phase."""
    rig = Rig(ramp(10, 20))
    match phase:
        case Phase.INITIALIZING:
            rig.ready = lambda question: Readiness(False, "0 of 1 ready")
            return rig.settle()
        case Phase.INITIALIZED:
            return rig.settle()
        case Phase.WAITING:
            rig = Rig(ramp(10, start_gates=("open",), gates={"open": ir.Webhook("http://open")}))
            return rig.begin()
        case Phase.PROGRESSING:
            return rig.begin().go(70)
        case Phase.WAITING_PROMOTION:
            return gated()
        case Phase.PROMOTING:
            rig.ready = lambda question: Readiness(question.key != "ready:primary:v2:full:0", "1 of 3 updated")
            return rig.begin().go(200)
        case Phase.FINALISING:
            rig.begin().go(119)
            told = rig.rerouting
            rig.rerouting = lambda routing: None if routing == Routing() else told(routing)
            rig.takes_routing = False
            return rig.go(1)
        case Phase.SUCCEEDED:
            return rig.begin().go(200)
        case Phase.FAILED:
            rig.error_rate = lambda arm: 1.0 if arm == "canary" else 0.0
            return rig.begin().go(300)
        case Phase.TERMINATING:
            rig = Rig(ramp(10, revert_on_delete=True)).begin("v1")
            rig.ready = lambda question: Readiness(False, "0 of 1 ready")
        case Phase.TERMINATED:
            rig.begin("v1")
    rig.deleted = True
    return rig.settle()


@pytest.fixture(params=list(Phase), ids=lambda phase: phase.value)
def rig(request: pytest.FixtureRequest) -> Rig:
    made = at(request.param)
    assert made.state.phase is request.param, made.state
    return made


# --- no write without a change ----------------------------------------------------------------------------------


def test_the_same_state_shows_the_same_whenever_it_is_looked_at(rig: Rig) -> None:
    once = shown(rig)
    assert shown(rig, once, later=3_600_000) == once
    canary = flagger(rig)
    assert flagger(rig, canary, later=3_600_000) == canary


def test_time_alone_is_no_change() -> None:
    rig = gated()
    rig.gates["go"] = False
    before = shown(rig)
    canary = flagger(rig)
    rig.now += 5_000
    rig.settle()
    assert shown(rig, before) == before
    assert flagger(rig, canary) == canary


def test_a_clock_that_is_set_back_moves_no_time_that_was_shown() -> None:
    rig = gated()
    before = shown(rig)
    rig.now -= 3_600_000
    rig.settle()
    after = shown(rig, before)
    assert (after["lastTransitionTime"], after["step"]) == (before["lastTransitionTime"], before["step"])


def test_the_phase_alone_moves_the_time_of_the_last_transition() -> None:
    rig = Rig(ramp(10, 20)).begin()
    begun = shown(rig)
    assert begun["lastTransitionTime"] == "2027-01-15T08:00:00Z"
    rig.go(61)
    later = shown(rig, begun)
    assert later["weight"] == 20
    assert later["lastTransitionTime"] == begun["lastTransitionTime"]
    ended = shown(rig.go(100), later)
    assert (ended["phase"], ended["lastTransitionTime"]) == ("Succeeded", "2027-01-15T08:02:00Z")


def test_a_condition_keeps_its_time_while_it_is_the_same() -> None:
    rig = Rig(ramp(10, 20)).begin()
    begun = shown(rig)
    later = shown(rig.go(61), begun)
    times = [one["lastTransitionTime"] for one in (*begun["conditions"], *later["conditions"])]
    assert set(times) == {"2027-01-15T08:00:00Z"}
    ended = shown(rig.go(100), later)
    assert {one["lastTransitionTime"] for one in ended["conditions"]} == {"2027-01-15T08:02:41Z"}


def test_a_step_keeps_its_beginning_when_a_check_holds_it_back() -> None:
    code = (ir.RouteOp(weight=10), ir.HoldOp(duration_ms=600_000, analysis="slo"), ir.PromoteOp())
    rig = Rig(spanned(program(*code))).begin()
    before = shown(rig)
    rig.error_rate = lambda arm: 0.5
    rig.go(60)
    after = shown(rig, before)
    assert after["failedChecks"] == 1
    assert after["step"] == before["step"] == {"index": 1, "text": "step number 1", "since": "2027-01-15T08:00:00Z"}


# --- what is shown ----------------------------------------------------------------------------------------------


def test_what_a_rollout_under_way_shows() -> None:
    status = shown(Rig(spanned(ramp(10.5, 20))).begin().go(61))
    assert status["phase"] == "Progressing"
    assert status["observedGeneration"] == 3
    assert status["step"] == {"index": 3, "text": "step number 3", "since": "2027-01-15T08:01:00Z"}
    assert (status["weight"], status["failedChecks"], status["iterations"]) == (20, 0, 1)
    assert (status["revision"], status["lastAppliedSpec"], status["lastPromotedSpec"]) == ("v2", "v2", "v1")
    assert (status["run"], status["trackedConfigs"]) == ("web-1", CONFIGS)
    assert status["lastCheck"] == {
        "at": "2027-01-15T08:01:00Z",
        "verdict": "pass",
        "results": [{"text": "success_rate >= 99%", "verdict": "pass", "values": {"success_rate": "100%"}}],
    }


def test_health_is_told_as_flux_and_argo_cd_read_it(rig: Rig) -> None:
    """kstatus: Ready True is current, Stalled True has failed, Reconciling True is under way."""
    told = truths(shown(rig))
    match rig.state.phase:
        case Phase.INITIALIZED | Phase.SUCCEEDED:
            assert told == {"Ready": "True", "Promoted": "True"}
        case Phase.FAILED:
            assert told == {"Ready": "False", "Stalled": "True", "Promoted": "False"}
        case _:
            assert told == {"Ready": "Unknown", "Reconciling": "True", "Promoted": "Unknown"}
    assert {one["observedGeneration"] for one in shown(rig)["conditions"]} == {3}


def test_a_failure_says_why() -> None:
    status = shown(at(Phase.FAILED))
    assert status["reason"].startswith("3 failed checks; the last: `success_rate >= 99%`: success_rate is 0%")
    ready = next(one for one in status["conditions"] if one["type"] == "Ready")
    assert (ready["reason"], ready["message"]) == ("RolledBack", status["reason"])
    assert (status["lastAppliedSpec"], status["lastPromotedSpec"]) == ("v2", "v1")


def test_a_target_that_goes_back_is_the_primary_s_again() -> None:
    rig = at(Phase.FAILED)
    rig.revision = "v1"
    status = shown(rig.settle())
    assert (status["phase"], status["revision"], truths(status)["Ready"]) == ("Succeeded", "v1", "True")


def test_nothing_secret_is_shown_and_nothing_without_end() -> None:
    rig = Rig(ramp(10)).begin().go(10)
    secret = "could not ask https://admin:hunter22@prometheus/api?token=abcdefghij " + "x" * 5000
    record = CheckRecord(
        START, 0, 1, 10, Verdict.ERROR, (CheckResult("a", "require", Verdict.ERROR, (("a", secret),), secret),) * 99
    )
    log = (replace(rig.run.log[0], text=secret),)
    rig.state = replace(rig.state, reason=secret, run=replace(rig.run, last_check=record, log=log))
    for status in (shown(rig), run_status(rig.program, rig.state, previous={}), invalid_of(secret)):
        assert "hunter22" not in str(status)
        assert "abcdefghij" not in str(status)
        assert "xxx…" in str(status)
        assert len(str(status)) < 120_000


def invalid_of(problem: str) -> Json:
    return invalid_status([problem], previous={}, generation=4, now_ms=START)


# --- policies that cannot be used -------------------------------------------------------------------------------


def test_a_policy_that_cannot_be_used_is_stalled_and_forgets_nothing() -> None:
    before = shown(at(Phase.SUCCEEDED))
    problem = "web.rollout:3:5: unknown metric `succes_rate` (RW213); did you mean `success_rate`?"
    status = invalid_status([problem, "and 1 more"], previous=before, generation=4, now_ms=START)
    assert truths(status) == {"Ready": "False", "Stalled": "True", "Promoted": "True"}
    assert (status["observedGeneration"], status["reason"]) == (4, problem)
    assert (status["phase"], status["lastPromotedSpec"]) == ("Succeeded", "v2")
    again = invalid_status([problem, "and 1 more"], previous=status, generation=4, now_ms=START + 60_000)
    assert again == status


def test_a_run_goes_on_while_the_new_policy_cannot_be_used() -> None:
    rig = at(Phase.PROGRESSING)
    status = shown(rig, problems=("line 1: no",))
    assert (status["phase"], truths(status)["Stalled"], status["weight"]) == ("Progressing", "True", 20)
    assert shown(rig, status, problems=("line 1: no",), later=60_000) == status


def test_a_library_says_whether_it_can_be_used() -> None:
    good = library_status([], previous={}, generation=1, now_ms=START)
    bad = library_status(["line 1: no"], previous=good, generation=2, now_ms=START)
    assert (truths(good), truths(bad)) == ({"Ready": "True"}, {"Ready": "False", "Stalled": "True"})
    assert bad["conditions"][0]["message"] == "line 1: no"


# --- runs -------------------------------------------------------------------------------------------------------


def test_a_run_keeps_how_it_ended() -> None:
    rig = at(Phase.FAILED)
    status = run_status(rig.program, rig.state, previous={})
    assert (status["phase"], status["outcome"], status["weight"]) == ("Failed", "rolled_back", 0)
    assert (status["startedAt"], status["endedAt"]) == ("2027-01-15T08:00:00Z", "2027-01-15T08:03:00Z")
    assert status["failedChecks"] == 3
    assert [line["what"] for line in status["log"]][-1] == "RolledBack"
    assert status["log"][-1]["text"].startswith("rolled back v2")


def test_a_run_that_another_took_the_place_of_is_over() -> None:
    rig = at(Phase.PROGRESSING)
    rig.revision = "v3"
    rig.takes_routing = False
    rig.settle()
    assert (rig.state.phase, rig.run.revision) == (Phase.WAITING, "v2")
    status = run_status(rig.program, rig.state, previous={})
    assert (status["phase"], status["outcome"]) == ("Terminated", "superseded")


def test_the_coming_up_of_the_first_primary_has_a_run_too() -> None:
    rig = at(Phase.INITIALIZING)
    status = run_status(rig.program, rig.state, previous={})
    assert status["phase"] == "Initializing"
    assert status["reason"].startswith("waiting for the primary")


# --- Flagger's --------------------------------------------------------------------------------------------------

WORDS = {
    "Initializing": ("Unknown", "New Deployment detected, starting initialization."),
    "Initialized": ("True", "Deployment initialization completed."),
    "Waiting": ("Unknown", "Waiting for approval."),
    "Progressing": ("Unknown", "New revision detected, progressing canary analysis."),
    "WaitingPromotion": ("Unknown", "Waiting for approval."),
    "Promoting": ("Unknown", "Canary analysis completed, starting primary rolling update."),
    "Finalising": ("Unknown", "Canary analysis completed, routing all traffic to primary."),
    "Succeeded": ("True", "Canary analysis completed successfully, promotion finished."),
    "Failed": ("False", "Canary analysis failed, Deployment scaled to zero."),
}


def test_a_canary_shows_the_words_that_flagger_s_users_wait_for(rig: Rig) -> None:
    (condition,) = flagger(rig)["conditions"]
    assert (condition["type"], condition["reason"]) == ("Promoted", rig.state.phase.value)
    if condition["reason"] in WORDS:
        assert (condition["status"], condition["message"]) == WORDS[condition["reason"]]


def test_a_canary_that_waits_for_its_promotion_shows_its_weight() -> None:
    status = flagger(gated())
    assert (status["phase"], status["canaryWeight"], status["iterations"]) == ("WaitingPromotion", 20, 0)


def test_iterations_are_counted_where_flagger_counts_them() -> None:
    matches = ((ir.MatchTest("header", "x", "==", "y"),),)
    code = (ir.RouteOp(matches=matches), ir.HoldOp(checks=5, analysis="slo"), ir.PromoteOp())
    rig = Rig(program(*code)).begin().go(130)
    assert (flagger(rig)["iterations"], flagger(rig)["canaryWeight"]) == (2, 0)
    assert flagger(rig.go(3600))["iterations"] == 0
    assert flagger(at(Phase.PROGRESSING))["iterations"] == 0


def test_flagger_reads_whole_numbers_only() -> None:
    for weight, expected in ((0.5, 1), (10.4, 10), (99.6, 100), (0, 0)):
        state = State(phase=Phase.PROGRESSING, primary="v1", routing=Routing(weight=weight), wall_ms=START)
        status = canary_status(ramp(10), state, previous={}, now_ms=START)
        assert (status["canaryWeight"], type(status["canaryWeight"])) == (expected, int)


def test_a_promotion_that_failed_does_not_say_that_the_canary_is_gone() -> None:
    rig = Rig(ramp(10))
    rig.ready = lambda question: Readiness(question.key != "ready:primary:v2:full:0", "crashed", failed=True)
    status = flagger(rig.begin().go(300))
    assert (status["phase"], status["canaryWeight"]) == ("Failed", 100)
    assert status["conditions"][0]["message"] == "Promotion failed, all traffic is on the canary."


def test_the_time_of_flagger_s_condition_changes_with_its_truth() -> None:
    rig = Rig(ramp(10)).begin()
    begun = flagger(rig)
    ended = flagger(rig.go(300), begun)
    before, after = begun["conditions"][0], ended["conditions"][0]
    assert before["lastTransitionTime"] == before["lastUpdateTime"] == "2027-01-15T08:00:00Z"
    assert after["lastTransitionTime"] == after["lastUpdateTime"] == "2027-01-15T08:05:00Z"


# --- a real API server ------------------------------------------------------------------------------------------


def test_what_is_shown_is_kept_as_it_is(control_plane: ControlPlane, namespace: str, rig: Rig) -> None:
    """Nothing that we show is refused, pruned or changed by the definitions, ours and Flagger's own."""
    control_plane.install_crds("rollway", "flagger")
    group = f"/apis/{names.API_VERSION}/namespaces/{namespace}"
    owner = {"kind": "Rollout", "name": "web"}
    run = {"owner": owner, "number": 1, "revision": "v2", "digest": "d", "program": {}}
    canary = {
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "service": {"port": 80},
        "analysis": {"interval": "1m", "threshold": 3, "stepWeight": 10},
    }
    for where, kind, api, spec, status in (
        (f"{group}/rollouts", "Rollout", names.API_VERSION, {"source": "a"}, shown(rig)),
        (f"{group}/rolloutruns", "RolloutRun", names.API_VERSION, run, run_status(rig.program, rig.state, previous={})),
        (
            f"/apis/{names.FLAGGER_API_VERSION}/namespaces/{namespace}/canaries",
            "Canary",
            names.FLAGGER_API_VERSION,
            canary,
            flagger(rig),
        ),
    ):
        made = control_plane.api.call(
            "POST", where, {"apiVersion": api, "kind": kind, "metadata": {"name": "web"}, "spec": spec}
        )
        written = {**made, "status": status}
        seen = control_plane.api.call("PUT", f"{where}/web/status?fieldValidation=Strict", written)
        assert seen["status"] == status
