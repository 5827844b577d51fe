"""Where a Program can go, how soon, and with how much traffic: one pass over its instructions.

All control flow is forward, so one walk from the first instruction to the last sees every path: what holds before an
instruction is the union of what holds behind those that lead to it. Times are the shortest possible: each check passes
at once, each webhook accepts, each approval is there already. The linter asks this module, and so does `plan`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from dsl import ir


class Range(NamedTuple):
    """The least and the most that something can be, over all paths."""

    low: float
    high: float

    def __or__(self, other: Range | None) -> Range:
        if other is None or other == self:
            return self
        return Range(min(self.low, other.low), max(self.high, other.high))


class Exposure(NamedTuple):
    """What the canary may be getting. `matched` is whether some path sends it requests by what they carry."""

    weight: Range
    mirror: Range
    matched: bool
    sticky: bool

    def __or__(self, other: Exposure | None) -> Exposure:
        if other is None or other == self:
            return self
        return Exposure(
            self.weight | other.weight,
            self.mirror | other.mirror,
            self.matched or other.matched,
            self.sticky or other.sticky,
        )

    @property
    def dark(self) -> bool:
        """Whether no user's request can reach the canary, nor a copy of one."""
        return self.weight.high == 0 and self.mirror.high == 0 and not self.matched


NOTHING = Exposure(Range(0, 0), Range(0, 0), matched=False, sticky=False)


def constant(condition: ir.Condition | None) -> bool | None:
    """What a condition comes to if it measures nothing, else None."""
    match condition:
        case ir.Compare():
            left, right = number(condition.left), number(condition.right)
            return None if left is None or right is None else compare(condition.cmp, left, right)
        case ir.Between():
            value, low, high = number(condition.value), number(condition.low), number(condition.high)
            return None if value is None or low is None or high is None else low <= value <= high
        case ir.NotOf():
            inner = constant(condition.condition)
            return None if inner is None else not inner
        case ir.AllOf():
            return _joined([constant(part) for part in condition.conditions], ends=False)
        case ir.AnyOf():
            return _joined([constant(part) for part in condition.conditions], ends=True)
        case _:
            return None


def _joined(parts: list[bool | None], *, ends: bool) -> bool | None:
    if ends in parts:
        return ends
    return None if None in parts else not ends


def compare(cmp: str, left: float, right: float) -> bool:
    """`left cmp right`."""
    return _COMPARISONS[cmp](left, right)


_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}


def number(expr: ir.Expr) -> float | None:
    """What an expression comes to if it measures nothing, else None."""
    match expr:
        case ir.Const():
            return expr.value
        case ir.Arith():
            return _arithmetic(expr)
        case ir.Func():
            args = [value for value in map(number, expr.args) if value is not None]
            return _function(expr.name, args) if len(args) == len(expr.args) > 0 else None
        case _:
            return None


def _function(name: str, args: list[float]) -> float:
    match name:
        case "min":
            return min(args)
        case "max":
            return max(args)
        case "abs":
            return abs(args[0])
        case _:
            return -args[0]


def _arithmetic(expr: ir.Arith) -> float | None:
    total = number(expr.operands[0])
    for operator, operand in zip(expr.operators, expr.operands[1:], strict=True):
        value = number(operand)
        if total is None or value is None or (operator == "/" and value == 0):
            return None
        match operator:
            case "+":
                total += value
            case "-":
                total -= value
            case "*":
                total *= value
            case "/":
                total /= value
    return total


def successors(program: ir.Program, index: int) -> tuple[int, ...]:
    """The instructions that can come next; none after `promote` and `rollback`, nor past the end."""
    instruction = program.code[index]
    following: tuple[int, ...] = (index + 1,)
    match instruction:
        case ir.PromoteOp() | ir.RollbackOp():
            return ()
        case ir.BranchOp(condition=None):
            following = (instruction.target,)
        case ir.BranchOp():
            outcome = constant(instruction.condition)
            taken = () if outcome is False else (index + 1,)
            following = taken if outcome is True else (*taken, instruction.target)
        case _:
            pass
    return tuple(i for i in following if i < len(program.code))


def reachable(program: ir.Program) -> frozenset[int]:
    """The instructions that some run can come to."""
    seen = [False] * len(program.code)
    if seen:
        seen[0] = True
    for index, here in enumerate(seen):
        if here:
            for following in successors(program, index):
                seen[following] = True
    return frozenset(i for i, here in enumerate(seen) if here)


