"""How long an instruction can take, at the most, and how early it may be done.

Tolerated failures are of two kinds. Those counted in a row, or within the last checks, can come again and again: they
are in `most_ms` of each instruction. Those counted from the start of the rollout to its end can come only once in all:
`shared_failures` says how long they hold up an instruction, and the plan adds the most of these once.
"""

from __future__ import annotations

from typing import NamedTuple, assert_never

from dsl import flow
from dsl.ir import (
    BranchOp,
    CallOp,
    HoldOp,
    Instruction,
    NotifyOp,
    PauseOp,
    Program,
    PromoteOp,
    RollbackOp,
    RouteOp,
    ScaleOp,
    Tolerance,
    WaitOp,
    Window,
)
from interpreter.windows import opens_at

_WEEK_MS = 7 * 24 * 3_600_000
_MONDAY_MS = 4 * 24 * 3_600_000
_QUARTER_MS = 15 * 60_000


class Span(NamedTuple):
    """A time between a soonest and a latest; a latest of None has no limit."""

    soonest: int
    latest: int | None

    def __add__(self, other: object) -> Span:
        if not isinstance(other, Span):
            return NotImplemented
        open_ended = self.latest is None or other.latest is None
        return Span(self.soonest + other.soonest, None if open_ended else (self.latest or 0) + (other.latest or 0))

    def __or__(self, other: Span | None) -> Span:
        if other is None:
            return self
        open_ended = self.latest is None or other.latest is None
        latest = None if open_ended else max(self.latest or 0, other.latest or 0)
        return Span(min(self.soonest, other.soonest), latest)


def allowed_at(program: Program, op: RouteOp) -> int:
    """How long after the start the guardrails let this routing be set; limits on `step` depend on the path."""
    asked = {"traffic": op.weight, "mirror": op.mirror}
    held = [
        limit.within_ms
        for guardrail in program.guardrails.values()
        for limit in guardrail.limits
        if limit.within_ms is not None
        for value in (asked.get(limit.subject),)
        if value is not None and flow.compare(limit.cmp, value, limit.value)
    ]
    return max(held, default=0)


def promoting(program: Program, op: PromoteOp, weight: flow.Range) -> Span:
    """The primary becomes ready, then the traffic goes back in steps."""
    if op.step is None:
        return Span(0, program.deadline_ms)
    every = op.every_ms or 0
    low, high = (max(0, -(-int(share * 1000) // int(op.step * 1000)) - 1) * every for share in weight)
    return Span(low, program.deadline_ms + high)


def most_ms(program: Program, index: int) -> int | None:
    """The longest time of an instruction, but for the failures that `shared_failures` counts once for the rollout."""
    op = program.code[index]
    match op:
        case HoldOp():
            return _longest_hold(program, index, op)
        case PauseOp():
            return op.duration_ms if op.window is None else longest_shut(program.windows[op.window])
        case WaitOp():
            return op.within_ms
        case ScaleOp():
            return program.deadline_ms
        case CallOp():
            tolerate = tolerance(program, op.analysis)
            tries = 1 if tolerate.mode == "total" else max(1, tolerate.count)
            return tries * _call_ms(program, op) + (tries - 1) * op.every_ms
        case BranchOp():
            tolerate = tolerance(program, op.analysis)
            return 0 if tolerate.mode == "total" else (max(1, tolerate.count) - 1) * op.every_ms
        case RouteOp():
            return program.deadline_ms if scales(program, index) else 0
        case NotifyOp() | PromoteOp() | RollbackOp():
            return 0
        case _:
            assert_never(op)


def scales(program: Program, index: int) -> bool:
    """Whether a routing has more canaries brought up before it is set."""
    op = program.code[index]
    following = any(isinstance(earlier, ScaleOp) and earlier.match_traffic for earlier in program.code[:index])
    return following and isinstance(op, RouteOp) and bool(op.weight)


def _longest_hold(program: Program, index: int, op: HoldOp) -> int:
    """With as many failures as leave it going; those that are counted over the whole rollout come on top, once."""
    least = flow.least_ms(program, index, 0)
    if op.analysis is None:
        return least
    analysis = program.analyses[op.analysis]
    needed = checks_of(program, index)
    return least + (_most_checks(analysis.tolerate, needed) - needed) * analysis.every_ms


def checks_of(program: Program, index: int) -> int:
    """How many checks a hold makes when all of them pass, right after traffic changed."""
    op = program.code[index]
    if not isinstance(op, HoldOp) or op.analysis is None:
        return 0
    if op.checks is not None:
        return max(1, op.checks)
    every = program.analyses[op.analysis].every_ms
    return max(1, (op.duration_ms or 0) // every)


def _most_checks(tolerate: Tolerance, passes: int) -> int:
    """How many checks there can be until so many have passed, without the failures becoming too many."""
    failures = max(1, tolerate.count) - 1
    match tolerate.mode:
        case "total":
            return passes
        case "consecutive":
            return passes * (failures + 1)
        case "window":
            width = max(tolerate.window, failures + 1)
            full, rest = divmod(passes - 1, width - failures)
            return full * width + failures + rest + 1


def shared_failures(program: Program, op: Instruction) -> int:
    """How long the tolerated failures of a rollout hold it up, where they are counted from its start to its end."""
    match op:
        case HoldOp() if op.analysis is not None:
            again = program.analyses[op.analysis].every_ms
        case BranchOp() if op.condition is not None:
            again = op.every_ms
        case CallOp():
            again = op.every_ms + _call_ms(program, op)
        case _:
            return 0
    tolerate = tolerance(program, op.analysis)
    return (max(1, tolerate.count) - 1) * again if tolerate.mode == "total" else 0


def tolerance(program: Program, analysis: str | None) -> Tolerance:
    return program.analyses[analysis].tolerate if analysis is not None else Tolerance(1)


def _call_ms(program: Program, op: CallOp) -> int:
    webhook = program.webhooks[op.webhook]
    return webhook.timeout_ms * (webhook.retries + 1)


def longest_shut(window: Window) -> int | None:
    """The longest time that one may have to wait for a window; None for one that never opens."""
    waits = []
    for moment in range(_MONDAY_MS, _MONDAY_MS + _WEEK_MS, _QUARTER_MS):
        opening = opens_at(window, moment)
        if opening is None:
            return None
        waits.append(opening - moment)
    return max(waits)
