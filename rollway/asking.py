"""Conditions and shares that are given on a command line, read as a step of a policy would have them.

They are put into a policy of nothing else and compiled: so they are written as in the language, mistakes are told in
its words, and what the traffic provider cannot do is refused as the linter would refuse it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from dsl.capabilities import PROVIDERS
from dsl.diagnostics import Diagnostic, Severity
from dsl.ir import MatchTest, Program, RouteOp
from dsl.source import Source
from rollway.exit_codes import ExitCode
from rollway.policies import compile_one
from rollway.terminal import Stop

_SHORT = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]*)=([^=~].*)", re.DOTALL)


def asked_for(program: Program, tests: Sequence[str], mirror: float) -> tuple[tuple[MatchTest, ...], ...]:
    """The alternatives that these tests come to on the Program's provider. Raises `Stop` for a test that is none, and
    for what the provider cannot do: a test, or a mirror of so many percent."""
    if not tests and not mirror:
        return ()
    for test in tests:
        _compiled(program, [_step([test])], f"`--match {test}` is no condition")
    steps = [*([_step(tests)] if tests else []), *([f"mirror {mirror:g}%"] if mirror else [])]
    for step in steps:
        _compiled(program, [step], "")
    found = _compiled(program, steps, "")
    return next((op.matches for op in found if op.matches), ())


def _step(tests: Sequence[str]) -> str:
    return f"route to canary when {' or '.join(_written(test) for test in tests)}"


def _written(test: str) -> str:
    """As the language has it: `x-user=beta` is short for a header that has this value."""
    short = _SHORT.fullmatch(test)
    return test if short is None else f"header {_quoted(short[1])} == {_quoted(short[2])}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _compiled(program: Program, steps: Sequence[str], wrong: str) -> list[RouteOp]:
    text = "\n".join(
        (
            "rollout asked in asked {",
            "target deployment/asked",
            "service { port 80 }",
            f"traffic {program.traffic.provider} {{ {_options(program)} }}",
            f"steps {{ {'; '.join((*steps, 'promote'))} }}",
            "}",
        )
    )
    compilation = compile_one(Source("asked.rollout", text), lint=True)
    errors = [each for each in compilation.diagnostics if each.severity is Severity.ERROR]
    refused = [each for each in errors if each.code.startswith("RW4")]
    if refused:
        raise Stop(_sentence(refused[0]), ExitCode.FINDINGS)
    if wrong and (errors or len(compilation.rollouts) != 1):
        why = f" ({errors[0].message})" if errors else ""
        raise Stop(f'{wrong}{why}; write `x-user=beta`, or `cookie "canary" == "always"`')
    return [op for each in compilation.rollouts for op in each.program.code if isinstance(op, RouteOp)]


def _options(program: Program) -> str:
    """What a provider must be told, and the one option that what it can do depends on."""
    row, api = PROVIDERS.get(program.traffic.provider), program.traffic.options.get("api")
    takes = row.takes if row is not None else ()
    said = [f"{name} asked" for name in ("ingress", "route") if name in takes][:1]
    return "; ".join((*said, *([f"api {_quoted(str(api))}"] if api else [])))


def _sentence(one: Diagnostic) -> str:
    return f"{one.message} ({one.code})" + (f"; {one.help}" if one.help else "")
