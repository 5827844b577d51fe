"""Protects what is said about templates, queries and regular expressions, and above all where it is said."""

from __future__ import annotations

from typing import Any

import pytest

DEPTH = "every 1m; tolerate 3 failures; require depth <= 100"


def metric(text: str, returns: str = "count", params: str = "", provider: str = "prometheus") -> str:
    return f"metric depth{params} returns {returns} {{\n  {provider} {text}\n  no_data fail\n}}"


@pytest.mark.parametrize(
    ("code", "text", "words"),
    [
        ("RW501", "'''max(depth{app=\"{{ workload }\"})'''", "{{"),
        ("RW502", "'''max(depth{app=\"{{ worklod }}\"})'''", "worklod"),
        ("RW502", "'''\n    max(\n      depth{app=\"{{ nobody }}\"}\n    )\n  '''", "nobody"),
        ("RW502", r'"max(depth{app=\"{{ nobody }}\"})"', "nobody"),
        ("RW503", "'''{% for i in arm %}x{% endfor %}'''", "for"),
        ("RW504", "'''max(depth{app=\"{{ workload | shout }}\"})'''", "shout"),
        ("RW505", "'''\n    max(depth{app=\"{{ workload }}\"})\n      + sum(\n  '''", "("),
        ("RW505", r'"max(depth{app=\"{{ workload }}\"}) foo"', "foo"),
        ("RW506", "'''sum(rate(depth{app=\"{{ workload }}\"}[5m]))'''", "5m"),
        ("RW507", "'''max(depth)'''", "depth"),
    ],
)
def test_the_place_is_inside_the_string(lint: Any, code: str, text: str, words: str) -> None:
    before = metric(text.replace("'''", '"""'))
    assert [found for found, _ in lint(code, before=before, checks=DEPTH)] == [words]


def test_a_misspelt_name_can_be_mended(full: Any) -> None:
    (found,) = full("RW502", before=metric('"""max(depth{app="{{ worklod }}"})"""'), checks=DEPTH)
    assert found.help == "did you mean `workload`?"
    assert [(edit.span.text, edit.text) for fix in found.fixes for edit in fix.edits] == [("worklod", "workload")]


def test_parameters_are_names_of_the_query(lint: Any) -> None:
    before = metric('"""max(depth{app="{{ workload }}", kind="{{ kind }}"})"""', params='(kind = "a")')
    assert lint("RW502", before=before, checks=DEPTH) == []


def test_only_prometheus_is_parsed_as_promql(lint: Any) -> None:
    before = metric('"""SELECT max(depth) FROM Queue WHERE app = \'{{ workload }}\'"""', provider="newrelic")
    assert lint("RW505", before=before, checks=DEPTH) == []
    assert lint("RW505", before=before.replace("newrelic", "prometheus"), checks=DEPTH) != []


@pytest.mark.parametrize(
    ("provider", "text"),
    [
        ("loki", 'sum(rate({app="{{ workload }}"} |= "error" [1m]))'),
        ("elasticsearch", 'web/_search\n{"query": {"term": {"app": "{{ workload }}"}}}'),
        ("honeycomb", '{"calculations": [{"op": "COUNT"}], "dataset": "{{ workload }}"}'),
        ("sentry", "acme/events?field=count()&query=server:{{ workload }}"),
        ("web", "GET /depth?app={{ workload }}\n$.depth[0]"),
    ],
)
def test_queries_in_other_languages_are_held_to_their_templates_only(lint: Any, provider: str, text: str) -> None:
    before = metric(f'"""{text}"""', provider=provider)
    assert [lint(code, before=before, checks=DEPTH) for code in ("RW213", "RW505", "RW506", "RW507")] == [[]] * 4
    misspelt = before.replace("workload", "worklod")
    assert [found for found, _ in lint("RW502", before=misspelt, checks=DEPTH)] == ["worklod"]


def test_a_broken_template_is_not_parsed_as_well(lint: Any) -> None:
    before = metric('"""max(depth{app="{{ nobody }}"}"""')
    assert lint("RW505", before=before, checks=DEPTH) == []


def test_queries_of_a_variant_are_checked(lint: Any) -> None:
    before = 'metric depth returns count { for istio { prometheus """max(depth{app="{{ nobody }}"})""" } }'
    assert [found for found, _ in lint("RW502", before=before, checks=DEPTH)] == ["nobody"]


def test_a_ratio_without_data_is_hinted_at_until_it_is_settled(lint: Any) -> None:
    paid = 'sum(rate(paid{app="{{ workload }}"}[{{ interval }}]))'
    good = paid.replace("}[", ',ok="1"}[')
    ratio = f"{good} / {paid}"
    before = f'metric depth returns ratio {{ prometheus """{ratio}"""; no_data pass }}'
    assert lint("RW513", before=before, checks=DEPTH) == []
    assert [words for words, _ in lint("RW513", before=before.replace("; no_data pass", ""), checks=DEPTH)] == ["ok"]


def test_messages_have_names_of_their_own(lint: Any) -> None:
    before = 'channel ops { slack "ops"; secret "slack" }'
    steps = 'notify ops "{{ rollout }} at {{ wait }}"; hold 5m; promote'
    assert [words for words, _ in lint("RW502", before=before, steps=steps)] == ["wait"]
    rest = 'on rollback { notify ops "{{ reason }} {{ workload }}" }'
    assert [words for words, _ in lint("RW502", before=before, rest=rest)] == ["workload"]


def test_the_standard_library_is_not_checked_again(lint: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from dsl.rules import templates

    seen: list[str] = []
    monkeypatch.setattr(templates, "check_template", lambda text, _: seen.append(text) or ())
    assert lint("RW502") == []
    assert seen == []


@pytest.mark.parametrize(
    ("code", "expression", "words"),
    [
        ("RW510", "^beta-(?!x)", "(?!"),
        ("RW510", r"^(a)\\1$", r"\\1"),
        ("RW510", "^(beta", "("),
        ("RW511", "beta", '"beta"'),
        ("RW512", r"^\\pL{1000}$", r"^\\pL{1000}$"),
    ],
)
def test_regular_expressions(lint: Any, code: str, expression: str, words: str) -> None:
    steps = f'route to canary when header "x-user" =~ "{expression}"; hold 5 checks; promote'
    assert [found for found, _ in lint(code, steps=steps)] == [words]


def test_what_is_no_regular_expression_is_not_read_as_one(lint: Any) -> None:
    steps = 'route to canary when header "x-user" == "(beta"; hold 5 checks; promote'
    assert lint("RW510", steps=steps) == []
