"""How a command ends, in numbers that scripts rely on."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The same for every command."""

    FINE = 0
    FINDINGS = 1
    USAGE = 2
    """Wrong usage, or an input that cannot be read."""
    INTERNAL = 3
    WAITING = 4
    """What was waited for has not come about in the time that was given."""
    INTERRUPTED = 130
    BROKEN_PIPE = 141
