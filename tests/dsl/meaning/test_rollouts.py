"""Protects what a rollout's statements come to, and guardrails and tests in terms of its Program."""

from __future__ import annotations

import pytest

from dsl import ir
from tests.dsl.meaning.small import CHECKS, compiled, policy, program


def test_each_statement_has_its_place() -> None:
    items = """
    scaler   hpa/checkout { primary_replicas 2..10; primary_queries { cpu: "x" } }
    service  { name shop-web; port 80; target_port http; port_name web; port_discovery; app_protocol https; headless }
    deadline 5m
    ready    { primary 100%; canary 50% }
    baseline
    track configs false
    skip analysis for known revisions within 5
    on delete revert
    only in  office
    after rollout payments
    after rollout billing in bank
    notify   c
    scale_down_delay 30s
    on start    { notify c "begin" }
    on rollback { run w; notify c }
    """
    head = """
    window  office { days sat..mon; hours 22:00..06:00 }
    channel c { slack "x"; secret "s"; at error }
    webhook w { url "http://w"; body { n: 5, b: true } }
    """
    found = program(policy(items=items, head=head))
    assert found.target == ir.WorkloadRef("Deployment", "checkout")
    assert found.scaler == ir.Scaler(ir.WorkloadRef("HorizontalPodAutoscaler", "checkout"), 2, 10, {"cpu": "x"})
    assert found.service == ir.Service("shop-web", 80, "http", "web", True, "https", {"headless": True})
    assert (found.deadline_ms, found.ready_primary, found.ready_canary) == (300_000, 100.0, 50.0)
    assert (found.baseline, found.track_configs, found.revert_on_delete) == (True, False, True)
    assert found.skip_analysis == ir.SkipAnalysis(known_within=5)
    assert (found.only_in, found.notify, found.scale_down_delay_ms) == (("office",), ("c",), 30_000)
    assert found.after == (ir.RolloutRef("payments", "shop"), ir.RolloutRef("billing", "bank"))
    assert found.windows == {"office": ir.Window((0, 5, 6), 1320, 360, "UTC")}
    assert found.channels == {"c": ir.Channel("slack", "x", "s", ("error",))}
    assert found.webhooks == {"w": ir.Webhook("http://w", body={"n": "5", "b": "true"})}
    assert found.handlers == {
        "start": (ir.NotifyOp("c", "begin"),),
        "rollback": (ir.CallOp("w", 60_000), ir.NotifyOp("c")),
    }


def test_start_gates_are_asked_in_order_each_once() -> None:
    head = 'gate a { url "http://a"; mute }\ngate b { url "http://b" }'
    found = program(policy(items="after gate b\n after gate a\n after gate b", head=head))
    assert found.start_gates == ("b", "a")
    assert found.gates == {"b": ir.Webhook("http://b"), "a": ir.Webhook("http://a", mute=True)}


def test_nobody_is_told_of_gates_alone() -> None:
    text = policy("run w\n promote", head='webhook w { url "http://w"; mute true }')
    assert [(d.code, d.message) for d in compiled(text).diagnostics] == [
        ("RW210", "the webhook `w` has no setting `mute`")
    ]


def test_the_prometheus_of_a_rollout_is_asked_for_what_names_none() -> None:
    head = """
    metric own      returns number { prometheus "up"; server "http://other:9090" }
    metric plain    returns number { prometheus "up" }
    metric foreign  returns number { newrelic \"SELECT 1\" }
    metric template from template "a/b" returns number
    """
    checks = "every 1m; require own + plain + foreign + template + request_rate > 0"
    found = program(policy(items='prometheus "http://mine:9090"', head=head, checks=checks)).metrics
    assert {name: metric.server for name, metric in found.items()} == {
        "own": "http://other:9090",
        "plain": "http://mine:9090",
        "foreign": None,
        "template": None,
        "request_rate": "http://mine:9090",
    }


def test_a_template_is_given_its_variables() -> None:
    head = 'metric hits from template "a/b" returns percent { variables { path: "/", n: 3 }; no_data skip }'
    found = program(policy(head=head, checks="every 1m; require hits > 50%")).metrics["hits"]
    assert found == ir.Metric(
        ir.Unit.PERCENT, template="a/b", variables={"path": "/", "n": "3"}, no_data=ir.NoData.SKIP
    )


