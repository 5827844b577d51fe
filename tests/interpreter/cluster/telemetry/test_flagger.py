"""Flagger's series: values, the names of its metrics, and one series where two targets have one name."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import Metric

from dsl.compiler import compile_source
from dsl.ir import Program
from dsl.source import Source
from interpreter.cluster.telemetry import flagger
from interpreter.cluster.telemetry.meters import Meters
from interpreter.cluster.telemetry.standing import Standing
from interpreter.cluster.telemetry.tally import Tally, strategy
from interpreter.desired import Routing
from interpreter.objects import Ref
from interpreter.state import CheckLine, CheckRow, CheckSeries, Phase, Run, State, Verdict

HEAD = "rollout web { target deployment/web\n service { port 80 }\n"
ANALYSIS = {"metrics": [{"name": "request-success-rate"}, {"name": "request-duration"}, {"name": "Error rate (404)"}]}
LINES = {"success_rate": 99.5, "latency(0.99)": 0.25, "error_rate_404_": 3.0}


def program(steps: str, traffic: str = "istio") -> Program:
    found = compile_source(Source("web.rollout", f"{HEAD} traffic {traffic}\n steps {{ {steps} }} }}"), lint=False)
    return found.rollouts[0].program


def standing(kind: str = "Canary", name: str = "web", phase: Phase = Phase.PROGRESSING, **spec: Any) -> Standing:
    lines = tuple(CheckLine(f"{name} > 1", "require", name) for name in LINES)
    older = CheckRow(0, 0, 10.0, Verdict.PASS, (1.0, 1.0, 1.0))
    rows = (older, CheckRow(1, 0, 10.0, Verdict.PASS, tuple(LINES.values())))
    run = Run(1, "a", "d", 0, 0, series=CheckSeries(lines, rows))
    state = State(phase, run=run, routing=Routing(weight=30.0))
    return Standing(
        Ref("v1", kind, "shop", name), spec, program("shift to 10%; promote"), state, Tally(Meters()), str(phase)
    )


def values(name: str, *standings: Standing) -> dict[tuple[str, ...], float]:
    """The series of a family, by the values of their labels."""
    [family] = [one for one in flagger.families(standings, "1", "istio") if one.name == name]
    assert isinstance(family, Metric)
    found = {tuple(sample.labels.values()): sample.value for sample in family.samples}
    assert len(found) == len(family.samples), "no series stands there twice"
    return found


def test_metrics_of_a_canary_have_the_names_of_its_spec_and_the_values_of_the_last_check() -> None:
    assert values("flagger_canary_metric_analysis", standing(analysis=ANALYSIS)) == {
        ("web", "shop", "request-success-rate"): 99.5,
        ("web", "shop", "request-duration"): 0.25,
        ("web", "shop", "Error rate (404)"): 3.0,
    }
    assert set(values("flagger_canary_metric_analysis", standing("Rollout", analysis=ANALYSIS))) == {
        ("web", "shop", name) for name in LINES
    }


@pytest.mark.parametrize(
    ("phase", "status"),
    [
        (Phase.INITIALIZING, 1),
        (Phase.INITIALIZED, 1),
        (Phase.WAITING, 1),
        (Phase.PROGRESSING, 0),
        (Phase.WAITING_PROMOTION, 0),
        (Phase.PROMOTING, 0),
        (Phase.FINALISING, 0),
        (Phase.SUCCEEDED, 1),
        (Phase.FAILED, 2),
    ],
)
def test_the_status_is_what_alerts_expect(phase: Phase, status: int) -> None:
    assert values("flagger_canary_status", standing(phase=phase)) == {("web", "shop"): status}


def test_targets_of_one_name_are_one_series() -> None:
    both = (standing(name="a"), standing("Rollout", name="b", phase=Phase.FAILED))
    assert values("flagger_canary_status", *both) == {("web", "shop"): 0}
    assert values("flagger_canary_total", *both) == {("shop",): 2}
    assert values("flagger_canary_weight", *both) == {("web", "shop"): 30, ("web-primary", "shop"): 70}


def test_what_flagger_would_call_the_strategy() -> None:
    assert strategy(program("shift to 10%; promote")) == "canary"
    assert strategy(program("shift to 100%; promote", "kubernetes")) == "blue-green"
    assert strategy(program('route to canary when header "x" == "y"; promote')) == "ab-testing"
