"""The LALR driver: a stack of states, a stack of values, and what to do when a token does not fit.

It calls one function of `dsl/tree.py` a rule, so that no tree stands between the text and the nodes. Two things are
added to the textbook:

- A word is a keyword only where the automaton has a place for it. Where it has none but takes a name, it is a name.
- Newlines end statements, so they count in blocks, and nowhere else: `nest` knows what the innermost bracket is.

What to do about an error is the business of a `Mender`; the driver only knows that afterwards the token at `at` is to
be tried again, or that there is no use in going on.
"""

from __future__ import annotations

from typing import Any, Protocol

from dsl.parser_tables import Automaton
from dsl.source import Source, Span
from dsl.tokens import NEWLINE, Token

_OPENERS = {"LPAR", "LSQB", "LBRACE"}
_SPECIAL = {*_OPENERS, "RPAR", "RSQB", "RBRACE", NEWLINE}


MOST_NESTED = 64
"""Brackets in brackets; whatever walks over the tree may count on it."""

_TALLEST = 12 * MOST_NESTED


class Bracket:
    """An open bracket.

    `anchor` is the height of the stack at which a block is ready for its next statement, and `first` the number of
    the token with which that statement begins.
    """

    __slots__ = ("anchor", "first", "is_block", "token")

    def __init__(self, token: Token, is_block: bool, anchor: int, first: int) -> None:
        self.token = token
        self.is_block = is_block
        self.anchor = anchor
        self.first = first


class Mender(Protocol):
    """Knows what to do about a token that does not fit."""

    def mend(self, driver: Driver, /) -> bool:
        """Leave the driver in a state in which it can go on, or return False to stop."""

    def too_deep(self, driver: Driver, /) -> None:
        """Take note that the brackets at the last token are nested too deeply to go on."""


class Driver:
    """One run over the tokens of one text. `nest[0]` stands for the file, which is a block without braces."""

    __slots__ = (
        "at",
        "automaton",
        "ends",
        "maps",
        "nest",
        "softened",
        "source",
        "starts",
        "states",
        "tokens",
        "values",
    )

    def __init__(self, automaton: Automaton, source: Source, tokens: list[Token]) -> None:
        self.automaton = automaton
        self.source = source
        self.restart(tokens)

    def restart(self, tokens: list[Token]) -> None:
        """Begin at the beginning, with these tokens."""
        self.tokens = tokens
        self.at = 0
        self.states = [self.automaton.start]
        self.values: list[Any] = [None]
        self.starts = [0]
        self.ends = [0]
        self.nest = [Bracket(("LBRACE", "", 0, 0), True, 1, 0)]
        self.maps: set[int] = set()  # where the maps begin, for braces are of two kinds
        self.softened = -1  # the number of the last token that was a keyword and was taken as a name

    def run(self, mender: Mender) -> tuple[Any, ...] | None:
        """The declarations, or None where the mender gave up."""
        rows, rules, leaves = self.automaton.rows, self.automaton.rules, self.automaton.leaves
        states, values, starts, ends = self.states, self.values, self.starts, self.ends
        source, last, tokens = self.source, self.automaton.end, self.tokens
        kind, text, start, end = tokens[0]
        while True:
            action = rows[states[-1]].get(kind)
            if action is None:
                if not self._adapt() and not mender.mend(self):
                    return None
                states, values, starts, ends, tokens = self.states, self.values, self.starts, self.ends, self.tokens
                kind, text, start, end = tokens[self.at]
                if kind == NEWLINE and not self.nest[-1].is_block:
                    self.at += 1
                    kind, text, start, end = tokens[self.at]
            elif action >= 0:
                leaf = leaves.get(kind)
                values.append(leaf(text, Span(source, start, end)) if leaf is not None else None)
                states.append(action)
                starts.append(start)
                ends.append(end)
                if kind in _SPECIAL and not self._bracket(kind, action):
                    mender.too_deep(self)
                    return None
                self.at += 1
                kind, text, start, end = tokens[self.at]
                if kind == NEWLINE and not self.nest[-1].is_block:  # before a rule ends because of it
                    self.at += 1
                    kind, text, start, end = tokens[self.at]
            else:
                origin, length, keep, node, recipe, plain = rules[-1 - action]
                if keep < 0:
                    children = self._children(recipe, plain, length)
                    if node is not None:
                        children = node(*children, Span(source, starts[-length], ends[-1]))
                elif length > 1:
                    children = values[keep - length]
                if length > 1:
                    ends[-length] = ends[-1]
                    values[-length] = children
                    tail = 1 - length
                    del states[tail:], values[tail:], starts[tail:], ends[tail:]
                elif keep < 0:
                    if not length:
                        return ()
                    values[-1] = children
                states[-1] = goto = rows[states[-2]][origin]
                if goto == last:
                    done: tuple[Any, ...] = values[-1]
                    return done

    def _children(self, recipe: list[Any], plain: bool, length: int) -> list[Any]:
        """What a rule's node is made from. A helper's list is handed on and grown, never copied."""
        values = self.values
        base = len(values) - length
        if plain:
            return [None if pick is None else values[base + pick] for pick in recipe]
        children: list[Any] | None = None
        for pick in recipe:
            if type(pick) is list:
                spliced = values[base + pick[0]]
                if children is None:
                    children = spliced
                else:
                    children += spliced
            elif children is None:
                children = [None if pick is None else values[base + pick]]
            else:
                children.append(None if pick is None else values[base + pick])
        return children or []

    def _bracket(self, kind: str, state: int) -> bool:
        """Keep account of open brackets, after a shift; False if there are too many."""
        nest, height = self.nest, len(self.states)
        if kind in _OPENERS:
            is_block = kind == "LBRACE" and state not in self.automaton.map_states
            if not is_block:
                self.maps.add(self.tokens[self.at][2])
            nest.append(Bracket(self.tokens[self.at], is_block, height, self.at + 1))
            return len(nest) <= MOST_NESTED and height <= _TALLEST
        if kind != NEWLINE:
            nest.pop()
        else:
            nest[-1].anchor = height
            nest[-1].first = self.at + 1
        return True

    def _adapt(self) -> bool:
        """Read a keyword that does not fit as the name it can be as well."""
        token = self.tokens[self.at]
        if token[0] in self.automaton.words and "NAME" in self.automaton.rows[self.states[-1]]:
            self.tokens[self.at] = ("NAME", *token[1:])
            self.softened = self.at
            return True
        return False

    # --- for menders ---------------------------------------------------------------------------------------------

    def span(self, start: int, end: int) -> Span:
        """A place in the text."""
        return Span(self.source, start, end)

    def unwind(self) -> Bracket:
        """Forget everything since the innermost block was last ready for a statement."""
        while not self.nest[-1].is_block:
            self.nest.pop()
        block = self.nest[-1]
        for stack in (self.states, self.values, self.starts, self.ends):
            del stack[block.anchor :]
        return block

    def at_statement(self) -> bool:
        """Whether a statement begins with the current token."""
        block = self.nest[-1]
        return block.is_block and len(self.states) == block.anchor

    def salvage(self) -> list[Any]:
        """The declarations that were read before the driver stopped in the middle."""
        found: list[Any] = []
        for value in self.values[: self.nest[0].anchor]:
            if type(value) is list:
                found += value
            elif value is not None:
                found.append(value)
        return found