def test_one_end_of_the_primarys_replicas() -> None:
    scaler = program(policy(items="scaler hpa/checkout { primary_min_replicas 3 }")).scaler
    assert scaler is not None
    assert (scaler.min_replicas, scaler.max_replicas) == (3, None)


def test_a_channel_may_be_an_object_of_the_cluster() -> None:
    head = 'channel c { provider "ops/slack"; at error }\nchannel d { webhook "http://d"; retries 2; body { a: "b" } }'
    found = program(policy(items="notify c\n notify d", head=head)).channels
    assert found["c"] == ir.Channel("provider", "ops/slack", at=("error",))
    assert found["d"] == ir.Channel("webhook", "http://d", fields={"retries": 2, "body": {"a": "b"}})


def test_what_is_not_said_has_its_default() -> None:
    found = program("rollout a { target statefulset/a; traffic kubernetes; skip analysis; steps { promote } }")
    assert (found.namespace, found.target.kind, found.service.name) == ("default", "StatefulSet", "a")
    assert (found.analysis, found.deadline_ms, found.skip_analysis) == (None, 600_000, ir.SkipAnalysis(always=True))


def test_workloads_of_other_kinds() -> None:
    text = "rollout a { target apps.example.com/v1/Widget/a; traffic kubernetes; steps { promote } }"
    assert program(text).target == ir.WorkloadRef("Widget", "a", "apps.example.com/v1")


def test_options_of_traffic_are_plain_data() -> None:
    traffic = """istio {
    hosts    [first, "b.example.com"]
    gateways [mesh]
    timeout  90s
    retries  { attempts: 1 + 2, per_try_timeout: 1500ms, retry_on: "5xx" }
    match    [{ uri: { prefix: "/api" }, ignore_uri_case: true }]
    headers  { request: { add: { "x-a": 5 }, remove: ["x-b"] } }
    traffic_policy { tls: { mode: ISTIO_MUTUAL }, weight: 5% }
    delegation
  }"""
    found = program(policy(traffic=traffic, head='let first = "a.example.com"')).traffic
    assert found == ir.Traffic(
        "istio",
        {
            "hosts": ["a.example.com", "b.example.com"],
            "gateways": ["mesh"],
            "timeout": "1m30s",
            "retries": {"attempts": 3, "per_try_timeout": "1s500ms", "retry_on": "5xx"},
            "match": [{"uri": {"prefix": "/api"}, "ignore_uri_case": True}],
            "headers": {"request": {"add": {"x-a": "5"}, "remove": ["x-b"]}},
            "traffic_policy": {"tls": {"mode": "ISTIO_MUTUAL"}, "weight": "5%"},
            "delegation": True,
        },
    )


def test_a_rollout_with_an_error_has_no_program_and_its_neighbour_has() -> None:
    two = policy() + policy("shift to 200%; promote", imports="").replace("rollout checkout", "rollout other")
    assert [one.program.name for one in compiled(two).rollouts] == ["checkout"]


def test_a_rollout_that_uses_what_has_an_error_has_no_program() -> None:
    head = "analysis slo { require nothing >= 5 }\nanalysis fine { require success_rate >= 5% }"
    one = policy(checks=None, items="analysis slo", head=head)
    other = policy(checks=None, items="analysis fine", imports="").replace("rollout checkout", "rollout other")
    assert [rollout.program.name for rollout in compiled(one + other).rollouts] == ["other"]


def test_a_rollout_that_uses_what_could_not_be_read_has_no_program() -> None:
    head = "analysis slo { require success_rate >= 5%; require >= 5 }"
    compilation = compiled(policy(checks=None, items="analysis slo", head=head))
    assert all(one.code < "RW1" for one in compilation.diagnostics)
    assert compilation.diagnostics
    assert not compilation.rollouts


@pytest.mark.parametrize(
    "text",
    [
        policy("follow s", head="strategy s { shift to 5%; 5; promote }"),
        policy("shift to 5%; 5; promote"),
        policy("run w; promote", head='webhook w { url "http://w"; 5 }'),
    ],
)
def test_a_rollout_that_lost_a_statement_has_no_program(text: str) -> None:
    compilation = compiled(text)
    assert [one.code[:3] for one in compilation.diagnostics] == ["RW0"]
    assert not compilation.rollouts


