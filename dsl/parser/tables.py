"""The automaton of `grammar/tables.json`, unpacked for running.

It is loaded once a process, at the first parse.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple

import grammar
from dsl.parser.tokens import Lexer
from dsl.parser.tree import NODES
from dsl.parser.tree_values import leaf_makers
from dsl.source import Span

Leaf = Callable[[str, Span], object]


UNIT, ONE, MANY, GROW, KEEP, OTHER = range(6)
"""The shapes of rules: a lone child passes through; a node of one child, or of several that all stand there; one more
element of a list; one child of several passes through; anything else."""


class Rule(NamedTuple):
    """A rule as the driver runs it.

    `pick` says what becomes of the children. For `ONE` and `KEEP` it is the place of the one that counts, from the top
    of the stack; for `MANY` a function that fetches them; for `OTHER` a recipe, in which stand indices, None for an
    absent part, and `[index]` for a helper whose children are spliced in. `node` makes the node; where it is None, the
    rule is a helper and its value is the list of its children.
    """

    shape: int
    origin: str
    length: int
    node: Any
    pick: Any


class Automaton(NamedTuple):
    """`rows[state][symbol]` is the state to go to, or `-1 - rule` to reduce; terminals and rules share the rows.

    `chains` remembers where rows of passing rules end; it is the one thing here that grows. `spelling` is the text of
    each fixed terminal, `words` are those terminals that are words.
    """

    lexer: Lexer
    rows: list[dict[str, int]]
    rules: list[Rule]
    leaves: dict[str, Leaf]
    start: int
    end: int
    map_states: frozenset[int]
    chains: dict[tuple[int, int, str], int]
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
    return Automaton(
        lexer,
        rows,
        rules,
        leaf_makers(set(tables["kept"]), set(lexer.marks.values())),
        tables["start"],
        tables["end"],
        _map_states(rows, rules),
        {},
        {kind: text for text, kind in (*lexer.keywords.items(), *lexer.marks.items())},
        frozenset(lexer.keywords.values()),
    )


def _rule(origin: str, length: int, name: str | None, recipe: list[Any]) -> Rule:
    node = NODES[name] if name else None
    whole = bool(recipe) and all(isinstance(pick, int) for pick in recipe)
    if name is None:
        return Rule(KEEP if length > 1 else UNIT, origin, length, None, recipe[0] - length)
    if node is None and recipe == [[0], length - 1]:
        return Rule(GROW, origin, length, None, None)
    if node is None or not whole:
        return Rule(OTHER, origin, length, node, recipe)
    if len(recipe) == 1:
        return Rule(ONE, origin, length, node, recipe[0] - length)
    return Rule(MANY, origin, length, node, itemgetter(*(pick - length for pick in recipe)))


def _map_states(rows: list[dict[str, int]], rules: list[Rule]) -> frozenset[int]:
    """The states right behind the `{` of a map: where a `}` ends a map, not a block."""
    states = set()
    for row in rows:
        inside = row.get("LBRACE", -1)
        closed = rows[inside].get("RBRACE", -1) if inside >= 0 else -1
        if closed >= 0 and {rules[-1 - action].origin for action in rows[closed].values() if action < 0} == {"map"}:
            states.add(inside)
    return frozenset(states)
