"""What a Program would do, known before it runs: how soon and how late each step comes, and what can end it there.

All control flow is forward, so one walk over the instructions sees every path. The soonest time is that of `dsl.flow`:
every check passes at once, every webhook accepts, every approval is there already. The latest time has every tolerated
failure used up, every wait at its limit and every workload ready only just before the deadline; a wait without a limit
has no latest time, and is named. Checks that could not be made, or that say nothing, hold a rollout up without being
counted: they are in neither time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from dsl import flow
from dsl.ir import (
    Analysis,
    BranchOp,
    CallOp,
    Check,
    GateCheck,
    HoldOp,
    Instruction,
    PauseOp,
    Program,
    PromoteOp,
    RollbackOp,
    RouteOp,
    ScaleOp,
    WaitOp,
)
from interpreter.checks import allowance
from interpreter.plan_times import (
    Span,
    allowed_at,
    longest_shut,
    most_ms,
    promoting,
    scales,
    shared_failures,
    tolerance,
)


class PlannedStep(NamedTuple):
    """One instruction that some run comes to. Times count from the start of the rollout."""

    place: int
    text: str
    line: int
    starts: Span
    ends: Span
    weight: flow.Range
    mirror: flow.Range
    matched: bool
    analysis: str | None
    ended_by: tuple[str, ...]
    aborted_by: tuple[str, ...]
    depth: int
    arm: str


class Plan(NamedTuple):
    """The whole plan. `promotion` is None for a policy that never promotes; `endless` names the waits without limit."""

    program: Program
    steps: tuple[PlannedStep, ...]
    promotion: Span | None
    endless: tuple[str, ...]


class _Arrival(NamedTuple):
    """When an instruction begins: `span` without tolerated failures; `failures` is what those can add up to."""

    span: Span
    failures: int
    routed: int

    def __or__(self, other: _Arrival | None) -> _Arrival:
        if other is None:
            return self
        return _Arrival(self.span | other.span, max(self.failures, other.failures), min(self.routed, other.routed))

    @property
    def whole(self) -> Span:
        return self.span + Span(0, self.failures)


def plan(program: Program) -> Plan:
    """The plan of a Program."""
    arrivals = _walk(program)
    exposures = flow.exposures(program)
    depths, arms = _arms(program)
    steps = []
    promotion: Span | None = None
    for index, (arrival, pair) in enumerate(zip(arrivals, exposures, strict=True)):
        if arrival is None or pair is None:
            continue
        after = _after(program, index, arrival)
        steps.append(_planned(program, index, arrival, after, pair[1], depths[index], arms[index]))
        if isinstance(program.code[index], PromoteOp):
            promotion = after.whole | promotion
    endless = tuple(
        f"{what} (step {step.place + 1})" for step in steps for what in _endless(program, program.code[step.place])
    )
    return Plan(program, tuple(steps), promotion, endless)


def _planned(
    program: Program, index: int, arrival: _Arrival, after: _Arrival, exposed: flow.Exposure, depth: int, arm: str
) -> PlannedStep:
    source = program.spans[index] if index < len(program.spans) else None
    op = program.code[index]
    return PlannedStep(
        place=index,
        text=source.text if source is not None else op.op,
        line=source.line if source is not None else 0,
        starts=arrival.whole,
        ends=after.whole,
        weight=exposed.weight,
        mirror=exposed.mirror,
        matched=exposed.matched,
        analysis=judging(program, index, exposed),
        ended_by=tuple(_ended_by(program, index)),
        aborted_by=tuple(aborts(program.analyses[op.analysis])) if isinstance(op, HoldOp) and op.analysis else (),
        depth=depth,
        arm=arm,
    )


def judging(program: Program, index: int, exposed: flow.Exposure) -> str | None:
    """The analysis that watches during an instruction, if any does."""
    op = program.code[index]
    if isinstance(op, HoldOp):
        return op.analysis
    if isinstance(op, WaitOp) and not exposed.dark:
        return program.analysis
    return None


# --- the walk ---------------------------------------------------------------------------------------------------


def _walk(program: Program) -> list[_Arrival | None]:
    """When each instruction begins; None for those that no run comes to."""
    arrivals: list[_Arrival | None] = [None] * len(program.code)
    if arrivals:
        arrivals[0] = _Arrival(Span(0, program.deadline_ms), 0, 0)
    for index, arrival in enumerate(arrivals):
        if arrival is None:
            continue
        after = _after(program, index, arrival)
        for following in flow.successors(program, index):
            arrivals[following] = after | arrivals[following]
    return arrivals


def _after(program: Program, index: int, arrival: _Arrival) -> _Arrival:
    """When what comes after an instruction begins."""
    op = program.code[index]
    span = arrival.span
    if isinstance(op, RouteOp):
        allowed = allowed_at(program, op)
        span = Span(max(span.soonest, allowed), None if span.latest is None else max(span.latest, allowed))
        span += Span(0, most_ms(program, index))
        return arrival._replace(span=span, routed=span.soonest)
    if isinstance(op, PromoteOp):
        weight = (flow.exposures(program)[index] or (flow.NOTHING, flow.NOTHING))[0].weight
        return arrival._replace(span=span + promoting(program, op, weight))
    taken = Span(flow.least_ms(program, index, span.soonest - arrival.routed), most_ms(program, index))
    return arrival._replace(span=span + taken, failures=max(arrival.failures, shared_failures(program, op)))


# --- what is said of a step -------------------------------------------------------------------------------------


def _endless(program: Program, op: Instruction) -> Iterator[str]:
    """What an instruction may wait for without a limit."""
    if isinstance(op, WaitOp) and op.within_ms is None:
        yield _subject(op)
    if isinstance(op, PauseOp) and op.window is not None and longest_shut(program.windows[op.window]) is None:
        yield f"window `{op.window}`"
    if isinstance(op, PromoteOp):
        for name, guardrail in program.guardrails.items():
            yield from (f"gate `{gate}` of guardrail `{name}`" for gate in guardrail.gates_before_promote)
            if guardrail.approval_before_promote and not _asks_for_approval(program):
                yield f"approval, which guardrail `{name}` requires"


def _asks_for_approval(program: Program) -> bool:
    return any(isinstance(op, WaitOp) and op.gate is None for op in program.code)


def _subject(op: WaitOp) -> str:
    if op.gate is not None:
        return f"gate `{op.gate}`"
    return f"approval from {op.who}" if op.who else "approval"


def _ended_by(program: Program, index: int) -> Iterator[str]:
    """What can end the rollout at an instruction, but for the aborts of its analysis."""
    op = program.code[index]
    match op:
        case HoldOp() if op.analysis is not None:
            analysis = program.analyses[op.analysis]
            if any(not isinstance(check, GateCheck) and check.kind in ("require", "call") for check in analysis.checks):
                yield allowance(analysis.tolerate, "failed check")
        case CallOp():
            yield allowance(tolerance(program, op.analysis), "refusal")
        case WaitOp() if op.within_ms is not None and op.otherwise == "rollback":
            yield f"no {_subject(op)} in time"
        case ScaleOp():
            yield "canary not ready in time"
        case RouteOp() if scales(program, index):
            yield "canary not ready in time"
        case PromoteOp():
            yield "primary not ready in time"
        case RollbackOp():
            yield "the policy itself"
        case _:
            return


def aborts(analysis: Analysis) -> Iterator[str]:
    """What ends the rollout at once, whatever is tolerated."""
    for check in analysis.checks:
        match check:
            case Check(kind="abort"):
                yield check.text
            case GateCheck():
                yield f"gate `{check.gate}` opens"
            case _:
                continue


def _arms(program: Program) -> tuple[list[int], list[str]]:
    """How deep each instruction stands within arms of `if`, and which arm it is the first of."""
    depths, arms = [0] * len(program.code), [""] * len(program.code)
    for index, op in enumerate(program.code):
        if not isinstance(op, BranchOp) or op.condition is None:
            continue
        last = program.code[op.target - 1] if op.target - 1 > index else None
        end = last.target if isinstance(last, BranchOp) and last.condition is None else op.target
        for inner in range(index + 1, min(end, len(program.code))):
            depths[inner] += 1
        if index + 1 < op.target and index + 1 < len(arms):
            arms[index + 1] = "then"
        if op.target < end and op.target < len(arms):
            arms[op.target] = "else"
    return depths, arms
