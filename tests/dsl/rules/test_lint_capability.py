"""Protects the rules about what a traffic provider cannot do: each wish is refused at the words that make it."""

from __future__ import annotations

from typing import Any

import pytest

from dsl.capabilities import OPTIONS, PROVIDERS, VARIANTS, can_all

GATEWAY = 'gateway_api { gateway_refs [{ name: "public" }] }'
NGINX = 'nginx { ingress "shop" }'
ALB = 'alb { ingress "shop" }'
HEADER = 'route to canary when header "x-user" {}; hold 5 checks; promote'
QUERY = 'route to canary when query "user" {}; hold 5 checks; promote'


@pytest.mark.parametrize(
    ("code", "traffic", "steps", "words"),
    [
        ("RW401", "kubernetes", "shift to 20% for 5m; promote", ["shift to 20% for 5m"]),
        ("RW401", "kubernetes", "shift to 100% for 5m; promote", []),
        ("RW401", "linkerd", "shift to 20% for 5m; promote", []),
        ("RW402", "knative", "shift to 0.5% for 5m; promote", ["shift to 0.5% for 5m"]),
        ("RW402", "replicas", "shift to 0.5% for 5m; promote", []),
        ("RW402", "istio", "shift to 0.5% for 5m; promote", []),
        ("RW403", "linkerd", "mirror 20% for 5m; mirror off; promote", ["mirror 20% for 5m"]),
        ("RW403", "contour", "mirror 20% for 5m; mirror off; promote", []),
        ("RW403", "contour", "mirror 0.5% for 5m; mirror off; promote", ["mirror 0.5% for 5m"]),
        ("RW403", "istio", "mirror 0.5% for 5m; mirror off; promote", []),
        ("RW405", "smi", HEADER.format('== "a"'), ['header "x-user" == "a"']),
        ("RW405", "smi { api v1alpha4 }", HEADER.format('== "a"'), []),
        ("RW405", "smi { api v1alpha2 }", HEADER.format('== "a"'), ['header "x-user" == "a"']),
        ("RW405", "linkerd { api smi }", HEADER.format('== "a"'), ['header "x-user" == "a"']),
        ("RW405", NGINX, 'route to canary when query "v" == "2"; hold 5 checks; promote', ['query "v" == "2"']),
        ("RW406", ALB, QUERY.format('=~ "^a"'), ['query "user" =~ "^a"']),
        ("RW406", ALB, HEADER.format('=~ "^a"'), []),
        ("RW406", ALB, HEADER.format('^= "a"'), []),
        ("RW406", NGINX, HEADER.format("exists"), []),
        ("RW406", NGINX, 'route to canary when cookie "c" == "beta"; hold 5 checks; promote', ['cookie "c" == "beta"']),
        ("RW406", NGINX, 'route to canary when cookie "c" == "always"; hold 5 checks; promote', []),
        ("RW408", "linkerd", 'sticky "s" for 1h; shift to 10% for 5m; promote', []),
        ("RW408", "linkerd { api smi }", 'sticky "s" for 1h; shift to 10% for 5m; promote', ['sticky "s" for 1h']),
        ("RW408", "traefik", 'sticky "s" for 1h; shift to 10% for 5m; promote', ['sticky "s" for 1h']),
        ("RW408", "traefik { route shop }", 'sticky "s" for 1h; shift to 10% for 5m; promote', []),
    ],
)
def test_what_a_provider_cannot_do(lint: Any, code: str, traffic: str, steps: str, words: list[str]) -> None:
    assert [text for text, _ in lint(code, traffic=traffic, steps=steps)] == words


def test_a_split_of_smi_is_for_some_requests_or_for_all(lint: Any) -> None:
    both = 'route to canary when header "a" == "1"; hold 5 checks; shift to {} for 5m; promote'
    assert lint("RW407", traffic="smi { api v1alpha3 }", steps=both.format("20%")) == [
        ("shift to 20% for 5m", "`smi` cannot have a match and give a share of the rest in one rollout")
    ]
    assert lint("RW407", traffic="smi { api v1alpha3 }", steps=both.format("100%")) == []
    assert lint("RW407", traffic="smi { api v1alpha3 }") == []
    assert lint("RW407", traffic="linkerd", steps=both.format("20%")) == []


