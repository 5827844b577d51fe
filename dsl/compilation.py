"""What compiling one file comes to: findings always, Programs and tests where there was enough to make them."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from dsl import ir, syntax
from dsl.diagnostics import Diagnostic, Severity
from dsl.source import Source, Span


class Loader(Protocol):
    """Finds what an `import` names."""

    def load(self, path: str, importer: Source) -> Source | None:
        """The text behind `path` (`std/http`, `./shared.rollout`, `library/payments`), or None if there is none.

        Raises `OSError` for a text that is there and cannot be read.
        """


class CompiledRollout(NamedTuple):
    """One rollout with its Program; `places[i]` is where `program.code[i]` stands in the text."""

    node: syntax.Rollout
    program: ir.Program
    places: tuple[Span, ...]


class Compilation(NamedTuple):
    """`diagnostics` are in order and hold everything: syntax, names, types, flow, lint.

    `modules` has every file read, by the name of its `Source`: the file itself and all that it imports.
    A rollout with an error in it (or in what it uses) has no Program, and is not in `rollouts`.
    """

    file: syntax.File
    modules: dict[str, syntax.File]
    rollouts: tuple[CompiledRollout, ...]
    tests: tuple[ir.TestCase, ...]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def has_errors(self) -> bool:
        return any(d.severity is Severity.ERROR for d in self.diagnostics)
