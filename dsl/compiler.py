"""The entry: from a text to all that can be said of it, and to the Programs of its rollouts.

Parse it and what it imports, check the names and each declaration by itself, put every rollout together, then the
tests, then the lint rules. Nothing raises: what is wrong is a diagnostic, and what hangs on it is left out in silence.
"""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike, fspath

from dsl import ir, syntax
from dsl.compilation import Compilation, CompiledRollout, Loader
from dsl.diagnostics import Diagnostic, Severity, in_order
from dsl.findings import Findings
from dsl.lower.rollout import Lowered, lower_rollout
from dsl.lower.tests import lower_test
from dsl.meaning.check import check_module
from dsl.meaning.modules import Modules, StandardLoader, read_modules
from dsl.source import Source, Span


def compile_file(path: str | PathLike[str]) -> Compilation:
    """Compile a file. Raises `OSError` if it cannot be read."""
    name = fspath(path)
    with open(name, encoding="utf-8", errors="replace", newline="") as file:
        return compile_source(Source(name, file.read()))


def compile_source(source: Source, loader: Loader | None = None, *, lint: bool = True) -> Compilation:
    """Compile a text. `loader` finds what it imports; without one, that is the files beside it."""
    findings = Findings()
    modules = read_modules(source, loader or StandardLoader(), findings)
    for module in modules.all:
        if not module.standard:
            check_module(module, findings)
    lowered = _rollouts(modules, findings)
    tests = _tests(modules, lowered, findings)
    findings.all = _outside_damage(findings.all, modules)
    broken = _broken(findings.all)
    compilation = Compilation(
        file=modules.main.file,
        modules={module.source.name: module.file for module in modules.all},
        rollouts=tuple(
            CompiledRollout(node, one.program, one.places)
            for node, one in _named(modules, lowered)
            if one.program is not None and not _touches(one, node, broken)
        ),
        tests=tests,
        diagnostics=tuple(in_order(findings.all)),
    )
    return _linted(compilation) if lint else compilation


def _rollouts(modules: Modules, findings: Findings) -> dict[int, Lowered]:
    lowered: dict[int, Lowered] = {}
    for node in modules.main.file.declarations:
        if isinstance(node, syntax.Rollout):
            try:
                lowered[id(node)] = lower_rollout(node, modules, findings)
            except RecursionError:
                findings.error(
                    "RW108",
                    f"`{node.name.text}` is too deeply nested",
                    node.name.span,
                    help="say it in several declarations",
                )
    return lowered


def _named(modules: Modules, lowered: dict[int, Lowered]) -> Iterable[tuple[syntax.Rollout, Lowered]]:
    for node in modules.main.file.declarations:
        if isinstance(node, syntax.Rollout) and id(node) in lowered:
            yield node, lowered[id(node)]


def _tests(modules: Modules, lowered: dict[int, Lowered], findings: Findings) -> tuple[ir.TestCase, ...]:
    found: list[ir.TestCase] = []
    for node in modules.main.file.declarations:
        if isinstance(node, syntax.Test):
            case = lower_test(node, modules.main, lowered, findings)
            if case is not None:
                found.append(case)
    return tuple(found)


def _outside_damage(diagnostics: list[Diagnostic], modules: Modules) -> list[Diagnostic]:
    """The diagnostics without those about statements that could not be read right: one cause, one diagnostic."""
    damaged = [span for module in modules.all for span in module.broken]
    if not damaged:
        return diagnostics
    return [d for d in diagnostics if d.code < "RW1" or not any(_overlap(d.span, span) for span in damaged)]


def _overlap(one: Span, other: Span) -> bool:
    return one.source is other.source and one.start < other.end and one.end > other.start


def _broken(diagnostics: Iterable[Diagnostic]) -> list[Span]:
    return [d.span for d in diagnostics if d.severity is Severity.ERROR]


def _touches(lowered: Lowered, node: syntax.Rollout, broken: list[Span]) -> bool:
    """Whether an error stands in a rollout, or in a declaration that it uses."""
    spans = [node.span, *lowered.bench.used.values()]
    return any(_overlap(error, span) for error in broken for span in spans)


def _linted(compilation: Compilation) -> Compilation:
    from dsl.rules import run  # noqa: PLC0415 - the rules are a room of their own

    found = run(compilation)
    return compilation._replace(diagnostics=tuple(in_order([*compilation.diagnostics, *found])))
