"""Our series of rollouts: nothing secret, no series twice, and none while another replica leads."""

from __future__ import annotations

from collections import Counter

from prometheus_client import Metric, generate_latest

from interpreter.cluster.telemetry import rollouts
from interpreter.cluster.telemetry.collector import Telemetry
from interpreter.frozen import changed
from interpreter.state import CheckLine, CheckRow, CheckSeries, Run, State, Verdict
from tests.interpreter.cluster.telemetry.test_flagger import standing


def family(name: str, series: CheckSeries) -> Metric:
    run = Run(1, "a", "d", 0, 0, series=series)
    one = standing("Rollout")._replace(state=changed(State(), run=run))
    [found] = [one for one in rollouts.families([one]) if one.name == name]
    return found


def test_what_may_be_secret_in_a_line_is_masked() -> None:
    line = CheckLine("error_rate{token=abcdefgh12345} < 1", "require", "error_rate")
    found = family("rollway_check_value", CheckSeries((line,), (CheckRow(0, 0, 0.0, Verdict.PASS, (0.5,)),)))
    [sample] = found.samples
    assert sample.value == 0.5
    assert "abcdefgh12345" not in sample.labels["check"]


def test_a_condition_that_is_required_and_observed_is_one_series() -> None:
    lines = (CheckLine("errors < 1", "require", "errors"), CheckLine("errors < 1", "observe", "errors"))
    found = family("rollway_check_value", CheckSeries(lines, (CheckRow(0, 0, 0.0, Verdict.PASS, (0.5, 0.5)),)))
    assert len(found.samples) == 1


def test_a_replica_that_does_not_lead_has_none_of_rollouts() -> None:
    telemetry = Telemetry(Counter({("get", "Pod"): 2}), "1", "istio")
    page = generate_latest(telemetry.registry).decode()
    assert "rollway_leader 0.0" in page
    assert 'rollway_api_requests_total{kind="Pod",verb="get"} 2.0' in page
    assert "flagger_" not in page
    assert "rollway_queue_depth" not in page
