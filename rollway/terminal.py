"""What the commands say and where: results to standard output, everything about them to standard error.

Colours are for terminals. `NO_COLOR` takes them away and `FORCE_COLOR` gives them to a pipe; without colours the bytes
are the same as with them, minus the colours.
"""

from __future__ import annotations

import os
import sys
from typing import TextIO

from rollway.exit_codes import ExitCode

PAPER = 100
"""Columns of output that nobody watches, so that it is the same everywhere."""


class Stop(Exception):
    """Ends a command with one line that says what is wrong and what to do."""

    def __init__(self, message: str, code: ExitCode = ExitCode.USAGE) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class OutputClosed(Exception):
    """Whoever read standard output has gone. Not an `OSError`, so that nobody on the way takes it for one of a file."""


def program_name() -> str:
    """What people write to call this: kubectl finds `kubectl-rollway` for `kubectl rollway`."""
    return "kubectl rollway" if os.path.basename(sys.argv[0]) == "kubectl-rollway" else "rollway"


def wants_colour(stream: TextIO) -> bool:
    """Whether this stream is to be coloured."""
    if os.environ.get("NO_COLOR"):
        return False
    forced = os.environ.get("FORCE_COLOR")
    if forced:
        return forced != "0"
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def width(stream: TextIO) -> int:
    """The columns of the terminal behind a stream, or those of paper."""
    if not stream.isatty():
        return PAPER
    try:
        return max(os.get_terminal_size(stream.fileno()).columns, 40)
    except (OSError, ValueError):
        return PAPER


def say(text: str) -> None:
    """A line about the work, to standard error."""
    sys.stderr.write(f"{text}\n")


def put(text: str) -> None:
    """A result, to standard output."""
    sys.stdout.write(text)


def plural(count: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def reason(error: OSError) -> str:
    """Why the system refused, in its own words, lower-case."""
    said = error.strerror or str(error) or "it could not be read"
    return said[:1].lower() + said[1:]
