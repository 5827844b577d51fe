"""How text looks in a terminal: which cells a character takes, and what stands for one that cannot be seen.

A source line is untrusted: a control character, a right-to-left override or a lone surrogate in it must neither move
the cursor nor hide what stands there. Each becomes something visible. Tabs go to the next stop, wide characters take
two cells, combining ones none, so that a caret stands under the character that it speaks of.
"""

from __future__ import annotations

from typing import NamedTuple
from unicodedata import category, east_asian_width

TAB = 4
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


class Cell(NamedTuple):
    """What is printed for one character, and how many columns that takes."""

    text: str
    width: int


def cell(character: str, column: int = 0) -> Cell:
    """One character at a column (from 0, which matters to tabs only)."""
    if " " <= character <= "~":
        return Cell(character, 1)
    if character == "\t":
        width = TAB - column % TAB
        return Cell(" " * width, width)
    kind = category(character)
    if kind in _INVISIBLE:
        return _stand_in(character)
    if kind in ("Mn", "Me"):
        return Cell(character, 0)
    return Cell(character, 2 if east_asian_width(character) in "WF" else 1)


def cells(text: str) -> list[Cell]:
    """Each character of a line, from the left."""
    found: list[Cell] = []
    column = 0
    for character in text:
        one = cell(character, column)
        column += one.width
        found.append(one)
    return found


def visible(text: str) -> str:
    """A text fit for one line of output: what cannot be seen is written out."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(" " if character == "\t" else cell(character).text for character in text)


def _stand_in(character: str) -> Cell:
    code = ord(character)
    if code < 0x20:
        return Cell(chr(0x2400 + code), 1)
    if code == 0x7F:
        return Cell("␡", 1)
    name = f"<U+{code:04X}>"
    return Cell(name, len(name))
