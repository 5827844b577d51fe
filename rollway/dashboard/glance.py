"""All rollouts at a glance: which are shown, in which order, and what is said of each. Pure.

Those that a person should look at come first: what waits for somebody, then what has failed or cannot be used, then
what is under way, then the rest; among equals by namespace and name. A list of a thousand is shown a page at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import NamedTuple

from interpreter.desired import Instant
from interpreter.state import Phase
from rollway.cluster.now import is_paused
from rollway.cluster.shown import Shown
from rollway.cluster.table import phase

PAGE = 100
LONGEST = 200
"""Characters of a text that is searched for."""


class Need(IntEnum):
    """How much a rollout wants a person's eye, most first."""

    PERSON = 0
    TROUBLE = 1
    BUSY = 2
    REST = 3

    @property
    def words(self) -> str:
        return _WORDS[self]


_WORDS = {
    Need.PERSON: "waiting for a person",
    Need.TROUBLE: "in trouble",
    Need.BUSY: "under way",
    Need.REST: "at rest",
}
_REST = frozenset({Phase.INITIALIZED, Phase.SUCCEEDED, Phase.TERMINATED})


class Query(NamedTuple):
    """What is asked for. `need` is the name of a `Need`, in small letters; `page` counts from 1."""

    namespace: str = ""
    phase: str = ""
    need: str = ""
    text: str = ""
    page: int = 1

    def parameters(self, **changed: str | int) -> dict[str, str]:
        """As the address has it, without what is as usual."""
        asked = {**self._asdict(), **changed}
        return {name: str(value) for name, value in asked.items() if value and (name, value) != ("page", 1)}


class Row(NamedTuple):
    """One rollout of the list."""

    one: Shown
    phase: str
    need: Need
    waits: str


class Glance(NamedTuple):
    """The list. `total` are all that may be seen, `found` those that fit; `needs` counts all by what they want."""

    query: Query
    rows: tuple[Row, ...]
    total: int
    found: int
    pages: int
    needs: tuple[tuple[Need, int], ...]
    namespaces: tuple[str, ...]
    phases: tuple[str, ...]


def glance(rollouts: Iterable[Shown], query: Query) -> Glance:
    """The page that is asked for; one behind the last is the last."""
    every = [row(one) for one in rollouts]
    fitting = sorted((one for one in every if _fits(one, query)), key=_order)
    pages = max(1, -(-len(fitting) // PAGE))
    page = min(max(1, query.page), pages)
    counted = Counter(one.need for one in every)
    return Glance(
        query=query._replace(page=page),
        rows=tuple(fitting[(page - 1) * PAGE : page * PAGE]),
        total=len(every),
        found=len(fitting),
        pages=pages,
        needs=tuple((need, counted[need]) for need in Need),
        namespaces=tuple(sorted({one.one.namespace for one in every})),
        phases=tuple(sorted({one.phase for one in every})),
    )


def row(one: Shown) -> Row:
    """What is said of a rollout on one line."""
    return Row(one, phase(one), need(one), one.problem or one.reason)


def need(one: Shown) -> Need:
    """What it wants of a person."""
    if one.problem or one.phase == Phase.FAILED:
        return Need.TROUBLE
    if one.reason.startswith("waiting for approval") or is_paused(one):
        return Need.PERSON
    return Need.REST if one.phase in _REST else Need.BUSY


def parsed(asked: Sequence[tuple[str, str]]) -> Query:
    """From the parameters of an address; what makes no sense is left out."""
    given = dict(asked)
    page = given.get("page", "")
    texts = {name: given.get(name, "").strip()[:LONGEST] for name in ("namespace", "phase", "need", "text")}
    return Query(**texts, page=int(page) if page.isascii() and page.isdecimal() and len(page) < 6 else 1)


def _fits(found: Row, query: Query) -> bool:
    one = found.one
    if query.namespace and one.namespace != query.namespace:
        return False
    if query.phase and found.phase != query.phase:
        return False
    if query.need and found.need.name.lower() != query.need:
        return False
    words = query.text.casefold().split()
    hay = f"{one.namespace} {one.spoken} {found.phase} {one.revision} {found.waits}".casefold() if words else ""
    return all(word in hay for word in words)


def _order(found: Row) -> tuple[Instant, str, str, str]:
    return found.need, found.one.namespace, found.one.name, found.one.kind
