"""What can be decided about a rollout as it stands, and what cannot, with the reason. Pure.

A decision speaks of one revision, and where it matters of one step and one run. It is refused here where the machine
would ignore it (`interpreter.signals`), for here somebody is there to be told.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import Enum
from typing import Any, NamedTuple

from interpreter.cluster.names import VERBS
from interpreter.signals import ACCEPTED_IN
from interpreter.web.standing import Standing, paused

MOST_TEXT = 500
"""Characters of a name and of a reason that are kept; what is longer is cut off."""
MOST_ID = 64
_NOTHING = "nothing is under way, and a rollout begins with a new revision of its target"


class Why(Enum):
    """What kind of refusal it is; each has a status of HTTP."""

    MISSING = 404
    FORBIDDEN = 403
    MALFORMED = 400
    MISFIT = 409
    GONE = 410
    BUSY = 503


class Refused(Exception):
    """It was not decided. `said` is why, `help` what to do, which may be empty."""

    def __init__(self, why: Why, said: str, help: str = "") -> None:
        super().__init__(f"{said}: {help}" if help else said)
        self.why = why
        self.said = said
        self.help = help


class Decision(NamedTuple):
    """What somebody decides. `step` is the instruction that it speaks of, from 0; None is any. `id` tells it from the
    same decision given again; `via` is the way that it came: `cli`, `page`, `api` or `link`. `run`, if set, is the
    number of the run that it speaks of: a retry of the same revision is another run."""

    verb: str
    revision: str
    step: int | None = None
    by: str = ""
    reason: str = ""
    id: str = ""
    via: str = ""
    run: int | None = None


def check(one: Standing, decision: Decision, *, early: bool = False) -> None:
    """Raises `Refused` for what makes no sense now. `early` lets an approval be given before it is waited for."""
    _check_form(decision)
    if not one.phase:
        said = f"no interpreter has looked at {one.the} yet"
        why = f" ({one.reason})" if one.reason else ""
        raise Refused(Why.MISFIT, said, f"is `rollway controller` running in the cluster?{why}")
    if decision.revision and decision.revision != one.revision:
        raise Refused(
            Why.MISFIT,
            f"{one.the} is at revision `{one.revision}` ({one.phase_shown}), not at `{decision.revision}`",
            f"look at it again with `rollway status {one.spoken}`",
        )
    if one.phase_known not in ACCEPTED_IN[decision.verb]:
        can = ", ".join(f"`rollway {verb}`" for verb in possible(one))
        said = f"{one.the} is in phase {one.phase_shown}, in which there is nothing to {decision.verb}"
        raise Refused(Why.MISFIT, said, f"what can be done now is {can}" if can else _NOTHING)
    if not one.revision:
        raise Refused(Why.MISFIT, f"{one.the} says no revision that could be spoken of", "try again in a moment")
    if decision.run is not None and one.run != decision.run:
        raise Refused(Why.MISFIT, f"that was for run {decision.run} of {one.the}, which is over")
    _check_pause(one, decision.verb)
    _check_step(one, decision)
    if decision.verb == "approve" and not early and one.wait is None:
        raise Refused(Why.MISFIT, f"{one.the} does not wait for approval now", one.reason)


def possible(one: Standing) -> Iterator[str]:
    """The verbs that make sense now."""
    for verb in VERBS:
        if one.phase_known in ACCEPTED_IN[verb] and _fits(verb, one):
            yield verb


def bound_step(one: Standing, decision: Decision) -> int | None:
    """The instruction that it speaks of. An approval of a rollout that waits for one is for this wait and no later
    one."""
    if decision.step is None and decision.verb == "approve" and one.wait is not None:
        return one.pc
    return decision.step


def kept_for_later(one: Standing, decision: Decision) -> str:
    """Why it will not be acted on at once; empty if it will."""
    if one.suspended:
        return "the rollout is suspended: it is acted on once `spec.suspend` is false"
    if one.pc is None or not one.has_program:
        return ""
    if decision.step is not None and decision.step > one.pc:
        return f"it is kept until step {decision.step + 1}, and the rollout is at step {max(one.pc, 0) + 1}"
    if decision.verb == "approve" and one.wait is None:
        return "it is kept until a step waits for approval"
    if decision.verb == "promote" and one.pc < 0:
        return "it is kept until the canary is ready"
    return ""


def standing_twin(one: Standing, decision: Decision) -> dict[str, Any] | None:
    """What stands on the object already and asks for the same: this verb, of this revision and this step."""
    said = read(one.asked.get(decision.verb, ""))
    same = said.get("revision") == one.revision and said.get("step") == bound_step(one, decision)
    return said if same and said else None


def read(value: str) -> dict[str, Any]:
    """What an annotation says: JSON, or the bare revision; empty if it cannot be read."""
    if not value.startswith("{"):
        return {"revision": value} if value else {}
    try:
        said = json.loads(value)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _check_form(decision: Decision) -> None:
    if decision.verb not in VERBS:
        raise Refused(Why.MALFORMED, f"`{decision.verb}` is nothing that can be decided", f"say one of {_all()}")
    if decision.step is not None and decision.step < 0:
        raise Refused(Why.MALFORMED, "a step is counted from 1")


def _check_pause(one: Standing, verb: str) -> None:
    if verb == "pause" and paused(one.reason):
        raise Refused(Why.MISFIT, f"{one.the} is paused already", f"`rollway resume {one.spoken}` goes on")
    if verb == "resume" and not paused(one.reason) and one.phase_known in ACCEPTED_IN["pause"]:
        waits = f"; it waits for something else: {one.reason}" if one.reason else ""
        raise Refused(Why.MISFIT, f"{one.the} is not paused, so there is nothing to resume{waits}")


def _check_step(one: Standing, decision: Decision) -> None:
    at = -1 if one.pc is None else one.pc
    if decision.step is not None and decision.step < at:
        raise Refused(Why.MISFIT, f"step {decision.step + 1} is over: {one.the} is at step {at + 1}")


def _fits(verb: str, one: Standing) -> bool:
    if not one.revision:
        return False
    match verb:
        case "approve":
            return one.wait is not None
        case "pause":
            return not paused(one.reason)
        case "resume":
            return paused(one.reason)
    return True


def _all() -> str:
    return ", ".join(VERBS)
