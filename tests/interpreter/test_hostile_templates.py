"""Templates that want out, or want all of the time or memory: in a process of its own with limits on both, templates
written by chance from all that jinja2 has, and bombs, come to a short text or to a refusal, and to nothing else.

The limits are the machine's own: whoever goes beyond them is ended, and the test fails."""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from dsl.embedded import jinja_check
from interpreter.providers.answer_json import read
from interpreter.providers.jsonpath import PathProblem, value_at
from interpreter.templates import FILTERS, MAX_OUTPUT, TESTS, TemplateProblem, render

ROOT = Path(__file__).resolve().parents[2]
MEMORY = 700 * 1024 * 1024
"""Of address space: a Python with these modules alone has a third of it."""
CPU_S = 60
TEMPLATES = 2000
LONG = "x" * 16_000
VALUES: dict[str, object] = {"workload": "web", "weight": 20, "variables": {"team": "shop", "long": "y" * 4000}}
WIDE: dict[str, object] = {**VALUES, "long": LONG, "odd": "\u20ac&<" * 5000}

ATOMS = (
    *("workload", "weight", "variables", "variables.team", "variables['long']", "nobody", "self", "cycler", "joiner"),
    *("namespace()", "lipsum()", "range(10**9)", "dict()", "config", "request", "loop", "caller()", "super()", "()"),
    *("''", "'a'", "'%s'", "'{0.__class__}'", "1", "1.5", "10**10", "[1]", "{'a': 1}", "none", "true", '"\u20ac"'),
)
NAMES = (
    *("__class__", "__mro__", "__init__", "__globals__", "__subclasses__()", "__dict__", "format", "format_map"),
    *("join", "upper()", "mro()", "team", "items()", "_", "gi_frame", "f_back", "__builtins__", "encode()"),
)
OPERATORS = ("+", "-", "*", "/", "//", "%", "**", "~", "and", "or", "in", "==", "<", "is", "if workload else")
ALL_FILTERS = (
    *sorted(FILTERS),
    *("attr('__class__')", "map(attribute='__class__')", "format(workload)", "center(10**9)", "indent(10**9)", "list"),
    *("replace('', 'aaaaaaaa')", "replace('a', 'aa')", "round(10**9)", "truncate(10**9)", "wordwrap(1)", "batch(1)"),
    *("tojson", "xmlattr", "pprint", "urlize", "groupby('x')", "select", "sum", "int(0, 36)", "default(lipsum)"),
)
STATEMENTS = (
    *(
        "{{% if {} %}}a{{% endif %}}",
        "{{{{ {} }}}}",
        "{{% for i in {} %}}{{{{ i }}}}{{% endfor %}}",
        "{{% set x = {} %}}",
    ),
    *("{{% include {} %}}", "{{% import {} as x %}}", "{{% extends {} %}}", "{{% macro m(a={}) %}}{{% endmacro %}}"),
    *(
        "{{% with a={} %}}{{{{ a }}}}{{% endwith %}}",
        "{{% filter upper %}}{}{{% endfilter %}}",
        "{{% raw %}}{}{{% endraw %}}",
    ),
    *("{{% call {} %}}{{% endcall %}}", "{{% block b %}}{}{{% endblock %}}", "{{# {} #}}", "{{% autoescape {} %}}x"),
)
BOMBS = (
    "{{ " + "~".join(["long"] * 2000) + " }}",
    "{{ (" + "~".join(["long"] * 1500) + ") | replace('x', '" + "y" * 250 + "') }}",
    "{{ (" + "~".join(["odd"] * 1500) + ") | urlencode | urlencode | escape }}",
    "{{ variables ~ " + "~".join(["variables.long"] * 900) + " }}",
    "{% if long == " + "~".join(["long"] * 1500) + " %}{% endif %}",
    "{{ " + "not " * 200 + "long }}",
    "{% if workload %}" * 150 + "{% endif %}" * 150,
    "{{ workload" + " | trim" * 250 + " }}",
    "{{ '" + "9" * 16_000 + "' | int }}",
    "{{ " + "9" * 10_000 + " }}",
    "{{ 1e308 * 10 }}",
    "{{ '%s' | format('%s') }}",
    "{{ '{0.__class__.__mro__}'.format(workload) }}",
    "{{ ('a' ~ 'b').__class__ }}",
    "{{ long | truncate(1e18) }}",
    "{{ long | round(2, 'ceil') }}",
)


def expression(chance: random.Random, depth: int) -> str:
    if depth == 0 or chance.random() < 0.2:
        return chance.choice(ATOMS)
    inner = expression(chance, depth - 1)
    match chance.randrange(6):
        case 0:
            return f"{inner}.{chance.choice(NAMES)}"
        case 1:
            return f"{inner}[{expression(chance, depth - 1)}]"
        case 2 | 3:
            return f"({inner} | {chance.choice(ALL_FILTERS)})"
        case 4:
            return f"({inner} {chance.choice(OPERATORS)} {expression(chance, depth - 1)})"
        case _:
            return f"({inner} is {chance.choice(sorted(TESTS))})"


def template(chance: random.Random) -> str:
    parts = [chance.choice(STATEMENTS).format(expression(chance, chance.randrange(6))) for _ in range(3)]
    return "".join(parts[: chance.randrange(1, 4)])


def bounded() -> dict[str, int]:
    """What became of all templates; run in a process of its own."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    chance = random.Random(4)
    became = {"texts": 0, "refusals": 0}
    for text in (*BOMBS, *(template(chance) for _ in range(TEMPLATES))):
        jinja_check.check(text, frozenset(WIDE))
        try:
            made = render(text, WIDE)
        except TemplateProblem:
            became["refusals"] += 1
            continue
        became["texts"] += 1
        assert len(made) <= MAX_OUTPUT, text
        assert not any(word in made for word in ("<class", "<function", "<module", "<bound", " object at 0x")), text
    return became


def test_no_template_gets_out_or_takes_more_than_its_share() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import json; from tests.interpreter.test_hostile_templates import bounded\n"
         "print(json.dumps(bounded()))"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    became = json.loads(done.stdout)
    assert became["texts"] > TEMPLATES / 20
    assert became["refusals"] > TEMPLATES / 2


@pytest.mark.parametrize("text", BOMBS)
def test_bombs_are_refused_in_words(text: str) -> None:
    try:
        assert len(render(text, WIDE)) <= MAX_OUTPUT
    except TemplateProblem as problem:
        assert 0 < len(str(problem)) < 500  # noqa: PT017 - either will do


def test_deep_and_wide_json_is_refused_and_paths_into_it_are_short() -> None:
    for text in ("[" * 200_000, '{"a":' * 100_000 + "1" + "}" * 100_000, "[" + "{}," * 60_000 + "{}]"):
        with pytest.raises((ValueError, RecursionError)):
            read(text)
    for path in ("$..a", "$.*", "$[*]", "$[?(@.a)]", "$[0:9]", "$" + "[99999999999]", "$.a" * 3, "$['" + "a" * 9):
        with pytest.raises(PathProblem):
            value_at({"a": 1}, path)
    assert value_at({"a": None}, "$" + ".a" * 100_000) is None
    assert value_at([1], "$[-2]") is None
