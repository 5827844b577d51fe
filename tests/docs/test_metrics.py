"""The page of metrics, against what the controller serves: names, types and labels."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from dsl.compiler import compile_source
from dsl.source import Source
from interpreter.cluster.telemetry.collector import Telemetry
from interpreter.cluster.telemetry.standing import Standing
from interpreter.cluster.telemetry.tally import Tally
from interpreter.objects import Ref
from interpreter.state import CheckLine, CheckRow, CheckSeries, Outcome, Phase, Run, State, Verdict
from tests.docs.policies import ROOT
from tests.prometheus.server import binary

PAGE = ROOT / "docs" / "reference" / "metrics.md"
ROW = re.compile(r"\| `(\w+)` \| (gauge|counter|histogram) \|([^|]*)\|")
POLICY = "rollout web { target deployment/web\n traffic istio\n service { port 80 }\n steps { shift to 10%; promote } }"


class AtWork:
    """A term in which there is something of everything."""

    queue = type("Queue", (), {"__len__": lambda _: 1, "oldest_age": 0.5, "busy": 1})()
    caches = type("Caches", (), {"sizes": {"Pod": 1}, "unwatched": [], "restarts": Counter({("Pod", "ended"): 1})})()
    events_dropped = 1

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def standings(self) -> list[Standing]:
        program = compile_source(Source("web.rollout", POLICY), lint=False).rollouts[0].program
        tally = self._tally
        tally.checks[Verdict.PASS] += 1
        tally.ends[True, "canary", False] += 1
        tally.ends[False, "canary", False] += 1
        line = CheckLine("success_rate >= 99%", "require", "success_rate", "percent", ">=", 99.0)
        series = CheckSeries((line,), (CheckRow(0, 0, 10.0, Verdict.PASS, (99.5,)),))
        run = Run(1, "a", "d", 0, 0, series=series)
        over = Run(1, "a", "d", 0, 0, outcome=Outcome.PROMOTED, ended_ms=1, series=series)
        return [
            Standing(Ref("v", "Rollout", "shop", name), {}, program, State(Phase.PROGRESSING, run=one), tally, "P")
            for name, one in (("web", run), ("cart", over))
        ]


def served() -> dict[str, tuple[str, frozenset[str]]]:
    """Each series that can be served: its type and labels."""
    telemetry = Telemetry(Counter({("get", "Pod"): 1}), "1", "istio")
    meters = telemetry.meters
    telemetry.work = AtWork(Tally(meters))  # type: ignore[assignment]
    meters.queried("prometheus", "ok", 1)
    meters.called("gate", "accepted", 1)
    meters.sent("slack", True, 1)
    meters.ended("promoted", 1)
    with meters.look():
        pass
    found = {}
    for family in text_string_to_metric_families(generate_latest(telemetry.registry).decode()):
        assert family.samples, f"{family.name} has no series here: extend the test"
        labels = frozenset(label for sample in family.samples for label in sample.labels) - {"le"}
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found[name] = (family.type, labels)
    return found


def told() -> dict[str, tuple[str, frozenset[str]]]:
    """What the page says of each. `the same` are the labels of the row before."""
    found: dict[str, tuple[str, frozenset[str]]] = {}
    labels: frozenset[str] = frozenset()
    for name, kind, cell in ROW.findall(PAGE.read_text(encoding="utf-8")):
        labels = labels if cell.strip() == "the same" else frozenset(re.findall(r"`(\w+)`", cell))
        found[name] = (kind, labels)
    return found


def test_the_alerts_to_begin_with_are_rules_that_prometheus_takes_about_series_that_exist(tmp_path: Path) -> None:
    [rules] = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    named = set(re.findall(r"\b(?:rollway|flagger)_\w+", rules)) - {"rollway"}
    assert len(named) >= 4
    assert {re.sub(r"_(bucket|count|sum)$", "", name) for name in named} <= set(told())
    (tmp_path / "rules.yaml").write_text(rules, encoding="utf-8")
    program = Path(binary()).with_name("promtool")
    line = [program, "check", "rules", tmp_path / "rules.yaml"]
    checked = subprocess.run(line, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_series_is_explained_with_its_type_and_labels_and_no_other() -> None:
    assert told() == served()
