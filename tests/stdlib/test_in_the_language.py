"""The standard library's own tests, which are written in the language and stand beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsl import ir
from dsl.compiler import compile_file
from interpreter.simulator.verdict import run_test

FILES = sorted((Path(__file__).resolve().parents[2] / "stdlib" / "std").glob("*_test.rollout"))


def cases() -> list[tuple[ir.Program, ir.TestCase]]:
    found = []
    for compilation in map(compile_file, FILES):
        programs = {one.program.name: one.program for one in compilation.rollouts}
        found += [(programs[test.rollout], test) for test in compilation.tests]
    return found


def test_every_module_has_tests() -> None:
    modules = {path.stem for path in FILES[0].parent.glob("*.rollout")}
    assert {f"{name}_test" for name in modules if not name.endswith("_test")} <= modules


@pytest.mark.parametrize(("program", "case"), [pytest.param(*case, id=case[1].title) for case in cases()])
def test_it_holds(program: ir.Program, case: ir.TestCase) -> None:
    tested = run_test(program, case, case.metrics)
    assert tested.passed, tested
