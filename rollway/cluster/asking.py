"""What a person asks of a rollout: an annotation that speaks of one revision, and what came of it.

It is refused here where the interpreter would refuse it, for then somebody is there to be told. It is written only if
nobody has written to the object since it was read, so that what was shown is what it speaks of.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any, NamedTuple

from dsl.ir import Program
from interpreter.cluster.names import verb_annotation
from interpreter.signals import ACCEPTED_IN
from interpreter.state import Entry
from rollway.cluster.now import awaits_approval, is_paused, phase_of, verbs
from rollway.cluster.shown import RunShown, Shown
from rollway.cluster.table import phase
from rollway.terminal import Stop

_NOTHING = "nothing is under way, and a rollout begins with a new revision of its target"


class Request(NamedTuple):
    """What is asked. `step` is counted from 1, as people see it."""

    verb: str
    revision: str | None = None
    step: int | None = None
    reason: str = ""


def refuse(one: Shown, request: Request, program: Program | None) -> None:
    """Raises `Stop` for what makes no sense now, with what would."""
    now = phase_of(one)
    if not one.phase:
        raise Stop(
            f"no interpreter has looked at {_the(one)} yet: is `rollway controller` running in the cluster?"
            + (f" ({one.reason})" if one.reason else "")
        )
    if request.revision is not None and request.revision != one.revision:
        raise Stop(
            f"{_the(one)} is at revision `{one.revision}` ({phase(one)}), not at `{request.revision}`: "
            f"look at it again with `rollway status {one.spoken}`"
        )
    if now not in ACCEPTED_IN[request.verb]:
        can = ", ".join(f"`rollway {verb}`" for verb in verbs(one, program))
        would = f"what can be done now is {can}" if can else _NOTHING
        raise Stop(f"{_the(one)} is in phase {phase(one)}, in which there is nothing to {request.verb}: {would}")
    if not one.revision:
        raise Stop(f"{_the(one)} says no revision that could be spoken of: try again in a moment")
    _refuse_twice(one, request.verb)
    _refuse_step(one, request)


def patch(
    one: Shown, request: Request, program: Program | None, *, by: str, version: str, at: datetime
) -> dict[str, Any]:
    """The merge patch that asks for it; `version` is the resourceVersion that was read."""
    said: dict[str, object] = {"revision": one.revision}
    step = bound_step(one, request, program)
    if step is not None:
        said["step"] = step
    said |= {key: value for key, value in (("by", by), ("reason", request.reason)) if value}
    said["at"] = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    value = json.dumps(said, ensure_ascii=False)
    return {"metadata": {"resourceVersion": version, "annotations": {verb_annotation(request.verb): value}}}


def bound_step(one: Shown, request: Request, program: Program | None) -> int | None:
    """The instruction that it speaks of, counted from 0. An approval of a rollout that waits for one is for this wait
    and no later one."""
    if request.step is not None:
        return request.step - 1
    if request.verb == "approve" and one.place is not None and awaits_approval(one, program):
        return one.place.pc
    return None


def kept_for_later(one: Shown, request: Request, program: Program | None) -> str:
    """Why it will not be acted on at once; empty if it will."""
    if one.suspended:
        return "the rollout is suspended: it is acted on once `spec.suspend` is false"
    if one.place is None or program is None:
        return ""
    ahead = request.step is not None and request.step - 1 > one.place.pc
    if ahead:
        return f"it is kept until step {request.step}, and the rollout is at step {max(one.place.pc, 0) + 1}"
    if request.verb == "approve" and not awaits_approval(one, program):
        return "it is kept until a step waits for approval"
    if request.verb == "promote" and one.place.pc < 0:
        return "it is kept until the canary is ready"
    return ""


def news(before: RunShown | None, after: RunShown | None) -> list[Entry]:
    """What the record has since, oldest first; lines that were there before are not news."""
    if after is None:
        return []
    same = before is not None and before.number == after.number
    known = Counter(before.log) if before is not None and same else Counter()
    found = []
    for entry in after.log:
        if known[entry]:
            known[entry] -= 1
        else:
            found.append(entry)
    return found


def question(one: Shown, verb: str) -> str:
    """What a person is asked before it is done."""
    return f"{verb} {_the(one)} at {one.weight:g}% of the traffic (revision {one.revision})?"


def _refuse_twice(one: Shown, verb: str) -> None:
    if verb == "pause" and is_paused(one):
        raise Stop(f"{_the(one)} is paused already: `rollway resume {one.spoken}` goes on")
    if verb == "resume" and not is_paused(one) and phase_of(one) in ACCEPTED_IN["pause"]:
        waits = f"; it waits for something else: {one.reason}" if one.reason else ""
        raise Stop(f"{_the(one)} is not paused, so there is nothing to resume{waits}")


def _refuse_step(one: Shown, request: Request) -> None:
    if request.step is None:
        return
    if request.step < 1:
        raise Stop("`--step` is the number of a step, from 1")
    at = one.place.pc + 1 if one.place is not None else 0
    if request.step < at:
        raise Stop(f"step {request.step} is over: {_the(one)} is at step {at}")


def _the(one: Shown) -> str:
    return f"`{one.spoken}` in `{one.namespace}`"
