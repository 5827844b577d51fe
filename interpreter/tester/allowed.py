"""Which programs a task may start. Pure.

A program is allowed by the name that a command line calls it by; a path is allowed only if that very path is. Lines
that a policy writes may start less than the kinds of tasks do, whose command lines are made here: a locustfile is a
program, so is a script of wrk or bats, and some of these tools fetch it from anywhere. What an allowed program does is
its own: curl reads files. `--allow-shell` takes the bar away for lines, and lets a policy bring scripts along.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from interpreter.tester.payload import BadRequest

LINES = frozenset(
    (
        *("hey", "ghz", "grpc_health_probe", "curl", "grep", "jq"),
        *("test", "true", "false", "echo", "sleep", "head", "tail", "wc", "tr", "cut"),
    )
)
"""What lines may start where nothing else is said: what cannot be made to run another program."""
TOOLS = frozenset(("hey", "wrk", "ghz", "k6", "locust", "helm", "kubectl"))
"""What the other kinds of tasks start."""


class NotAllowed(BadRequest):
    """The operator does not let tasks do this."""


class Allowed(NamedTuple):
    """`shell`: a policy may have a shell run what it writes, and bring scripts."""

    lines: frozenset[str] = LINES
    tools: frozenset[str] = TOOLS
    shell: bool = False

    def check(self, programs: Iterable[str], *, line: bool) -> None:
        """Raises `NotAllowed`. Where a shell is allowed, a line may start what it likes."""
        allowed = self.lines if line else self.tools
        for program in programs:
            if program not in allowed and not (line and self.shell):
                where = "in a command line" if line else "here"
                raise NotAllowed(
                    f"`{program[:100]}` may not be run {where}: allowed are {', '.join(sorted(allowed)) or 'none'}; "
                    "the operator adds one by `--allow-commands`"
                )

    def check_shell(self, why: str) -> None:
        """Raises `NotAllowed`."""
        if not self.shell:
            raise NotAllowed(f"{why}; the operator allows that by `--allow-shell`")
