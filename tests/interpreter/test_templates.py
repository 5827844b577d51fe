"""Templates are rendered in a sandbox: what is undefined is refused, nothing runs long or grows large, nothing reaches
out, and what the linter allows is what can be rendered."""

from __future__ import annotations

import time

import pytest

from dsl.embedded import jinja_check, jinja_tree
from interpreter import templates
from interpreter.templates import TemplateProblem, render

VALUES: dict[str, object] = {"workload": "web", "interval": "1m", "variables": {"team": "shop"}, "weight": "20%"}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain { text }", "plain { text }"),
        ('x{app="{{ workload }}"}[{{ interval }}]\n', 'x{app="web"}[1m]\n'),
        ("{{ variables.team }} {{ variables['team'] | upper }}", "shop SHOP"),
        ("{% if weight == '20%' %}a{% elif workload %}b{% else %}c{% endif %}", "a"),
        ("{{ 'yes' if workload is defined and not (interval == '2m') else 'no' }}", "yes"),
        ("{{ workload ~ '-x' }} {{ 1 + 2 - 4 / 2 }}", "web-x 1.0"),
        ("{{ nobody | default('somebody') }}", "somebody"),
        ("{{ workload | replace('w', 'W') }}{# a comment #}", "Web"),
    ],
)
def test_what_a_template_may_do(template: str, text: str) -> None:
    assert render(template, VALUES) == text


@pytest.mark.parametrize(
    "template",
    [
        "{{ nobody }}",
        "{{ workload",
        "{% for i in range(10**9) %}{% endfor %}",
        "{% set x = 'a' * 10**9 %}",
        "{{ 'a' * 1000000000 }}",
        "{{ 2 ** 1000000000 }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ 'a'.center(1000000000) }}",
        "{{ workload.__class__ }}",
        "{{ variables.__class__.__mro__ }}",
        "{{ variables['__class__'] }}",
        "{{ ''.join }}",
        "{{ cycler.__init__ }}",
        "{{ workload | center(1000000000) }}",
        "{{ workload | attr('upper') }}",
        "{{ 1.5 | round(999999999) }}",
        "{{ 1 / 0 }}",
        "{% include 'x' %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{{ workload" + " | replace('', 'aaaaaaaaaa')" * 12 + " }}",
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ workload }}" + " " * 20_000,
    ],
)
def test_what_a_template_may_not_do_is_refused_at_once(template: str) -> None:
    began = time.monotonic()
    with pytest.raises(TemplateProblem):
        render(template, VALUES)
    assert time.monotonic() - began < 2


def test_the_output_and_its_parts_are_bounded() -> None:
    with pytest.raises(TemplateProblem, match="the value of `big` is longer"):
        render("{{ big }}", {"big": "x" * 20_000})
    with pytest.raises(TemplateProblem, match="the rendered text is longer than"):
        render("{{ big }}" * 50, {"big": "x" * 10_000})


def test_the_linter_and_the_sandbox_allow_the_same() -> None:
    assert templates.FILTERS == jinja_check.FILTERS
    assert templates.TESTS == jinja_check.TESTS
    allowed = frozenset(node.__name__ for node in templates._ALLOWED)
    assert allowed == jinja_tree._ALLOWED
    assert (templates.MAX_SOURCE, templates.MAX_GROWTH) == (jinja_check.MAX_LENGTH, jinja_check.MAX_GROWTH)
