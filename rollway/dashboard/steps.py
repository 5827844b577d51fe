"""The steps of a run as people follow them: what is done, what is going on, what comes next and how soon. Pure.

A statement of the policy may be several instructions (`ramp` is a routing and a hold for each share). A step here is a
statement; within the present one its instructions are shown too. Times are the soonest possible, as `rollway plan` has
them: from the instruction that the run stands at, with every check passed. A run that waits for a person or a gate has
no times, for nobody knows when that comes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

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
    WaitOp,
)
from interpreter import drawing
from interpreter.desired import Instant
from interpreter.durations import duration
from interpreter.plan import PlannedStep, plan
from interpreter.plan_table import share_of


class Progress(StrEnum):
    """How far a step is."""

    DONE = "done"
    NOW = "now"
    AHEAD = "ahead"
    SKIPPED = "not run"


class Part(NamedTuple):
    """One instruction of the present step."""

    number: int
    words: str
    progress: Progress


class Step(NamedTuple):
    """One statement. `pcs` are its instructions, from 0. `soonest` is when it can begin at the soonest, for those
    ahead; `parts` are there for the present one, if it has several. `depth` is how deep it stands within `if`s."""

    pcs: tuple[int, ...]
    text: str
    canary: str
    progress: Progress
    soonest: Instant | None
    depth: int = 0
    parts: tuple[Part, ...] = ()

    @property
    def number(self) -> int:
        """As people count: that of its first instruction, from 1."""
        return self.pcs[0] + 1


class At(NamedTuple):
    """Where a run stands. `pc` is its instruction, from 0; -1 while the canary is brought up. `seen` are the
    instructions at which something is on record; `over`: it is not under way any more."""

    pc: int
    since: Instant | None = None
    seen: frozenset[int] = frozenset()
    over: bool = False


def steps(program: Program, at: At | None, now: Instant) -> list[Step]:
    """All steps of a Program; without a place all are ahead."""
    planned = plan(program)
    by_place = {step.place: step for step in planned.steps}
    timed = at is not None and not (0 <= at.pc < len(program.code) and isinstance(program.code[at.pc], WaitOp))
    made = []
    for group in _groups(program):
        if all(_jumps(program.code[pc]) for pc in group):
            continue
        known = by_place.get(group[0])
        depth = known.depth if known is not None else 0
        progress = _progress(group, at, depth)
        is_now = progress is Progress.NOW
        made.append(
            Step(
                pcs=tuple(group),
                text=drawing.statement(program, group[0]),
                canary=_canary(by_place, group, at.pc if at is not None and is_now else None),
                progress=progress,
                soonest=_soonest(by_place, group[0], at, now) if timed and progress is Progress.AHEAD else None,
                depth=depth,
                parts=tuple(_parts(program, group, at.pc)) if at is not None and is_now and len(group) > 1 else (),
            )
        )
    return made


def done(found: list[Step], at: At | None) -> frozenset[int]:
    """The instructions that the run has behind it."""
    before = [pc for step in found if step.progress is Progress.DONE for pc in step.pcs]
    return frozenset(before) - ({at.pc} if at is not None and not at.over else set())


def next_of(found: list[Step]) -> Step | None:
    """The step that comes after the present one, if nothing goes wrong."""
    return next((step for step in found if step.progress is Progress.AHEAD), None)


def words(op: Instruction) -> str:
    """What an instruction does."""
    match op:
        case RouteOp():
            return _routing(op)
        case HoldOp():
            return _holding(op)
        case PauseOp(window=str(window)):
            return f"wait until `{window}`"
        case PauseOp():
            return f"pause {duration(op.duration_ms or 0)}"
        case CallOp():
            return f"call webhook `{op.webhook}`"
        case WaitOp(gate=str(gate)):
            return f"wait for gate `{gate}`"
        case WaitOp():
            return f"wait for approval from {op.who}" if op.who else "wait for approval"
        case ScaleOp():
            return "scale the canary"
        case NotifyOp():
            return f"send a message to `{op.channel}`"
        case BranchOp():
            return f"decide: {op.text}" if op.text else "go on"
        case PromoteOp():
            return "promote: the primary takes the revision"
        case RollbackOp():
            return "roll back"


def _routing(op: RouteOp) -> str:
    parts = []
    if op.weight is not None:
        parts.append(f"{op.weight:g}% of the traffic to the canary")
    if op.mirror is not None:
        parts.append(f"mirror {op.mirror:g}%" if op.mirror else "end mirroring")
    if op.matches is not None:
        parts.append("requests that match to the canary" if op.matches else "end matching")
    return ", ".join(parts) or "keep the routing"


def _holding(op: HoldOp) -> str:
    watched = f", judged by `{op.analysis}`" if op.analysis else ""
    if op.duration_ms is not None:
        return f"hold {duration(op.duration_ms)}{watched}"
    many = op.checks or 1
    return f"hold for {many} check{'' if many == 1 else 's'}{watched}"


def _groups(program: Program) -> Iterator[list[int]]:
    """The instructions of each statement."""
    group: list[int] = []
    for pc in range(len(program.code)):
        if group and not (pc < len(program.spans) and program.spans[pc] == program.spans[group[-1]]):
            yield group
            group = []
        group.append(pc)
    if group:
        yield group


def _jumps(op: Instruction) -> bool:
    """Whether it is only the end of an arm, which nobody wrote."""
    return isinstance(op, BranchOp) and op.condition is None


def _progress(group: list[int], at: At | None, depth: int) -> Progress:
    """Of the arms of an `if` only the one that was taken is done: the record says which."""
    if at is None:
        return Progress.AHEAD
    ahead = Progress.SKIPPED if at.over else Progress.AHEAD
    if at.pc in group:
        return Progress.DONE if at.over else Progress.NOW
    if at.pc < group[0]:
        return ahead
    return Progress.DONE if not depth or at.seen & set(group) else Progress.SKIPPED


def _parts(program: Program, group: list[int], at: int) -> Iterator[Part]:
    for pc in group:
        progress = Progress.NOW if pc == at else Progress.DONE if pc < at else Progress.AHEAD
        yield Part(pc + 1, words(program.code[pc]), progress)


def _soonest(planned: Mapping[int, PlannedStep], pc: int, at: At | None, now: Instant) -> Instant | None:
    if at is None or at.since is None or at.over or pc not in planned or (at.pc >= 0 and at.pc not in planned):
        return None
    behind = planned[at.pc].starts.soonest if at.pc >= 0 else 0
    return max(now, at.since + planned[pc].starts.soonest - behind)


def _canary(planned: Mapping[int, PlannedStep], group: list[int], at: int | None) -> str:
    """The canary's share behind a step; of the present one, behind the instruction that it is at."""
    step = planned.get(at if at is not None else group[-1])
    return share_of(step) if step is not None else ""
