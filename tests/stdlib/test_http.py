"""`std/http` as each traffic provider gets it: the right series, the right arm, the right window, the right unit.

The expected series and labels are those that the data planes expose; the queries are rendered as the interpreter does
it, for each arm, and must be PromQL.
"""

from __future__ import annotations

import re
from dataclasses import replace

import promql_parser
import pytest

from dsl.capabilities import PROVIDERS
from dsl.compiler import compile_source
from dsl.diagnostics import Severity
from dsl.ir import Metric, Program, Unit
from dsl.source import Source
from interpreter.providers.metrics import variables
from interpreter.questions import MetricQuestion
from interpreter.templates import render

SETTINGS = {
    "alb": 'ingress "web"',
    "apisix": 'route "web"',
    "gateway_api": 'gateway_refs [{ name: "public" }]',
    "haproxy": 'ingress "web"',
    "nginx": 'ingress "web"',
    "skipper": 'ingress "web"',
}
ISTIO = 'reporter="destination",destination_workload_namespace="my-shop",destination_workload="{}"'
PODS = {
    "canary": "web-[0-9a-z]{1,10}-[0-9a-z]{5}",
    "primary": "web-primary-[0-9a-z]{1,10}-[0-9a-z]{5}",
    "baseline": "web-baseline-[0-9a-z]{1,10}-[0-9a-z]{5}",
}
SKIPPER = 'route=~"kube(ew)?_my_shop__web_canary(_match|_baseline)?__.*__web_svc_{}(_[0-9]+)?"'
WORKLOADS = {"canary": "web", "primary": "web-primary", "baseline": "web-baseline"}
NGINX = {"canary": ".+", "primary": "", "baseline": ""}


def selectors(provider: str, arm: str) -> tuple[str, str]:
    """The series that is counted, with the labels that pick out the arm; and what marks a failure."""
    workload, pods = WORKLOADS[arm], PODS[arm]
    app = f'http_request_duration_seconds_count{{namespace="my-shop",pod=~"{pods}"', 'status=~"5.."'
    envoy = "envoy_cluster_upstream_rq{", 'envoy_response_code=~"5.."'
    table = {
        "istio": ("istio_requests_total{" + ISTIO.format(workload), 'response_code=~"5.."'),
        "smi": ("istio_requests_total{" + ISTIO.format(workload), 'response_code=~"5.."'),
        "linkerd": (
            f'response_total{{namespace="my-shop",pod=~"{pods}",direction="inbound"',
            'classification="failure"',
        ),
        "osm": (
            f'osm_request_total{{destination_namespace="my-shop",destination_name="{workload}"',
            'response_code=~"5.."',
        ),
        "appmesh": (f'{envoy[0]}kubernetes_namespace="my-shop",kubernetes_pod_name=~"{pods}"', envoy[1]),
        "gloo": (
            f'{envoy[0]}envoy_cluster_name=~"my-shop-web-svc-{arm}upstream-[0-9a-zA-Z-]+_[0-9a-zA-Z-]+"',
            envoy[1],
        ),
        "contour": (f'{envoy[0]}envoy_cluster_name=~"my-shop_web-svc-{arm}_[0-9a-zA-Z-]+"', envoy[1]),
        "kuma": (f'{envoy[0]}service=~"web-svc-{arm}_my-shop_svc_[0-9a-zA-Z-]+"', envoy[1]),
        "knative": (f'{envoy[0]}envoy_cluster_name="my-shop/{workload}"', envoy[1]),
        "nginx": (
            f'nginx_ingress_controller_requests{{namespace="my-shop",ingress="web",canary=~"{NGINX[arm]}"',
            'status=~"5.."',
        ),
        "traefik": (
            f'traefik_service_requests_total{{service=~"my-shop-web-svc-{arm}-[0-9a-zA-Z-]+@kubernetescrd"'
            f',service!~"my-shop-web-svc-{arm}-(.+-)?(canary|primary|baseline)-.+"',
            'code=~"5.."',
        ),
        "skipper": ("skipper_response_duration_seconds_count{" + SKIPPER.format(arm), 'code=~"5.."'),
        "apisix": (f'apisix_http_status{{route=~"my-shop_web-web-svc-canary_{arm}-.+"', 'code=~"5.."'),
        "local": (f'rollway_proxy_requests_total{{workload="{workload}"', 'code=~"5.."'),
    }
    return table.get(provider, app)


