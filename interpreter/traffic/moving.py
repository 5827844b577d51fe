"""From one data plane, or one way to use it, to another: what must be done, and in which order. Pure.

First the new provider's objects come to hold the routing, then what the former ones made is released. An object that
both have to do with (a route of the user's in which another rule is named now) is written once, from the one form to
the other: it never stands in between without either. For that the release is done in thought, and the new routing is
rendered over its result. What is asked for is computed whole from what exists, so it may be asked for at any moment:
what is done already is not done again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from interpreter.desired import Routing
from interpreter.objects import Apply, Change, Delete, Edit, Manifest, Objects, Ref, ref_of_change
from interpreter.traffic.provider import Site, TrafficError, TrafficProvider


class Plane(NamedTuple):
    """A provider and where it routes. `further` are objects that it only looks at."""

    provider: TrafficProvider
    site: Site
    further: tuple[Ref, ...] = ()

    @property
    def refs(self) -> tuple[Ref, ...]:
        """Every object that it reads, writes or edits."""
        return tuple(dict.fromkeys((*self.provider.refs(self.site), *self.further)))


class Move(NamedTuple):
    """What makes the new routing hold, and what may be done once it does."""

    first: tuple[Change, ...]
    then: tuple[Change, ...]


def move(formers: Iterable[Plane], new: Plane, routing: Routing, existing: Objects) -> Move:
    """`existing` has what exists of the refs of all of them. Raises `TrafficError` where the new one cannot route so:
    then nothing is to be done at all."""
    after = dict(existing)
    released: dict[Ref, None] = {}
    for former in formers:
        left = _left_alone(new, routing, existing) - _left_alone(former, routing, existing)
        for change in former.provider.release(former.site, _of(former, after)):
            ref = ref_of_change(change)
            if isinstance(change, Edit) and ref in left:
                continue  # it has come over already: the former one would not know its own original any more
            released[ref] = None
            _do(after, ref, change)
    first: list[Change] = []
    made: set[tuple[str, ...]] = set()
    for change in new.provider.render(new.site, routing, _of(new, after)):
        ref = ref_of_change(change)
        made.add(_called(ref))
        first += _from_live(change, existing.get(ref), after.get(ref))
    last = [ref for ref in released if _called(ref) not in made]
    return Move(tuple(first), tuple(each for ref in last for each in _last(ref, existing, after)))


def _left_alone(plane: Plane, routing: Routing, existing: Objects) -> set[Ref]:
    """What is as this one would have it."""
    try:
        changes = plane.provider.render(plane.site, routing, _of(plane, existing))
    except TrafficError:
        return set()
    return set(plane.refs) - {ref_of_change(change) for change in changes}


def _of(plane: Plane, objects: Mapping[Ref, Manifest]) -> dict[Ref, Manifest]:
    return {ref: objects[ref] for ref in plane.refs if ref in objects}


def _do(objects: dict[Ref, Manifest], ref: Ref, change: Change) -> None:
    match change:
        case Apply(manifest):
            objects[ref] = manifest
        case Edit(_, after):
            objects[ref] = after
        case Delete():
            objects.pop(ref, None)


def _from_live(change: Change, live: Manifest | None, released: Manifest | None) -> list[Change]:
    """A change that was computed for the object as it is released, for the object as it is."""
    match change:
        case Edit(_, after) if live is not None:
            return [] if after == live else [Edit(live, after)]
        case Apply() if live is not None and released is not None and released != live:
            return [Edit(live, released), change]
    return [change]


def _last(ref: Ref, existing: Objects, after: Mapping[Ref, Manifest]) -> list[Change]:
    if ref not in after:
        return [Delete(ref)]
    live = existing.get(ref)
    if live is None:
        return [Apply(after[ref])]
    return [] if after[ref] == live else [Edit(live, after[ref])]


def _called(ref: Ref) -> tuple[str, ...]:
    """What an object is called in every version of its API: to delete it in one is to delete it in all."""
    return ref.api_version.rpartition("/")[0], ref.kind, ref.namespace, ref.name
