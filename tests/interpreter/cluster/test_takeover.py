"""Protects moving from Flagger in mid-rollout: the machine itself goes on from every state that is taken over, to the
promotion, with no more traffic than was seen until a check has passed, and with nothing done twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from dsl import ir
from dsl.flagger.importer import import_canary
from interpreter.cluster.flagger_status import canary_status
from interpreter.cluster.takeover import takeover
from interpreter.desired import Routing
from interpreter.questions import Readiness
from interpreter.state import Outcome, Phase
from interpreter.state_json import encode
from tests.interpreter.machine.rig import START, Rig

HOOKS = [
    {"name": kind, "type": kind, "url": f"http://hooks/{kind}"}
    for kind in ("pre-rollout", "confirm-rollout", "confirm-traffic-increase", "confirm-promotion", "post-rollout")
]
MATCH = [{"headers": {"x-canary": {"exact": "yes"}}}]
MATCHES = ((ir.MatchTest("header", "x-canary", "==", "yes"),),)


def compiled(provider: str = "istio", **analysis: Any) -> ir.Program:
    canary = {
        "apiVersion": "flagger.app/v1beta1",
        "kind": "Canary",
        "metadata": {"name": "podinfo", "namespace": "test"},
        "spec": {
            "provider": provider,
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
            "service": {"port": 9898},
            "analysis": {
                "interval": "1m",
                "threshold": 3,
                "metrics": [{"name": "request-success-rate", "thresholdRange": {"min": 99}, "interval": "1m"}],
                "webhooks": HOOKS,
                **analysis,
            },
        },
    }
    program = import_canary(canary).program
    assert program is not None
    return program


class Moment(NamedTuple):
    """What Flagger left behind, and how many calls of `pre-rollout` are still to be made."""

    phase: str
    weight: int = 0
    iterations: int = 0
    seen: Routing | None = Routing()
    before: int = 0

    @property
    def begins(self) -> bool:
        """Whether the run has given no traffic yet, so that its first step gives some before any check."""
        under_way = self.weight or self.iterations or self.seen != Routing()
        return self.phase == "Waiting" or (self.phase == "Progressing" and not under_way)

    def status(self, **more: Any) -> dict[str, Any]:
        return {
            "phase": self.phase,
            "canaryWeight": self.weight,
            "iterations": self.iterations,
            "failedChecks": 0,
            "lastAppliedSpec": "1234567890",
            "lastPromotedSpec": "987654321",
            "trackedConfigs": {},
            **more,
        }


AT_FIRST = (Moment("Waiting", before=1), Moment("Progressing", before=1))
AT_LAST = (Moment("Finalising"),)


def weighted(*weights: int) -> tuple[Moment, ...]:
    most = Routing(weight=weights[-1])
    return (
        *AT_FIRST,
        *(Moment("Progressing", weight, seen=Routing(weight=weight)) for weight in weights),
        Moment("WaitingPromotion", 0, -1, most),
        Moment("Promoting", weights[-1], seen=most),
        *AT_LAST,
    )


def counted(seen: Routing, *after: Moment) -> tuple[Moment, ...]:
    return (
        *AT_FIRST,
        *(Moment("Progressing", 0, n, seen) for n in (1, 2, 3)),
        Moment("WaitingPromotion", 0, 2, seen),
        *after,
        *AT_LAST,
    )


ALL = Routing(weight=100)
SHIFTED = (Moment("Progressing", 0, 4, ALL), Moment("Promoting", 0, 4, ALL))

STRATEGIES: dict[str, tuple[ir.Program, tuple[Moment, ...]]] = {
    "stepWeight": (compiled(stepWeight=10, maxWeight=30), weighted(10, 20, 30)),
    "stepWeights": (compiled(stepWeights=[1, 25, 50]), weighted(1, 25, 50)),
    "and back in steps": (compiled(stepWeight=20, maxWeight=40, stepWeightPromotion=10), weighted(20, 40)),
    "without gates": (
        compiled(stepWeight=10, maxWeight=30, webhooks=[]),
        tuple(moment._replace(before=0) for moment in weighted(10, 20, 30) if moment.phase != "WaitingPromotion"),
    ),
    "sticky": (
        compiled(stepWeight=10, maxWeight=30, sessionAffinity={"cookieName": "c"}),
        weighted(10, 20, 30),
    ),
    "mirror first": (
        compiled(stepWeight=20, maxWeight=40, mirror=True, mirrorWeight=50),
        (Moment("Progressing", 0, seen=Routing(mirror=50)), *weighted(20, 40)),
    ),
    "A/B": (
        compiled(iterations=3, match=MATCH),
        counted(Routing(matches=MATCHES), Moment("Promoting", 0, 3, Routing(matches=MATCHES))),
    ),
    "A/B, read as all": (
        compiled(iterations=3, match=MATCH),
        counted(Routing(weight=100, matches=MATCHES)),
    ),
    "blue/green": (compiled(iterations=3), counted(Routing(), *SHIFTED)),
    "blue/green, mirrored": (compiled(iterations=3, mirror=True), counted(Routing(mirror=100), *SHIFTED)),
    "blue/green by Services": (compiled("kubernetes", iterations=3), counted(Routing(), Moment("Promoting", 0, 3))),
    "no analysis": (
        replace(compiled(stepWeight=10, webhooks=[]), skip_analysis=ir.SkipAnalysis(always=True)),
        (Moment("Waiting"), Moment("Progressing")),
    ),
}
CASES = [
    pytest.param(program, moment, id=f"{name}, {at}, {moment.phase}")
    for name, (program, moments) in STRATEGIES.items()
    for at, moment in enumerate(moments)
]


def taken_over(
    program: ir.Program, moment: Moment, *, target: str | None = "v2", primary: str | None = None, **status: Any
) -> Rig:
    """A world as Flagger left it, with the machine in it that has not looked yet."""
    promoted = moment.phase in ("Promoting", "Finalising")
    primary = primary or ("v2" if promoted else "v1")
    rig = Rig(program, revision=target)
    rig.routing = moment.seen
    rig.state = takeover(program, moment.status(**status), target, primary, moment.seen, START)
    rig.persisted = encode(rig.state)
    rig.gates = dict.fromkeys(program.gates, True)
    return rig


def watched(rig: Rig) -> list[tuple[float, int]]:
    """Every routing that is given from now on: its weight, and how many checks had passed by then."""
    given: list[tuple[float, int]] = []
    told = rig.rerouting

    def reroute(routing: Routing) -> None:
        run = rig.state.run
        given.append((routing.weight, run.iterations - run.failed_checks if run else 0))
        told(routing)

    rig.rerouting = reroute
    return given


@pytest.mark.parametrize(("program", "moment"), CASES)
def test_every_phase_of_every_strategy_goes_on_to_the_promotion(program: ir.Program, moment: Moment) -> None:
    rig = taken_over(program, moment)
    checks = rig.state.run.iterations if rig.state.run else 0
    given = watched(rig)

    rig.go(3600)

    assert rig.is_in(Phase.SUCCEEDED), rig.state
    assert (rig.state.primary, rig.run.outcome, rig.run.number) == ("v2", Outcome.PROMOTED, 1)
    assert rig.desired is not None
    assert (rig.desired.primary, rig.desired.canary, rig.routing) == ("v2", None, Routing())
    assert [call.webhook for call in rig.calls].count("pre_rollout") == moment.before
    assert moment.seen is not None
    if not moment.begins:
        unearned = [weight for weight, passed in given if weight > moment.seen.weight and passed <= checks]
        assert not unearned, given


@pytest.mark.parametrize(("program", "moment"), CASES)
def test_a_bad_revision_gets_no_more_than_was_seen(program: ir.Program, moment: Moment) -> None:
    rig = taken_over(program, moment)
    rig.error_rate = lambda arm: 0.5 if arm == "canary" else 0.0
    given = watched(rig)

    rig.go(3600)

    assert moment.seen is not None
    if moment.phase in ("Promoting", "Finalising") or program.skip_analysis.always:
        return  # its analysis is over
    assert rig.is_in(Phase.FAILED)
    first = next((op.weight for op in program.code if op.op == "route" and op.weight), 0.0)
    most = first if moment.begins else moment.seen.weight
    assert all(weight <= most for weight, _ in given), given
    assert rig.routing == Routing()


def test_steps_that_were_made_are_not_made_again() -> None:
    program, _ = STRATEGIES["stepWeight"]
    rig = taken_over(program, Moment("Progressing", 20, seen=Routing(weight=20))).go(3600)
    assert rig.weights == [30, 0]


def test_iterations_that_were_made_are_not_made_again() -> None:
    program, _ = STRATEGIES["blue/green"]
    rig = taken_over(program, Moment("Progressing", 0, 3))
    rig.gates["confirm_promotion"] = False
    rig.go(61)
    assert rig.is_in(Phase.WAITING_PROMOTION)
    assert rig.state.reason.startswith("waiting for gate `confirm_promotion`")
    assert rig.run.iterations == 4  # three of Flagger's, and the one that it was about to make


def test_failed_checks_are_not_forgiven() -> None:
    program, _ = STRATEGIES["stepWeight"]
    rig = taken_over(program, Moment("Progressing", 10, seen=Routing(weight=10)), failedChecks=2)
    rig.error_rate = lambda arm: 1.0
    rig.go(61)
    assert (rig.state.phase, rig.run.failed_checks) == (Phase.FAILED, 3)


def test_traffic_that_somebody_took_off_is_earned_again() -> None:
    program, _ = STRATEGIES["stepWeight"]
    rig = taken_over(program, Moment("Progressing", 30, seen=Routing(weight=15)))
    assert rig.state.routing.weight == 10
    rig.go(3600)
    assert rig.weights == [10, 20, 30, 0]


def test_traffic_that_flagger_does_not_know_of_is_taken_off() -> None:
    program, _ = STRATEGIES["stepWeight"]
    rig = taken_over(program, Moment("Progressing", 10, seen=Routing(weight=90))).settle()
    assert rig.routing == Routing(weight=10)


def test_a_data_plane_that_cannot_be_read_begins_at_home() -> None:
    program, _ = STRATEGIES["stepWeight"]
    rig = taken_over(program, Moment("Progressing", 30, seen=None)).settle()
    rig.go(3600)
    assert rig.weights == [0, 10, 20, 30, 0]


def test_a_promotion_that_is_waited_for_goes_on_waiting() -> None:
    program, moments = STRATEGIES["stepWeight"]
    waiting = next(moment for moment in moments if moment.phase == "WaitingPromotion")
    rig = taken_over(program, waiting)
    rig.gates["confirm_promotion"] = False
    rig.go(300)
    assert rig.is_in(Phase.WAITING_PROMOTION)
    assert rig.state.reason.startswith("waiting for gate `confirm_promotion`")
    assert rig.routing == Routing(weight=30)
    assert rig.reasons().count("WaitingForGate") == 1


def test_before_the_gate_is_asked_again_there_is_a_check_at_once() -> None:
    for name in ("stepWeight", "A/B", "blue/green"):
        program, moments = STRATEGIES[name]
        rig = taken_over(program, next(moment for moment in moments if moment.phase == "WaitingPromotion"))
        made = rig.run.iterations
        rig.gates["confirm_promotion"] = False
        rig.settle()
        assert (rig.run.iterations, rig.state.phase) == (made + 1, Phase.WAITING_PROMOTION)


def test_mirroring_that_somebody_took_off_is_begun_again() -> None:
    program, _ = STRATEGIES["blue/green, mirrored"]
    rig = taken_over(program, Moment("Progressing", 0, 2, Routing())).settle()
    assert rig.routing == Routing(mirror=100)


def test_a_promotion_is_not_waited_for_without_the_traffic_that_was_earned() -> None:
    program, _ = STRATEGIES["stepWeight"]
    rig = taken_over(program, Moment("WaitingPromotion", 0, -1, Routing(weight=10)))
    assert rig.state.phase is Phase.PROGRESSING
    rig.go(3600)
    assert rig.weights == [20, 30, 0]


@pytest.mark.parametrize("phase", ["Initialized", "Succeeded"])
def test_at_rest_nothing_moves_until_the_target_does(phase: str) -> None:
    program, _ = STRATEGIES["stepWeight"]
    rig = taken_over(program, Moment(phase), target="v1").go(3600)
    assert (rig.state.phase.value, rig.state.run, rig.weights) == (phase, None, [])
    assert rig.desired is not None
    assert (rig.desired.primary, rig.desired.canary) == ("v1", None)
    rig.revision = "v2"
    assert rig.go(3600).is_in(Phase.SUCCEEDED)
    assert rig.state.primary == "v2"


def test_what_failed_is_not_tried_again_but_what_comes_next_is() -> None:
    program, _ = STRATEGIES["stepWeight"]
    rig = taken_over(program, Moment("Failed"), failedChecks=3).go(3600)
    assert (rig.state.phase, rig.run.outcome, rig.weights) == (Phase.FAILED, Outcome.ROLLED_BACK, [])
    assert rig.desired is not None
    assert (rig.desired.primary, rig.desired.canary) == ("v1", None)
    rig.revision = "v3"
    assert rig.go(3600).is_in(Phase.SUCCEEDED)
    assert rig.state.primary == "v3"


def test_what_failed_can_be_tried_again_by_hand() -> None:
    program, _ = STRATEGIES["stepWeight"]
    rig = taken_over(program, Moment("Failed")).settle().signal("retry").go(3600)
    assert (rig.state.phase, rig.state.primary) == (Phase.SUCCEEDED, "v2")


def test_a_promotion_that_failed_keeps_its_traffic_on_the_only_healthy_copy() -> None:
    program, _ = STRATEGIES["stepWeight"]
    rig = taken_over(program, Moment("Failed", 100, seen=Routing(weight=100)), primary="v2").go(3600)
    assert (rig.state.phase, rig.run.outcome) == (Phase.FAILED, Outcome.PROMOTION_FAILED)
    assert rig.desired is not None
    assert (rig.desired.routing.weight, rig.desired.canary, rig.desired.canary_scale.mode) == (100, "v2", "full")
    rig.revision = "v3"
    assert rig.go(3600).is_in(Phase.SUCCEEDED)
    assert (rig.state.primary, rig.routing) == ("v3", Routing())


def test_a_promotion_waits_for_its_primary_with_the_traffic_where_it_is() -> None:
    program, moments = STRATEGIES["stepWeight"]
    promoting = next(moment for moment in moments if moment.phase == "Promoting")
    rig = taken_over(program, promoting)
    rig.ready = lambda question: Readiness(question.role == "canary", "1 of 3 updated")
    rig.go(300)
    assert (rig.state.phase, rig.routing) == (Phase.PROMOTING, Routing(weight=30))


def test_what_came_during_the_promotion_is_rolled_out_after_it() -> None:
    program, moments = STRATEGIES["stepWeight"]
    promoting = next(moment for moment in moments if moment.phase == "Promoting")
    rig = taken_over(program, promoting, target="v3", primary="v2").settle()
    assert rig.event("Promoted").message == "v2 is promoted"
    rig.go(3600)
    assert (rig.state.phase, rig.state.primary, rig.run.number) == (Phase.SUCCEEDED, "v3", 2)


def test_a_target_that_went_back_ends_the_rollout() -> None:
    program, _ = STRATEGIES["stepWeight"]
    rig = taken_over(program, Moment("Progressing", 20, seen=Routing(weight=20)), target="v1").settle()
    assert (rig.state.phase, rig.run.outcome, rig.routing) == (Phase.SUCCEEDED, Outcome.REVERTED, Routing())


@pytest.mark.parametrize("phase", ["Waiting", "Progressing", "WaitingPromotion", "Failed", "Succeeded", "Terminating"])
def test_a_target_that_is_gone_is_no_surprise(phase: str) -> None:
    program, _ = STRATEGIES["stepWeight"]
    rig = taken_over(program, Moment(phase), target=None).go(60)
    assert rig.routing == Routing()


def test_without_a_primary_everything_begins_anew() -> None:
    program, _ = STRATEGIES["stepWeight"]
    for phase in ("", "Initializing", "Succeeded", "Progressing"):
        state = takeover(program, {"phase": phase}, "v1", None, None, START)
        assert (state.phase, state.run) == (Phase.INITIALIZING, None)


def test_a_phase_that_nobody_knows_is_refused() -> None:
    program, _ = STRATEGIES["stepWeight"]
    with pytest.raises(ValueError, match="Dancing"):
        takeover(program, {"phase": "Dancing"}, "v2", "v1", None, START)


@pytest.mark.parametrize(("program", "moment"), CASES)
def test_the_status_goes_on_as_flagger_had_it(program: ir.Program, moment: Moment) -> None:
    before = moment.status(lastTransitionTime="2026-01-01T00:00:00Z")
    state = takeover(program, before, "v2", "v1", moment.seen, START)
    shown = canary_status(program, state, previous=before, now_ms=START)
    assert (shown["phase"], shown["lastTransitionTime"]) == (moment.phase, "2026-01-01T00:00:00Z")
    assert moment.seen is not None
    assert shown["canaryWeight"] <= moment.seen.weight
    if moment.phase == "Progressing":
        assert shown["iterations"] == moment.iterations