IN_MILLISECONDS = {"istio", "smi", "linkerd", "osm", "appmesh", "gloo", "contour", "kuma", "knative", "apisix"}


def program(provider: str) -> Program:
    settings = SETTINGS.get(provider, "")
    target = "serving.knative.dev/v1/Service/web" if provider == "knative" else "deployment/web"
    text = f"""
import "std/http"
rollout web in my-shop {{
  target {target}
  service {{ name web-svc; port 80 }}
  traffic {provider} {{ {settings} }}
  analysis {{
    every    1m
    tolerate 2 failures
    require  success_rate >= 99%
    require  latency(0.99) <= 500ms
    require  request_rate >= 1
  }}
  steps {{
    hold 3 checks
    promote
  }}
}}
"""
    compilation = compile_source(Source("web.rollout", text))
    findings = [d for d in compilation.diagnostics if d.severity is not Severity.HINT]
    assert [f"{d.code} {d.message}" for d in findings] == []
    return compilation.rollouts[0].program


def metric(of: Program, unit: Unit) -> tuple[str, Metric]:
    (found,) = [(name, one) for name, one in of.metrics.items() if one.unit is unit and one.queries]
    return found


def queries(of: Program, unit: Unit, arm: str) -> dict[str, str]:
    name, found = metric(of, unit)
    question = MetricQuestion(name, arm, 90_000, 0)  # type: ignore[arg-type]
    rendered = {query.part: render(query.text, variables(of, found, question)) for query in found.queries}
    for text in rendered.values():
        promql_parser.parse(text)
    return dict(rendered)


ARMS = [
    (provider, arm)
    for provider, row in PROVIDERS.items()
    for arm in ("canary", "primary", *(("baseline",) if row.baseline else ()))
]


@pytest.mark.parametrize(("kind", "endings"), [("deployment", "-7d9f8c6b5-x2x4z"), ("statefulset", "-0")])
def test_no_arms_pods_are_anothers(kind: str, endings: str) -> None:
    compiled = program("istio")
    name, found = metric(compiled, Unit.EVENTS)
    compiled = replace(compiled, target=replace(compiled.target, kind=kind))
    for arm, workload in WORKLOADS.items():
        pods = str(variables(compiled, found, MetricQuestion(name, arm, 90_000, 0))["pods"])  # type: ignore[arg-type]
        assert [one for one in WORKLOADS.values() if re.fullmatch(pods, one + endings)] == [workload]


@pytest.mark.parametrize(("provider", "arm"), ARMS)
def test_requests_are_counted_by_arm(provider: str, arm: str) -> None:
    found = queries(program(provider), Unit.EVENTS, arm)
    series, failure = selectors(provider, arm)
    assert found["total"].startswith(f"sum(increase({series}}}[90s])")
    assert found["bad"].startswith(f"sum(increase({series},{failure}}}[90s])")
    assert found["bad"].endswith("or vector(0)")
    assert "vector" not in found["total"]


@pytest.mark.parametrize("provider", PROVIDERS)
def test_durations_are_histograms_in_a_known_unit(provider: str) -> None:
    compiled = program(provider)
    _, found = metric(compiled, Unit.HISTOGRAM)
    text = queries(compiled, Unit.HISTOGRAM, "canary")["value"]
    assert text.startswith("sum by (le) (increase(")
    assert "_bucket{" in text
    assert found.bucket_scale == (0.001 if provider in IN_MILLISECONDS else 1.0)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_request_rate_counts_the_same_requests_a_second(provider: str) -> None:
    compiled = program(provider)
    rate = queries(compiled, Unit.RATE, "primary")["value"]
    total = queries(compiled, Unit.EVENTS, "primary")["total"]
    assert rate == total.replace("increase(", "rate(")
