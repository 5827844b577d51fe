"""Protects the dashboard and the alerts: they ask for series that there are, and alerts come when they must."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.chart import ROOT
from tests.docs.test_metrics import told
from tests.prometheus.server import binary

RULES = ROOT / "deploy" / "prometheus" / "rules.yaml"
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "rollway.json").read_text())
SERIES = re.compile(r"\b((?:rollway|flagger)_\w+?)(?:_bucket|_sum|_count)?\b(?:\{([^}]*)\})?")
TARGETS = {"job"}
"""Labels that Prometheus adds to what it scrapes; `namespace` as well, for series that have none."""


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def queries() -> list[tuple[str, str]]:
    """Each expression of the dashboard, with what is written beside its line."""
    targets = [target for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
    return [(target["expr"], target["legendFormat"]) for target in targets]


def expressions() -> list[str]:
    variables = [variable["definition"] for variable in DASHBOARD["templating"]["list"] if "definition" in variable]
    return [*(rule["expr"] for rule in rules()), *(expression for expression, _ in queries()), *variables]


def promtool(*line: str | Path) -> None:
    done = subprocess.run((Path(binary()).with_name("promtool"), *line), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("expression", expressions())
def test_what_is_asked_for_is_there(expression: str) -> None:
    there = told()
    found = SERIES.findall(expression)
    assert found
    for name, matchers in found:
        assert name in there, name
        assert set(re.findall(r"(\w+)(?:=~|!=|!~|=)", matchers)) <= there[name][1]
    labels = set().union(*(there[name][1] for name, _ in found)) | TARGETS | {"le", "namespace"}
    for grouped in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression):
        assert {label.strip() for label in grouped.split(",")} <= labels


@pytest.mark.parametrize(("expression", "beside"), queries())
def test_what_stands_beside_a_line_is_a_label_that_it_has(expression: str, beside: str) -> None:
    kept = re.search(r"\bby \(([^)]*)\)", expression)
    name, _ = SERIES.findall(expression)[0]
    labels = set(kept[1].split(", ")) if kept else told()[name][1]
    assert set(re.findall(r"\{\{(\w+)\}\}", beside)) <= labels


def test_alerts_come_when_they_must_and_only_then(tmp_path: Path) -> None:
    shutil.copy(RULES, tmp_path)
    shutil.copy(Path(__file__).with_name("rules_test.yaml"), tmp_path)
    promtool("check", "rules", tmp_path / "rules.yaml")
    promtool("test", "rules", tmp_path / "rules_test.yaml")


def test_every_alert_is_tried_and_says_what_it_means_and_what_to_do() -> None:
    good, _, bad = yaml.safe_load(Path(__file__).with_name("rules_test.yaml").read_text())["tests"]
    names = [rule["alert"] for rule in rules()]
    assert [tried["alertname"] for tried in good["alert_rule_test"]] == names
    assert [re.findall(r'"(\w+)"', one["labels"])[0] for one in bad["promql_expr_test"][0]["exp_samples"]] == names
    for rule in rules():
        assert rule["labels"]["severity"] in ("info", "warning", "critical")
        assert set(rule["annotations"]) == {"summary", "description"}


def test_prometheus_understands_what_the_dashboard_asks(tmp_path: Path) -> None:
    asked = [{"record": f"q:{number}", "expr": plain(expression)} for number, (expression, _) in enumerate(queries())]
    assert asked
    (tmp_path / "queries.yaml").write_text(yaml.safe_dump({"groups": [{"name": "q", "rules": asked}]}))
    promtool("check", "rules", tmp_path / "queries.yaml")


def plain(expression: str) -> str:
    return expression.replace("$__rate_interval", "5m").replace("$namespace", ".*").replace("$name", ".*")


def test_panels_lie_beside_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
