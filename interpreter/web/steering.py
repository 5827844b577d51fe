"""A decision of a person who has been recognised: what they may, and then `decide`.

Who may approve, in two rules:

1. the cluster must let them: the custom verb `approve` on the rollout, or `patch`;
2. where the policy names somebody (`wait for approval "release managers"`), that name must be theirs or one of their
   groups', to the letter, or they must hold the custom verb `approve` itself: `patch`, which many have who deploy, is
   then not enough.

The other verbs know rule 1 alone, each with its own name.
"""

from __future__ import annotations

from interpreter.cluster.api import Api
from interpreter.objects import Ref
from interpreter.web.deciding import Decided, Decision, Refused, Why, decide
from interpreter.web.people import Authority, Person
from interpreter.web.standing import Standing


def is_named(person: Person, who: str) -> bool:
    """Whether a wait for `who` means this person; one that names nobody means everybody."""
    return not who or who == person.name or who in person.groups


async def steer(
    api: Api, authority: Authority, person: Person, owner: Ref, decision: Decision, *, uid: str = ""
) -> Decided:
    """Decide as this person. `decision.by` is set to their name. Raises `Refused`, `Unavailable` and `ApiError`."""

    async def allow(one: Standing) -> None:
        if not await authority.may(person, decision.verb, owner):
            raise _forbidden(person, decision.verb, one)
        if decision.verb != "approve" or one.wait is None or is_named(person, one.wait.who):
            return
        if not await authority.holds(person, "approve", owner):
            raise _not_named(person, one)

    if not await authority.may(person, decision.verb, owner):
        # Before anything is read: who may nothing is not told what there is.
        raise Refused(Why.FORBIDDEN, f"`{person.name}` may not {decision.verb} {owner}", _grant(decision.verb))
    return await decide(api, owner, decision._replace(by=person.name), uid=uid, allow=allow)


def _forbidden(person: Person, verb: str, one: Standing) -> Refused:
    return Refused(Why.FORBIDDEN, f"`{person.name}` may not {verb} {one.the}", _grant(verb))


def _not_named(person: Person, one: Standing) -> Refused:
    who = one.wait.who if one.wait is not None else ""
    said = f"{one.the} waits for approval from {who}, and `{person.name}` is neither that nor in a group of that name"
    return Refused(Why.FORBIDDEN, said, "the right to `approve` it, by RBAC, would do as well")


def _grant(verb: str) -> str:
    return f"a Role that grants the verb `{verb}` on it would allow it"
