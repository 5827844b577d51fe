"""The statistical checks of an analysis: how the budget of wrong aborts is shared, and which test is which.

The budget is one for the rollout. It is shared equally among all the statistical checks that its analyses have, each
counted once however many of them it stands in. A check that asks for more confidence than its share gives has it; one
that asks for less does not, for the budget is what the operator was promised. Kayenta's judge takes no part: it keeps
no evidence, and promises nothing of repeated looks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from dsl.ir import (
    AllOf,
    Analysis,
    AnyOf,
    Arm,
    Between,
    Check,
    Compare,
    Condition,
    Judgement,
    NotOf,
    Program,
    Statistical,
)
from interpreter.analysis.evaluate import Compiler, evidence_key
from interpreter.analysis.evidence import Moment, Ruling, State, Test
from interpreter.analysis.rates import no_regression, objective
from interpreter.analysis.readings import Look
from interpreter.analysis.series import judged_by_kayenta, not_worse
from interpreter.analysis.slowness import no_slower

LEAST_ALPHA = 1e-12


def prepare_test(program: Program, analysis: Analysis, key: str, check: Statistical) -> Test:
    """A statistical check of an analysis, compiled."""
    compiler = Compiler(program)
    alpha = analysis.budget / _sharers(program, analysis)
    if check.test != "certified":
        alpha = min(alpha, 1 - check.params.get("confidence", 0.0))
    before = None
    if check.options.get("dispersion") == "auto":
        before = compiler.leaf(check.metric, Arm.PRIMARY, check.window_ms)
    leaves, readers = compiler.test_leaves(check), compiler.test_readers(check)
    return Test(key, check, max(LEAST_ALPHA, alpha), leaves, readers, before)


def _sharers(program: Program, analysis: Analysis) -> int:
    """Among how many checks the budget is shared. What is only observed ends nothing, and takes nothing."""
    keys = {
        evidence_key(test)
        for each in (analysis, *program.analyses.values())
        for check in each.checks
        if isinstance(check, Check) and check.kind != "observe"
        for test in tests_in(check.condition)
        if test.test != "kayenta"
    }
    return max(1, len(keys))


def tests_in(condition: Condition) -> Iterator[Statistical]:
    """The statistical checks within a condition."""
    match condition:
        case Statistical():
            yield condition
        case AllOf(conditions) | AnyOf(conditions):
            for part in conditions:
                yield from tests_in(part)
        case NotOf(inner):
            yield from tests_in(inner)
        case Judgement(groups):
            for group in groups:
                yield from group.tests
        case Compare() | Between():
            return
        case _:
            assert_never(condition)


def rule(test: Test, look: Look, moment: Moment, state: State) -> Ruling:
    """One look of one statistical check."""
    match test.check.test:
        case "no_regression":
            return no_regression(test, look, moment, state)
        case "no_slower":
            return no_slower(test, look, moment, state)
        case "meets" | "certified":
            return objective(test, look, moment, state)
        case "not_worse":
            return not_worse(test, look, moment, state)
        case "kayenta":
            return judged_by_kayenta(test, look, moment, state)
        case name:
            assert_never(name)
