"""Protects that a policy with a judgement plans, simulates and tests as any other."""

from __future__ import annotations

from dsl.compiler import compile_source
from dsl.ir import Arm, GivenMetric, Measure, Program
from dsl.source import Source
from interpreter.plan import plan
from interpreter.plan_table import text
from interpreter.simulator.scenario import healthy
from interpreter.simulator.simulation import simulate
from interpreter.simulator.timeline import Story
from interpreter.simulator.verdict import run_test
from interpreter.state import Verdict

MINUTE = 60_000
POLICY = """
import "std/http"

rollout checkout in shop {
  target deployment/checkout
  service { port 8080 }
  traffic istio
  analysis {
    every 1m
    tolerate 2 failures
    judgement {
      pass 90
      marginal 50
      group latency weight 60 { kayenta(latency(0.5), direction: increase, min_points: 5) }
      group errors {
        kayenta(error_rate, direction: increase, critical: true, min_points: 5)
        kayenta(request_rate, muted: true)
      }
    }
  }
  steps { shift to 20%; hold 10 checks; promote }
}

test "errors roll back" for checkout {
  given error_rate = 5%
  expect rolled_back within 10m
  expect failed_checks == 0
}
"""


def compiled() -> Program:
    (found,) = compile_source(Source("checkout.rollout", POLICY)).rollouts
    return found.program


def run(*givens: GivenMetric) -> Story:
    program = compiled()
    story = simulate(program, healthy(program)._replace(givens=givens))
    assert isinstance(story, Story)
    return story


def verdicts(story: Story) -> list[Verdict]:
    return [moment.check.verdict for moment in story.moments if moment.check is not None]


def test_a_healthy_revision_waits_for_its_points_and_is_promoted() -> None:
    story = run()
    assert story.outcome == "promoted"
    assert verdicts(story) == [Verdict.INCONCLUSIVE] * 4 + [Verdict.PASS] * 10


def test_the_critical_metric_ends_it_at_the_first_look_that_has_enough() -> None:
    story = run(GivenMetric(Measure("error_rate", Arm.CANARY, 0), 0.05))
    assert story.outcome == "rolled_back"
    assert verdicts(story) == [Verdict.INCONCLUSIVE] * 4 + [Verdict.ABORT]
    assert "a critical metric did not pass: `error_rate`: high" in story.reason


def test_the_others_fail_checks() -> None:
    story = run(GivenMetric(Measure("latency(0.5)", Arm.CANARY, 0), 0.4))
    assert story.outcome == "rolled_back"
    assert verdicts(story)[4:] == [Verdict.FAIL] * 2
    assert "the score is 40, less than 50" in story.reason


def test_its_own_tests_pass() -> None:
    (test,) = compile_source(Source("checkout.rollout", POLICY)).tests
    assert run_test(compiled(), test).failures == ()


def test_the_plan_says_that_it_holds_the_traffic() -> None:
    assert "`judgement of latency, errors` holds the traffic until it has seen enough" in text(plan(compiled()))
