"""How many requests a breach can hit before it is noticed and the traffic is back, in the worst case.

A breach begins right after the traffic was raised. It is seen at the first check that counts (after the warm-up), once
the window of the query holds nothing older, and acted on when one failed check more than is tolerated has been made; a
step without analysis adds all of its time. Then the traffic is back within one pass.
"""

from __future__ import annotations

from typing import NamedTuple

from dsl import flow
from dsl.ir import HoldOp, Program, PromoteOp, RollbackOp
from interpreter.analysis.judge import questions
from interpreter.plan import Plan, PlannedStep


class Exposure(NamedTuple):
    """At one step: the share of requests that a breach hits, and for how long; None: for as long as people let it.

    `matched` says that matching requests are hit as well, of which nobody knows the share. `hit_ms` is share and time
    together: for how long all requests would have to fail to do as much harm.
    """

    step: int
    share: float
    matched: bool
    noticed_ms: int | None

    @property
    def hit_ms(self) -> int | None:
        return None if self.noticed_ms is None else round(self.share / 100 * self.noticed_ms)


def exposures(plan: Plan) -> tuple[Exposure, ...]:
    """The exposure at every step that leaves users' requests on the canary."""
    notices = _notices(plan)
    return tuple(
        Exposure(step.place, step.weight.high, step.matched, notices[step.place])
        for step in plan.steps
        if (step.weight.high > 0 or step.matched) and _stays(plan.program, step)
    )


def worst(plan: Plan) -> Exposure | None:
    """The step at which a breach does most harm; one that nobody would notice is worst of all."""
    found = exposures(plan)
    return max(found, key=lambda one: (one.hit_ms is None, one.hit_ms or 0, one.noticed_ms or 0), default=None)


def _stays(program: Program, step: PlannedStep) -> bool:
    op = program.code[step.place]
    return (step.ends.latest != step.starts.latest and not isinstance(op, PromoteOp | RollbackOp)) or _judged(step)


def _judged(step: PlannedStep) -> bool:
    return step.analysis is not None


def _notices(plan: Plan) -> dict[int, int | None]:
    """How long a breach that begins with a step stays unnoticed. An unwatched step waits for those behind it."""
    program = plan.program
    found: dict[int, int | None] = {}
    for step in reversed(plan.steps):
        op = program.code[step.place]
        if step.analysis is not None and flow.can_stop(program.analyses[step.analysis].checks):
            found[step.place] = noticed_ms(program, step.analysis, at_once=isinstance(op, HoldOp) and op.at_once)
            continue
        after = [found[i] for i in flow.successors(program, step.place) if i in found]
        if isinstance(op, PromoteOp | RollbackOp):
            after = []
        taken = _time_of(step)
        endless = taken is None or None in after
        found[step.place] = None if endless else (taken or 0) + max((a for a in after if a is not None), default=0)
    return found


def _time_of(step: PlannedStep) -> int | None:
    if step.starts.latest is None or step.ends.latest is None:
        return step.ends.soonest - step.starts.soonest if step.starts.latest is None else None
    return step.ends.latest - step.starts.latest


def noticed_ms(program: Program, name: str, *, at_once: bool = False) -> int:
    """How long an analysis takes from a breach to the rollback, at the most."""
    analysis = program.analyses[name]
    every = analysis.every_ms
    first = 0 if at_once else every
    if first < analysis.warm_up_ms:
        first += -(-(analysis.warm_up_ms - first) // every) * every
    window = max((question.window_ms for question in questions(program, analysis, 0)), default=0)
    lag = max(0, -(-window // every) - 1) * every
    return first + lag + (max(1, analysis.tolerate.count) - 1) * every
