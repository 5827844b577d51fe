"""What each part of a Canary becomes: the lines of the policy, and what the Program makes of them."""

from __future__ import annotations

from typing import Any

import pytest

from dsl import ir
from dsl.flagger.importer import Imported, import_canary
from tests.dsl.flagger.manifests import canary


def good(manifest: dict[str, Any], provider: str = "istio") -> Imported:
    found = import_canary(manifest, default_provider=provider)
    assert found.program is not None, found.problems
    return found


def program(manifest: dict[str, Any]) -> ir.Program:
    found = good(manifest).program
    assert found is not None
    return found


def lines(manifest: dict[str, Any]) -> list[str]:
    """The lines of the policy, with single spaces."""
    return [" ".join(line.split()) for line in good(manifest).text.splitlines()]


def hook(kind: str, **more: Any) -> dict[str, Any]:
    return {"webhooks": [{"name": "my-hook", "type": kind, "url": "http://hooks/x", **more}]}


def metric(**fields: Any) -> dict[str, Any]:
    return {"metrics": [fields]}


def weights(manifest: dict[str, Any]) -> list[float]:
    return [op.weight for op in program(manifest).code if isinstance(op, ir.RouteOp) and op.weight is not None]


# --- how the traffic moves --------------------------------------------------------------------------------------


def test_a_whole_policy_is_what_a_person_would_write() -> None:
    manifest = canary(
        {
            "metrics": [{"name": "request-success-rate", "thresholdRange": {"min": 99}, "interval": "1m"}],
            "webhooks": [{"name": "load-test", "url": "http://loadtester.test/", "metadata": {"cmd": "hey"}}],
        },
        progressDeadlineSeconds=60,
    )
    assert (
        good(manifest).text
        == """import "std/http"

webhook load_test {
  url  "http://loadtester.test/"
  body { cmd: "hey" }
}

rollout podinfo in test {
  target   deployment/podinfo
  service  { port 9898 }
  traffic  istio
  deadline 1m

  analysis {
    every    1m
    tolerate 5 failures
    call     load_test
    require  success_rate >= 99% over 1m
  }

  steps {
    ramp 10% to 50% by 10%
    promote
  }
}
"""
    )


def test_steps_stop_at_the_maximum() -> None:
    assert weights(canary({"stepWeight": 20, "maxWeight": 50})) == [20, 40, 50]
    assert weights(canary({"stepWeight": 60, "maxWeight": 50})) == [50]
    assert weights(canary({"stepWeight": 50, "maxWeight": None})) == [50, 100]


def test_listed_steps_are_taken_as_they_are() -> None:
    assert weights(canary({"stepWeight": None, "maxWeight": 10, "stepWeights": [5, 20, 80]})) == [5, 20, 80]


def test_blue_green_tests_out_of_sight_and_then_switches() -> None:
    found = program(canary({"stepWeight": None, "maxWeight": None, "iterations": 7}))
    assert [op.op for op in found.code] == ["hold", "route", "hold", "promote"]
    assert isinstance(found.code[0], ir.HoldOp)
    assert found.code[0].checks == 7
    assert weights(canary({"stepWeight": None, "maxWeight": None, "iterations": 7})) == [100]


def test_services_alone_never_switch() -> None:
    found = program(canary({"stepWeight": None, "iterations": 7}, provider="kubernetes"))
    assert [op.op for op in found.code] == ["hold", "promote"]


def test_mirroring_comes_before_the_first_weight() -> None:
    found = program(canary({"mirror": True, "mirrorWeight": 20}))
    first = found.code[0]
    assert isinstance(first, ir.RouteOp)
    assert first.mirror == 20
    assert found.code[1].op == "hold"
    assert found.code[2] == ir.RouteOp(mirror=0)


def test_mirroring_of_blue_green_lasts_as_long_as_the_test() -> None:
    found = program(canary({"stepWeight": None, "maxWeight": None, "iterations": 3, "mirror": True}))
    assert [op.op for op in found.code] == ["route", "hold", "route", "route", "hold", "promote"]
    assert found.code[0] == ir.RouteOp(mirror=100)


