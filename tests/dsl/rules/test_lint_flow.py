"""Protects the rules about the flow of a rollout: what cannot be reached, what nobody watches, the order of steps."""

from __future__ import annotations

from typing import Any

import pytest


def test_a_step_behind_promote_is_underlined(lint: Any) -> None:
    assert lint("RW330", steps="shift to 10% for 5m; promote; hold 10m; hold 5m") == [
        ("hold 10m", "this step cannot be reached")
    ]


def test_a_second_promote_is_named(lint: Any) -> None:
    assert lint("RW330", steps="shift to 10% for 5m; promote; promote") == [
        ("promote", "this `promote` cannot be reached")
    ]


@pytest.mark.parametrize(
    ("steps", "dead"),
    [
        ("if success_rate < 90% { rollback } else { promote }; hold 5m", ["hold 5m"]),
        ("if success_rate < 90% { rollback }; hold 5m; promote", []),
        ("repeat 2 { shift to 10% for 5m; rollback; hold 5m }; promote", ["hold 5m", "promote"]),
        ("if success_rate < 90% { rollback; pause 5m } else { promote }", ["pause 5m"]),
        ("follow done; promote", ["promote"]),
    ],
)
def test_ends_are_followed_into_arms_and_strategies(lint: Any, steps: str, dead: list[str]) -> None:
    found = lint("RW330", steps=steps, before="strategy done { shift to 10% for 5m; promote }")
    assert [words for words, _ in found] == dead


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("99% < 95%", ["this condition is always false"]),
        ("limit > 10%", ["this condition is always true"]),
        ("not 1 == 1 or 2 in 1..3", ["this condition is always true"]),
        ("success_rate < 95%", []),
        ("success_rate < 95% and 1 > 2", ["this condition is always false"]),
    ],
)
def test_a_condition_that_measures_nothing(lint: Any, condition: str, said: list[str]) -> None:
    steps = f"shift to 10% for 5m; if {condition} {{ rollback }}; promote"
    assert [message for _, message in lint("RW331", steps=steps, before="let limit = 20%")] == said


def test_a_parameter_of_a_strategy_is_no_constant(lint: Any) -> None:
    before = "strategy careful(twice = false) { shift to 10% for 5m; if twice { hold 5m }; promote }"
    assert lint("RW331", before=before) == []


@pytest.mark.parametrize(
    ("steps", "unwatched"),
    [
        ("shift to 10% for 5m; shift to 50%; promote", ["shift to 50%"]),
        ("shift to 10%; shift to 50% for 5m; promote", ["shift to 10%"]),
        ("shift to 10%; pause 5m; promote", ["shift to 10%"]),
        ("shift to 10%; hold 5m; promote", []),
        ("shift to 10%; run probe; promote", []),
        ("shift to 10% for 5m; shift to 5%; promote", []),
        ("shift to 10%; rollback", []),
        ('route to canary when header "x" exists; promote', ['route to canary when header "x" exists']),
        ("mirror 10%; promote", ["mirror 10%"]),
        ("shift to 10%; analyse quality; promote", []),
        ("shift to 10%; if success_rate < 95% { hold 5m }; promote", ["shift to 10%"]),
        ("shift to 10%; if success_rate < 95% { rollback } else { hold 5m }; promote", []),
        ("ramp 10% to 50% by 10%; promote", []),
    ],
)
def test_traffic_that_nobody_watches(lint: Any, steps: str, unwatched: list[str]) -> None:
    before = (
        'webhook probe { url "http://probe.shop/" }\n'
        "analysis quality { every 1m; tolerate 1 failures; require success_rate >= 99% }"
    )
    found = lint("RW332", steps=f"hold 1m; {steps}", before=before)
    assert [words for words, _ in found] == unwatched


def test_what_is_unwatched_is_said_in_figures(lint: Any) -> None:
    assert lint("RW332", steps="shift to 10% for 5m; shift to 50%; promote") == [
        ("shift to 50%", "50% of the traffic is never analysed")
    ]


def test_a_rollout_without_any_analysis_is_said_once(lint: Any) -> None:
    steps = "shift to 10%; pause 5m; shift to 50%; pause 5m; promote"
    assert lint("RW333", steps=steps, checks=None) == [
        ("checkout", "`checkout` gives a new revision traffic, and analyses nothing")
    ]
    assert lint("RW332", steps=steps, checks=None) == []


def test_without_traffic_no_analysis_is_asked_for(lint: Any) -> None:
    assert lint("RW333", steps="pause 5m; promote", checks=None) == []


def test_an_analysis_that_only_looks_on(lint: Any) -> None:
    assert lint("RW334", checks="every 1m; observe success_rate >= 99%") == [
        ("analysis", "this analysis can stop nothing")
    ]
    assert lint("RW334", checks="every 1m; abort if success_rate < 50%") == []


def test_a_pause_straight_after_a_raise(lint: Any) -> None:
    found = lint("RW355", steps="shift to 10%; pause 5m; hold 5m; promote")
    assert [words for words, _ in found] == ["pause 5m"]
    assert lint("RW355", steps="shift to 10% for 5m; pause 5m; promote") == []


def test_weights_that_go_down(full: Any) -> None:
    (found,) = full("RW339", steps="shift to 50% for 5m; shift to 20% for 5m; promote")
    assert found.message == "the weight goes down here, from 50% to 20%"
    assert found.span.text == "shift to 20% for 5m"
    assert [label.span.text for label in found.labels] == ["shift to 50% for 5m"]


def test_taking_all_traffic_back_is_no_slip(lint: Any) -> None:
    assert lint("RW339", steps="shift to 50% for 5m; shift to 0%; hold 5m; promote") == []


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        ('sticky "s" for 1h; hold 5m; promote', 1),
        ('sticky "s" for 1h; shift to 10% for 5m; promote', 0),
        ('sticky "s" for 1h; route to canary when header "x" exists; hold 5m; promote', 0),
        ('sticky "s" for 1h; shift to 100% for 5m; promote', 1),
    ],
)
def test_sticking_to_nothing(lint: Any, steps: str, found: int) -> None:
    assert len(lint("RW348", steps=steps)) == found


def test_scaling_to_nothing_and_mirrors_left_on(lint: Any) -> None:
    assert [words for words, _ in lint("RW349", steps="scale canary to 0; shift to 10% for 5m; promote")] == [
        "scale canary to 0"
    ]
    assert [words for words, _ in lint("RW347", steps="mirror 10% for 5m; promote")] == ["promote"]
    assert lint("RW347", steps="mirror 10% for 5m; mirror off; promote") == []


@pytest.mark.parametrize(("step", "uneven"), [("15%", True), ("10%", False), ("20%", False), ("40%", False)])
def test_a_ramp_that_does_not_come_out_even(lint: Any, step: str, uneven: bool) -> None:
    assert bool(lint("RW350", steps=f"ramp 10% to 50% by {step}; promote")) is uneven


def test_comparing_with_a_primary_that_has_no_traffic(lint: Any) -> None:
    checks = "every 1m; tolerate 3 failures; require no_regression(requests)"
    steps = "shift to 50% for 5m; shift to 100% for 5m; promote"
    assert [words for words, _ in lint("RW361", steps=steps, checks=checks)] == ["shift to 100% for 5m"]
    assert lint("RW361", steps=steps) == []
