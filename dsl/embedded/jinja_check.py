"""Templates of queries and messages, checked without being run.

A template is untrusted input. It may name a few variables, ask them `if`, and pass them through a few filters; it may
not loop, define, include, call, reach into objects, multiply text or keep state. What is left ends, quickly, in
bounded space, so the same list of what is allowed is the sandbox at run time.

Most templates hold nothing but `{{ name }}`. Those are read with a regular expression; only the others pay for the
import of jinja2, and only their syntax tree is looked at: nothing is rendered before it has been checked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from dsl.suggest import closest, question

QUERY_VARIABLES: Mapping[str, str] = {
    "name": "the rollout's name",
    "namespace": "the rollout's namespace",
    "target": "the name of the workload that is rolled out",
    "workload": "the name of the workload that is asked about: the primary's, the canary's or the baseline's",
    "arm": "`primary`, `canary` or `baseline`: who is asked about, as in the names of its objects",
    "pods": "a regular expression for the pods of the workload that is asked about",
    "primary": "the name of the primary's workload",
    "canary": "the name of the canary's workload",
    "service": "the name of the apex Service",
    "ingress": "the name of the Ingress",
    "route": "the name of the route object",
    "interval": "the window of the query, such as `1m`",
    "variables": "the check's own variables, a map",
}
"""What a query's template may name, beside the parameters of its metric."""

MESSAGE_VARIABLES: Mapping[str, str] = {
    "rollout": "the rollout's name",
    "namespace": "its namespace",
    "target": "the name of the workload that is rolled out",
    "revision": "the revision that is being rolled out",
    "primary": "the revision that the primary runs",
    "weight": "the canary's share of the traffic, such as `20%`",
    "phase": "the phase, such as `Progressing`",
    "step": "the statement that is being carried out",
    "reason": "why it ended, or is waiting",
    "failed_checks": "how many checks have failed",
    "checks": "what the last check saw, a line for each of its own",
    "run": "the number of the attempt, as the rollout counts them",
    "text": "the event's own words",
}
"""What a message's template may name."""

FILTERS = frozenset(
    {
        "abs",
        "capitalize",
        "d",
        "default",
        "e",
        "escape",
        "first",
        "float",
        "int",
        "last",
        "length",
        "lower",
        "replace",
        "round",
        "string",
        "title",
        "trim",
        "truncate",
        "upper",
        "urlencode",
    }
)
TESTS = frozenset(
    {"defined", "undefined", "none", "string", "number", "true", "false", "eq", "ne", "equalto", "lower", "upper"}
)

MAX_LENGTH = 16_384
MAX_GROWTH = 256
"""How many times longer the `replace` filters of one template may make a text."""

_SIMPLE = re.compile(r"\{\{-?\s*([A-Za-z_]\w*)(?:\.([A-Za-z_]\w*))?\s*-?\}\}")
_REGION = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
_LITERALS = frozenset({"true", "false", "none", "True", "False", "None", "and", "or", "not", "in", "is", "if", "else"})


class Problem(NamedTuple):
    """What is wrong with a stretch of the template; offsets into its text."""

    code: str
    start: int
    end: int
    message: str
    help: str = ""
    replacement: str = ""


class Usage(NamedTuple):
    """What a template names, and what is wrong with it whatever the names mean."""

    names: frozenset[str]
    problems: tuple[Problem, ...]


def is_template(text: str) -> bool:
    """Whether there is anything to render."""
    return "{{" in text or "{%" in text or "{#" in text


@lru_cache(maxsize=1024)
def check(text: str, allowed: frozenset[str]) -> tuple[Problem, ...]:
    """All that is wrong with a template that may use the `allowed` names."""
    if not is_template(text):
        return ()
    usage = inspect(text)
    unknown = [_unknown(text, name, allowed) for name in sorted(usage.names - allowed)]
    return (*usage.problems, *unknown)


@lru_cache(maxsize=1024)
def inspect(text: str) -> Usage:
    """The names that a template uses, and its problems of syntax and of safety."""
    if len(text) > MAX_LENGTH:
        message = f"this template is {len(text):,} characters long"
        return Usage(frozenset(), (Problem("RW503", 0, 2, message, f"keep it under {MAX_LENGTH:,}"),))
    if is_simple(text):
        return _inspect_simple(text)
    from dsl.embedded.jinja_tree import inspect_tree  # noqa: PLC0415 - slow to import, seldom needed

    return inspect_tree(text)


