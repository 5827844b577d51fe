"""Protects what is refused, what is let in with a warning, and what is nobody's business."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from interpreter.admission.judging import Judge
from interpreter.admission.review import FINE, Request, Verdict
from interpreter.objects import Manifest, Ref

OURS = "rollway.dev/v1alpha1"
GOOD = """rollout web in shop {
  target  deployment/web
  service { port 80 }
  traffic istio
  analysis { every 1m; tolerate 1 failures; require success_rate >= 99% }
  steps { shift to 10%; hold 5m; promote }
}
import "std/http" { success_rate }
"""
GOOD = 'import "std/http" as http\n' + GOOD.replace('import "std/http" { success_rate }\n', "").replace(
    "success_rate", "http.success_rate"
)
STEEP = """guardrail careful { forbid traffic > 5% within 1h }
"""


def rollout(text: str = GOOD, **spec: Any) -> Manifest:
    given = {"source": text, **spec} if "sourceRef" not in spec else spec
    return manifest("Rollout", "web", given)


def manifest(
    kind: str, name: str, spec: Mapping[str, Any], api_version: str = OURS, namespace: str = "shop"
) -> Manifest:
    metadata = {"name": name, "uid": "1", **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": dict(spec)}


async def judged(
    thing: Manifest,
    old: Manifest | None = None,
    *,
    there: Mapping[Ref, Manifest] | None = None,
    binding: tuple[Ref, ...] = (),
    operation: str = "",
    **switches: bool,
) -> Verdict:
    async def read(ref: Ref) -> Manifest | None:
        return (there or {}).get(ref)

    judge = Judge(read, lambda: binding, **switches)  # type: ignore[arg-type]
    metadata = thing["metadata"]
    ref = Ref(thing["apiVersion"], thing["kind"], metadata.get("namespace", ""), metadata.get("name", ""))
    before = old or {"metadata": {}}
    return await judge.judge(Request("u", operation or ("UPDATE" if old else "CREATE"), ref, thing, before))


async def test_a_good_policy() -> None:
    assert (await judged(rollout())).problems == ()


async def test_each_error_has_its_place_and_what_to_do() -> None:
    verdict = await judged(rollout(GOOD.replace("istio", "istoi").replace("10%", "110%")))
    assert len(verdict.problems) == 2
    assert any("web.rollout:5:" in one and "istio" in one for one in verdict.problems), verdict.problems
    assert any("web.rollout:7:" in one and "110" in one for one in verdict.problems), verdict.problems


async def test_what_the_linter_would_rather_not_see_is_a_warning() -> None:
    verdict = await judged(rollout(GOOD.replace("hold 5m;", "hold 5m; shift to 5%; hold 5m;")))
    assert verdict.problems == ()
    assert any("5%" in one for one in verdict.warnings), verdict


async def test_the_name_must_be_that_of_the_object() -> None:
    verdict = await judged(rollout(GOOD.replace("rollout web", "rollout wbe")))
    assert "`wbe`" in verdict.problems[0]


async def test_a_name_that_the_api_server_makes_is_none() -> None:
    thing = rollout()
    del thing["metadata"]["name"]
    assert "metadata.name" in (await judged(thing)).problems[0]


async def test_guardrails_bind() -> None:
    library = manifest("ClusterRolloutLibrary", "org", {"source": STEEP}, namespace="")
    ref = Ref(OURS, "ClusterRolloutLibrary", "", "org")
    verdict = await judged(rollout(), there={ref: library}, binding=(ref,))
    assert any("too early" in one for one in verdict.problems), verdict


async def test_what_is_not_there_yet_is_a_warning() -> None:
    verdict = await judged(rollout(sourceRef={"kind": "ConfigMap", "name": "policies"}))
    assert verdict.problems == ()
    assert "policies" in verdict.warnings[0]
    verdict = await judged(rollout('import "library/shop" as shop\n' + GOOD))
    assert verdict.problems == ()
    assert "library `shop`" in verdict.warnings[0]


async def test_what_is_there_is_read() -> None:
    ref = Ref("v1", "ConfigMap", "shop", "policies")
    there = {ref: {"data": {"policy.rollout": "rollout"}}}
    assert (await judged(rollout(sourceRef={"kind": "ConfigMap", "name": "policies"}), there=there)).problems
    library = Ref(OURS, "ClusterRolloutLibrary", "", "shop")
    there = {library: {"spec": {"source": "let x = 1"}}}
    broken = 'import "library/shop" as shop\n' + GOOD.replace("istio", "istoi")
    assert (await judged(rollout(broken), there=there)).problems, "the cluster's library will do"


async def test_a_target_stays() -> None:
    verdict = await judged(rollout(GOOD.replace("deployment/web", "deployment/other")), rollout())
    assert "cannot become Deployment/other" in verdict.problems[0]
    assert (await judged(rollout(GOOD.replace("5m", "6m")), rollout())).problems == ()
    assert (await judged(rollout(), rollout("nonsense"))).problems == (), "a broken policy can be mended"


@pytest.mark.parametrize("operation", ["DELETE", "CONNECT"])
async def test_other_operations_are_nobodys_business(operation: str) -> None:
    assert await judged(rollout("nonsense"), operation=operation) is FINE


async def test_a_broken_policy_can_be_signalled_to_and_deleted() -> None:
    broken = rollout("nonsense")
    assert await judged(broken, rollout("nonsense")) is FINE
    leaving = rollout("other nonsense")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert await judged(leaving, broken) is FINE


async def test_references_to_other_namespaces() -> None:
    text = GOOD + 'channel oncall { provider "ops/slack" }\n'
    text = text.replace("steps {", "notify oncall\n  steps {")
    assert (await judged(rollout(text))).problems == ()
    assert "ops/slack" in (await judged(rollout(text), cross_namespace_refs=False)).problems[0]


async def test_canaries() -> None:
    spec = {
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "service": {"port": 80},
        "analysis": {"interval": "1m", "threshold": 1, "maxWeight": 50, "stepWeight": 10},
    }
    canary = manifest("Canary", "web", spec, "flagger.app/v1beta1")
    assert (await judged(canary)).problems == ()
    wrong = manifest("Canary", "web", {**spec, "analysis": {"interval": "often"}}, "flagger.app/v1beta1")
    assert any("interval" in one for one in (await judged(wrong)).problems)


async def test_libraries() -> None:
    good = manifest("RolloutLibrary", "l", {"source": "let limit = 5%"})
    assert await judged(good) == Verdict()
    assert (await judged(manifest("RolloutLibrary", "l", {"source": "let limit = "}))).problems
    binding = manifest("ClusterRolloutLibrary", "org", {"source": STEEP}, namespace="")
    assert "bind every policy" in (await judged(binding)).warnings[0]
    assert (await judged(manifest("RolloutLibrary", "l", {}))) is FINE


async def test_templates_and_providers() -> None:
    template = {"provider": {"type": "prometheus", "address": "http://prometheus"}, "query": "sum(up)"}
    assert (await judged(manifest("MetricTemplate", "t", template))) is FINE
    unknown = {**template, "provider": {"type": "crystal ball"}}
    assert (await judged(manifest("MetricTemplate", "t", unknown))).problems
    assert (await judged(manifest("AlertProvider", "a", {"type": "slack"}))).problems


async def test_kinds_of_others_are_nobodys_business() -> None:
    assert await judged(manifest("Widget", "w", {}, "example.com/v1")) is FINE
