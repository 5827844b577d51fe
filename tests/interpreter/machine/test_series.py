"""What a run keeps of its checks: the numbers that each line was decided on, whatever the line is."""

from __future__ import annotations

import pytest

from dsl.compiler import compile_source
from dsl.ir import Program
from dsl.source import Source
from interpreter.actions import ActionResult
from interpreter.questions import Answer, ErrorAnswer, Histogram, MetricQuestion, NoDataAnswer, Value
from interpreter.series import CheckPoint, points
from interpreter.state import Verdict
from tests.interpreter.machine.rig import Rig

HEAD = """
metric errors returns percent { prometheus "a{{ workload }}"; no_data hold }
metric lat returns milliseconds { prometheus "b{{ workload }}"; no_data hold }
metric requests returns events {
  bad prometheus "c{{ workload }}"
  total prometheus "d{{ workload }}"
  no_data hold
}
webhook smoke { url "http://smoke.example" }
gate panic { url "http://panic.example" }
"""


def program(*checks: str, head: str = HEAD, tolerate: str = "tolerate 30 failures") -> Program:
    lines = "\n    ".join(checks)
    text = f"""{head}
rollout web in shop {{
  target deployment/web
  service {{ port 80 }}
  traffic istio
  analysis {{
    every 15s
    {tolerate}
    {lines}
  }}
  steps {{ shift to 10%; hold 10m; promote }}
}}
"""
    compilation = compile_source(Source("web.rollout", text))
    assert not compilation.has_errors, [one.message for one in compilation.diagnostics]
    return compilation.rollouts[0].program


def rig(*checks: str, answer: dict[tuple[str, str], Answer] | None = None, **values: float) -> Rig:
    """`values` by metric for the canary; the primary has half of it. `answer` by metric and arm goes before."""
    made = Rig(program(*checks))

    def metric(question: MetricQuestion) -> Answer | None:
        own = (answer or {}).get((question.metric, question.arm))
        if own is not None:
            return own
        return Value(values[question.metric] / (1 if question.arm == "canary" else 2))

    made.metric = metric
    return made.begin()


def first(made: Rig) -> CheckPoint:
    made.go(16)
    assert made.state.run is not None
    return points(made.state.run.series)[0]


def numbers(point: CheckPoint) -> list[tuple[str, str, float | None, float | None]]:
    return [(one.line.name, one.line.cmp, one.value, one.threshold) for one in point.values]


def test_a_fixed_threshold_is_kept_with_the_line() -> None:
    point = first(rig("require errors <= 1%", errors=0.4))

    assert (point.step, point.weight, point.verdict) == (1, 10.0, Verdict.PASS)
    assert numbers(point) == [("errors", "<=", 0.004, 0.01)]
    assert point.values[0].line.unit == "percent"
    assert point.values[0].line.threshold == 0.01


def test_a_threshold_that_moves_is_kept_with_each_check() -> None:
    made = rig("require lat <= lat of primary * 1.2", lat=300.0)
    point = first(made)

    assert numbers(point) == [("lat", "<=", 0.3, 0.18)]
    assert point.values[0].line.threshold is None
    assert point.verdict is Verdict.FAIL


def test_what_is_measured_is_the_value_on_whichever_side_it_stands() -> None:
    assert numbers(first(rig("require 1% >= errors", errors=0.4))) == [("errors", "<=", 0.004, 0.01)]


def test_each_comparison_of_a_line_is_followed() -> None:
    point = first(rig("require errors <= 1% and lat in 100ms..400ms", errors=0.4, lat=300.0))

    assert numbers(point) == [("errors", "<=", 0.004, 0.01), ("lat", ">=", 0.3, 0.1), ("lat", "<=", 0.3, 0.4)]
    assert {one.line.text for one in point.values} == {"errors <= 1% and lat in 100ms..400ms"}


@pytest.mark.parametrize("gap", [NoDataAnswer(), ErrorAnswer("down")])
def test_without_data_there_is_no_number(gap: Answer) -> None:
    point = first(rig("require errors <= 1%", "require lat <= 1s", answer={("errors", "canary"): gap}, lat=300.0))

    assert numbers(point) == [("lat", "<=", 0.3, 1.0)]
    assert point.verdict is not Verdict.PASS


def test_calls_and_gates_are_followed_by_whether_they_let_it_go_on() -> None:
    made = rig("require errors <= 1%", "call smoke", "abort when gate panic opens", errors=0.4)
    made.webhooks["smoke"] = ActionResult(False, "no")
    made.gates["panic"] = False

    point = first(made)

    assert [(one.line.unit, one.line.kind, one.value) for one in point.values] == [
        ("percent", "require", 0.004),
        ("verdict", "call", 0.0),
        ("verdict", "abort_gate", 1.0),
    ]


def test_of_a_statistical_check_it_is_the_evidence() -> None:
    made = Rig(program("require no_regression(requests)", tolerate="")).begin()
    made.error_rate = lambda arm: 0.02 if arm == "canary" else 0.001

    (reading,) = first(made).values

    assert (reading.line.name, reading.line.unit, reading.line.cmp) == ("evidence on requests", "evidence", "<")
    assert reading.value is not None
    assert reading.threshold is not None
    assert reading.threshold == 100.0
    assert reading.value > 0


def test_of_a_range_it_is_the_end_that_is_known() -> None:
    head = HEAD + '\nmetric duration returns histogram { prometheus "e{{ workload }}"; no_data hold }'
    made = Rig(program("require duration.quantile(0.99) <= 1s", head=head))
    made.metric = lambda _: Histogram(((0.5, 10.0), (2.0, 20.0), (float("inf"), 100.0)))

    (reading,) = first(made.begin()).values

    assert (reading.value, reading.threshold) == (2.0, 1.0)


def test_the_series_goes_on_through_the_run_and_a_newer_revision_begins_its_own() -> None:
    made = rig("require errors <= 1%", errors=0.4)
    made.go(60)
    assert made.state.run is not None
    assert len(made.state.run.series.rows) == made.state.run.iterations == 4
    made.revision = "v3"
    made.settle()
    made.go(16)
    assert made.state.run is not None
    assert len(made.state.run.series.rows) == 1
