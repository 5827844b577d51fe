"""How many requests a breach can hit before it is noticed and the traffic is back, in the worst case.

A breach is what a threshold sees. It begins right after the traffic was raised, is seen at the first check that counts
(after the warm-up), once the window of the query holds nothing older, and acted on when one failed check more than is
tolerated has been made; a step without analysis adds all of its time. Then the traffic is back within one pass. Checks
that gather evidence fail when it is enough: how long that takes depends on the traffic, and no time is promised.
"""

from __future__ import annotations

from typing import NamedTuple

from dsl import flow
from dsl.ir import Check, Condition, HoldOp, Program, PromoteOp, RollbackOp, Statistical, walk
from interpreter.analysis.judge import questions
from interpreter.plan import Plan, PlannedStep


class Notice(NamedTuple):
    """How long a breach stays unnoticed; None has no limit. `evidence` is set where that is for lack of thresholds."""

    ms: int | None
    evidence: bool = False


class Exposure(NamedTuple):
    """At one step: the share of requests that a breach hits, and for how long.

    `matched` says that matching requests are hit as well, of which nobody knows the share. `hit_ms` is share and time
    together: for how long all requests would have to fail to do as much harm.
    """

    step: int
    share: float
    matched: bool
    notice: Notice

    @property
    def hit_ms(self) -> int | None:
        return None if self.notice.ms is None else round(self.share / 100 * self.notice.ms)


def exposures(plan: Plan) -> tuple[Exposure, ...]:
    """The exposure at every step that leaves users' requests on the canary."""
    notices = _notices(plan)
    return tuple(
        Exposure(step.place, step.weight.high, step.matched, notices[step.place])
        for step in plan.steps
        if (step.weight.high > 0 or step.matched) and _stays(plan.program, step)
    )


def worst(plan: Plan) -> Exposure | None:
    """The step at which a breach does most harm; one without a limit is worst of all."""
    found = exposures(plan)
    return max(found, key=_harm, default=None)


def _harm(one: Exposure) -> tuple[bool, float, int]:
    return one.hit_ms is None, one.share if one.hit_ms is None else one.hit_ms, one.notice.ms or 0


def _stays(program: Program, step: PlannedStep) -> bool:
    """Whether the rollout stays at the step, with the new revision not yet accepted."""
    if isinstance(program.code[step.place], PromoteOp | RollbackOp):
        return False
    return step.analysis is not None or step.ends != step.starts


def _notices(plan: Plan) -> dict[int, Notice]:
    """How long a breach that begins with a step stays unnoticed. An unwatched step waits for those behind it."""
    program = plan.program
    found: dict[int, Notice] = {}
    for step in reversed(plan.steps):
        op = program.code[step.place]
        if step.analysis is not None and flow.can_stop(program.analyses[step.analysis].checks):
            found[step.place] = notice(program, step.analysis, at_once=isinstance(op, HoldOp) and op.at_once)
            continue
        ends = isinstance(op, PromoteOp | RollbackOp)
        after = [] if ends else [found[i] for i in flow.successors(program, step.place) if i in found]
        found[step.place] = _later(_time_of(step), after)
    return found


def _later(taken: int | None, after: list[Notice]) -> Notice:
    if taken is None or any(one.ms is None for one in after):
        return Notice(None, taken is not None and all(one.evidence for one in after if one.ms is None))
    return Notice(taken + max((one.ms or 0 for one in after), default=0))


def _time_of(step: PlannedStep) -> int | None:
    if step.starts.latest is None or step.ends.latest is None:
        return step.ends.soonest - step.starts.soonest if step.starts.latest is None else None
    return step.ends.latest - step.starts.latest


def notice(program: Program, name: str, *, at_once: bool = False) -> Notice:
    """How long an analysis takes from a breach to the rollback, at the most."""
    analysis = program.analyses[name]
    if all(isinstance(check, Check) and gathers(check.condition) for check in analysis.checks):
        return Notice(None, evidence=True)
    every = analysis.every_ms
    first = 0 if at_once else every
    if first < analysis.warm_up_ms:
        first += -(-(analysis.warm_up_ms - first) // every) * every
    window = max((question.window_ms for question in questions(program, analysis, 0)), default=0)
    lag = max(0, -(-window // every) - 1) * every
    return Notice(first + lag + (max(1, analysis.tolerate.count) - 1) * every)


def gathers(condition: Condition) -> bool:
    """Whether a condition stands on evidence that is gathered over several checks."""
    return any(isinstance(part, Statistical) for part in walk(condition))
