"""Whatever a Canary says, the importer answers in words: it never raises, and what it writes compiles."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dsl import ir_json
from dsl.compiler import compile_source
from dsl.flagger.importer import import_canary
from dsl.flagger.templates import read_alert_provider, read_metric_template
from dsl.formatter import format_source
from dsl.source import Source
from tests.dsl.flagger.manifests import canary, of_schema, schema

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
SLOW = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


def judge(manifest: dict[str, Any]) -> None:
    imported = import_canary(manifest)
    refused = [problem for problem in imported.problems if problem.severity == "error"]
    assert all(problem.path and problem.message for problem in imported.problems)
    assert (imported.program is None) == bool(refused)
    if imported.program is None:
        assert not [problem for problem in refused if problem.path == "spec" and "`" in problem.message], refused
        return
    again = compile_source(Source("again.rollout", imported.text), lint=False)
    assert ir_json.digest(again.rollouts[0].program) == ir_json.digest(imported.program)
    assert format_source(Source("again.rollout", imported.text)).text == imported.text


@SLOW
@given(st.data())
def test_any_spec_of_the_schema(data: st.DataObject) -> None:
    spec = data.draw(of_schema(schema()))
    judge({**canary(), "spec": spec})


@SLOW
@given(st.data())
def test_a_good_canary_with_parts_of_any_kind(data: st.DataObject) -> None:
    whole = canary(interval="1m")
    fields = schema()["properties"]
    for name in ("service", "analysis"):
        parts = fields[name]["properties"]
        chosen = data.draw(st.lists(st.sampled_from(sorted(parts)), max_size=4, unique=True))
        for part in chosen:
            if part not in ("iterations", "stepWeights", "stepWeight"):
                whole["spec"][name][part] = data.draw(of_schema(parts[part], part))
    whole["spec"]["provider"] = data.draw(st.sampled_from(["istio", "gatewayapi:v1", "nginx", "kubernetes", "linkerd"]))
    whole["spec"]["ingressRef"] = {"kind": "Ingress", "name": "podinfo"}
    judge(whole)


@SLOW
@given(JSON, JSON)
def test_anything_at_all(spec: Any, metadata: Any) -> None:
    import_canary({"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": metadata, "spec": spec})
    for kind, read in (("MetricTemplate", read_metric_template), ("AlertProvider", read_alert_provider)):
        read({"apiVersion": "flagger.app/v1beta1", "kind": kind, "metadata": {"name": "x"}, "spec": spec})
