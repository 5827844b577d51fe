"""Protects the search for what nothing uses, and the comments that tell the linter to be silent."""

from __future__ import annotations

from typing import Any

import pytest

from dsl.compiler import compile_source
from dsl.source import Source
from tests.dsl.rules.conftest import policy

METRIC = 'metric depth returns count { prometheus """max(depth{app="{{ workload }}"})"""; no_data fail }'


@pytest.mark.parametrize(
    ("code", "declaration", "use"),
    [
        ("RW701", "let slow = 1s", "require latency(0.9) <= slow"),
        ("RW702", METRIC, "require depth <= 5"),
        ("RW702", METRIC, "observe depth <= 5"),
        ("RW703", 'gate panic { url "http://gates.shop/" }', "abort when gate panic opens"),
        ("RW703", 'webhook load { url "http://load.shop/" }', "call load"),
        ("RW703", "analysis more { every 1m; tolerate 1 failures; require error_rate <= 1% }", "include more"),
    ],
)
def test_what_nothing_uses(lint: Any, code: str, declaration: str, use: str) -> None:
    checks = "every 1m; tolerate 3 failures; require success_rate >= 99%"
    name = declaration.split()[1]
    assert [words for words, _ in lint(code, before=declaration, checks=checks)] == [name]
    assert lint(code, before=declaration, checks=f"{checks}; {use}") == []


@pytest.mark.parametrize(
    ("parts", "unused"),
    [
        ({"rest": "let most = 50%", "steps": "ramp 10% to most by 10%; promote"}, []),
        ({"rest": "let most = 50%"}, ["most"]),
        ({"before": "let most = 50%", "rest": "let half = most"}, ["half"]),
        ({"checks": "let low = 99%; every 1m; tolerate 3 failures; require success_rate >= low"}, []),
        ({"checks": "let low = 99%; every 1m; tolerate 3 failures; require success_rate >= 99%"}, ["low"]),
        ({"steps": "repeat 2 { let w = 5%; shift to w for 5m }; for x in [10%] { let w = x }; promote"}, ["w"]),
        ({"steps": "if success_rate > 1% { let w = 1% } else { let w = 2%; shift to w for 5m }; promote"}, ["w"]),
        ({"steps": "for w in [10%] { shift to w for 5m }; let w = 5%; promote"}, ["w"]),
        ({"before": "strategy s { let w = 1%; promote }", "steps": "follow s"}, ["w"]),
    ],
)
def test_constants_of_a_block_that_nothing_uses(lint: Any, parts: Any, unused: list[str]) -> None:
    assert [words for words, _ in lint("RW701", **parts)] == unused


def test_a_constant_of_a_block_is_known_to_the_other_rules(lint: Any) -> None:
    steps = "let step = 15%; ramp 10% to 50% by step; promote"
    assert [words for words, _ in lint("RW350", steps=steps)] == ["step"]
    parameter = "strategy s(step) { ramp 10% to 50% by step; promote }\nstrategy t { let step = 15%; shift to step }"
    assert lint("RW350", before=parameter, steps="follow s(10%)") == []


def test_a_constant_is_no_step(lint: Any) -> None:
    steps = "ramp 10% to 50% by 10%; promote; let a = 1%"
    assert lint("RW330", steps=steps) == []
    assert lint("RW356", steps="let a = 1%; promote", rest="skip analysis") == []


def test_a_metric_that_only_a_test_names_is_unused(lint: Any) -> None:
    text = policy(before=METRIC) + 'test "t" for checkout { given depth = 3; expect promoted }\n'
    assert [words for words, _ in lint("RW702", text)] == ["depth"]


def test_a_metric_that_another_is_made_of_is_used(lint: Any) -> None:
    before = METRIC + "\nmetric twice returns count = depth * 2"
    checks = "every 1m; tolerate 3 failures; require twice <= 5"
    assert lint("RW702", before=before, checks=checks) == []


def test_a_file_without_rollouts_is_there_for_others(lint: Any) -> None:
    assert lint("RW702", METRIC + "\n") == []


def test_imports(lint: Any) -> None:
    text = 'import "std/strategies"\nimport "std/http" as http\n' + policy()
    assert [words for words, _ in lint("RW704", text)] == ['import "std/strategies"', 'import "std/http" as http']
    assert lint("RW704") == []


def test_parameters(lint: Any) -> None:
    query = 'max(depth{kind="{{ kind }}",app="{{ workload }}"})'
    metric = f'metric depth(kind = "a", size = 3) returns count {{ prometheus """{query}""" }}'
    assert [words for words, _ in lint("RW711", metric)] == ["size"]
    assert lint("RW711", "strategy s(step = 5%) { ramp step to 50% by step; promote }") == []


# --- comments for the linter ------------------------------------------------------------------------------------------

DIP = """import "std/http"
rollout checkout in shop {{
  target deployment/checkout; service {{ port 80 }}; traffic istio
  analysis {{ every 1m; tolerate 3 failures; require success_rate >= 99% }}
  steps {{
    shift to 20% for 5m
    {before}
    shift to 10% for 5m {behind}
    shift to 50% for 5m
    promote
  }}
}}
"""


def codes(before: str = "", behind: str = "") -> list[str]:
    source = Source("test.rollout", DIP.format(before=before, behind=behind))
    return [one.code for one in compile_source(source).diagnostics]


@pytest.mark.parametrize(
    ("before", "behind", "left"),
    [
        ("", "", ["RW339"]),
        ("# lint: ignore RW339 -- a dip is meant", "", []),
        ("", "# lint: ignore RW339 -- a dip is meant", []),
        ("# lint: ignore RW339, RW332", "", ["RW712"]),
        ("# lint: ignore RW332", "", ["RW712", "RW339"]),
        ("# lint: ignore RW337", "", ["RW713", "RW339"]),
        ("# lint: ignore RW999", "", ["RW713", "RW339"]),
        ("# lint: ignore", "", ["RW713", "RW339"]),
        ("# lint: disable RW339", "", ["RW713", "RW339"]),
        ("# lint: ignore RW339 -- because RW332", "", []),
        ("# the linter may ignore RW339", "", ["RW339"]),
        ("# lint: ignore RW339\n    # and a remark", "", []),
        ("# lint: ignore RW339\n\n    hold 1m", "", ["RW712", "RW339"]),
    ],
)
def test_comments_that_silence(before: str, behind: str, left: list[str]) -> None:
    assert codes(before, behind) == left


def test_errors_are_not_silenced() -> None:
    text = policy("hold 5m").replace("  steps", "  # lint: ignore RW337 -- never mind\n  steps")
    assert {"RW337", "RW713"} <= {one.code for one in compile_source(Source("test.rollout", text)).diagnostics}


def test_the_code_is_underlined_not_the_comment(full: Any) -> None:
    text = DIP.format(before="# lint: ignore RW332 -- left over", behind="")
    (found,) = full("RW712", text)
    assert found.span.text == "RW332"
    assert [edit.span.text for fix in found.fixes for edit in fix.edits] == ["# lint: ignore RW332 -- left over"]
