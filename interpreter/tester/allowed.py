"""Which programs a task may start. Pure.

A program is allowed by the name that a command line calls it by; a path is allowed only if that very path is. What an
allowed program does is its own: `curl` reads files, `kubectl` does what the tester's account may. `--allow-shell` takes
the bar away for lines that a policy writes, and lets it bring scripts along.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from interpreter.tester.payload import BadRequest

USUAL = (
    *("hey", "wrk", "ghz", "k6", "locust", "grpc_health_probe"),
    *("curl", "grep", "jq", "bats", "helm", "kubectl"),
    *("test", "true", "false", "echo", "sleep", "head", "tail", "wc", "tr", "cut"),
)
"""What is allowed where nothing else is said: what Flagger's image has for tests, and small filters that neither write
files nor start other programs."""


class NotAllowed(BadRequest):
    """The operator does not let tasks do this."""


class Allowed(NamedTuple):
    """`shell`: a policy may have a shell run what it writes, and bring scripts."""

    programs: frozenset[str] = frozenset(USUAL)
    shell: bool = False

    def check(self, programs: Iterable[str]) -> None:
        """Raises `NotAllowed`."""
        for program in programs:
            if program not in self.programs:
                known = ", ".join(sorted(self.programs)) or "none"
                raise NotAllowed(
                    f"`{program[:100]}` may not be run here: allowed are {known}; the operator adds one by "
                    "`--allow-commands`"
                )

    def check_shell(self, why: str) -> None:
        """Raises `NotAllowed`."""
        if not self.shell:
            raise NotAllowed(f"{why}; the operator allows that by `--allow-shell`")
