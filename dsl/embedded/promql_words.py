"""The words of a PromQL query, read without understanding it: enough to find places in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = re.compile(
    r"""(?P<template>\{\{.*?\}\}|\{%.*?%\})|(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)"""
    r"""|(?P<comment>\#[^\n]*)|(?P<number>\d[\w.]*)|(?P<name>[A-Za-z_:][\w:]*)|(?P<mark>=~|!~|!=|==|<=|>=|[^\s\w])""",
    re.DOTALL,
)
_OPERATOR_WORDS = frozenset({"and", "or", "unless", "atan2"})
OPERATORS = frozenset({"+", "-", "*", "/", "%", "^", "==", "!=", "<", "<=", ">", ">=", *_OPERATOR_WORDS})
FUNCTIONS = frozenset(
    {"rate", "irate", "increase", "delta", "idelta", "deriv", "sum", "avg", "min", "max", "count", "histogram_quantile"}
    | {"clamp_min", "clamp_max", "clamp", "abs", "ceil", "floor", "round", "vector", "scalar", "time", "absent"}
    | {"label_replace", "label_join", "sort", "topk", "bottomk", "quantile", "stddev", "avg_over_time", "changes"}
    | {"max_over_time", "min_over_time", "sum_over_time", "count_over_time", "quantile_over_time", "last_over_time"}
)


class Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


def tokens(text: str) -> Iterator[Token]:
    """The words of a query, `{{ … }}` being one, without comments."""
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup or ""
        if kind != "comment":
            yield Token(kind, found[0], found.start(), found.end())


def word_at(pattern: str, query: str, words: list[Token]) -> tuple[int, int]:
    for word in words:
        if word.kind != "string" and (word.text == pattern or re.fullmatch(pattern, word.text)):
            return word.start, word.end
    return 0, len(query)
