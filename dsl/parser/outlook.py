"""What the parser could read next: the automaton tried out on a copy of its stack.

A row of the automaton also names tokens that only let a rule end and fail right after; the ones that count are those
that a walk through all the reductions really shifts.
"""

from __future__ import annotations

from collections.abc import Iterable

from dsl.parser.driver import Driver
from dsl.parser.tables import Automaton
from dsl.parser.tokens import END, NEWLINE, Token

Stack = list[int]


def after(automaton: Automaton, states: Stack, kind: str) -> Stack | None:
    """The stack after a token of this kind, or None if it does not fit."""
    base, new = len(states), [states[-1]]  # what is left of the stack below, and what has come on top of it
    base -= 1
    while True:
        action = automaton.rows[new[-1]].get(kind)
        if action is None:
            return None
        if action >= 0:
            return [*states[:base], *new, action]
        rule = automaton.rules[-1 - action]
        drop = rule.length - len(new)
        if drop >= 0:
            base -= drop + 1
            new = [states[base]]
        else:
            del new[len(new) - rule.length :]
        state = automaton.rows[new[-1]][rule.origin]
        new.append(state)
        if state == automaton.end:
            return [*states[:base], *new]


def after_token(automaton: Automaton, states: Stack, token: Token) -> Stack | None:
    """The same for a token as it stands, a keyword being a name where it must."""
    stack = after(automaton, states, token[0])
    if stack is None and token[0] in automaton.words:
        return after(automaton, states, "NAME")
    return stack


def after_all(automaton: Automaton, states: Stack, kinds: Iterable[str]) -> Stack | None:
    """The stack after several tokens."""
    stack: Stack | None = states
    for kind in kinds:
        stack = after(automaton, stack, kind) if stack is not None else None
    return stack


def expected(driver: Driver) -> set[str]:
    """The terminals that would be taken here. A newline is not among them inside of brackets."""
    automaton, states = driver.automaton, driver.states
    row = automaton.rows[states[-1]]
    found = {kind for kind in row if _is_terminal(kind) and after(automaton, states, kind) is not None}
    return found if driver.nest[-1].is_block else found - {NEWLINE}


def _is_terminal(symbol: str) -> bool:
    return symbol in (END, NEWLINE) or symbol.isupper()


def fits(driver: Driver, kinds: Iterable[str], tokens: Iterable[Token] = ()) -> bool:
    """Whether these kinds, and then these tokens, could come now. A newline counts, inside of brackets too."""
    stack = after_all(driver.automaton, driver.states, kinds)
    for token in tokens:
        if stack is None:
            return False
        stack = after_token(driver.automaton, stack, token)
    return stack is not None
