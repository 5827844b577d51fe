"""What is wrong with a manifest, or is not carried out as it is written: values, each with the path of its field."""

from __future__ import annotations

from typing import NamedTuple

from dsl.diagnostics import Severity


class Problem(NamedTuple):
    """`path` is as `kubectl explain` has it (`spec.analysis.metrics[0].name`); `help` says what to do."""

    path: str
    message: str
    help: str = ""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" + (f"; {self.help}" if self.help else "")


class Problems:
    """Collects them in the order in which they are found."""

    def __init__(self) -> None:
        self.all: list[Problem] = []

    def error(self, path: str, message: str, help: str = "") -> None:
        """Something that keeps the manifest from being carried out."""
        self.all.append(Problem(path, message, help))

    def warn(self, path: str, message: str, help: str = "") -> None:
        """Something that is carried out otherwise than Flagger does it, or not at all."""
        self.all.append(Problem(path, message, help, Severity.WARNING))

    @property
    def fatal(self) -> bool:
        """Whether there is an error among them."""
        return any(problem.severity is Severity.ERROR for problem in self.all)

    @property
    def words(self) -> str:
        """The errors, in a line."""
        return "; ".join(str(problem) for problem in self.all if problem.severity is Severity.ERROR)
