"""Protects the list of what a template may do, and that nothing is rendered to find out."""

from __future__ import annotations

import time

import pytest

from dsl.embedded.jinja_check import MESSAGE_VARIABLES, QUERY_VARIABLES, check, is_simple, render

NAMES = frozenset(QUERY_VARIABLES)


def said(text: str) -> list[tuple[str, str]]:
    return [(problem.code, text[problem.start : problem.end]) for problem in check(text, NAMES)]


@pytest.mark.parametrize(
    "text",
    [
        "no template at all, {one brace} and }} two",
        "{{ workload }}-{{ variables.size }}",
        "{{- workload -}}",
        "{{ workload | upper | replace('A', 'b') }}",
        "{% if arm == 'canary' %}a{% elif arm is defined %}b{% else %}c{% endif %}",
        "{{ variables['size'] ~ '-x' if variables else 1 + 2 - 3 / 4 }}",
        "{% raw %}{{ anything }}{% endraw %}{{ workload }}",
        "{# a remark #}{{ workload }}",
        "{{ 3.14159 | round(2) }}",
    ],
)
def test_what_is_allowed(text: str) -> None:
    assert said(text) == []


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("{{ worklod }}", [("RW502", "worklod")]),
        ("{{ 'worklod' ~ worklod }}", [("RW502", "worklod")]),
        ("worklod {{ worklod }}", [("RW502", "worklod")]),
        ("{{ workload", [("RW501", "{{")]),
        ("{{ workload }} {% if arm", [("RW501", "{%")]),
        ("{% if arm %}x", [("RW501", "{% if arm %}")]),
        ("{{ workload arm }}", [("RW501", "{{ workload arm }}")]),
        ("{% wat %}", [("RW501", "wat")]),
        ("{% for i in arm %}{% endfor %}", [("RW503", "for")]),
        ("{% set x = 1 %}", [("RW503", "set")]),
        ("{% include 'secrets' %}", [("RW503", "include")]),
        ("{% macro m() %}{% endmacro %}", [("RW503", "macro")]),
        ("{{ range(99999999) }}", [("RW503", "range(")]),
        ("{{ workload.__class__ }}", [("RW503", "workload.__class__")]),
        ("{{ variables.__class__ }}", [("RW503", "variables.__class__")]),
        ("{{ variables['__class__'] }}", [("RW503", "variables[")]),
        ("{{ variables[1] }}", [("RW503", "variables[1")]),
        ("{{ ''.join }}", [("RW503", "{{ ''.join }}")]),
        ("{{ workload.upper() }}", [("RW503", "upper(")]),
        ("{{ 'a' * 999999999 }}", [("RW503", "*")]),
        ("{{ 9 ** 9 ** 9 }}", [("RW503", "**")]),
        ("{{ '%0999999999d' % 1 }}", [("RW503", "%")]),
        ("{{ workload | map('upper') }}", [("RW504", "map")]),
        ("{{ 1 | round(999999999, 'ceil') }}", [("RW503", "round")]),
        ("{{ 'a' | replace('a', '" + "b" * 300 + "') }}", [("RW503", "replace")]),
        ("{{ 'a'" + " | replace('a', 'aaaaaaaaa')" * 3 + " }}", [("RW503", "replace")]),
        ("{{ 'a' | replace('a', workload) }}", [("RW503", "replace")]),
        ("{{ workload is callable }}", [("RW504", "callable")]),
    ],
)  # fmt: skip
def test_what_is_refused_and_where(text: str, problems: list[tuple[str, str]]) -> None:
    assert said(text) == problems


@pytest.mark.parametrize(
    "text",
    [
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ " + "not " * 3000 + "arm }}",
        "{{ " * 4000,
        "{% if arm %}" * 1000,
        "{{ arm }}" * 100_000,
        "{{ '" + "\\" * 10_000,
        "{{ " + "arm ~ " * 2500 + "arm }}",
    ],
    ids=["nested", "negated", "opened", "conditions", "long", "backslashes", "chained"],
)
def test_hostile_templates_are_answered_at_once(text: str) -> None:
    began = time.process_time()
    check(text, NAMES)
    assert time.process_time() - began < 2


def test_plain_names_need_no_jinja() -> None:
    assert is_simple("a {{ b }} {{ c.d }} e")
    assert not is_simple("{{ b | upper }}")
    assert not is_simple("{% if b %}{% endif %}")
    assert not is_simple("{{ b }} {{ c d }}")


def test_every_character_knows_where_it_came_from() -> None:
    text = "x{{ workload }}y{{ arm }}z"
    rendered = render(text, {"workload": "shop", "arm": "canary"})
    assert rendered is not None
    assert rendered.text == "xshopycanaryz"
    assert [rendered.origin[rendered.text.index(c)] for c in "xsycz"] == [0, 1, 15, 16, 25]


def test_a_template_with_more_in_it_is_rendered_in_the_sandbox() -> None:
    rendered = render("{% if arm == 'canary' %}{{ workload | upper }}{% endif %}", {"arm": "canary", "workload": "a"})
    assert rendered is not None
    assert rendered.text == "A"
    assert render("{{ 1 / 0 }}", {}) is None


def test_a_message_knows_what_the_machine_says() -> None:
    from interpreter.turn import Turn

    named = {word for word in Turn.context.__code__.co_consts if isinstance(word, tuple) for word in word}
    assert {"rollout", "revision", "weight", "reason"} <= set(MESSAGE_VARIABLES)
    assert set(MESSAGE_VARIABLES) - {"text"} <= named | set(Turn.context.__code__.co_consts)
