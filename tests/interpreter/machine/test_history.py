"""What a check asks of the time before the rollout: at its first look, and never again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dsl import ir
from interpreter.analysis.dispersion import HISTORY
from interpreter.questions import Answer, ErrorAnswer, Events, MetricQuestion, NoDataAnswer
from tests.interpreter.machine.rig import MINUTE, SLO, Rig, ramp

AUTO = ir.Statistical("no_regression", "requests", MINUTE, ir.Arm.PRIMARY, {"confidence": 0.99}, {"dispersion": "auto"})
BURSTY = replace(SLO, checks=(ir.Check("require", AUTO, "no_regression(requests, dispersion: auto)"),))


HEALTHY = Events(10, 10_000)


def begun(past: Answer | None = HEALTHY) -> Rig:
    """A rollout whose requests are split as the routing says; `past` is what is answered of the time before it."""
    rig = Rig(ramp(10, 20, 30, slo=BURSTY)).begin()

    def provider(question: MetricQuestion) -> Answer | None:
        if question.at_ms < rig.born:
            return past
        weight = rig.weights[-1]
        requests = 100 * (weight if question.arm == "canary" else 100 - weight)
        return Events(requests / 1000, requests)

    rig.metric, rig.born = provider, rig.now
    return rig


def earlier(rig: Rig) -> list[MetricQuestion]:
    """The questions about the time before the first check."""
    asked = [question for question in rig.asked if isinstance(question, MetricQuestion)]
    first = min(question.at_ms for question in asked if question.arm == "canary")
    return [question for question in asked if question.at_ms < first]


def test_history_is_asked_once_a_rollout_and_survives_a_restart() -> None:
    rig = begun().go(70)
    assert len(earlier(rig)) == HISTORY
    assert {question.arm for question in earlier(rig)} == {"primary"}
    rig.restarted = True
    rig.go(300)
    assert rig.weights[:4] == [0, 10, 20, 30]
    assert len(earlier(rig)) == HISTORY


def test_a_check_waits_for_its_history() -> None:
    assert begun(None).go(300).weights == [0, 10]


@pytest.mark.parametrize("gone", [NoDataAnswer(), ErrorAnswer("too far back")])
def test_a_history_that_is_not_to_be_had_stops_nothing(gone: Answer) -> None:
    rig = begun(gone).go(300)
    assert rig.weights[:4] == [0, 10, 20, 30]
    assert len(earlier(rig)) == HISTORY