# --- guardrails -------------------------------------------------------------------------------------------------

RULES = """
  forbid  traffic > 25% within 30m
  forbid  skip analysis
  require approval before promote
  require gate sign before promote
  require metric latency
  require metric success_rate
  require analysis every <= 2m
"""


@pytest.mark.parametrize(
    ("applies", "binds"),
    [
        ("", True),
        ('applies to namespace "shop"', True),
        ('applies to namespace "shop-*"', False),
        ('applies to namespace "s*"; applies to namespace "x"', True),
        ('applies to namespace "shop"; applies to rollout "other"', False),
        ('applies to target "deployment/*"', True),
        ('applies to target "checkout"', True),
        ('applies to target "daemonset/*"', False),
    ],
)
def test_whom_a_guardrail_binds(applies: str, binds: bool) -> None:
    found = program(
        policy(
            head=f"guardrail g {{ {applies}; forbid step > 20% }}" if applies else "guardrail g { forbid step > 20% }"
        )
    )
    assert found.guardrails == ({"g": ir.Guardrail((ir.Limit("step", ">", 20.0),))} if binds else {})


def test_guardrails_come_with_imports() -> None:
    shared = 'import "std/http"\ngate sign { url "http://g" }\nguardrail g {' + RULES + "}"
    found = program(policy(imports='import "std/http"\nimport "./shared.rollout" as s'), shared=shared)
    assert found.guardrails["g"] == ir.Guardrail(
        (ir.Limit("traffic", ">", 25.0, 1_800_000),),
        True,
        ("sign",),
        ("latency(0.99)", "success_rate"),
        (("<=", 120_000),),
        True,
    )
    assert list(found.gates) == ["sign"]
    assert list(found.metrics) == ["success_rate", "requests"], "what is required is not asked for that"


# --- tests ------------------------------------------------------------------------------------------------------


def test_a_test_speaks_in_the_terms_of_the_program() -> None:
    text = (
        policy(head='webhook w { url "http://w" }\nlet low = 80%')
        + """
test "a burst" for checkout {
  given success_rate = low after 3m for 2m
  given latency(0.9) of primary = 120ms
  given no_data of requests after 5m
  given webhook w refuses
  given approval after 5m
  expect rolled_back within 9m
  expect traffic <= 30%
  expect failed_checks < 5
}
"""
    )
    (case,) = compiled(text).tests
    assert (case.title, case.rollout) == ("a burst", "checkout")
    assert case.givens == (
        ir.GivenMetric(ir.Measure("success_rate", ir.Arm.CANARY, 0), 0.8, 180_000, 120_000),
        ir.GivenMetric(ir.Measure("latency(0.9)", ir.Arm.PRIMARY, 0), 0.12),
        ir.GivenMetric(ir.Measure("requests", ir.Arm.CANARY, 0), None, 300_000),
        ir.GivenEvent("webhook refuses", "w"),
        ir.GivenEvent("approval", after_ms=300_000),
    )
    outcome, traffic, checks = case.expectations
    assert isinstance(outcome, ir.ExpectOutcome)
    assert isinstance(traffic, ir.ExpectBound)
    assert isinstance(checks, ir.ExpectBound)
    assert (outcome.outcome, outcome.within_ms, outcome.text) == (
        "rolled_back",
        540_000,
        "expect rolled_back within 9m",
    )
    assert (traffic.subject, traffic.cmp, traffic.value) == ("traffic", "<=", 30.0)
    assert (checks.subject, checks.value) == ("failed_checks", 5.0)
    assert list(case.metrics) == ["latency(0.9)", "duration"], "the Program has the others"


def test_a_test_with_an_error_is_left_out_and_spoils_nothing_else() -> None:
    text = (
        policy()
        + 'test "x" for checkout { given nothing = 5; expect promoted }\ntest "y" for checkout { expect promoted }'
    )
    compilation = compiled(text)
    assert [case.title for case in compilation.tests] == ["y"]
    assert len(compilation.rollouts) == 1


def test_a_test_of_a_rollout_with_an_error_says_nothing_more() -> None:
    compilation = compiled(
        policy(checks=CHECKS + "; require nothing > 5") + 'test "x" for checkout { expect promoted }'
    )
    assert [one.code for one in compilation.diagnostics] == ["RW101"]
    assert not compilation.tests
