"""Going on where Flagger stopped: from the status of a `Canary` to the state of the machine. Pure.

Flagger keeps little: a phase, a weight, two counters. The rest is found by walking the Program that its Canary compiles
to. `_path` lists the routings that the Program gives, one after the other; the run stands at the greatest of them that
asks for no more than both the data plane has (`routing_seen`) and Flagger says that it gave. There it stays until a
check of ours has passed: what Flagger saw of the step that it was in is not known, so that step is held again, and
nothing before it.

What decides where Flagger's word and what is seen differ:

* Traffic is never more than what is seen, and never more than what Flagger says it gave. If the data plane cannot be
  read, or somebody took the traffic off by hand, the run begins again from its first step, with all traffic home.
* Flagger shows no weight while it waits for a promotion, nor for A/B tests and blue/green; those go by iterations. It
  makes the first step without a check, so n iterations are n - 1 checks that have passed.
* Hashes of Flagger's cannot be computed again. Whether the target has what the primary has is decided by the caller,
  from the templates. A rollout that has failed stays so: what failed is taken to be what the target has now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from dsl.ir import HoldOp, Program, RouteOp
from dsl.ir_json import digest
from interpreter.cluster.flagger_status import goes_by_weight
from interpreter.desired import CanaryScale, Instant, Routing
from interpreter.routing import HOME, reduced
from interpreter.state import Cursor, Entry, Outcome, Phase, Run, Stage, State
from interpreter.steps.route import changed

_FULL = CanaryScale("full")
_OFF = CanaryScale()


def takeover(
    program: Program,
    canary_status: Mapping[str, Any],
    target_revision: str | None,
    primary_revision: str | None,
    routing_seen: Routing | None,
    now_ms: Instant,
) -> State:
    """The state to go on from.

    `program` is what the Canary compiles to, `canary_status` its status. `primary_revision` is that of the primary as
    it is in the cluster, equal to `target_revision` if the templates are; None where there is no primary, or no target.
    `routing_seen` is None if it cannot be read. Raises `ValueError` for a phase that is none of Flagger's.
    """
    phase = Phase(canary_status.get("phase") or Phase.INITIALIZING)
    if phase is Phase.INITIALIZING or primary_revision is None:
        return State()
    found = _Found(program, canary_status, phase, target_revision or "", primary_revision, routing_seen, now_ms)
    match phase:
        case Phase.WAITING:
            return found.state(run=found.run())
        case Phase.PROGRESSING:
            return _progressing(found)
        case Phase.WAITING_PROMOTION:
            return _waiting_promotion(found)
        case Phase.PROMOTING:
            return _promoting(found)
        case Phase.FINALISING:
            return found.state(run=replace(_promoted_run(found), cursor=_at(_promotion(program))), scale=_FULL)
        case Phase.FAILED:
            return _failed(found)
        case Phase.TERMINATING | Phase.TERMINATED:
            return found.state(scale=_FULL)
        case _:
            return found.state()


class _Found(NamedTuple):
    """What there is to go by."""

    program: Program
    status: Mapping[str, Any]
    phase: Phase
    target: str
    primary: str
    seen: Routing | None
    now: Instant

    @property
    def iterations(self) -> int:
        return max(0, int(self.status.get("iterations") or 0))

    @property
    def weight(self) -> float:
        return max(0.0, float(self.status.get("canaryWeight") or 0))

    def run(self, cursor: Cursor | None = None, routing: Routing = HOME) -> Run:
        """The run of what the target has, as far as Flagger brought it."""
        failed = max(0, int(self.status.get("failedChecks") or 0))
        cursor = cursor or Cursor()
        said = f"taken over from Flagger in phase {self.phase.value}, with {failed} failed checks"
        return Run(
            number=1,
            revision=self.target,
            program_digest=digest(self.program),
            started_ms=self.now,
            began_ms=0,
            cursor=cursor,
            iterations=self.iterations,
            failed_checks=failed,
            log=(Entry(self.now, cursor.pc, routing.weight, "TakenOver", said),),
        )

    def state(
        self, *, run: Run | None = None, routing: Routing = HOME, scale: CanaryScale = _OFF, reason: str = ""
    ) -> State:
        return State(
            phase=self.phase,
            primary=self.primary,
            known=(self.primary,),
            run=run,
            runs=0 if run is None else run.number,
            routing=routing,
            canary_scale=scale,
            wall_ms=self.now,
            reason=reason,
        )


# --- the phases -------------------------------------------------------------------------------------------------


def _progressing(found: _Found) -> State:
    by_weight = goes_by_weight(found.program)
    place = _place(found, most=found.weight if by_weight else 100.0)
    cursor = _at(place.pc)
    if not by_weight and found.iterations > 0 and (place.pc >= 0 or found.seen == HOME):
        cursor = _in_hold(found, place.pc, found.iterations - 1)
    return found.state(run=found.run(cursor, place.routing), routing=place.routing, scale=_FULL)


def _waiting_promotion(found: _Found) -> State:
    """Before the gate is asked again there is a check, at once. Without the traffic that the canary had earned by then
    it does not wait any more, but earns it again."""
    place = _place(found, most=100.0)
    intact = found.seen is not None and (not goes_by_weight(found.program) or place == _path(found.program)[-1])
    cursor = _in_hold(found, place.pc, -1) if intact else _at(place.pc)
    state = found.state(run=found.run(cursor, place.routing), routing=place.routing, scale=_FULL)
    holds = cursor.needed > 0
    return state if holds else replace(state, phase=Phase.PROGRESSING)


def _promoting(found: _Found) -> State:
    """The primary has got its new template. The canary keeps what traffic it has until the primary is ready."""
    routing = found.seen or HOME
    run = replace(_promoted_run(found), cursor=_at(_promotion(found.program)))
    return replace(found.state(run=run, routing=routing, scale=_FULL), known=())


def _promoted_run(found: _Found) -> Run:
    """The run of what the primary got, which is not what the target has, if that has moved on since."""
    return replace(found.run(), revision=found.primary)


def _failed(found: _Found) -> State:
    """At rest until the target changes. A failed promotion is told from a rollback by where the traffic is."""
    stuck = found.weight >= 100 and (found.seen is None or found.seen.weight > 0)
    outcome = Outcome.PROMOTION_FAILED if stuck else Outcome.ROLLED_BACK
    routing = (found.seen or Routing(weight=100.0)) if stuck else HOME
    reason = "Flagger could not promote it: the traffic is on the canary" if stuck else "rolled back by Flagger"
    run = replace(found.run(), outcome=outcome, reason=reason, stage=Stage.OVER, ended_ms=found.now)
    return found.state(run=run, routing=routing, scale=_FULL if stuck else _OFF, reason=reason)


# --- places in the Program --------------------------------------------------------------------------------------


class _Place(NamedTuple):
    """An instruction, and the routing that it leaves. -1 stands before the first."""

    pc: int
    routing: Routing


def _path(program: Program) -> list[_Place]:
    """The routings on the way to the promotion, in order."""
    places = [_Place(-1, HOME)]
    for pc, op in enumerate(program.code[: _promotion(program)]):
        if isinstance(op, RouteOp):
            places.append(_Place(pc, changed(places[-1].routing, op)))
    return places


def _place(found: _Found, *, most: float) -> _Place:
    """Of the places that give the canary no more than it is seen to have, and no more than `most` percent, the one that
    gives it most; of several the first."""
    seen = found.seen or HOME
    safe = [one for one in _path(found.program) if one.routing.weight <= most and _within(one.routing, seen)]
    return max(safe, key=lambda one: (one.routing.weight, bool(one.routing.matches), one.routing.mirror))


def _within(routing: Routing, seen: Routing) -> bool:
    """Whether a routing gives the canary nothing that it is not seen to have. Stickiness is left out: it gives the
    canary no request that its weight has not given it before."""
    bare = replace(routing, sticky=None)
    return reduced(seen, bare) == replace(bare, sticky=None)


def _in_hold(found: _Found, pc: int, passed: int) -> Cursor:
    """In the hold that follows, with so many of its checks passed; one is always left, and all others if `passed` is
    -1, when that one is due at once. Where no hold follows, at `pc`."""
    code = found.program.code
    at = next((i for i in range(pc + 1, len(code)) if code[i].op in ("hold", "route", "promote")), -1)
    op = code[at]
    if not isinstance(op, HoldOp) or op.analysis is None:
        return _at(pc)
    every = found.program.analyses[op.analysis].every_ms
    needed = max(1, op.checks if op.checks is not None else (op.duration_ms or 0) // every)
    due = every if passed >= 0 else 0
    passed = min(passed, needed - 1) if passed >= 0 else needed - 1
    return Cursor(pc=at, since_ms=due - every - passed * every, due_ms=due, needed=needed, passed=passed)


def _promotion(program: Program) -> int:
    """Where `promote` stands; past the end for a Program without one."""
    return next((pc for pc, op in enumerate(program.code) if op.op == "promote"), len(program.code))


def _at(pc: int) -> Cursor:
    return Cursor(pc=pc)
