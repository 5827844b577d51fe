"""Protects what is said of PromQL: the words underlined, in the template, and that hostile queries never reach the
native parser."""

from __future__ import annotations

import pytest

from dsl.embedded.promql_check import check


def said(query: str, unit: str = "number", part: str = "") -> list[tuple[str, str]]:
    return [(p.code, query[p.start : p.end]) for p in check(query, unit, part, frozenset())]


W = 'app="{{ workload }}"'
I = "{{ interval }}"  # noqa: E741 - short, for the table below


@pytest.mark.parametrize(
    ("query", "words", "message"),
    [
        ("", "", "this query is empty"),
        ("sum(x", "(", "this `(` is never closed"),
        ("rate(x[1m)", "(", "this `(` is never closed"),
        ("sum(x))", ")", "this `)` closes nothing"),
        ("rat(x[1m])", "rat", "PromQL has no function `rat`"),
        ("rate(x)", "rate", "`rate` wants a stretch of time"),
        ("abs(x[1m])", "abs", "`abs` cannot take a stretch of time"),
        ("histogram_quantile(x)", "histogram_quantile", "`histogram_quantile` wants 2 arguments, and has 1"),
        ("topk(x)", "topk", "`topk` wants two arguments: a number, and what it is about"),
        ('sum(x{a=~"["})', '"["', "this is not a regular expression"),
        ("x{a=b}", "b", "`b` does not fit among the labels"),
        ('x{a="b}', '"', 'this text is never closed by a `"`'),
        ("rate(sum(x)[1m])", "[", "a stretch of time can only stand behind a plain selector"),
        ("5 > 3", ">", "two numbers are compared here"),
        ("foo bar", "bar", "this is not PromQL: `bar` does not fit here"),
        ("sum(x) sum(y)", "sum", "this is not PromQL: `sum` does not fit here"),
        ("a + * b", "*", "this is not PromQL: `*` does not fit here"),
        ("{{ workload }} and foo bar", "bar", "this is not PromQL: `bar` does not fit here"),
        ("a * on (app) group_left b c", "c", "this is not PromQL: `c` does not fit here"),
        ("x offset 5m y", "y", "this is not PromQL: `y` does not fit here"),
    ],
)
def test_a_query_that_does_not_parse(query: str, words: str, message: str) -> None:
    (problem,) = check(query, "number", "", frozenset())
    assert (problem.code, query[problem.start : problem.end], problem.message) == ("RW505", words, message)


def test_a_place_behind_a_variable_is_the_place_in_the_template() -> None:
    query = f"sum(rate(x{{{W}}}[{I}])) foo"
    assert said(query) == [("RW505", "foo")]


@pytest.mark.parametrize(
    ("query", "unit", "part", "problems"),
    [
        (f"sum(rate(x{{{W}}}[{I}]))", "rate", "", []),
        (f"sum(rate(x{{{W}}}[5m]))", "rate", "", [("RW506", "5m")]),
        (f"sum(increase(x{{{W}}}[5m:30s]))", "rate", "", [("RW506", "5m:30s")]),
        (f"sum(rate(x{{{W},path=~'[0-9]+'}}[{I}]))", "rate", "", []),
        (f"max_over_time(x{{{W}}}[1h])", "number", "", []),
        ("sum(x)", "number", "", [("RW507", "x")]),
        ('sum(x{ingress="a",canary="canary-a"})', "number", "", []),
        (f"histogram_quantile(0.9, sum(rate(x{{{W}}}[{I}])))", "seconds", "", [("RW508", "sum")]),
        (f"histogram_quantile(0.9, sum by (le) (rate(x{{{W}}}[{I}])))", "seconds", "", []),
        (f"histogram_quantile(0.9, sum(rate(x{{{W}}}[{I}])) by (app, le))", "seconds", "", []),
        (f"histogram_quantile(0.9, sum without (pod) (rate(x{{{W}}}[{I}])))", "seconds", "", []),
        (f"histogram_quantile(0.9, sum without (le) (rate(x{{{W}}}[{I}])))", "seconds", "", [("RW508", "sum")]),
        (f"sum(increase(x{{{W}}}[{I}]))", "histogram", "", [("RW508", "sum")]),
        (f"sum(increase(x{{{W}}}[{I}]))", "events", "bad", []),
        (f"sum(rate(x{{{W}}}[{I}]))", "events", "bad", [("RW509", "rate")]),
        (f"sum(x{{{W}}})", "events", "total", [("RW509", "sum")]),
        (f'sum(rate(x{{{W},ok="1"}}[{I}])) / sum(rate(x{{{W}}}[{I}]))', "ratio", "", [("RW513", "ok")]),
        (f'(sum(rate(x{{{W},ok="1"}}[{I}])) or vector(0)) / sum(rate(x{{{W}}}[{I}]))', "ratio", "", []),
        (f'sum(rate(x{{{W},ok="1"}}[{I}])) / sum(rate(x{{{W}}}[{I}]))', "number", "", []),
        (f"# a remark with rate(x[5m])\nsum(rate(x{{{W}}}[{I}]))", "rate", "", []),
    ],
)
def test_what_parses_and_is_still_odd(query: str, unit: str, part: str, problems: list[tuple[str, str]]) -> None:
    assert said(query, unit, part) == problems


@pytest.mark.parametrize(
    "query",
    [
        *("(" * 20_000 + "x" + ")" * 20_000, "x" + "+x" * 20_000, "-" * 10_000 + "x", "x" + "^x" * 5_000, "sum(" * 400),
        *("x" + " or x" * 5_000, "{" * 5_000, "x[" * 5_000, '"' * 9_999, "`" * 9_999, "x" + " Unless x" * 500),
    ],
)
def test_a_hostile_query_is_answered_and_does_no_harm(query: str) -> None:
    assert {code for code, _ in said(query)} <= {"RW505", "RW507"}


def test_an_empty_answer_for_a_template_that_samples_do_not_carry() -> None:
    assert check("{{ workload }}{{ 1 / 0 }}", "number", "", frozenset()) == ()
