"""Colours for a terminal, without a library: a style is a pair of escape sequences, or nothing at all."""

from __future__ import annotations

from typing import NamedTuple

from dsl.diagnostics import Severity

RESET = "\x1b[0m"


class Palette(NamedTuple):
    """What each part of a message is opened with. All empty on paper, so that the words are the same bytes."""

    error: str = ""
    warning: str = ""
    hint: str = ""
    strong: str = ""
    frame: str = ""
    good: str = ""

    def paint(self, style: str, text: str) -> str:
        return f"{style}{text}{RESET}" if style and text else text

    def of(self, severity: Severity) -> str:
        match severity:
            case Severity.ERROR:
                return self.error
            case Severity.WARNING:
                return self.warning
            case Severity.HINT:
                return self.hint


PLAIN = Palette()
COLOURED = Palette(
    error="\x1b[1;31m",
    warning="\x1b[1;33m",
    hint="\x1b[1;36m",
    strong="\x1b[1m",
    frame="\x1b[34m",
    good="\x1b[32m",
)
