"""Which rollouts a person may see.

Who may list a kind in the whole cluster sees all of it; anybody else is asked about namespace by namespace, and only
about those in which there are rollouts. The answers are kept for a minute, for a list is looked at often.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from interpreter.objects import Ref
from interpreter.web.fitting import Refused, Why
from interpreter.web.people import VIEW, Authority, Kept, Person
from interpreter.web.steering import is_named
from rollway.cluster.shown import Shown
from rollway.dashboard.watch import Key

KEPT_S = 60.0
MOST_KEPT = 20_000


class Rights:
    """What people may, asked of an authority. Each raises `Unavailable`."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._places: Kept[tuple[Person, Key], bool] = Kept(KEPT_S, MOST_KEPT)

    async def visible(self, person: Person, rollouts: Iterable[Shown]) -> list[Shown]:
        """Those that this person may see."""
        every = list(rollouts)
        places = {Key(one.kind, one.namespace, "") for one in every}
        kinds = sorted({place.kind for place in places})
        whole = dict(zip(kinds, await self._all(person, [Key(kind, "", "") for kind in kinds]), strict=True))
        asked = sorted(place for place in places if not whole[place.kind])
        allowed = {place for place, may in zip(asked, await self._all(person, asked), strict=True) if may}
        return [one for one in every if whole[one.kind] or Key(one.kind, one.namespace, "") in allowed]

    async def see(self, person: Person, key: Key) -> None:
        """Raises `Refused` if they may not see this rollout, whether or not there is one."""
        if not await self._authority.may(person, VIEW, key.ref):
            what = f"{key.kind} {key.namespace}/{key.name}"
            raise Refused(Why.FORBIDDEN, f"{person.name} may not see {what}", "the right to `get` it would allow it")

    async def verbs(self, person: Person, ref: Ref, verbs: Iterable[str], who: str | None) -> list[str]:
        """Of these verbs those that they may. `who` is whom the policy names to approve, None if it waits for none."""
        wanted = list(verbs)
        allowed = await asyncio.gather(*(self._authority.may(person, verb, ref) for verb in wanted))
        found = [verb for verb, may in zip(wanted, allowed, strict=True) if may]
        if "approve" not in found or not who or is_named(person, who):
            return found
        if await self._authority.holds(person, "approve", ref):
            return found
        return [verb for verb in found if verb != "approve"]

    async def _all(self, person: Person, places: list[Key]) -> list[bool]:
        return list(await asyncio.gather(*(self._may_list(person, place) for place in places)))

    async def _may_list(self, person: Person, place: Key) -> bool:
        found = self._places.get((person, place))
        if found is None:
            found = self._places.put((person, place), await self._authority.may(person, VIEW, place.ref))
        return found[0]
