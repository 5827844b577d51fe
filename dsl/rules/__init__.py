"""The lint rules: what can be known to be wrong, or unwise, before anything runs.

A rule is a module with `check(context)`, which yields diagnostics, a page for each of its codes in `dsl/pages`, and
tests. A rule looks at the tree, at the compiled Programs, or at both; it keeps nothing and imports what is slow only
when there is something to look at. To add one: write the module, name it in `RULES`, its codes in `severities`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import ModuleType

from dsl.compilation import Compilation
from dsl.diagnostics import Diagnostic
from dsl.rules import (
    bounds,
    capability,
    channels,
    coverage,
    guardrails,
    handlers,
    order,
    regex,
    secrets,
    style,
    suppression,
    templates,
    termination,
    unreachable,
    unused,
    windows,
)
from dsl.rules.context import Context

RULES: tuple[ModuleType, ...] = (
    unreachable,
    coverage,
    windows,
    termination,
    order,
    bounds,
    handlers,
    capability,
    channels,
    templates,
    regex,
    secrets,
    unused,
    style,
    guardrails,
)


def run(compilation: Compilation) -> list[Diagnostic]:
    """All that the rules have to say, without what a comment in the text tells them not to."""
    context = Context(compilation)
    found: list[Diagnostic] = []
    for rule in RULES:
        check: Callable[[Context], Iterable[Diagnostic]] = rule.check
        found += check(context)
    return suppression.applied(context, found)
