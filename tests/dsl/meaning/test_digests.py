"""Protects that what means the same is the same: aliases, constants, parameters, layout and defaults leave no trace in
a Program, and what means something else has another digest."""

from __future__ import annotations

import pytest

from dsl.ir_json import digest
from tests.dsl.meaning.small import policy, program

SLO = (
    "analysis slo(target = 99%, slow = 500ms) {{ every 1m; tolerate 3 failures; require success_rate >= target; {} }}\n"
)
PLAIN = policy("ramp 10% to 30% by 10%; promote")


def used(head: str, use: str, steps: str = "promote", imports: str = 'import "std/http"') -> str:
    return (
        f"{imports}\n{head}\nrollout checkout in shop {{\n  target deployment/checkout; traffic istio\n"
        f"  {use}\n  steps {{ {steps} }}\n}}\n"
    )


SAME = {
    "an alias": (
        policy(checks="every 1m; require latency(0.5) <= 1s and success_rate >= 99%"),
        policy(
            checks="every 1m; require h.latency(0.5) <= 1s and h.success_rate >= 99%", imports='import "std/http" as h'
        ),
    ),
    "a constant": (
        policy("shift to 30% for 5m; promote"),
        policy("shift to most for 5m; promote", head="let most = half * 60%\nlet half = 50%"),
    ),
    "a constant in a check": (
        policy(checks="every 1m; require latency <= 750ms"),
        policy(checks="every 1m; require latency <= slow + 250ms", head="let slow = 500ms"),
    ),
    "a constant of a block": (
        policy("shift to 30% for 5m; promote", checks="every 1m; require latency <= 750ms", items="deadline 5m"),
        policy(
            "let rest = most * 60%; if 1 < 2 { let less = rest; shift to less for time }; promote",
            checks="let more = slow + 250ms; every 1m; require latency <= more",
            imports='import "std/http"\nlet half = 50%',
        ).replace(
            "  traffic istio\n",
            "  let most = half; let slow = 500ms; let time = 5m\n  traffic istio\n  deadline time\n",
        ),
    ),
    "a unit": (
        policy(checks="every 1m; require latency <= 1s", items="deadline 90s"),
        policy(checks="every 60s; require latency <= 1000ms", items="deadline 1m30s"),
    ),
    "a ramp by hand": (
        PLAIN,
        policy("shift to 10%; hold 1 checks; for w in [20%, 30%] { shift to w; hold 1 checks }; promote"),
    ),
    "a loop by hand": (
        policy("repeat 2 { shift to 10% for 5m; shift to 0% for 5m }; promote"),
        policy("shift to 10% for 5m; shift to 0% for 5m; shift to 10% for 5m; shift to 0% for 5m; promote"),
    ),
    "a strategy by hand": (
        policy("shift to 10% for 5m; promote"),
        policy("follow s(w: 10%)", head="strategy s(w, t = 5m) { shift to w for t; promote }"),
    ),
    "a strategy named by the rollout": (
        used("", "strategy canary", imports='import "std/strategies"').replace("\n  steps { promote }", ""),
        used("", "", "follow canary(step: 10%)", imports='import "std/strategies"'),
    ),
    "a default that is given": (
        used(SLO.format(""), "analysis slo"),
        used(SLO.format(""), "analysis slo(slow: 500ms, target: 99%)"),
    ),
    "a condition that is decided": (
        policy("shift to 10% for 5m; promote"),
        policy("if 1 < 2 { shift to 10% for 5m } else { rollback }; promote"),
    ),
    "an order of declarations": (
        used('let a = 5m\nwebhook w { url "http://w" }\n', "", "run w; pause a; promote"),
        used('webhook w { url "http://w" }\nlet a = 5m\n', "", "run w; pause a; promote"),
    ),
    "an analysis that is included": (
        used("analysis slo { every 1m; require success_rate >= 99% }", "analysis slo"),
        used(
            "analysis base(t) { require success_rate >= t }\nanalysis slo { every 1m; include base(99%) }",
            "analysis slo",
        ),
    ),
    "a quantile as a percentage": (
        policy(checks="every 1m; require latency(0.95) <= 1s"),
        policy(checks="every 1m; require latency(95%) <= 1s"),
    ),
}
OTHER = {
    "a window": ("require success_rate >= 99%", "require success_rate >= 99% over 2m"),
    "an arm": ("require latency <= 1s", "require latency of primary <= 1s"),
    "a threshold": ("require latency <= 1s", "require latency <= 1001ms"),
    "a kind of check": ("require latency <= 1s", "observe latency <= 1s"),
    "a quantile": ("require latency(0.9) <= 1s", "require latency(0.99) <= 1s"),
    "a confidence": ("require no_slower(duration)", "require no_slower(duration, confidence: 95%)"),
}


@pytest.mark.parametrize("case", SAME)
def test_the_same_meaning_has_the_same_digest(case: str) -> None:
    left, right = (program(text) for text in SAME[case])
    assert digest(left) == digest(right)


@pytest.mark.parametrize("case", OTHER)
def test_another_meaning_has_another_digest(case: str) -> None:
    left, right = (program(policy(checks=f"every 1m; {line}")) for line in OTHER[case])
    assert digest(left) != digest(right)


def test_layout_and_comments_mean_nothing() -> None:
    loose = PLAIN.replace(";", "\n\n   # a remark\n\n").replace("10%", "10.0%")
    assert digest(program(loose)) == digest(program(PLAIN))


def test_the_name_of_the_file_means_nothing() -> None:
    from dsl.compiler import compile_source
    from dsl.source import Source

    found = {
        digest(compile_source(Source(name, PLAIN), lint=False).rollouts[0].program) for name in ("a", "b/c.rollout")
    }
    assert len(found) == 1


def test_a_test_does_not_change_the_program() -> None:
    tested = PLAIN + 'test "x" for checkout { given latency = 5s; expect promoted }\n'
    assert digest(program(tested)) == digest(program(PLAIN))
