"""Protects the walk over a Program that the linter and `plan` both stand on: reach, shortest times, traffic."""

from __future__ import annotations

import pytest

from dsl import flow, ir
from dsl.compiler import compile_source
from dsl.flow import Range
from dsl.source import Source

MINUTE = 60_000
MEASURED = ir.Compare("<", ir.Measure("m", ir.Arm.CANARY, 1), ir.Const(2))
TRUE = ir.Compare("<", ir.Const(1), ir.Const(2))


def program(steps: str, *, checks: str = "every 1m; tolerate 3 failures; require success_rate >= 99%") -> ir.Program:
    text = (
        'import "std/http"\nrollout checkout in shop { target deployment/checkout; service { port 80 }; traffic istio\n'
        f"  analysis {{ {checks} }}\n  steps {{ {steps} }}\n}}\n"
    )
    (compiled,) = compile_source(Source("test.rollout", text), lint=False).rollouts
    return compiled.program


def ending(steps: str, **parts: str) -> int | None:
    """How soon the last instruction can begin, in minutes."""
    last = flow.earliest_ms(program(steps, **parts))[-1]
    return None if last is None else last // MINUTE


@pytest.mark.parametrize(
    ("steps", "minutes"),
    [
        ("hold 10m; promote", 10),
        ("hold 5 checks; promote", 5),
        ("shift to 10%; hold 90s; pause 30s; promote", 2),
        ("ramp 10% to 50% by 10%; promote", 5),
        ("if success_rate > 99% { hold 10m } else { hold 4m }; promote", 4),
        ("if success_rate > 99% { rollback } else { hold 4m }; promote", 4),
        ("wait for approval within 4h; promote", 0),
    ],
)
def test_the_shortest_time_to_the_promotion(steps: str, minutes: int) -> None:
    assert ending(steps) == minutes


@pytest.mark.parametrize(
    ("steps", "minutes"),
    [
        ("shift to 10%; hold 1 checks; promote", 3),
        ("shift to 10%; hold 10m; promote", 10),
        ("shift to 10%; hold 10m; hold 1 checks; promote", 11),
        ("shift to 10%; pause 10m; hold 2 checks; promote", 12),
        ("shift to 10%; hold 1m; shift to 20%; hold 1m; promote", 6),
    ],
)
def test_a_warm_up_moves_the_first_check(steps: str, minutes: int) -> None:
    checks = "every 1m; tolerate 3 failures; warm_up 150s; require success_rate >= 99%"
    assert ending(steps, checks=checks) == minutes


def test_what_cannot_be_reached_has_no_time() -> None:
    built = ir.BranchOp(target=2, condition=ir.Compare("<", ir.Const(1), ir.Const(2)))
    code = (built, ir.PromoteOp(), ir.HoldOp(checks=1), ir.PromoteOp())
    made = _program(code)
    assert flow.reachable(made) == {0, 1}
    assert flow.earliest_ms(made) == (0, 0, None, None)
    assert flow.exposures(made)[2] is None
    assert flow.weights(made)[3] == (0.0, 0.0)


def test_weights_over_two_paths() -> None:
    made = program("if success_rate > 99% { shift to 50% } else { shift to 10% }; hold 5m; promote")
    hold = next(i for i, op in enumerate(made.code) if isinstance(op, ir.HoldOp))
    assert flow.weights(made)[hold] == (10, 50)
    pair = flow.exposures(made)[hold]
    assert pair is not None
    assert pair[0].weight == Range(10, 50)


def test_mirrors_and_matches_are_exposure_too() -> None:
    made = program('mirror 20%; hold 5m; mirror off; route to canary when header "x" exists; hold 5m; promote')
    seen = [pair[1] for pair in flow.exposures(made) if pair is not None]
    assert [(s.mirror.high, s.matched, s.dark) for s in seen][:4] == [
        (20, False, False),
        (20, False, False),
        (0, False, True),
        (0, True, False),
    ]


@pytest.mark.parametrize(
    ("condition", "outcome"),
    [
        (ir.Compare("<", ir.Const(1), ir.Const(2)), True),
        (ir.NotOf(ir.Between(ir.Const(1), ir.Const(0), ir.Const(2))), False),
        (ir.AnyOf((MEASURED, TRUE)), True),
        (ir.AllOf((MEASURED, TRUE)), None),
        (ir.Compare("==", ir.Arith((ir.Const(6), ir.Const(2), ir.Const(3)), ("/", "*")), ir.Const(9)), True),
        (ir.Compare("==", ir.Arith((ir.Const(6), ir.Const(0)), ("/",)), ir.Const(9)), None),
        (ir.Compare(">", ir.Func("max", (ir.Const(1), ir.Const(3))), ir.Func("neg", (ir.Const(2),))), True),
    ],
)  # fmt: skip
def test_constant_conditions(condition: ir.Condition, outcome: bool | None) -> None:
    assert flow.constant(condition) is outcome


def test_an_empty_program() -> None:
    made = _program(())
    assert flow.reachable(made) == frozenset()
    assert flow.earliest_ms(made) == ()
    assert flow.weights(made) == ()


def _program(code: tuple[ir.Instruction, ...]) -> ir.Program:
    return ir.Program("p", "n", ir.WorkloadRef("deployment", "p"), ir.Traffic("istio"), ir.Service("p"), code)
