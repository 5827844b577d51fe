"""Flagger's own manifests, from its docs and end-to-end tests: the good ones run to promotion, the others are refused
at the field that is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from dsl import ir_json
from dsl.compiler import compile_source
from dsl.diagnostics import Severity
from dsl.flagger.documents import read_documents
from dsl.flagger.importer import Imported, import_canary, import_documents
from dsl.flagger.templates import read_alert_provider, read_metric_template
from dsl.source import Source
from interpreter.plan import plan
from interpreter.simulator.inversion import Problem
from interpreter.simulator.scenario import healthy
from interpreter.simulator.simulation import simulate
from tests.dsl.flagger.manifests import REFERENCE, Sample, samples

CANARIES = samples("Canary", "main")
TEMPLATES = samples("MetricTemplate", "main")
REFUSED = samples("Canary", "refused", "fragment", "negative")
NO_PROMQL = (
    "gloo-progressive-delivery--03-metrictemplate-not-found-percentage.yaml",
    "kubernetes-blue-green--02-metrictemplate-not-found-percentage.yaml",
)
"""A comma is missing in these queries of Flagger's docs; Prometheus refuses them too."""
MISSING = ("spec.targetRef", "spec.analysis", "spec.provider", "metadata.name")


def ids(found: list[Sample]) -> list[str]:
    return [sample.path.removeprefix("flagger/").removesuffix(".yaml") for sample in found]


def imported(sample: Sample) -> Imported:
    manifest = sample.read()
    attached = manifest["spec"].get("service", {}).get("gatewayRefs")  # Linkerd's newer tests go by the Gateway API
    provider = "gatewayapi:v1" if attached else sample.provider
    return import_canary(manifest, default_provider=provider, lint=True)


def test_the_samples_are_at_hand() -> None:
    if not REFERENCE.exists():
        pytest.skip("Flagger's samples are not at hand")
    assert len(CANARIES) > 50
    assert len(TEMPLATES) > 20
    assert len(REFUSED) > 10


@pytest.mark.parametrize("sample", CANARIES, ids=ids(CANARIES))
def test_a_canary_runs_to_promotion(sample: Sample) -> None:
    found = imported(sample)
    assert found.program is not None, found.problems
    assert found.compilation is not None
    assert [one for one in found.compilation.diagnostics if one.severity is Severity.ERROR] == []
    assert plan(found.program)
    story = simulate(found.program, healthy(found.program))
    assert not isinstance(story, Problem), story
    assert story.outcome == "promoted", story
    again = compile_source(Source("again.rollout", found.text), lint=False).rollouts[0].program
    assert ir_json.digest(again) == ir_json.digest(found.program)


@pytest.mark.parametrize("sample", REFUSED, ids=ids(REFUSED))
def test_what_flagger_refuses_is_refused_at_its_field(sample: Sample) -> None:
    found = import_canary(sample.read(), default_provider=sample.provider)
    assert found.program is None
    assert found.text == ""
    assert any(problem.path in MISSING for problem in found.problems), found.problems


@pytest.mark.parametrize("sample", TEMPLATES, ids=ids(TEMPLATES))
def test_a_metric_template_is_read_and_written(sample: Sample) -> None:
    template = read_metric_template(sample.read())
    assert not isinstance(template, str), template
    source = Source("template.yaml", (REFERENCE / "samples" / sample.path).read_text(encoding="utf-8"))
    documents, troubles = read_documents(source)
    assert troubles == ()
    found = import_documents(documents)
    assert found.text.startswith("metric ")
    assert found.compilation is not None
    errors = [one.code for one in found.compilation.diagnostics if one.severity is Severity.ERROR]
    assert errors == (["RW505"] if sample.path.endswith(NO_PROMQL) else [])


@pytest.mark.parametrize("sample", bad := samples("MetricTemplate", "refused"), ids=ids(bad))
def test_a_metric_template_that_lacks_something_is_refused(sample: Sample) -> None:
    said: Any = read_metric_template(sample.read())
    assert isinstance(said, str)
    assert "spec.query is required" in said or "spec.query: is required" in said


@pytest.mark.parametrize("sample", alerts := samples("AlertProvider", "refused"), ids=ids(alerts))
def test_an_alert_provider_with_two_addresses_is_refused(sample: Sample) -> None:
    said = read_alert_provider(sample.read())
    assert isinstance(said, str)
    assert said.startswith("spec.address: stands beside `secretRef`")
    assert "hooks.slack.com" not in said
