"""Protects the rules about time: windows against steps, calls against checks, and rollouts that end late or never."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("steps", "over", "found"),
    [
        ("shift to 10%; hold 2m; promote", "10m", ["hold 2m"]),
        ("shift to 10%; hold 10m; promote", "10m", []),
        ("shift to 10%; hold 5m; hold 5m; promote", "10m", ["hold 5m"]),
        ("ramp 10% to 30% by 10%; promote", "2m", ["ramp 10% to 30% by 10%"]),
        ("ramp 10% to 30% by 10% every 2m; promote", "2m", []),
        ("shift to 10%; pause 8m; hold 2m; promote", "10m", []),
        ("hold 2m; promote", "10m", []),
    ],
)
def test_a_check_looks_back_no_further_than_the_step(lint: Any, steps: str, over: str, found: list[str]) -> None:
    checks = f"every 1m; tolerate 1 failures; require success_rate >= 99% over {over}"
    assert [words for words, _ in lint("RW335", steps=steps, checks=checks)] == found


def test_the_window_is_shown_where_it_is_written(full: Any) -> None:
    checks = "every 1m; tolerate 1 failures; require success_rate >= 99% over 10m"
    (found,) = full("RW335", steps="shift to 10%; hold 2m; promote", checks=checks)
    assert found.message == "a check looks back 10m, and this step is 2m long"
    assert [label.span.text for label in found.labels] == ["10m"]


def test_the_shortest_of_two_paths_counts(lint: Any) -> None:
    steps = "shift to 10%; if success_rate < 99% { pause 20m }; hold 2m; promote"
    checks = "every 1m; tolerate 1 failures; require success_rate >= 99% over 10m"
    assert [words for words, _ in lint("RW335", steps=steps, checks=checks)] == ["hold 2m"]


def test_a_hold_within_the_warm_up_says_how_long_it_takes(lint: Any) -> None:
    checks = "every 1m; tolerate 3 failures; warm_up 3m; require success_rate >= 99%"
    assert lint("RW344", steps="shift to 10% for 1m; promote", checks=checks) == [
        ("shift to 10% for 1m", "this takes 3m, not 1m: no check counts before the warm-up is over")
    ]
    assert lint("RW344", steps="shift to 10% for 5m; promote", checks=checks) == []


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ("timeout 90s", "a call may take 1m30s, and a check comes every 1m"),
        ("timeout 30s; retries 2", "a call may take 1m30s with its 2 retries, and a check comes every 1m"),
        ("timeout 20s; retries 2", None),
        ("", None),
    ],
)
def test_a_call_is_over_before_the_next_check(lint: Any, settings: str, found: str | None) -> None:
    before = f'webhook load {{ url "http://load.shop/"; {settings} }}'
    checks = "every 1m; tolerate 3 failures; require success_rate >= 99%; call load"
    expected = [("load", found)] if found else []
    assert lint("RW336", before=before, checks=checks) == expected


def test_a_gate_that_is_asked_at_every_check(lint: Any) -> None:
    before = 'gate panic { url "http://gates.shop/"; timeout 45s }'
    checks = "every 30s; tolerate 3 failures; require success_rate >= 99%; abort when gate panic opens"
    assert [words for words, _ in lint("RW336", before=before, checks=checks)] == ["panic"]


@pytest.mark.parametrize(
    ("steps", "where"),
    [
        ("shift to 10%; hold 10m", ["hold 10m"]),
        ("shift to 10% for 5m; promote", []),
        ("shift to 10% for 5m; rollback", []),
        ("shift to 10% for 5m; if success_rate > 99% { promote }", ["if success_rate > 99% { promote }"]),
        ("shift to 10% for 5m; if success_rate > 99% { promote } else { rollback }", []),
    ],
)
def test_every_way_through_the_steps_ends(lint: Any, steps: str, where: list[str]) -> None:
    assert [words for words, _ in lint("RW337", steps=steps)] == where


def test_a_missing_promote_can_be_added(full: Any) -> None:
    (found,) = full("RW337", steps="shift to 10%; hold 10m")
    ((edit,),) = [fix.edits for fix in found.fixes]
    assert edit.span.start == edit.span.end == found.span.end
    assert edit.text.strip() == "promote"


def test_a_strategy_that_does_not_promote(lint: Any) -> None:
    text = """import "std/http"
strategy watch { shift to 10% for 5m }
rollout checkout in shop {
  target deployment/checkout
  service { port 80 }
  traffic istio
  analysis { every 1m; tolerate 3 failures; require success_rate >= 99% }
  strategy watch
}
"""
    assert lint("RW337", text) == [("watch", "this rollout can end without promoting the new revision")]


@pytest.mark.parametrize(("tolerate", "found"), [("5 failures", 1), ("3 failures", 0), ("4 consecutive failures", 1)])
def test_more_failures_than_a_good_rollout_has_checks(lint: Any, tolerate: str, found: int) -> None:
    checks = f"every 1m; tolerate {tolerate}; require success_rate >= 99%"
    assert len(lint("RW343", steps="shift to 10% for 3m; promote", checks=checks)) == found


def test_a_gate_without_an_end_is_a_hint(lint: Any) -> None:
    gate = 'gate ok { url "http://gates.shop/" }'
    assert [w for w, _ in lint("RW353", steps="hold 1m; wait for gate ok; promote", before=gate)] == [
        "wait for gate ok"
    ]
    assert lint("RW353", steps="hold 1m; wait for gate ok within 4h; promote", before=gate) == []


def test_rollouts_that_wait_for_each_other(lint: Any) -> None:
    def rollout(name: str, after: str) -> str:
        return (
            f"rollout {name} in shop {{ target deployment/{name}; service {{ port 80 }}; traffic istio; "
            f"after rollout {after}; steps {{ pause 1m; promote }} }}\n"
        )

    circle = rollout("a", "b") + rollout("b", "c") + rollout("c", "a")
    assert next(message for _, message in lint("RW354", circle)) == (
        "`a` never starts: it waits for `b` and `c`, which in the end waits for it"
    )
    assert len(lint("RW354", circle)) == 3
    assert lint("RW354", rollout("a", "b") + rollout("b", "elsewhere")) == []


def test_steps_beside_skip_analysis(lint: Any) -> None:
    assert [words for words, _ in lint("RW356", rest="skip analysis")] == ["skip analysis"]
    assert lint("RW356", rest="skip analysis for known revisions within 5") == []


def test_a_window_that_is_open_all_day(lint: Any) -> None:
    before = "window always { hours 09:00..09:00 }"
    assert [words for words, _ in lint("RW357", before=before, rest="only in always")] == ["hours 09:00..09:00"]
