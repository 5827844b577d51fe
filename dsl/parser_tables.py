"""The automaton of `grammar/tables.json`, unpacked for running.

It is loaded once a process, at the first parse.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import grammar
from dsl.source import Span
from dsl.tokens import Lexer
from dsl.tree import NODES
from dsl.tree_values import leaf_makers

Leaf = Callable[[str, Span], object]


class Rule(NamedTuple):
    """A rule as the driver runs it.

    `keep` is the index of the one child of a rule that leaves no node of its own, else -1. `node` makes the node from
    the children that `recipe` picks; it is None for an inlined helper, whose value is the list of its children. In a
    recipe stand indices, None for an absent part, and `[index]` for a helper whose children are spliced in. `plain`
    says that a recipe has indices and None only.
    """

    origin: str
    length: int
    keep: int
    node: Callable[..., Any] | None
    recipe: list[Any]
    plain: bool


class Automaton(NamedTuple):
    """`rows[state][symbol]` is the state to go to, or `-1 - rule` to reduce; terminals and rules share the rows.

    `spelling` is the text of each fixed terminal, `words` are those terminals that are words.
    """

    lexer: Lexer
    rows: list[dict[str, int]]
    rules: list[Rule]
    leaves: dict[str, Leaf]
    start: int
    end: int
    map_states: frozenset[int]
    spelling: dict[str, str]
    words: frozenset[str]


@cache
def automaton() -> Automaton:
    """The one automaton of the process."""
    tables = grammar.load()
    symbols = tables["symbols"]
    unpacked = [dict(zip(map(symbols.__getitem__, row[::2]), row[1::2], strict=True)) for row in tables["rows"]]
    rows = [unpacked[number] for number in tables["states"]]
    lexer = Lexer(tables)
    rules = [_rule(*rule) for rule in tables["rules"]]
    kept = {*tables["patterns"], *lexer.keywords.values(), *lexer.marks.values()}
    return Automaton(
        lexer,
        rows,
        rules,
        leaf_makers(kept, set(lexer.marks.values())),
        tables["start"],
        tables["end"],
        _map_states(rows, rules),
        {kind: text for text, kind in (*lexer.keywords.items(), *lexer.marks.items())},
        frozenset(lexer.keywords.values()),
    )


def _rule(origin: str, length: int, node: str | None, recipe: list[Any]) -> Rule:
    plain = not any(isinstance(pick, list) for pick in recipe)
    keep = recipe[0] if node is None else -1
    return Rule(origin, length, keep, NODES[node] if node else None, recipe, plain)


def _map_states(rows: list[dict[str, int]], rules: list[Rule]) -> frozenset[int]:
    """The states right behind the `{` of a map: where a `}` ends a map, not a block."""
    states = set()
    for row in rows:
        inside = row.get("LBRACE", -1)
        closed = rows[inside].get("RBRACE", -1) if inside >= 0 else -1
        if closed >= 0 and {rules[-1 - action].origin for action in rows[closed].values() if action < 0} == {"map"}:
            states.add(inside)
    return frozenset(states)
