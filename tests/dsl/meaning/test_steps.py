"""Protects the code that steps come to: what is unrolled, where jumps go, which analysis judges, and where each
instruction comes from."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsl import ir
from tests.dsl.meaning.small import code, codes, compiled, policy, program

GO = ir.PromoteOp()


def weights(instructions: list[ir.Instruction]) -> list[float | None]:
    return [one.weight for one in instructions if isinstance(one, ir.RouteOp)]


def test_a_ramp_ends_exactly_where_it_says() -> None:
    assert weights(code("ramp 10% to 50% by 20%; promote")) == [10, 30, 50]
    assert weights(code("ramp 10% to 45% by 20%; promote")) == [10, 30, 45]
    assert weights(code("ramp 10% to 10% by 5%; promote")) == [10]
    assert weights(code("ramp 0.1% to 0.7% by 0.1%; promote")) == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]


@given(st.integers(0, 500), st.integers(0, 500), st.integers(1, 100))
@settings(max_examples=25, deadline=None)
def test_a_ramp_goes_up_by_its_step_and_no_further(start: int, rise: int, by: int) -> None:
    stop = min(start + rise, 1000)
    if rise / by > 400:
        return
    found = weights(code(f"ramp {start / 10}% to {stop / 10}% by {by / 10}%; promote"))
    assert found[0] == start / 10
    assert found[-1] == stop / 10
    assert all(0 < b - a <= by / 10 + 1e-9 for a, b in pairwise(found))  # type: ignore[operator]


def test_a_ramp_holds_as_long_as_it_says() -> None:
    assert code("ramp 1% to 1% by 1%; promote")[1] == ir.HoldOp(checks=1, analysis="analysis")
    assert code("ramp 1% to 1% by 1% every 5m; promote")[1] == ir.HoldOp(duration_ms=300_000, analysis="analysis")
    assert code("ramp 1% to 1% by 1% every 3 checks; promote")[1] == ir.HoldOp(checks=3, analysis="analysis")


def test_each_statement_has_its_instruction() -> None:
    head = """
    webhook w { url "http://w" }
    gate    g { url "http://g" }
    channel c { slack "x"; secret "s" }
    window  o { days mon }
    """
    steps = (
        'run w; shift to 5%; pause 1m; mirror 20%; mirror off; sticky "s" for 1h; sticky "s"; scale canary to 25%; '
        'scale canary to 3; scale canary to match traffic; wait for approval "who" within 4h else continue; '
        'wait for gate g; wait until o; notify c "x"; notify c; promote by 20% every 2m; rollback "why"'
    )
    assert code(steps, head=head) == [
        ir.CallOp("w", 60_000, "analysis"),
        ir.RouteOp(weight=5.0),
        ir.PauseOp(60_000),
        ir.RouteOp(mirror=20.0),
        ir.RouteOp(mirror=0.0),
        ir.RouteOp(sticky=ir.StickySpec("s", 3_600_000)),
        ir.RouteOp(sticky=ir.StickySpec("s", 86_400_000)),
        ir.ScaleOp(share=25.0),
        ir.ScaleOp(replicas=3),
        ir.ScaleOp(match_traffic=True),
        ir.WaitOp(None, "who", 14_400_000, "continue"),
        ir.WaitOp("g"),
        ir.PauseOp(window="o"),
        ir.NotifyOp("c", "x"),
        ir.NotifyOp("c"),
        ir.PromoteOp(20.0, 120_000),
        ir.RollbackOp("why"),
    ]


def test_requests_are_matched_by_alternatives_of_conjunctions() -> None:
    (route, _) = code(
        'route to canary when header "a" =~ "^x" and cookie "b" == "y" or query "c" exists; promote',
    )
    assert route == ir.RouteOp(
        matches=(
            (ir.MatchTest("header", "a", "=~", "^x"), ir.MatchTest("cookie", "b", "==", "y")),
            (ir.MatchTest("query", "c", "exists"),),
        )
    )


def test_another_analysis_judges_where_one_is_named() -> None:
    head = "analysis fast { every 10s; require success_rate >= 1% }"
    found = code(
        "hold 5m with fast; shift to 5% for 1m with fast; ramp 1% to 1% by 1% with fast; analyse fast; promote",
        head=head,
    )
    assert [one.analysis for one in found if isinstance(one, ir.HoldOp)] == ["fast"] * 4
    assert found[5] == ir.HoldOp(checks=1, analysis="fast", at_once=True)


def test_an_analysis_in_a_rollout_can_be_named_in_its_steps() -> None:
    text = policy("hold 5m with own; promote").replace("analysis {", "analysis own {")
    assert program(text).code[0] == ir.HoldOp(300_000, analysis="own")
    assert program(text).analysis == "own"


def test_without_an_analysis_only_time_counts() -> None:
    found = code("hold 5m; hold 3 checks; ramp 1% to 1% by 1%; promote", checks=None)
    assert [one for one in found if isinstance(one, ir.HoldOp)] == [
        ir.HoldOp(300_000),
        ir.HoldOp(180_000),
        ir.HoldOp(60_000),
    ]


def test_steps_that_do_not_end_go_back() -> None:
    assert code("shift to 5%")[-1] == ir.RollbackOp("the steps end without `promote`")
    assert code("rollback")[-1] == ir.RollbackOp()
    assert len(code("promote")) == 1


# --- flow -------------------------------------------------------------------------------------------------------

ASK = ir.Compare("<", ir.Measure("success_rate", ir.Arm.CANARY, 60_000), ir.Const(0.5, ir.Unit.PERCENT))


def branch(target: int) -> ir.BranchOp:
    return ir.BranchOp(target, ASK, "success_rate < 50%", 60_000, "analysis")


def test_both_arms_meet_again() -> None:
    found = code("if success_rate < 50% { shift to 1% } else { shift to 2%; shift to 3% }; promote")
    assert found == [branch(3), ir.RouteOp(1.0), ir.BranchOp(5), ir.RouteOp(2.0), ir.RouteOp(3.0), GO]


def test_an_arm_that_ends_needs_no_jump() -> None:
    found = code("if success_rate < 50% { rollback } else { shift to 2% }; promote")
    assert found == [branch(2), ir.RollbackOp(), ir.RouteOp(2.0), GO]


def test_one_arm_alone() -> None:
    assert code("if success_rate < 50% { shift to 1% }; promote") == [branch(2), ir.RouteOp(1.0), GO]


def test_an_if_at_the_end_has_somewhere_to_go() -> None:
    found = code("if success_rate < 50% { promote }")
    assert found == [branch(2), GO, ir.RollbackOp("the steps end without `promote`")]
    both = code("if success_rate < 50% { promote } else { rollback }")
    assert both == [branch(2), GO, ir.RollbackOp()]


def test_an_if_that_is_decided_leaves_only_what_is_taken() -> None:
    head = (
        "let careful = true\nstrategy s(fast, n = 1) { if fast { shift to 9% } else if n > 5 { shift to 8% }; promote }"
    )
    assert code("if careful { shift to 1% } else { shift to 2% }; promote", head=head) == [ir.RouteOp(1.0), GO]
    assert code("if not careful { shift to 1% }; promote", head=head) == [GO]
    assert code("follow s(true)", head=head) == [ir.RouteOp(9.0), GO]
    assert code("follow s(false, n: 6)", head=head) == [ir.RouteOp(8.0), GO]
    assert code("follow s(false)", head=head) == [GO]


def test_what_is_never_taken_is_read_all_the_same_and_leaves_no_trace() -> None:
    assert codes(policy("if 1 > 2 { run nothing; shift to 200% }; promote")) == ["RW101", "RW205"]
    found = program(policy('if 1 > 2 { notify c "x" }; promote', head='channel c { slack "x"; secret "s" }'))
    assert not found.channels


def test_loops_are_unrolled() -> None:
    assert weights(code("repeat 3 { shift to 5% }; promote")) == [5, 5, 5]
    assert weights(code("for w in [1%, 2%] { for v in [3%, w] { shift to v } }; promote")) == [3, 1, 3, 2]


@pytest.mark.parametrize(
    "steps",
    [
        "ramp 0.01% to 100% by 0.01%",
        "repeat 1000 { repeat 1000 { shift to 5% } }",
        "repeat 1000 { repeat 1000 { repeat 1000 { repeat 1000 { if 1 > 2 { promote } } } } }",
        "repeat 1000 { follow more }",
    ],
)
def test_what_would_be_too_long_is_given_up_early(steps: str) -> None:
    head = "strategy more { repeat 1000 { follow most } }\nstrategy most { repeat 1000 { shift to 1% } }"
    compilation = compiled(policy(f"{steps}; promote", head=head))
    assert {one.code for one in compilation.diagnostics} == {"RW303"}
    assert not compilation.rollouts


def test_a_thousand_instructions_are_not_too_many() -> None:
    assert len(code("repeat 999 { shift to 5% }; promote")) == 1000
    assert codes(policy("repeat 1000 { shift to 5% }; promote")) == ["RW303"]


# --- places -----------------------------------------------------------------------------------------------------


def test_instructions_know_where_they_come_from() -> None:
    text = policy(
        "follow own(5%)\n    follow canary(most: 5%)",
        imports='import "std/http"\nimport "std/strategies"',
        head="strategy own(w) {\n  shift to w\n}",
    )
    (rollout,) = compiled(text).rollouts
    found = [
        (span.file, span.text, place.source.name, place.text)
        for span, place in zip(rollout.program.spans, rollout.places, strict=True)
    ]
    assert found[0] == ("main.rollout", "shift to w", "main.rollout", "shift to w")
    assert found[1] == ("std/strategies", "ramp first to most by step", "main.rollout", "follow canary(most: 5%)")
    assert found[-1] == ("std/strategies", "promote", "main.rollout", "follow canary(most: 5%)")


def test_a_strategy_of_the_rollout_is_the_place_of_all_its_code() -> None:
    text = policy(imports='import "std/http"\nimport "std/strategies"').replace(
        "steps {\n    promote\n  }", "strategy canary"
    )
    (rollout,) = compiled(text).rollouts
    assert {place.text for place in rollout.places} == {"strategy canary"}


def test_a_statement_with_a_block_is_shown_without_it() -> None:
    spans = program(policy("if (success_rate\n      < 50%) {\n      promote\n    }\n    rollback")).spans
    assert spans[0].text == "if (success_rate < 50%)"
    assert (spans[0].line, spans[0].column, spans[0].end_line) == (9, 5, 10)
