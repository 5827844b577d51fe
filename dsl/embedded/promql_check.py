"""PromQL in a policy, parsed when it is linted, so that a typing error is not found in the middle of a rollout.

A query is a template. It is rendered with sample values, parsed by `promql_parser` (imported only then), and whatever
is found is taken back to the place in the template. The parser is native code that recurses, and overruns the stack on
hostile input: how deep a query is nested and how many operators it chains is counted before it is handed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from dsl.embedded.jinja_check import QUERY_VARIABLES, Problem, inspect, render
from dsl.embedded.promql_errors import explain
from dsl.embedded.promql_words import FUNCTIONS, OPERATORS, Token, tokens, word_at

MAX_DEPTH = 48
MAX_OPERATORS = 96

_SAMPLES = {
    **dict.fromkeys(QUERY_VARIABLES, "checkout"),
    "workload": "checkout-canary",
    "arm": "canary",
    "pods": "checkout-canary-[0-9a-z]+",
    "primary": "checkout-primary",
    "canary": "checkout-canary",
    "namespace": "shop",
    "interval": "1m",
}
_RANGED = frozenset({"rate", "irate", "increase", "delta", "idelta", "deriv"})
_COUNTING = frozenset({"increase", "delta", "count_over_time", "sum_over_time", "changes", "resets"})
_AGGREGATES = frozenset({"sum", "avg", "min", "max", "count", "group"})


@lru_cache(maxsize=1024)
def check(text: str, unit: str, part: str, parameters: frozenset[str]) -> tuple[Problem, ...]:
    """What is wrong with the query in a well-formed template; `part` is `bad` or `total` of events, or empty."""
    words = list(tokens(text))
    if not words:
        return (Problem("RW505", 0, len(text), "this query is empty", "write PromQL between the quotes"),)
    problems = tuple(_parse(text, parameters, unit))
    if any(problem.code == "RW505" for problem in problems):
        return problems
    counted = _counts(words) if part else ()
    return (*problems, *_fixed_windows(words), *_same_for_both(text, words), *counted)


# --- parsing ----------------------------------------------------------------------------------------------------------


def _parse(text: str, parameters: frozenset[str], unit: str) -> Iterator[Problem]:
    rendered = render(text, {**_SAMPLES, **dict.fromkeys(parameters, "1")})
    if rendered is None:
        return
    if _too_complex(rendered.text):
        yield Problem(
            "RW505", 0, len(text), "this query is nested or chained too deeply", "make a recording rule of it"
        )
        return
    import promql_parser  # noqa: PLC0415 - native, and only for policies that have PromQL of their own

    try:
        tree = promql_parser.parse(rendered.text)
    except ValueError as error:
        problem = explain(str(error), rendered.text)
        yield _taken_back(problem, rendered.origin, text)
    else:
        yield from _shape(tree, text, unit)


def _too_complex(query: str) -> bool:
    depth = deepest = operators = 0
    for word in tokens(query):
        if word.text in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif word.text in ")]}":
            depth -= 1
        elif word.text.lower() in OPERATORS:
            operators += 1
    return deepest > MAX_DEPTH or operators > MAX_OPERATORS


def _taken_back(problem: Problem, origin: tuple[int, ...], text: str) -> Problem:
    """The same, at the place in the template that the place in the rendered query came from."""
    if not origin:
        return problem._replace(start=0, end=len(text))
    last = len(origin) - 1
    start = origin[min(problem.start, last)]
    end = origin[min(max(problem.end - 1, 0), last)] + 1
    if text.startswith("{{", end - 1):
        end = text.find("}}", end) + 2
    return problem._replace(start=start, end=max(end, start + 1))


# --- what a query that parses still gets wrong ------------------------------------------------------------------------


def _fixed_windows(words: list[Token]) -> Iterator[Problem]:
    calls: list[str] = []
    for index, word in enumerate(words):
        if word.text == "(":
            calls.append(words[index - 1].text if index else "")
        elif word.text == ")" and calls:
            calls.pop()
        elif word.text == "[" and any(call in _RANGED for call in calls):
            inside = _until_closed(words, index)
            if inside and not any("interval" in each.text for each in inside if each.kind == "template"):
                start, end = inside[0].start, inside[-1].end
                message = "this window is fixed: it does not follow the check's own"
                yield Problem("RW506", start, end, message, "write `{{ interval }}`", "{{ interval }}")


def _until_closed(words: list[Token], index: int) -> list[Token]:
    inside: list[Token] = []
    for word in words[index + 1 :]:
        if word.text == "]":
            return inside
        inside.append(word)
    return []


_TELLING = frozenset(
    {"workload", "arm", "pods", "primary", "canary", "target", "service", "ingress", "route", "variables"}
)


def _same_for_both(text: str, words: list[Token]) -> Iterator[Problem]:
    usage = inspect(text)
    if usage.names & _TELLING or any(word.kind == "string" and "canary" in word.text for word in words):
        return
    first = next((word for word in words if word.kind == "name" and word.text not in FUNCTIONS), words[0])
    yield Problem(
        "RW507",
        first.start,
        first.end,
        "this query asks about no workload: the canary and the primary get the same answer",
        'pick out the workload that is asked about, with a label such as `app="{{ workload }}"`',
    )


def _counts(words: list[Token]) -> Iterator[Problem]:
    names = [word for word in words if word.kind == "name"]
    rate = next((word for word in names if word.text in ("rate", "irate")), None)
    if rate is not None:
        message = "events are counted, and this is a rate per second"
        yield Problem("RW509", rate.start, rate.end, message, "use `increase`", "increase")
    elif not any(word.text in _COUNTING for word in names) and names:
        message = "events are counted over the window, and this counts since the process began"
        yield Problem("RW509", names[0].start, names[0].end, message, "put `increase(…[{{ interval }}])` around it")


def _shape(tree: Any, text: str, unit: str) -> Iterator[Problem]:
    """What is odd about a query that parses."""
    nodes = list(_walk(tree))
    for node in nodes:
        if type(node).__name__ == "Call" and node.func.name == "histogram_quantile":
            yield from _without_le(node.args[1], text)
    if unit == "histogram":
        yield from _without_le(tree, text)
    if unit in ("percent", "ratio") and type(tree).__name__ == "BinaryExpr" and str(tree.op) == "/":
        yield from _empty_numerator(tree, text)


def _walk(node: Any) -> Iterator[Any]:
    stack = [node]
    while stack:
        node = stack.pop()
        yield node
        for name in ("lhs", "rhs", "expr", "vector_selector"):
            child = getattr(node, name, None)
            if child is not None:
                stack.append(child)
        stack.extend(getattr(node, "args", None) or ())


def _without_le(node: Any, text: str) -> Iterator[Problem]:
    while type(node).__name__ == "ParenExpr":
        node = node.expr
    if type(node).__name__ != "AggregateExpr":
        return
    modifier = node.modifier
    labels = list(modifier.labels) if modifier is not None else []
    keeps = modifier is not None and (str(modifier.type).endswith("By") == ("le" in labels))
    if keeps:
        return
    start, end = word_at("|".join(_AGGREGATES), text, list(tokens(text)))
    message = f"`{text[start:end]}` throws away `le`, the bounds of the histogram"
    yield Problem("RW508", start, end, message, "add `by (le)`")


def _empty_numerator(tree: Any, text: str) -> Iterator[Problem]:
    upper, lower = _matchers(tree.lhs), _matchers(tree.rhs)
    extra = upper - lower
    if not lower <= upper or not extra or any(str(getattr(n, "op", "")) == "or" for n in _walk(tree.lhs)):
        return
    name, op, value = sorted(extra)[0]
    shown = f'{name}{op}"{value}"'
    start, end = word_at(re.escape(name), text, list(tokens(text)))
    message = f"when no request has `{shown}`, this query has no data rather than 0"
    yield Problem("RW513", start, end, message, "let the metric return events: `bad` and `total` are asked apart")


_OPS = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}


def _matchers(node: Any) -> set[tuple[str, str, str]]:
    found = set()
    for each in _walk(node):
        if type(each).__name__ == "VectorSelector":
            for m in each.matchers.matchers:
                found.add((m.name, _OPS.get(str(m.op).rpartition(".")[2], "="), m.value))
    return found
