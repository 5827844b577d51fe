"""How the parser calls things when it talks to people.

Every terminal of the grammar has a name here or is named by its own text; sets of them collapse into nouns, so that
nobody has to read a list of thirty words.
"""

from __future__ import annotations

from dsl.findings import one_line
from dsl.parser.tables import Automaton
from dsl.parser.tokens import END, NEWLINE, Token

NAMES = {
    "NAME": "a name",
    "KEBAB": "a name",
    "DURATION": "a duration such as `5m`",
    "PERCENT": "a percentage such as `10%`",
    "CLOCK": "a time of day such as `09:00`",
    "NUMBER": "a number",
    "STRING": "a string in double quotes",
    "RAW_STRING": "a string in double quotes",
    NEWLINE: "the end of the line",
    END: "the end of the file",
    "SPACE": "a space",
    "COMMENT": "a comment",
}
"""What to call the terminals that are no fixed text."""

VALUE = {"NAME", "NUMBER", "PERCENT", "DURATION", "STRING", "LPAR", "MINUS"}
"""Where all of these are taken, an expression begins."""

_VALUE_TOO = VALUE | {"RAW_STRING", "TRUE", "FALSE", "LSQB", "LBRACE", "KEBAB", "CLOCK"}
_CONTINUE = {"PLUS", "MINUS", "STAR", "SLASH", "DOT", "LPAR", "OF", "OVER", "AND", "OR", "UPTO"}
_COMPARE = {"LESS", "AT_MOST", "MORE", "AT_LEAST", "EQUAL", "UNEQUAL"}
_ENDS = {NEWLINE, END, "RBRACE"}
_MOST = 4

ITEMS = {
    "declaration": ("a declaration such as `rollout` or `metric`", "at the top of a file"),
    "rollout_item": ("a statement of a rollout, such as `target` or `steps`", "in a `rollout { … }`"),
    "analysis_item": ("a statement of an analysis, such as `every` or `require`", "in an `analysis { … }`"),
    "judgement_item": ("`kayenta(…)`, `group`, `pass` or `marginal`", "in a `judgement { … }`"),
    "group_item": ("`kayenta(…)`", "in a `group` of a judgement"),
    "step": ("a step such as `shift to 10%` or `promote`", "in `steps { … }` or in a `strategy`"),
    "call": ("`run` or `notify`", "in a handler such as `on rollback { … }`"),
    "rule": ("a rule such as `forbid` or `require`", "in a `guardrail { … }`"),
    "fact": ("`given` or `expect`", "in a `test { … }`"),
    "window_item": ("`days`, `hours` or `zone`", "in a `window { … }`"),
    "channel_item": ("a setting such as `slack` or `at`", "in a `channel { … }`"),
    "metric_item": ("a query or a setting", "in a `metric { … }`"),
    "variant_item": ("a query or a setting", "in a `metric { … }`"),
    "field": ("a setting", "in a block of settings"),
}
"""For each kind of thing that a block holds: what to call it, and where it stands."""


def friendly(automaton: Automaton, kind: str) -> str:
    """What to call a terminal."""
    return NAMES.get(kind) or f"`{automaton.spelling[kind]}`"


def found(token: Token) -> str:
    """What to call a token that was found."""
    kind, text, _, _ = token
    if kind == END:
        return "the end of the file"
    if kind == NEWLINE:
        return "`;`" if text.startswith(";") else "the end of the line"
    return f"`{one_line(text, 40)}`"


def wanted(automaton: Automaton, kinds: set[str], item: str | None) -> str:
    """The expected kinds in words, at most four of them; `item` is what the block holds, where a statement begins."""
    if item is not None:
        return ITEMS[item][0]
    left = set(kinds)
    words: list[str] = []
    if left >= VALUE:
        words.append("a condition" if "NOT" in left else "a value")
        left -= _VALUE_TOO | {"NOT"}
    if left >= _COMPARE:
        words.append("a comparison such as `>= 99%`")
        left -= _COMPARE
    words += _of_the_rest(automaton, left, bool(words))
    words = list(dict.fromkeys(words))
    if len(words) > _MOST:
        words = [*words[: _MOST - 1], "something else"]
    return " or ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _of_the_rest(automaton: Automaton, left: set[str], some: bool) -> list[str]:
    """Words, names and marks; what would only go on with an expression is left out where anything else can come."""
    ends = left & _ENDS
    closing = left & {"RPAR", "RSQB", "COMMA"}
    main = left - _CONTINUE - _ENDS - closing - {"KEBAB", "RAW_STRING"}
    words = sorted((friendly(automaton, kind) for kind in main), key=_weight)
    words += sorted(friendly(automaton, kind) for kind in closing)
    if ends:
        words.append(friendly(automaton, NEWLINE if NEWLINE in ends else min(ends)))
    if not words and not some:
        words = sorted(friendly(automaton, kind) for kind in left)
    return words


def _weight(name: str) -> tuple[bool, str]:
    """Nouns before fixed words."""
    return (name.startswith("`"), name)