@pytest.mark.parametrize(
    ("match", "test"),
    [
        ({"headers": {"x": {"exact": "a"}}}, ir.MatchTest("header", "x", "==", "a")),
        ({"headers": {"x": {"prefix": "a"}}}, ir.MatchTest("header", "x", "^=", "a")),
        ({"headers": {"x": {"suffix": "a.b"}}}, ir.MatchTest("header", "x", "=~", r"a\.b$")),
        ({"headers": {"x": {"regex": "a|b"}}}, ir.MatchTest("header", "x", "=~", "^(?:a|b)$")),
        ({"headers": {"x": {"regex": "^a$"}}}, ir.MatchTest("header", "x", "=~", "^a$")),
        ({"queryParams": {"q": {"exact": "1"}}}, ir.MatchTest("query", "q", "==", "1")),
    ],
)
def test_requests_are_told_apart_as_the_data_plane_would(match: dict[str, Any], test: ir.MatchTest) -> None:
    found = program(canary({"stepWeight": None, "maxWeight": None, "iterations": 3, "match": [match]}))
    assert found.code[0] == ir.RouteOp(matches=((test,),))


def test_entries_are_alternatives_and_what_stands_in_one_holds_together() -> None:
    match = [{"headers": {"a": {"exact": "1"}, "b": {"exact": "2"}}}, {"headers": {"c": {"exact": "3"}}}]
    found = program(canary({"stepWeight": None, "maxWeight": None, "iterations": 3, "match": match}))
    assert isinstance(found.code[0], ir.RouteOp)
    assert [[test.key for test in tests] for tests in found.code[0].matches or ()] == [["a", "b"], ["c"]]


def test_nginx_knows_a_cookie_by_its_name() -> None:
    match = [{"headers": {"cookie": {"exact": "insider"}}}]
    spec = {"provider": "nginx", "ingressRef": {"kind": "Ingress", "name": "podinfo"}}
    found = program(canary({"stepWeight": None, "maxWeight": None, "iterations": 3, "match": match}, **spec))
    assert found.code[0] == ir.RouteOp(matches=((ir.MatchTest("cookie", "insider", "==", "always"),),))


def test_the_way_back_in_steps() -> None:
    assert program(canary({"stepWeightPromotion": 20})).code[-1] == ir.PromoteOp(20, 60_000)
    assert program(canary({"stepWeightPromotion": 100})).code[-1] == ir.PromoteOp()


def test_session_affinity_keeps_its_whole_cookie() -> None:
    affinity = {"cookieName": "c", "primaryCookieName": "p", "maxAge": 60, "sameSite": "None", "secure": True}
    first = program(canary({"sessionAffinity": affinity})).code[0]
    attributes = {"primary_cookie": "p", "same_site": "None", "secure": True}
    assert first == ir.RouteOp(sticky=ir.StickySpec("c", 60_000, attributes))


# --- hooks ------------------------------------------------------------------------------------------------------


def test_a_start_is_confirmed_before_the_canary_is_up() -> None:
    assert program(canary(hook("confirm-rollout"))).start_gates == ("my_hook",)


def test_a_load_test_is_called_at_each_check() -> None:
    for kind in ("rollout", ""):
        assert program(canary(hook(kind))).analyses["analysis"].checks == (ir.CallCheck("my_hook"),)


def test_acceptance_comes_first_and_a_rollback_can_be_asked_for() -> None:
    assert program(canary(hook("pre-rollout"))).code[0] == ir.CallOp("my_hook", 60_000, "analysis")
    assert program(canary(hook("rollback"))).analyses["analysis"].checks == (ir.GateCheck("my_hook"),)


def test_each_shift_is_confirmed_and_the_promotion_is_not() -> None:
    ops = [op.op for op in program(canary({**hook("confirm-traffic-increase"), "stepWeight": 25})).code]
    assert ops == ["wait", "route", "hold", "wait", "route", "hold", "promote"]


