"""Decide about a rollout: the one way that the command line, the page, the API and links all take.

A decision becomes an annotation on the object (`rollway.dev/VERB`), so that it outlives every process, and so that
`kubectl` can do the same. It is checked against the rollout as it stands, and written only if nobody has written to the
object since it was read: a revision that comes in between is not approved by a late click. Where somebody has written,
it is looked at and checked again.

Who waits with the same decision for the interpreter already is not overruled: the second of two people who approve at
once is told who was first, and one approval is recorded.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from interpreter.cluster.api import Api, Conflict, NotFound, NotServed
from interpreter.cluster.names import verb_annotation
from interpreter.objects import Ref
from interpreter.web.fitting import (
    MOST_ID,
    MOST_TEXT,
    Decision,
    Refused,
    Why,
    bound_step,
    check,
    kept_for_later,
    standing_twin,
)
from interpreter.web.standing import Standing, latest_run, standing

__all__ = ["Decided", "Decision", "Refused", "Why", "decide", "look"]

MOST_TRIES = 10

Allow = Callable[[Standing], Awaitable[None]]


class Decided(NamedTuple):
    """What came of it. `value` is the annotation as it stands; `repeated`: the same decision, by its `id`, stood there
    before; `later` says why it is not acted on at once, and is empty if it is."""

    standing: Standing
    value: str
    repeated: bool = False
    later: str = ""


async def decide(
    api: Api, owner: Ref, decision: Decision, *, uid: str = "", early: bool = False, allow: Allow | None = None
) -> Decided:
    """Write it down for the interpreter. `uid`, if given, is the object's: one that was made anew under its name is
    another. `early` lets an approval be given before it is waited for. `allow` may raise `Refused` for who asks. A
    decision without a revision speaks of the one that is found. Raises `Refused` and `ApiError`."""
    decision = decision._replace(id=decision.id[:MOST_ID] or secrets.token_hex(8))
    for _ in range(MOST_TRIES):
        one, version = await look(api, owner, uid)
        if allow is not None:
            await allow(one)
        check(one, decision, early=early)
        # Whatever comes between this look and the next, it speaks of what was seen at the first.
        decision = decision._replace(revision=one.revision, step=bound_step(one, decision), run=one.run)
        twin = standing_twin(one, decision)
        if twin is not None and twin.get("id") == decision.id:
            return Decided(one, one.asked[decision.verb], repeated=True, later=kept_for_later(one, decision))
        if twin is not None and decision.verb == "approve":
            by = f" by {twin['by']}" if isinstance(twin.get("by"), str) and twin["by"] else ""
            raise Refused(Why.MISFIT, f"{one.the} has been approved already{by}; the interpreter has not taken it yet")
        value = annotation(one, decision, datetime.now(UTC))
        change = {"metadata": {"resourceVersion": version, "annotations": {verb_annotation(decision.verb): value}}}
        try:
            await api.patch(owner, change)
        except Conflict:
            continue
        except NotFound:
            raise _missing(owner) from None
        else:
            return Decided(one, value, later=kept_for_later(one, decision))
    raise Refused(Why.BUSY, f"{owner} changes faster than it can be written to", "try again")


async def look(api: Api, owner: Ref, uid: str = "") -> tuple[Standing, str]:
    """How a rollout stands, and its resourceVersion. Raises `Refused` if there is none, and `ApiError`."""
    try:
        manifest = await api.get(owner)
    except NotServed:
        manifest = None
    if manifest is None or (uid and manifest["metadata"].get("uid") != uid):
        raise _missing(owner)
    return standing(manifest, await latest_run(api, manifest)), manifest["metadata"]["resourceVersion"]


def annotation(one: Standing, decision: Decision, at: datetime) -> str:
    """What is written: JSON, bound to the revision that was seen."""
    said: dict[str, Any] = {"revision": one.revision}
    step = bound_step(one, decision)
    if step is not None:
        said["step"] = step
    texts = {"by": decision.by[:MOST_TEXT], "reason": decision.reason[:MOST_TEXT], "via": decision.via}
    said |= {key: value for key, value in texts.items() if value}
    said["at"] = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    said["id"] = decision.id
    return json.dumps(said, ensure_ascii=False)


def _missing(owner: Ref) -> Refused:
    return Refused(Why.MISSING, f"there is no {owner}")