def every_ms(program: ir.Program, analysis: str | None) -> int:
    """How often an analysis looks; a minute where there is none."""
    found = program.analyses.get(analysis) if analysis is not None else None
    return found.every_ms if found is not None else 60_000


def least_ms(program: ir.Program, index: int, since_route_ms: int) -> int:
    """The shortest time that an instruction can take, so long after the traffic was last changed."""
    match program.code[index]:
        case ir.HoldOp() as hold:
            return _least_hold(program, hold, since_route_ms)
        case ir.PauseOp() as pause:
            return pause.duration_ms or 0
        case _:
            return 0


def _least_hold(program: ir.Program, hold: ir.HoldOp, since_route_ms: int) -> int:
    """As the machine has it: the first check after one interval, none within the warm-up, and one at the least."""
    every, duration = every_ms(program, hold.analysis), hold.duration_ms
    if hold.analysis is None:
        return (duration or 0) + (hold.checks or 0) * every
    first = 0 if hold.at_once else every if duration is None else min(duration, every)
    missing = program.analyses[hold.analysis].warm_up_ms - since_route_ms - first if hold.analysis else 0
    if missing > 0:
        first += -(-missing // every) * every
    checks = hold.checks if duration is None else (duration - first) // every + 1
    return max(duration or 0, first + (max(1, checks or 1) - 1) * every)


def earliest_ms(program: ir.Program) -> tuple[int | None, ...]:
    """How soon after the first instruction each one can begin; None for those that cannot be reached."""
    times: list[int | None] = [None] * len(program.code)
    raised: list[int] = [0] * len(program.code)
    if times:
        times[0] = 0
    for index, begins in enumerate(times):
        if begins is None:
            continue
        last = begins if isinstance(program.code[index], ir.RouteOp) else raised[index]
        ends = begins + least_ms(program, index, begins - last)
        for following in successors(program, index):
            known = times[following]
            raised[following] = last if known is None else min(raised[following], last)
            times[following] = ends if known is None else min(known, ends)
    return tuple(times)


def exposures(program: ir.Program) -> tuple[tuple[Exposure, Exposure] | None, ...]:
    """What the canary may be getting before and after each instruction; None for those that cannot be reached."""
    before: list[Exposure | None] = [None] * len(program.code)
    pairs: list[tuple[Exposure, Exposure] | None] = []
    if before:
        before[0] = NOTHING
    for index, here in enumerate(before):
        if here is None:
            pairs.append(None)
            continue
        after = _after(program.code[index], here)
        pairs.append((here, after))
        for following in successors(program, index):
            before[following] = after | before[following]
    return tuple(pairs)


def _after(instruction: ir.Instruction, here: Exposure) -> Exposure:
    match instruction:
        case ir.RouteOp():
            weight, mirror = instruction.weight, instruction.mirror
            return Exposure(
                here.weight if weight is None else Range(weight, weight),
                here.mirror if mirror is None else Range(mirror, mirror),
                here.matched if instruction.matches is None else bool(instruction.matches),
                here.sticky or instruction.sticky is not None,
            )
        case ir.RollbackOp():
            return NOTHING
        case _:
            return here


def weights(program: ir.Program) -> tuple[tuple[float, float], ...]:
    """The least and the most weight of the canary while each instruction runs; (0, 0) where none can come."""
    return tuple((0.0, 0.0) if pair is None else tuple(pair[1].weight) for pair in exposures(program))  # type: ignore[misc]


def raises(before: Exposure, after: Exposure) -> bool:
    """Whether more can reach the canary after than before."""
    return (
        after.weight.high > before.weight.low
        or after.mirror.high > before.mirror.low
        or (after.matched and not before.matched)
    )


def judges(program: ir.Program, instruction: ir.Instruction) -> bool:
    """Whether an instruction stays under an analysis that can stop the rollout."""
    if not isinstance(instruction, ir.HoldOp) or instruction.analysis is None:
        return False
    analysis = program.analyses.get(instruction.analysis)
    return analysis is not None and can_stop(analysis.checks)


def can_stop(checks: Iterable[ir.Check | ir.CallCheck | ir.GateCheck]) -> bool:
    """Whether one of the checks looks at the canary and can end the rollout."""
    return any(
        isinstance(check, ir.CallCheck) or (isinstance(check, ir.Check) and check.kind != "observe") for check in checks
    )