@pytest.mark.parametrize(
    ("provider", "wanted"),
    [("istio", ["hold", "wait", "route", "hold", "promote"]), ("kubernetes", ["hold", "wait", "promote"])],
)
def test_a_promotion_is_confirmed_once_before_all_traffic_moves(provider: str, wanted: list[str]) -> None:
    steps = {**hook("confirm-promotion"), "stepWeight": None, "iterations": 2}
    assert [op.op for op in program(canary(steps, provider=provider)).code] == wanted
    assert [op.op for op in program(canary(hook("confirm-promotion"))).code][-2:] == ["wait", "promote"]


def test_what_comes_after_and_events() -> None:
    assert program(canary(hook("post-rollout"))).handlers["finished"] == (ir.CallOp("my_hook", 60_000),)
    found = program(canary(hook("event", retries=2, metadata={"team": "shop"})))
    assert found.notify == ("my_hook",)
    fields = {"retries": 2, "body": {"team": "shop"}}
    assert found.channels["my_hook"] == ir.Channel("webhook", "http://hooks/x", fields=fields)


def test_the_settings_of_a_hook() -> None:
    more = {"timeout": "1m30s", "retries": 3, "disableTLS": True, "metadata": {"a-b": 'say "x"\n'}}
    found = program(canary(hook("rollout", **more))).webhooks["my_hook"]
    assert found == ir.Webhook("http://hooks/x", 90_000, 3, body={"a-b": 'say "x"\n'}, insecure_skip_verify=True)
    assert program(canary(hook("confirm-promotion", muteAlert=True))).gates["my_hook"].mute


def test_hooks_of_one_name_are_kept_apart() -> None:
    hooks = [{"name": "test", "url": f"http://h/{index}"} for index in range(2)]
    assert sorted(program(canary({"webhooks": hooks})).webhooks) == ["test", "test_2"]


# --- alerts and metrics -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("severity", "at"),
    [
        (None, ("info", "warn", "error")),
        ("", ("info", "warn", "error")),
        ("warn", ("warn", "error")),
        ("error", ("error",)),
    ],
)
def test_alerts_go_by_severity(severity: str | None, at: tuple[str, ...]) -> None:
    alert = {"name": "on call", "severity": severity, "providerRef": {"name": "slack"}}
    found = program(canary({"alerts": [alert]}))
    assert found.notify == ("on_call",)
    assert found.channels["on_call"] == ir.Channel("provider", "test/slack", at=at)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"name": "request-success-rate", "thresholdRange": {"min": 99.5}}, "require success_rate >= 99.5% over 1m"),
        ({"name": "request-success-rate", "threshold": 99, "interval": "30s"}, "require success_rate >= 99% over 30s"),
        ({"name": "request-duration", "thresholdRange": {"max": 500}}, "require latency(0.99) <= 500ms over 1m"),
        ({"name": "request-duration", "threshold": 250.7}, "require latency(0.99) <= 250ms over 1m"),
        (
            {"name": "request-duration", "thresholdRange": {"min": 5, "max": 10}},
            "require latency(0.99) in 5ms..10ms over 1m",
        ),
        ({"name": "my q", "query": "up", "thresholdRange": {"min": -1, "max": 2.5}}, "require my_q in -1..2.5 over 1m"),
        ({"name": "latency", "query": "up", "threshold": 3}, "require own_latency <= 3 over 1m"),
    ],
)
def test_bounds_of_metrics(fields: dict[str, Any], line: str) -> None:
    assert line in lines(canary(metric(**fields)))


def test_whole_milliseconds_are_taken_without_a_word() -> None:
    assert good(canary(metric(name="request-duration", thresholdRange={"min": 1, "max": 501}))).problems == ()


def test_a_template_elsewhere_is_referred_to_with_its_variables() -> None:
    fields = {
        "name": "hits",
        "interval": "30s",
        "thresholdRange": {"max": 1},
        "templateRef": {"name": "cache"},
        "templateVariables": {"path": "/"},
    }
    found = program(canary(metric(**fields))).metrics["hits"]
    assert found == ir.Metric(ir.Unit.NUMBER, template="test/cache", variables={"path": "/"})


