"""The LALR driver: a stack of states, a stack of values, and what to do when a token does not fit.

It calls one function of `dsl/parser/tree.py` a rule, so that no tree stands between the text and the nodes. Two things
are added to the textbook:

- A word is a keyword only where the automaton has a place for it. Where it has none but takes a name, it is a name.
- Newlines end statements, so they count in blocks, and nowhere else: `nest` knows what the innermost bracket is.

What to do about an error is the business of a `Mender`; the driver only knows that afterwards the token at `at` is to
be tried again, or that there is no use in going on.
"""

from __future__ import annotations

from typing import Any, Protocol

from dsl.parser.tables import GROW, KEEP, MANY, ONE, UNIT, Automaton
from dsl.parser.tokens import NEWLINE, Token
from dsl.source import Source, Span

_OPENERS = {"LPAR", "LSQB", "LBRACE"}
_SPECIAL = {*_OPENERS, "RPAR", "RSQB", "RBRACE", NEWLINE}


MOST_ERRORS = 50
"""Of one kind in one text; whoever made more has other cares than the fifty-first."""

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
        "ended",
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
        self.ended = 0  # where the last token that was read ends
        self.nest = [Bracket(("LBRACE", "", 0, 0), True, 1, 0)]
        self.maps: set[int] = set()  # where the maps begin, for braces are of two kinds
        self.softened = -1  # the number of the last token that was a keyword and was taken as a name

    def run(self, mender: Mender) -> tuple[Any, ...] | None:
        """The declarations, or None where the mender gave up."""
        rows, rules, leaves = self.automaton.rows, self.automaton.rules, self.automaton.leaves
        chains, source, last = self.automaton.chains, self.source, self.automaton.end
        states, values, starts, tokens = self.states, self.values, self.starts, self.tokens
        at = ended = 0
        kind, text, start, end = tokens[0]
        while True:
            state = states[-1]
            action = rows[state].get(kind)
            if action is None:
                self.at, self.ended = at, ended
                if not self._adapt() and not mender.mend(self):
                    return None
                states, values, starts, tokens = self.states, self.values, self.starts, self.tokens
                at, ended = self.at, self.ended
            elif action >= 0:
                leaf = leaves.get(kind)
                values.append(leaf(text, Span(source, start, end)) if leaf is not None else None)
                states.append(action)
                starts.append(start)
                ended = end
                if kind in _SPECIAL:
                    self.at = at
                    if not self._bracket(kind, action):
                        mender.too_deep(self)
                        return None
                at += 1
            else:
                shape, origin, length, node, pick = rules[-1 - action]
                if shape is UNIT:
                    key = (states[-2], state, kind)
                    states[-1] = chains.get(key) or self._chain(key)
                    continue
                if shape is ONE:
                    values[-length] = node(values[pick], Span(source, starts[-length], ended))
                elif shape is MANY:
                    values[-length] = node(*pick(values), Span(source, starts[-length], ended))
                elif shape is GROW:
                    values[-length].append(values[-1])
                elif shape is KEEP:
                    values[-length] = values[pick]
                elif length:
                    children = self._children(pick, length)
                    values[-length] = node(*children, Span(source, starts[-length], ended)) if node else children
                else:
                    return ()
                if length > 1:
                    tail = 1 - length
                    del states[tail:], values[tail:], starts[tail:]
                states[-1] = goto = rows[states[-2]][origin]
                if goto == last:
                    done: tuple[Any, ...] = values[-1]
                    return done
                continue
            kind, text, start, end = tokens[at]
            if kind == NEWLINE and not self.nest[-1].is_block:  # space, before a rule ends because of it
                at += 1
                kind, text, start, end = tokens[at]

    def _chain(self, key: tuple[int, int, str]) -> int:
        """Where a row of rules that pass their one child through ends, under a state and before a token; remembered."""
        below, state, kind = key
        while True:
            action = self.automaton.rows[state].get(kind, 0)
            rule = self.automaton.rules[-1 - action] if action < 0 else None
            if rule is None or rule.shape is not UNIT:
                self.automaton.chains[key] = state
                return state
            state = self.automaton.rows[below][rule.origin]

    def _children(self, recipe: list[Any], length: int) -> list[Any]:
        """What a rule's node is made from. A helper's list is handed on and grown, never copied."""
        values = self.values
        base = len(values) - length
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
        for stack in (self.states, self.values, self.starts):
            del stack[block.anchor :]
        self.ended = self.tokens[block.first - 1][3] if block.first else 0
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
