"""The compiled policies that a command is to work with, and what to say of those that cannot be."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import NamedTuple

from dsl.compilation import Compilation, CompiledRollout
from dsl.diagnostics import Diagnostic, Severity
from dsl.render import Form, render
from dsl.source import Source
from rollway.exit_codes import ExitCode
from rollway.inputs import STDIN, Input, Unreadable, read_all, tell
from rollway.terminal import Stop, wants_colour, width


class Policies(NamedTuple):
    """What was compiled, and the exit code that the rest comes to so far."""

    compilations: tuple[tuple[Source, Compilation], ...]
    code: int


def compiled(paths: list[str] | None, more: str = "") -> Policies:
    """Compile what the paths name. Errors are printed; a text with errors is left out. `more` is put behind each."""
    found: list[tuple[Source, Compilation]] = []
    inputs = list(read_all(paths))
    code: int = ExitCode.FINE
    for one in inputs:
        if not isinstance(one, Input):
            continue
        source = Source(one.source.name, one.source.text + more)
        errors = [one.damage] if one.damage is not None else []
        if not errors:
            compilation = compile_one(source)
            errors = [each for each in compilation.diagnostics if each.severity is Severity.ERROR]
        if errors:
            refuse(errors)
            code = ExitCode.FINDINGS
        else:
            found.append((one.source, compilation))
    unread = tell(one for one in inputs if isinstance(one, Unreadable))
    return Policies(tuple(found), unread or code)


def compile_one(source: Source, *, lint: bool = False) -> Compilation:
    """One text, without the findings that do not keep it from running unless `lint` asks for them."""
    from dsl.compiler import compile_source

    try:
        return compile_source(source, lint=lint)
    except Exception as error:
        error.add_note(f"while looking at `{source.name}`")
        raise


def refuse(errors: Iterable[Diagnostic]) -> None:
    """Print errors to standard error."""
    colour, columns = wants_colour(sys.stderr), width(sys.stderr)
    sys.stderr.write(render(Form.TEXT, list(errors), [], colour=colour, width=columns))


def rollouts(policies: Policies, name: str | None, *, doing: str) -> list[tuple[Compilation, CompiledRollout]]:
    """The rollouts to work with: all, or the one that was named. Raises `Stop` where there is none."""
    every = [(compilation, rollout) for _, compilation in policies.compilations for rollout in compilation.rollouts]
    chosen = [pair for pair in every if name in (None, pair[1].program.name)]
    if chosen or policies.code != ExitCode.FINE:
        return chosen
    if not every:
        where = " and ".join(_where(source.name) for source, _ in policies.compilations) or "what was given"
        raise Stop(f"there is no rollout in {where}, so there is nothing to {doing}", ExitCode.FINDINGS)
    names = ", ".join(f"`{rollout.program.name}`" for _, rollout in every)
    raise Stop(f"there is no rollout `{name}`; there is {names}")


def _where(name: str) -> str:
    return "standard input" if name == STDIN else f"`{name}`"
