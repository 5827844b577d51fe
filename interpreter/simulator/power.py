"""A condition with each value drawn beneath the words that it belongs to.

success_rate >= 99% and latency(0.99) <= 500ms
|                       |
80%                     256ms
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class _Peg(NamedTuple):
    """A value and the column under which it hangs."""

    column: int
    value: str


def drawn(text: str, values: Sequence[tuple[str, str]]) -> list[str]:
    """The text, and beneath it the values of what it names; a value whose name does not stand in it comes last."""
    pegs, rest = _pegs(text, values)
    rows = [text]
    if pegs:
        rows.append(_row([_Peg(peg.column, "|") for peg in pegs]))
    while pegs:
        now, pegs = _fitting(pegs)
        rows.append(_row(sorted([*now, *(_Peg(peg.column, "|") for peg in pegs)])))
    return [*rows, *(f"{name} is {value}" for name, value in rest)]


def _pegs(text: str, values: Sequence[tuple[str, str]]) -> tuple[list[_Peg], list[tuple[str, str]]]:
    """Longer names are looked for first, and what one name covers no other one gets."""
    taken = [False] * len(text)
    pegs: list[_Peg] = []
    rest: list[tuple[str, str]] = []
    for name, value in sorted(values, key=lambda pair: -len(pair[0])):
        places = [at for at in _places(text, name) if not any(taken[at : at + len(name)])]
        for at in places:
            taken[at : at + len(name)] = [True] * len(name)
            pegs.append(_Peg(at, value))
        if not places:
            rest.append((name, value))
    return sorted(pegs), [value for value in values if value in rest]


def _places(text: str, name: str) -> list[int]:
    places, at = [], text.find(name) if name else -1
    while at >= 0:
        if not _within_a_word(text, at, at + len(name)):
            places.append(at)
        at = text.find(name, at + 1)
    return places


def _within_a_word(text: str, start: int, end: int) -> bool:
    before, after = text[start - 1 : start], text[end : end + 1]
    return before.isalnum() or before in ("_", ".") or after.isalnum() or after == "_"


def _fitting(pegs: list[_Peg]) -> tuple[list[_Peg], list[_Peg]]:
    """From the right: the values that can stand in one row, and those whose place the next one takes."""
    now: list[_Peg] = []
    later: list[_Peg] = []
    for peg in reversed(pegs):
        edge = min([other.column for other in (*now, *later)], default=len(peg.value) + peg.column + 2)
        (now if peg.column + len(peg.value) + 1 < edge else later).append(peg)
    return now[::-1], later[::-1]


def _row(pegs: Sequence[_Peg]) -> str:
    row = ""
    for peg in pegs:
        row += " " * (peg.column - len(row)) + peg.value
    return row