def test_another_api_has_other_settings(lint: Any) -> None:
    def said(traffic: str) -> list[str]:
        return [words for code in ("RW210", "RW213") for words, _ in lint(code, traffic=traffic)]

    assert said("linkerd { timeout 5s }") == []
    assert said("linkerd { api smi; timeout 5s }") == ["timeout"]
    assert said("linkerd { api v7 }") == ["v7"]


def test_tests_that_nginx_cannot_combine(lint: Any) -> None:
    both = 'route to canary when header "a" == "1" and cookie "c" == "always"; hold 5 checks; promote'
    assert len(lint("RW407", traffic=NGINX, steps=both)) == 1
    two = 'route to canary when header "a" == "1" or header "b" == "2"; hold 5 checks; promote'
    assert lint("RW407", traffic=NGINX, steps=two) == [
        ('header "b" == "2"', "`nginx` cannot route by more than one header")
    ]
    either = 'route to canary when header "a" == "1" or cookie "c" == "always"; hold 5 checks; promote'
    assert lint("RW407", traffic=NGINX, steps=either) == []
    assert lint("RW407", traffic=GATEWAY, steps=both) == []


@pytest.mark.parametrize("traffic", ["istio", GATEWAY, "linkerd"])
def test_one_thing_is_tested_once(lint: Any, traffic: str) -> None:
    def said(tests: str) -> list[tuple[str, str]]:
        return lint("RW407", traffic=traffic, steps=f"route to canary when {tests}; hold 5 checks; promote")

    name = traffic.split(maxsplit=1)[0]
    assert said('header "X-A" =~ "b" and header "x-a" ^= "a"') == [
        ('header "x-a" ^= "a"', f"`{name}` cannot test the header `x-a` twice at once")
    ]
    assert len(said('query "v" =~ "b" and cookie "c" exists and query "v" ^= "a"')) == 1
    assert said('header "a" == "1" and header "b" == "1" and cookie "a" == "1"') == []
    assert said('header "a" == "1" or header "a" ^= "2"') == []
    assert said('cookie "a" == "1" and cookie "A" == "2"') == []
    assert said('header "a" == "1" and header "a" == "1"') == []


def test_the_message_says_who_can_and_who_was_asked(full: Any) -> None:
    (found,) = full("RW403", traffic="linkerd", steps="mirror 20% for 5m; mirror off; promote")
    assert found.message == "`linkerd` cannot mirror requests"
    assert [label.span.text for label in found.labels] == ["linkerd"]
    assert "`istio`" in found.help
    assert "`linkerd`" not in found.help


def test_a_standard_strategy_is_blamed_on_who_chose_it(lint: Any) -> None:
    text = """import "std/http"
import "std/strategies"
rollout agent in shop {
  target daemonset/agent
  traffic kubernetes
  analysis { every 1m; tolerate 3 failures; require success_rate >= 99% }
  strategy canary(step: 20%)
}
"""
    assert [words for words, _ in lint("RW401", text)] == ["strategy canary(step: 20%)"]


def test_protocols(lint: Any) -> None:
    tcp = "port 9000; app_protocol tcp"
    assert lint("RW409", traffic=NGINX, service=tcp) == [("tcp", "`nginx` cannot split tcp traffic")]
    assert lint("RW409", traffic="smi", service=tcp) == []
    assert lint("RW409", traffic="linkerd { api smi }", service=tcp) == []
    assert len(lint("RW409", traffic="linkerd", service=tcp)) == 1
    assert lint("RW409", traffic=NGINX, service="port 9000; app_protocol grpc") == []
    looked_into = HEADER.format("exists")
    assert len(lint("RW412", traffic="istio", service=tcp, steps=looked_into)) == 1
    assert lint("RW412", traffic="istio", service=tcp) == []


def test_retired_providers_are_a_hint(lint: Any) -> None:
    assert [words for words, _ in lint("RW413", traffic="osm")] == ["osm"]
    assert lint("RW413", traffic="istio") == []