def test_the_server_of_a_canary_is_asked_for_what_names_none() -> None:
    builtin = {"name": "request-success-rate", "thresholdRange": {"min": 99}}
    own = {"name": "own", "query": 'up{app="{{ target }}"}', "thresholdRange": {"min": 1}}
    found = program(canary({"metrics": [builtin, own]}, metricsServer="http://prometheus:9090"))
    asked = {name: metric.server for name, metric in found.metrics.items() if metric.queries}
    assert asked == {"requests": "http://prometheus:9090", "own": "http://prometheus:9090"}


# --- the rest ---------------------------------------------------------------------------------------------------


def test_what_else_a_canary_says() -> None:
    found = program(
        canary(
            {"primaryReadyThreshold": 80, "canaryReadyThreshold": 50},
            {"name": "web", "targetPort": "http", "headless": True, "apex": {"labels": {"a/b": "c"}}},
            revertOnDeletion=True,
            autoscalerRef={
                "kind": "ScaledObject",
                "name": "podinfo-so",
                "primaryScalerQueries": {"q": 'sum(x{a="b"})'},
                "primaryScalerReplicas": {"minReplicas": 2},
            },
        )
    )
    assert (found.ready_primary, found.ready_canary, found.revert_on_delete) == (80, 50, True)
    assert found.service.name == "web"
    assert found.service.options == {"headless": True, "apex": {"labels": {"a/b": "c"}}}
    assert found.scaler == ir.Scaler(ir.WorkloadRef("ScaledObject", "podinfo-so"), 2, None, {"q": 'sum(x{a="b"})'})


@pytest.mark.parametrize(
    ("said", "provider", "api"),
    [
        ("istio", "istio", None),
        ("linkerd", "linkerd", "smi"),
        ("smi:v1alpha2", "smi", "v1alpha2"),
        ("smi:v1alpha3:linkerd", "smi", "v1alpha3"),
        ("osm", "osm", None),
        ("appmesh:v1beta2", "appmesh", "v1beta2"),
        ("contour", "contour", None),
        ("gloo", "gloo", None),
        ("traefik", "traefik", None),
        ("kuma", "kuma", "TrafficRoute"),
        ("gatewayapi:v1", "gateway_api", "v1"),
        ("gatewayapi:v1beta1", "gateway_api", "v1beta1"),
        ("kubernetes", "kubernetes", None),
    ],
)
def test_providers(said: str, provider: str, api: str | None) -> None:
    service = {"gatewayRefs": [{"name": "public", "sectionName": "https"}]} if provider == "gateway_api" else {}
    found = program(canary({}, service, provider=said)).traffic
    assert (found.provider, found.options.get("api")) == (provider, api)


def test_a_canary_without_a_provider_takes_the_default() -> None:
    found = good(canary(provider=None), "contour").program
    assert found is not None
    assert found.traffic.provider == "contour"


def test_settings_of_the_data_plane() -> None:
    service = {
        "hosts": ["a.example.com"],
        "gateways": ["istio-system/public"],
        "match": [{"uri": {"prefix": "/"}, "sourceLabels": {"app": "x"}}],
        "timeout": "1m",
        "retries": {"attempts": 3, "perTryTimeout": "1s"},
        "corsPolicy": {"allowOrigins": [{"exact": "https://a"}], "maxAge": "24h"},
        "trafficPolicy": {"tls": {"mode": "DISABLE"}},
    }
    assert program(canary({}, service)).traffic.options == {
        "hosts": ["a.example.com"],
        "gateways": ["istio-system/public"],
        "match": [{"uri": {"prefix": "/"}, "sourceLabels": {"app": "x"}}],
        "timeout": "1m",
        "retries": {"attempts": 3, "per_try_timeout": "1s"},
        "cors": {"allow_origins": [{"exact": "https://a"}], "max_age": "1d"},
        "traffic_policy": {"tls": {"mode": "DISABLE"}},
    }


def test_skipping_the_analysis_leaves_it_out() -> None:
    hooks = [
        {"name": kind, "type": kind, "url": "http://h/"} for kind in ("confirm-rollout", "rollout", "post-rollout")
    ]
    found = program(canary({"webhooks": hooks}, skipAnalysis=True))
    assert found.skip_analysis.always
    assert found.start_gates == ("confirm_rollout",)
    assert list(found.webhooks) == ["post_rollout"]
    assert [op.op for op in found.code] == ["promote"]
