"""What PromQL's parser complains of, in words about the query, at the words that it is about.

The parser says what it found and not where. Each complaint that it has is looked up here, and its subject is sought in
the query; what it only calls invalid is searched for the first word that stands where none of its kind can.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dsl.embedded.jinja_check import Problem
from dsl.embedded.promql_words import FUNCTIONS, OPERATORS, Token, tokens, word_at
from dsl.suggest import closest, question


def explain(said: str, query: str) -> Problem:
    """The parser's complaint in words about the query, at the words that it is about."""
    words = list(tokens(query))
    for pattern, tell in _COMPLAINTS:
        found = re.search(pattern, said)
        if found is not None:
            start, end, message, help_text = tell(found, query, words)
            return Problem("RW505", start, end, message, help_text)
    where = _out_of_place(words)
    if where is not None:
        start, end, near = where.start, where.end, f"`{where.text}` does not fit here"
        return Problem("RW505", start, end, f"this is not PromQL: {near}", "look at what stands just before it")
    return Problem("RW505", 0, len(query), "this is not PromQL", "try it in Prometheus's own expression browser")


def _open_bracket(_: re.Match[str], query: str, words: list[Token]) -> tuple[int, int, str, str]:
    stack = []
    for word in words:
        if word.text in ("(", "[", "{"):
            stack.append(word)
        elif word.text in (")", "]", "}") and stack:
            stack.pop()
    last = stack[-1] if stack else None
    start, end = (last.start, last.end) if last else (0, len(query))
    return start, end, f"this `{last.text if last else '('}` is never closed", "close it"


def _closing(_: re.Match[str], query: str, words: list[Token]) -> tuple[int, int, str, str]:
    depth = 0
    for word in words:
        depth += (word.text == "(") - (word.text == ")")
        if depth < 0:
            return word.start, word.end, "this `)` closes nothing", "drop it, or open a `(` before"
    return 0, len(query), "a `)` closes nothing", "drop it, or open a `(` before"


def _unknown_function(found: re.Match[str], query: str, words: list[Token]) -> tuple[int, int, str, str]:
    name = found[1]
    start, end = word_at(name, query, words)
    return start, end, f"PromQL has no function `{name}`", question(closest(name, FUNCTIONS))


def _wants_range(found: re.Match[str], query: str, words: list[Token]) -> tuple[int, int, str, str]:
    start, end = word_at(found[1], query, words)
    return start, end, f"`{found[1]}` wants a stretch of time", "add `[{{ interval }}]` behind the selector"


def _wants_instant(found: re.Match[str], query: str, words: list[Token]) -> tuple[int, int, str, str]:
    start, end = word_at(found[1], query, words)
    return start, end, f"`{found[1]}` cannot take a stretch of time", "take the `[…]` away, or put `rate(…)` around it"


def _arguments(found: re.Match[str], query: str, words: list[Token]) -> tuple[int, int, str, str]:
    wanted, name, got = found[1], found[2], found[3]
    start, end = word_at(name, query, words)
    return start, end, f"`{name}` wants {wanted} argument{'s' * (wanted != '1')}, and has {got}", ""


def _aggregate(_: re.Match[str], query: str, words: list[Token]) -> tuple[int, int, str, str]:
    start, end = word_at("topk|bottomk|quantile|count_values|limitk|limit_ratio", query, words)
    return start, end, f"`{query[start:end]}` wants two arguments: a number, and what it is about", ""


def _regex(found: re.Match[str], query: str, words: list[Token]) -> tuple[int, int, str, str]:
    at = next((word for word in words if word.kind == "string" and word.text[1:-1] == found[1]), None)
    start, end = (at.start, at.end) if at else (0, len(query))
    return (
        start,
        end,
        "this is not a regular expression",
        "mind the brackets, and write `\\\\` for a backslash",
    )


def _unterminated(found: re.Match[str], query: str, words: list[Token]) -> tuple[int, int, str, str]:
    quote = next((w for w in words if w.kind == "mark" and w.text in "\"'`"), None)
    start, end = (quote.start, quote.end) if quote else (0, len(query))
    return start, end, f"this text is never closed by a `{found[1]}`", ""


def _label(found: re.Match[str], query: str, words: list[Token]) -> tuple[int, int, str, str]:
    start, end = word_at(found[1], query, words)
    return (
        start,
        end,
        f"`{found[1]}` does not fit among the labels",
        'labels are matched as in `{code="500", path=~"/a.*"}`',
    )


def _nested_range(_: re.Match[str], query: str, words: list[Token]) -> tuple[int, int, str, str]:
    start, end = word_at(r"\[", query, words)
    return start, end, "a stretch of time can only stand behind a plain selector", "put it inside: `sum(rate(x[…]))`"


def _scalars(_: re.Match[str], query: str, words: list[Token]) -> tuple[int, int, str, str]:
    start, end = word_at("==|!=|<=|>=|<|>", query, words)
    return start, end, "two numbers are compared here", "a query returns a value; the policy compares it"


def _nothing(_: re.Match[str], query: str, __: list[Token]) -> tuple[int, int, str, str]:
    return 0, len(query), "this query is empty", "write PromQL between the quotes"


_COMPLAINTS = (
    (r"unclosed left|no closing|unexpected end", _open_bracket),
    (r"unexpected character inside brackets", _open_bracket),
    (r"unexpected right parenthesis", _closing),
    (r"unknown function with name '(\w+)'", _unknown_function),
    (r"expected type matrix in call to function '(\w+)'", _wants_range),
    (r"expected type \w+ in call to function '(\w+)', got matrix", _wants_instant),
    (r"expected (?:at least |at most )?(\d+) argument\(s\) in call to '(\w+)', got (\d+)", _arguments),
    (r"wrong number of arguments for aggregate", _aggregate),
    (r"illegal regex for (.*)", _regex),
    (r"unterminated quoted string (.)", _unterminated),
    (r"unexpected \w+ '([^']*)' in label matching", _label),
    (r"unexpected '([^']*)' in label matching", _label),
    (r"ranges only allowed", _nested_range),
    (r"comparisons between scalars", _scalars),
    (r"no expression found", _nothing),
)


_MODIFIERS = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right", "bool", "offset"})


def _out_of_place(words: list[Token]) -> Token | None:
    """The first word that stands where an operator, or an operand, was due."""
    operand_due, depth = True, 0
    for word in _plain(words):
        depth += (word.text in "[{") - (word.text in "]}")
        if depth > 0 or word.text in "]}":
            operand_due = False
        elif word.text.lower() in OPERATORS:
            if operand_due and word.text not in "+-":
                return word
            operand_due = True
        elif word.kind in ("name", "number", "string"):
            if not operand_due:
                return word
            operand_due = False
        elif word.text in "(,)":
            operand_due = word.text != ")"
        else:
            return word
    return words[-1] if operand_due else None


def _plain(words: list[Token]) -> Iterator[Token]:
    """The words without modifiers and what belongs to them: `by (le)`, `offset 5m`."""
    index = 0
    while index < len(words):
        word, index = words[index], index + 1
        if word.kind != "name" or word.text.lower() not in _MODIFIERS:
            yield word
            continue
        following = words[index].text if index < len(words) else ""
        if word.text.lower() == "offset":
            index += 2 if following == "-" else 1
        elif following == "(" and word.text.lower() != "bool":
            while index < len(words) and words[index].text != ")":
                index += 1
            index += 1