def test_a_share_of_mirrored_requests_needs_more_than_a_mirror(lint: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    coarse = PROVIDERS["istio"]._replace(mirror_share=False)
    monkeypatch.setitem(PROVIDERS, "istio", coarse)  # type: ignore[arg-type]
    steps = "mirror {} for 5m; mirror off; promote"
    assert len(lint("RW403", steps=steps.format("20%"))) == 1
    assert lint("RW403", steps=steps.format("100%")) == []


@pytest.mark.parametrize("name", [*PROVIDERS, *VARIANTS])
def test_a_row_is_sound(name: str | tuple[str, str]) -> None:
    row = PROVIDERS[name] if isinstance(name, str) else VARIANTS[name]
    assert not row.apis or "api" in row.takes
    assert row.takes <= set(OPTIONS)
    assert row.mirror or not row.mirror_share
    assert row.matches or not (row.several or row.together or row.one_of_each or row.once)
    assert not row.cookie_value or row.cookie
    assert 0 <= row.granularity <= 1


def test_who_can() -> None:
    assert can_all("sticky") == [name for name in PROVIDERS if PROVIDERS[name].sticky and name != "local"]
    assert "kubernetes" not in can_all("weights")


@pytest.mark.parametrize("traffic", [GATEWAY, "istio", 'skipper { ingress "shop" }', "local"])
def test_who_can_give_a_baseline_its_part(lint: Any, traffic: str) -> None:
    assert lint("RW414", traffic=traffic, rest="baseline") == []


def test_a_baseline_on_a_data_plane_that_cannot_split_in_three(full: Any) -> None:
    (found,) = full("RW414", traffic=NGINX, rest="baseline")
    assert (found.span.text, found.message) == ("baseline", "`nginx` cannot give a baseline a part of the traffic")
    assert [label.span.text for label in found.labels] == ["nginx"]
    assert "`of primary`" in found.help
    assert "`gateway_api`" in found.help


@pytest.mark.parametrize(
    ("kind", "words"), [("daemonset", "one pod on every node"), ("service", "only a Deployment or a StatefulSet")]
)
def test_a_baseline_of_what_cannot_be_copied(lint: Any, kind: str, words: str) -> None:
    text = f"""import "std/http"
rollout agent in shop {{
  target {kind}/agent
  traffic istio
  baseline
  analysis {{ every 1m; tolerate 3 failures; require success_rate >= 99% }}
  steps {{ ramp 10% to 50% by 10%; promote }}
}}
"""
    ((place, message),) = lint("RW414", text)
    assert place == "baseline"
    assert words in message


ROLLOUT = """rollout agent in shop {{
  target {target}
  {more}
  service {{ port 80 }}
  traffic {traffic}
  steps {{ {steps}shift to 10% for 5m; promote }}
}}
"""


@pytest.mark.parametrize(
    ("traffic", "target", "more", "steps", "place", "words"),
    [
        ("replicas", "daemonset/agent", "", "", "target daemonset/agent", "counts the pods of a Deployment or"),
        ("replicas", "apps.example.com/v1/Widget/agent", "", "", "target apps", "the target is of the kind Widget"),
        ("replicas", "deployment/agent", "scaler hpa/agent", "", "scaler hpa/agent", "an autoscaler changes"),
        ("replicas", "deployment/agent", "", "scale canary to 3; ", "scale canary to 3", "number of canaries is the"),
        ("knative", "deployment/agent", "", "", "target deployment/agent", "of the kind Deployment"),
        ("knative", "service/agent", "", "", "target service/agent", "of the kind Service"),
        ("istio", "serving.knative.dev/v1/Service/agent", "", "", "target serving", "splits its own traffic"),
        ("knative", "serving.knative.dev/v1/Service/agent", "scaler hpa/agent", "", "scaler", "scales its revisions"),
    ],
)
def test_targets_that_a_provider_cannot_serve(
    lint: Any, traffic: str, target: str, more: str, steps: str, place: str, words: str
) -> None:
    ((found, message),) = lint("RW415", ROLLOUT.format(target=target, more=more, traffic=traffic, steps=steps))
    assert found.startswith(place)
    assert words in message


@pytest.mark.parametrize(
    ("traffic", "target"),
    [
        ("replicas", "deployment/agent"),
        ("replicas", "statefulset/agent"),
        ("knative", "serving.knative.dev/v1/Service/agent"),
        ("istio", "daemonset/agent"),
        ("local", "serving.knative.dev/v1/Service/agent"),
    ],
)
def test_targets_that_it_can(lint: Any, traffic: str, target: str) -> None:
    assert lint("RW415", ROLLOUT.format(target=target, more="", traffic=traffic, steps="")) == []
