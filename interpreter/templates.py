"""Queries and messages with their variables put in.

A template is untrusted input, and is looked at before anything of it runs. It may name variables, ask `if`, and use a
few filters; it may not loop, define, include, call, multiply or keep state. So it ends after as many operations as it
has words, and grows by no more than its own length. What it can come to at most, at every place in it, is known from
that and from the longest value that it is given (`Worst`), and is bounded before anything of it runs; its output is
bounded all the same. The linter has the same list and says so earlier (a test keeps the two alike). What is left runs
in jinja2's immutable sandbox with undefined names refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, UndefinedError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_SOURCE = 16_384
MAX_OUTPUT = 65_536
MAX_VALUE = 16_384
MAX_GROWTH = 256
MAX_TEXT = 8 * 1024 * 1024
"""Characters that any part of a template may come to on the way to its output."""
_ENCODED = {"urlencode": 12, "escape": 6, "e": 6}
"""How many characters one may become: four bytes of three each, or a name like `&quot;`."""

FILTERS = frozenset(
    (
        *("abs", "capitalize", "d", "default", "e", "escape", "first", "float", "int", "last", "length", "lower"),
        *("replace", "round", "string", "title", "trim", "truncate", "upper", "urlencode"),
    )
)
TESTS = frozenset(
    (
        *("defined", "undefined", "none", "string", "number", "true", "false"),
        *("eq", "ne", "equalto", "lower", "upper"),
    )
)
_ALLOWED = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.CondExpr, nodes.Name, nodes.Const),
    *(nodes.Getattr, nodes.Getitem, nodes.Filter, nodes.Test, nodes.Compare, nodes.Operand, nodes.Keyword),
    *(nodes.And, nodes.Or, nodes.Not, nodes.Add, nodes.Sub, nodes.Div, nodes.Neg, nodes.Pos, nodes.Concat),
)


class Worst(NamedTuple):
    """What a template can come to at most: each of its `places` holds a value or a text of its own, all of them side by
    side, `growth` times."""

    places: int
    growth: int


class TemplateProblem(ValueError):
    """A template that cannot be rendered; the message says why, for people."""


def render(text: str, values: Mapping[str, object]) -> str:
    """The text with the values in it. Raises `TemplateProblem`."""
    if "{{" not in text and "{%" not in text and "{#" not in text:
        return text
    try:
        template, worst = _compiled(text)
        return _collect(template.generate(_bounded(values, worst, len(text))))
    except UndefinedError as error:
        raise TemplateProblem(f"the template names something that is not there: {error.message}") from error
    except (TemplateError, ValueError, TypeError, ArithmeticError, RecursionError) as error:
        if isinstance(error, TemplateProblem):
            raise
        raise TemplateProblem(f"the template cannot be rendered: {error}") from error


def _collect(pieces: Iterator[str]) -> str:
    parts: list[str] = []
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > MAX_OUTPUT:
            raise TemplateProblem(f"the rendered text is longer than {MAX_OUTPUT:,} characters")
        parts.append(piece)
    return "".join(parts)


def _bounded(values: Mapping[str, object], worst: Worst, own: int) -> dict[str, object]:
    """The values, if none is too long, nor can they become so in a template of `own` characters."""
    longest = 0
    for name, value in values.items():
        length = len(value) if isinstance(value, str) else len(str(value))
        if length > MAX_VALUE:
            raise TemplateProblem(f"the value of `{name}` is longer than {MAX_VALUE:,} characters")
        longest = max(longest, length)
    if worst.growth * (worst.places * longest + own) > MAX_TEXT:
        raise TemplateProblem(f"the template could come to more than {MAX_TEXT:,} characters on its way")
    return dict(values)


@lru_cache(maxsize=256)
def _compiled(text: str) -> tuple[Template, Worst]:
    if len(text) > MAX_SOURCE:
        raise TemplateProblem(f"the template is longer than {MAX_SOURCE:,} characters")
    environment = _environment()
    try:
        worst = _check(environment.parse(text))
        return environment.from_string(text), worst
    except TemplateSyntaxError as error:
        raise TemplateProblem(f"the template cannot be read: {error.message}") from error
    except (RecursionError, MemoryError, OverflowError, SyntaxError) as error:  # the last is Python's
        raise TemplateProblem("the template is nested too deeply") from error


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True, optimized=False
    )
    environment.globals.clear()
    environment.filters = {name: made for name, made in environment.filters.items() if name in FILTERS}
    environment.tests = {name: made for name, made in environment.tests.items() if name in TESTS}
    return environment


def _check(tree: nodes.Template) -> Worst:
    """Refuses what could run long, grow large or reach out."""
    growth = encoded = places = 1
    stack: list[nodes.Node] = [tree]
    while stack:
        node = stack.pop()
        if not isinstance(node, _ALLOWED):
            raise TemplateProblem(f"a template may not use `{type(node).__name__.lower()}`")
        if isinstance(node, nodes.Filter | nodes.Test):
            growth *= _use(node)
            encoded *= _ENCODED.get(node.name, 1)
        elif isinstance(node, nodes.Getattr | nodes.Getitem):
            _look(node)
        places += isinstance(node, nodes.Name)
        stack.extend(node.iter_child_nodes())
    if growth > MAX_GROWTH:
        raise TemplateProblem("the `replace` filters of the template make its text too long")
    return Worst(places, growth * encoded)


def _use(node: nodes.Filter | nodes.Test) -> int:
    """How many times longer this can make a text."""
    known = FILTERS if isinstance(node, nodes.Filter) else TESTS
    if node.name not in known:
        raise TemplateProblem(f"a template may not use `{node.name}`")
    if node.name == "round" and not _rounds_little(node):
        raise TemplateProblem("`round` takes nothing but a number of digits, 0 to 9")
    if node.name != "replace":
        return 1
    value: Any = getattr(node.args[1], "value", None) if len(node.args) > 1 else None
    return len(value) + 1 if isinstance(value, str) else MAX_GROWTH + 1


def _rounds_little(node: nodes.Filter | nodes.Test) -> bool:
    digits = [getattr(arg, "value", None) for arg in node.args]
    return not node.kwargs and len(digits) <= 1 and all(isinstance(n, int) and 0 <= n <= 9 for n in digits)


def _look(node: nodes.Getattr | nodes.Getitem) -> None:
    """Only `variables` has parts."""
    part = node.attr if isinstance(node, nodes.Getattr) else getattr(node.arg, "value", None)
    holder = getattr(node.node, "name", None)
    if holder != "variables" or not isinstance(part, str) or part.startswith("_"):
        raise TemplateProblem("a template may look inside nothing but `variables`")
