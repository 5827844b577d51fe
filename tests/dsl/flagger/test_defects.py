"""What Flagger takes and cannot carry out, or takes for something that nobody meant: here it is refused at its field,
left out with a warning, or done as it was meant. One case for each row of `docs/reference/flagger.md` that an import
can show."""

from __future__ import annotations

from typing import Any

import pytest

from dsl.flagger.importer import import_canary
from dsl.flagger.problems import Problem
from tests.dsl.flagger.manifests import canary

STEPS = {"stepWeight": None, "maxWeight": None}
HEADER = {"headers": {"x-canary": {"exact": "insider"}}}
KNATIVE = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "podinfo"}
INGRESS = {"kind": "Ingress", "name": "podinfo"}


def hook(**more: Any) -> dict[str, Any]:
    return {"webhooks": [{"name": "h", "url": "http://h/", **more}]}


def metric(**fields: Any) -> dict[str, Any]:
    return {"metrics": [fields]}


def ab(*match: Any, **spec: Any) -> dict[str, Any]:
    return canary({**STEPS, "iterations": 3, "match": list(match)}, **spec)


def found(manifest: dict[str, Any]) -> tuple[Problem, ...]:
    return import_canary(manifest).problems


REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    ("a provider that Flagger takes for Istio", canary(provider="isto"), "spec.provider", "did you mean `istio`?"),
    ("gatewayapi without a version", canary(provider="gatewayapi"), "spec.provider", "write `gatewayapi:v1`"),
    ("no steps", canary(STEPS), "spec.analysis", "has no steps"),
    ("two kinds of steps", canary({"iterations": 5}), "spec.analysis.stepWeight", "only one of them"),
    ("steps of nothing", canary({"stepWeight": 0}), "spec.analysis.stepWeight", "never get any traffic"),
    ("no iterations", canary({**STEPS, "iterations": 0}), "spec.analysis.iterations", "never be promoted"),
    ("no weights", canary({**STEPS, "stepWeights": []}), "spec.analysis.stepWeights", "never get any traffic"),
    ("weights that fall", canary({**STEPS, "stepWeights": [20, 10]}), "spec.analysis.stepWeights[1]", "let them rise"),
    ("weights that stay", canary({**STEPS, "stepWeights": [5, 5]}), "spec.analysis.stepWeights[1]", "let them rise"),
    ("half a percent", canary({"stepWeight": 0.5}), "spec.analysis.stepWeight", "a whole number is needed"),
    ("no interval", canary({"interval": None}), "spec.analysis.interval", "is required"),
    ("an interval that is none", canary({"interval": "1 minute"}), "spec.analysis.interval", "no duration"),
    ("no threshold", canary({"threshold": None}), "spec.analysis.threshold", "is required"),
    ("no port", canary({}, {"port": None}), "spec.service.port", "is required"),
    (
        "one cookie for both",
        canary({"sessionAffinity": {"cookieName": "a", "primaryCookieName": "a"}}),
        "spec.analysis.sessionAffinity.primaryCookieName",
        "is the same",
    ),
    ("Knative's Service elsewhere", canary(targetRef=KNATIVE), "spec.provider", "write `provider: knative`"),
    ("Knative without its Service", canary(provider="knative"), "spec.targetRef", "no Service of Knative"),
    (
        "Knative and iterations",
        canary({**STEPS, "iterations": 2}, provider="knative", targetRef=KNATIVE),
        "spec.analysis.iterations",
        "use `stepWeight`",
    ),
    ("nginx without an Ingress", canary(provider="nginx"), "spec.ingressRef", "needs it"),
    ("APISIX without a route", canary(provider="apisix"), "spec.routeRef", "needs it"),
    ("no Gateway", canary(provider="gatewayapi:v1"), "spec.service.gatewayRefs", "needs it"),
    ("App Mesh without a mesh", canary(provider="appmesh"), "spec.service.meshName", "needs it"),
    (
        "a metric without a query",
        canary(metric(name="errors", thresholdRange={"max": 1})),
        "spec.analysis.metrics[0].templateRef",
        "no built-in metric",
    ),
    (
        "a range without an end",
        canary(metric(name="request-success-rate", thresholdRange={})),
        "spec.analysis.metrics[0].thresholdRange",
        "neither `min` nor `max`",
    ),
    (
        "a range that runs backwards",
        canary(metric(name="request-success-rate", thresholdRange={"min": 99, "max": 1})),
        "spec.analysis.metrics[0].thresholdRange",
        "swap the two",
    ),
    (
        "seconds for milliseconds",
        canary(metric(name="request-duration", thresholdRange={"max": 0.5})),
        "spec.analysis.metrics[0].thresholdRange",
        "write 500",
    ),
    (
        "a duration without a bound",
        canary(metric(name="request-duration")),
        "spec.analysis.metrics[0].thresholdRange",
        "no answer takes 0 ms",
    ),
    (
        "more than all requests",
        canary(metric(name="request-success-rate", thresholdRange={"min": 990})),
        "spec.analysis.metrics[0].thresholdRange",
        "in percent",
    ),
    (
        "Go that is no variable",
        canary(metric(name="m", query='{{ printf "%s" target }}', thresholdRange={"max": 1})),
        "spec.analysis.metrics[0].query",
        "cannot be translated",
    ),
    ("a timeout that is none", canary(hook(timeout="fast")), "spec.analysis.webhooks[0].timeout", "no time to wait"),
    ("an address that is none", canary(hook(url="h.test")), "spec.analysis.webhooks[0].url", "http://"),
    ("a type that is none", canary(hook(type="pre-rollot")), "spec.analysis.webhooks[0].type", "`pre-rollout`"),
    (
        "a number for text",
        canary(hook(metadata={"a": 1})),
        "spec.analysis.webhooks[0].metadata.a",
        "put it in quotes",
    ),
    (
        "severity warning",
        canary({"alerts": [{"name": "a", "severity": "warning", "providerRef": {"name": "p"}}]}),
        "spec.analysis.alerts[0].severity",
        "is `warning`",
    ),
    ("A/B where requests look alike", ab(HEADER, provider="linkerd"), "spec.analysis.match", "all traffic"),
    ("A/B without iterations", canary({"match": [HEADER]}), "spec.analysis.match", "needs `iterations`"),
    ("A/B by labels of pods", ab({"sourceLabels": {"a": "b"}}), "spec.analysis.match[0].sourceLabels", "header"),
    ("A/B of everything", ab({"headers": {}}), "spec.analysis.match[0]", "fits every request"),
    (
        "A/B by no regular expression",
        ab({"headers": {"x": {"regex": "(?=a)"}}}),
        "spec.analysis.match[0].headers.x.regex",
        "RE2",
    ),
    (
        "A/B by two headers in ingress-nginx",
        ab(HEADER, {"headers": {"y": {"exact": "b"}}}, provider="nginx", ingressRef=INGRESS),
        "spec.analysis.match",
        "one header only",
    ),
    ("what the analysis was called", canary(canaryAnalysis={}), "spec.canaryAnalysis", "rename it to `analysis`"),
    ("an old Flagger", canary() | {"apiVersion": "flagger.app/v1alpha3"}, "apiVersion", "flagger.app/v1beta1"),
]

