"""Remember what was compiled from a Program and one of its parts.

Programs hold mappings and cannot be hashed, so that the memory goes by identity. Each entry holds on to what its key is
the identity of; an identity can therefore not come to mean something else while the entry is there. The memory is
emptied when it is full, which costs a compilation and nothing more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from dsl.ir import Program

Part = TypeVar("Part")
Made = TypeVar("Made")

CAPACITY = 512


class Memory(Generic[Part, Made]):
    """`make(program, part)`, made once."""

    def __init__(self, make: Callable[[Program, Part], Made]) -> None:
        self._make = make
        self._entries: dict[tuple[int, int], tuple[Program, Part, Made]] = {}

    def __call__(self, program: Program, part: Part) -> Made:
        key = (id(program), id(part))
        entry = self._entries.get(key)
        if entry is None:
            if len(self._entries) >= CAPACITY:
                self._entries.clear()
            entry = self._entries[key] = (program, part, self._make(program, part))
        return entry[2]
