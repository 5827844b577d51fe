"""Protects the rules about checks that come out only one way, about handlers, and the hints on how to judge better."""

from __future__ import annotations

from typing import Any

import pytest


def checks(*lines: str) -> str:
    return "; ".join(["every 1m", "tolerate 3 failures", *lines])


@pytest.mark.parametrize(
    ("check", "code"),
    [
        ("success_rate > 100%", "RW340"),
        ("success_rate >= 100%", None),
        ("success_rate >= 0%", "RW341"),
        ("success_rate > 0%", None),
        ("error_rate <= 100%", "RW341"),
        ("error_rate < 0%", "RW340"),
        ("requests.rate in 20%..10%", "RW340"),
        ("success_rate in 99%..100%", None),
        ("latency(0.99) < 0ms", "RW340"),
        ("latency(0.99) >= 0ms", "RW341"),
        ("500ms < latency(0.99)", None),
        ("0ms <= latency(0.99)", "RW341"),
        ("1 < 2", "RW341"),
        ("2 < 1", "RW340"),
        ("success_rate >= 99% and success_rate < 90%", "RW340"),
        ("success_rate >= 99% or success_rate < 90%", None),
        ("success_rate >= limit", "RW341"),
        ("cpu <= 150%", None),
    ],
)
def test_a_check_that_comes_out_one_way(lint: Any, check: str, code: str | None) -> None:
    before = (
        'let limit = 0%\nmetric cpu returns percent { prometheus """avg(cpu{app="{{ workload }}"})"""; no_data fail }'
    )
    line = checks(f"require {check}", "require success_rate of primary >= 1%")
    found = [each for each in ("RW340", "RW341") if lint(each, before=before, checks=line)]
    assert found == ([code] if code else [])


def test_bounds_in_two_lines_that_rule_each_other_out(full: Any) -> None:
    (found,) = full("RW340", checks=checks("require success_rate >= 99%", "require success_rate < 90%"))
    assert found.span.text == "success_rate < 90%"
    assert [label.span.text for label in found.labels] == ["success_rate >= 99%"]


@pytest.mark.parametrize(
    "second", ["success_rate of primary < 90%", "success_rate >= 99.5%", "latency(0.5) <= 1s", "success_rate == 99%"]
)
def test_bounds_that_can_both_hold(lint: Any, second: str) -> None:
    lines = checks("require success_rate >= 99%", "require latency(0.99) > 2s", f"require {second}")
    assert lint("RW340", checks=lines) == []


def test_a_bound_that_is_a_parameter_is_not_judged(lint: Any) -> None:
    slo = "analysis slo(target = 99%) { every 1m; tolerate 1 failures; require success_rate >= target }"
    before = f"let target = 200%\n{slo}"
    assert lint("RW340", before=before) == []


def test_a_check_that_stands_twice(full: Any) -> None:
    (found,) = full("RW352", checks=checks("require success_rate >= 99%", "require  success_rate >= 99%"))
    assert found.labels[0].span.start < found.span.start
    assert full("RW352", checks=checks("require success_rate >= 99%", "observe success_rate >= 99%")) == []


@pytest.mark.parametrize(
    ("settings", "found"),
    [("timeout 2m; retries 1", 1), ("timeout 10s; retries 2", 0), ("timeout 10s; retries 12", 1), ("", 0)],
)
def test_a_handler_that_holds_up_a_rollback(lint: Any, settings: str, found: int) -> None:
    before = f'webhook tidy {{ url "http://janitor.shop/"; {settings} }}'
    assert len(lint("RW345", before=before, rest="on rollback { run tidy }")) == found
    assert lint("RW345", before=before, rest="on promoted { run tidy }") == []


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://checkout-canary.shop:80/x", 1),
        ("http://checkout-canary/", 1),
        ("http://janitor.shop/?at=checkout-canary", 0),
        ("http://[::1", 0),
    ],
)
def test_a_handler_that_calls_the_canary(lint: Any, url: str, found: int) -> None:
    before = f'webhook tidy {{ url "{url}" }}'
    assert len(lint("RW346", before=before, rest="on rollback { run tidy }")) == found


def test_hints_on_judging_better(lint: Any) -> None:
    compared = checks("require latency(0.99) <= latency(0.99) of primary * 1.2 + 20ms")
    assert [words for words, _ in lint("RW706", checks=compared)] == [
        "latency(0.99) <= latency(0.99) of primary * 1.2 + 20ms"
    ]
    assert lint("RW706", checks=checks("require latency(0.99) <= latency(0.5) of primary")) == []
    assert [w for w, _ in lint("RW707", checks="every 1m; tolerate 0 failures; require success_rate >= 99%")] == ["0"]
    assert [w for w, _ in lint("RW708", rest="deadline 10m")] == ["deadline 10m"]
    assert lint("RW708", rest="deadline 5m") == []


def test_a_file_to_import_says_what_it_holds(lint: Any) -> None:
    text = 'metric depth returns count { prometheus """max(depth{app="{{ workload }}"})""" }\n'
    assert lint("RW709", text) == [("depth", "`depth` is for others to use, and does not say what it is")]
    assert lint("RW709", "## How many wait.\n" + text) == []
    assert lint("RW705", text) == [("depth", "`depth` does not say what no data means")]
