"""Protects the guardrails: each rule is held against the shortest and the least careful way through a rollout."""

from __future__ import annotations

from typing import Any

import pytest

CHECKS = "every 1m; tolerate 3 failures; require success_rate >= 99%"


def guard(rule: str) -> str:
    return f'gate signoff {{ url "http://gates.shop/" }}\nguardrail g {{ applies to namespace "prod-*"; {rule} }}'


@pytest.mark.parametrize(
    ("rule", "code", "steps", "words"),
    [
        ("forbid traffic > 25% within 30m", "RW801", "ramp 10% to 50% by 10%; promote", ["ramp 10% to 50% by 10%"]),
        ("forbid traffic > 25% within 30m", "RW801", "shift to 25% for 30m; shift to 50% for 5m; promote", []),
        (
            "forbid traffic > 25% within 30m",
            "RW801",
            "shift to 25% for 29m; shift to 50% for 5m; promote",
            ["shift to 50% for 5m"],
        ),
        ("forbid traffic > 25%", "RW801", "shift to 25% for 9h; shift to 50% for 5m; promote", ["shift to 50% for 5m"]),
        (
            "forbid traffic >= 50% within 1h",
            "RW801",
            "if success_rate > 99% { hold 2h }; shift to 50% for 5m; promote",
            ["shift to 50% for 5m"],
        ),
        ("forbid step > 20%", "RW802", "shift to 20% for 5m; shift to 50% for 5m; promote", ["shift to 50% for 5m"]),
        ("forbid step > 20%", "RW802", "ramp 20% to 60% by 20%; promote", []),
        ("require approval before promote", "RW803", "hold 5m; promote", ["promote"]),
        ("require approval before promote", "RW803", "hold 5m; wait for approval; promote", []),
        (
            "require approval before promote",
            "RW803",
            "hold 5m; wait for approval within 1h else continue; promote",
            ["promote"],
        ),
        (
            "require approval before promote",
            "RW803",
            "if success_rate > 99% { wait for approval }; promote",
            ["promote"],
        ),
        ("require gate signoff before promote", "RW808", "hold 5m; wait for approval; promote", ["promote"]),
        ("require gate signoff before promote", "RW808", "hold 5m; wait for gate signoff within 1h; promote", []),
        ("require metric latency", "RW804", "hold 5m; promote", ["checkout"]),
        ("require metric success_rate", "RW804", "hold 5m; promote", []),
        ("require metric requests", "RW804", "hold 5m; promote", []),
        ("require analysis every <= 30s", "RW805", "hold 5m; promote", ["every 1m"]),
        ("require analysis every <= 2m", "RW805", "hold 5m; promote", []),
        ("forbid mirror > 20%", "RW807", "mirror 50% for 5m; mirror off; promote", ["mirror 50% for 5m"]),
        ("forbid mirror > 20%", "RW807", "mirror 20% for 5m; mirror off; promote", []),
    ],
)
def test_a_rule_is_held_against_the_steps(lint: Any, rule: str, code: str, steps: str, words: list[str]) -> None:
    found = lint(code, steps=steps, before=guard(rule), namespace="prod-shop", checks=CHECKS)
    assert [text for text, _ in found] == words


def test_the_rule_stands_beside_its_breach(full: Any) -> None:
    steps = "shift to 10% for 5m; shift to 50% for 5m; promote"
    rule = guard("forbid step > 90%; forbid traffic > 25% within 30m")
    (found,) = full("RW801", steps=steps, before=rule, namespace="prod-shop")
    assert found.message == "50% after 5m is too early: traffic > 25% is forbidden within 30m"
    assert [label.span.text for label in found.labels] == ["forbid traffic > 25% within 30m"]


def test_a_guardrail_binds_only_whom_it_names(lint: Any) -> None:
    assert lint("RW803", before=guard("require approval before promote"), namespace="test") == []


def test_skipping(lint: Any) -> None:
    rest = "skip analysis for known revisions within 5"
    found = lint("RW806", before=guard("forbid skip analysis"), namespace="prod-shop", rest=rest)
    assert [words for words, _ in found] == [rest]


def test_only_to_observe_a_metric_is_not_enough(lint: Any) -> None:
    checks = "every 1m; tolerate 3 failures; require latency(0.99) <= 1s; observe success_rate >= 99%"
    found = lint("RW804", before=guard("require metric success_rate"), namespace="prod-shop", checks=checks)
    assert found == [("checkout", "`checkout` is promoted without a look at `success_rate`")]
