"""`after gate`: nothing begins before the gate opens, and a scenario can say when that is."""

from __future__ import annotations

import pytest

from dsl.compiler import compile_source
from dsl.source import Source
from interpreter.simulator.inversion import Problem
from interpreter.simulator.scenario import of_test
from interpreter.simulator.simulation import simulate

POLICY = """
import "std/http"

gate go {{ url "http://gates/" }}

rollout web in shop {{
  target   deployment/web
  service  {{ port 80 }}
  traffic  istio
  after gate go
  analysis {{ every 1m; tolerate 3 failures; require success_rate >= 99% }}
  steps {{
    shift to 10% for 1 checks
    promote
  }}
}}

test "t" for web {{ given gate go opens after {after}; expect promoted }}
"""


@pytest.mark.parametrize(("after", "minute"), [("5m", 5), ("2h", 120)])
def test_the_canary_comes_up_when_the_gate_opens(after: str, minute: int) -> None:
    compilation = compile_source(Source("x.rollout", POLICY.format(after=after)), lint=False)
    program, (test,) = compilation.rollouts[0].program, compilation.tests
    story = simulate(program, of_test(program, test), metrics=test.metrics)
    assert not isinstance(story, Problem)
    assert story.outcome == "promoted"
    begun = [moment.at_ms for moment in story.moments if moment.text.endswith("the rollout begins")]
    assert begun == [minute * 60_000]