WARNED: list[tuple[str, dict[str, Any], str, str]] = [
    ("a mirror that is none", canary({"mirror": True}, provider="linkerd"), "spec.analysis.mirror", "left out"),
    ("affinity that is none", canary({"sessionAffinity": {"cookieName": "a"}}, provider="linkerd"),
     "spec.analysis.sessionAffinity", "left out"),
    ("weights of Services", canary(provider="kubernetes"), "spec.analysis.stepWeight", "10 checks are made"),
    ("A/B of Services", ab(HEADER, provider="kubernetes"), "spec.analysis.match", "left out"),
    ("too short an interval", canary({"interval": "1s"}), "spec.analysis.interval", "10s are taken"),
    (
        "a template without an interval",
        canary(metric(name="m", templateRef={"name": "t"}, thresholdRange={"max": 1})),
        "spec.analysis.metrics[0].interval",
        "1m is taken",
    ),
    (
        "a template without a bound",
        canary(metric(name="m", templateRef={"name": "t"}, interval="1m")),
        "spec.analysis.metrics[0].thresholdRange",
        "0 is the most",
    ),
    (
        "any success rate",
        canary(metric(name="request-success-rate")),
        "spec.analysis.metrics[0].thresholdRange",
        "any success rate will do",
    ),
    (
        "part of a millisecond",
        canary(metric(name="request-duration", thresholdRange={"max": 99.5})),
        "spec.analysis.metrics[0].thresholdRange",
        "whole milliseconds",
    ),
    ("a setting of another plane", canary({}, {"hosts": ["a"]}, provider="traefik"), "spec.service.hosts", "left out"),
    ("a misspelt field", canary({"stepWeigth": 5}), "spec.analysis.stepWeigth", "did you mean `stepWeight`?"),
]  # fmt: skip


@pytest.mark.parametrize(("manifest", "path", "said"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused_at_its_field(manifest: dict[str, Any], path: str, said: str) -> None:
    problems = [problem for problem in found(manifest) if problem.severity == "error"]
    assert [problem.path for problem in problems] == [path], problems
    assert said in str(problems[0])


@pytest.mark.parametrize(("manifest", "path", "said"), [row[1:] for row in WARNED], ids=[row[0] for row in WARNED])
def test_carried_out_with_a_warning(manifest: dict[str, Any], path: str, said: str) -> None:
    imported = import_canary(manifest)
    assert imported.program is not None, imported.problems
    assert [problem.path for problem in imported.problems] == [path], imported.problems
    assert {problem.severity for problem in imported.problems} == {"warning"}
    assert said in str(imported.problems[0])


def test_all_that_is_wrong_is_said_at_once() -> None:
    manifest = canary({"interval": "x", "threshold": None, **hook(url="")}, {"port": "web"}, provider="isto")
    assert [problem.path for problem in found(manifest)] == [
        "spec.service.port",
        "spec.analysis.interval",
        "spec.analysis.webhooks[0].url",
        "spec.analysis.threshold",
        "spec.provider",
    ]


def test_a_canary_without_an_analysis_is_no_crash() -> None:
    manifest = canary()
    del manifest["spec"]["analysis"]
    assert [str(problem) for problem in found(manifest)] == ["spec.analysis: is required, and is not there"]