def is_simple(text: str) -> bool:
    """Whether `{{ name }}` and `{{ map.key }}` are all there is."""
    return "{%" not in text and "{#" not in text and "{{" not in _SIMPLE.sub("", text)


def _inspect_simple(text: str) -> Usage:
    names, problems = set(), []
    for found in _SIMPLE.finditer(text):
        name, attribute = found.groups()
        names.add(name)
        if attribute and (name != "variables" or attribute.startswith("_")):
            problems.append(reaching(name, attribute, found.start(1), found.end(2)))
    return Usage(frozenset(names - _LITERALS), tuple(problems))


def reaching(name: str, attribute: str, start: int, end: int) -> Problem:
    return Problem(
        "RW503",
        start,
        end,
        "a template cannot look inside a value" if name == "a value" else f"a template cannot look inside `{name}`",
        f"`{attribute}` is not one of them"
        if name == "variables"
        else "only `variables` has parts; the rest is plain text",
    )


def region_on_line(text: str, line: int) -> tuple[int, int]:
    """The first `{{ … }}` that ends on or after a line, for jinja2 knows no columns."""
    starts = [0, *(i + 1 for i, c in enumerate(text) if c == "\n")]
    begin = starts[min(line, len(starts)) - 1]
    regions = list(_REGION.finditer(text))
    for found in regions:
        if found.end() > begin:
            return found.span()
    return regions[-1].span() if regions else (0, min(2, len(text)))


def find(text: str, pattern: str, line: int) -> tuple[int, int]:
    """Where a pattern stands in code (not in quotes, not in plain text), from this line on; else the whole region."""
    if pattern:
        begin = _offset_of_line(text, line)
        hits = [
            (region.start() + found.start(), region.start() + found.end())
            for region in _REGION.finditer(text)
            for found in re.finditer(pattern, _QUOTED.sub(lambda m: "\0" * len(m[0]), region[0]))
        ]
        later = [hit for hit in hits if hit[1] > begin]
        if later or hits:
            return (later or hits)[0]
    return region_on_line(text, line)


def _offset_of_line(text: str, line: int) -> int:
    at = 0
    for _ in range(line - 1):
        at = text.find("\n", at) + 1
        if at == 0:
            return 0
    return at


def _unknown(text: str, name: str, allowed: frozenset[str]) -> Problem:
    start, end = find(text, rf"(?<![\w.]){re.escape(name)}(?!\w)", 1)
    near = closest(name, allowed)
    names = ", ".join(f"`{word}`" for word in sorted(allowed))
    return Problem(
        "RW502",
        start,
        end,
        f"there is no `{name}` in this template",
        question(near) or f"it may use {names}",
        near[0] if near else "",
    )


# --- rendering with sample values -----------------------------------------------------------------------------------


class Rendered(NamedTuple):
    """A template with values in it. `origin[i]` is where the character `i` came from in the template."""

    text: str
    origin: tuple[int, ...]


def render_simple(text: str, values: Mapping[str, str]) -> Rendered:
    """Put values in the place of `{{ name }}`, and remember where each character came from."""
    parts: list[str] = []
    origin: list[int] = []
    at = 0
    for found in _SIMPLE.finditer(text):
        name, attribute = found.groups()
        value = values.get(name, "value") if attribute is None else "value"
        parts += (text[at : found.start()], value)
        origin += range(at, found.start())
        origin += [found.start()] * len(value)
        at = found.end()
    parts.append(text[at:])
    origin += range(at, len(text) + 1)
    return Rendered("".join(parts), tuple(origin))


def render(text: str, values: Mapping[str, str]) -> Rendered | None:
    """Render a template that `check` found nothing wrong with; None where the sample values do not carry it through."""
    if is_simple(text):
        return render_simple(text, values)
    from jinja2 import TemplateError  # noqa: PLC0415
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415

    environment = ImmutableSandboxedEnvironment(autoescape=False, optimized=False)
    try:
        rendered = environment.from_string(text).render({**values, "variables": _AnyKey()})
    except (TemplateError, ValueError, TypeError, ArithmeticError, RecursionError, MemoryError, SyntaxError):
        return None
    return Rendered(rendered, ())


class _AnyKey(dict[str, str]):
    """A map that has a value for every key."""

    def __missing__(self, key: str) -> str:
        return "value"
