"""Protects the move from one traffic provider, or one way to use it, to another: what the new one needs is there before
anything of the old one goes, nothing of the old one stays, what is the user's is as it was, and a move that was cut off
anywhere ends the same."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from itertools import permutations

import pytest

from interpreter.objects import Change, Manifest
from interpreter.routing import HOME
from interpreter.traffic.moving import Move, Plane, move
from interpreter.traffic.provider import TrafficError
from tests.interpreter.traffic.contract import route
from tests.interpreter.traffic.pretence import Pretence
from tests.interpreter.traffic.rigs import RIGS, Rig

NAMES = [name for name in RIGS if not name.endswith("-baseline")]
PAIRS = [
    (one, other)
    for one, other in permutations(NAMES, 2)
    if one.partition("-")[0] == other.partition("-")[0] or not {"-"} & {*one, *other}
]
"""Within each provider from everything to everything, and from each provider to each other."""


def pretend(rigs: Iterable[Rig]) -> Pretence | None:
    """The users' objects of all of them; None where two users had other things in mind under one name."""
    there: dict[object, Manifest] = {}
    for rig in rigs:
        for ref, given in Pretence(rig.given).objects.items():
            if there.setdefault(ref, given) != given:
                return None
    return Pretence(there.values())


def planned(old: Rig, new: Rig, cluster: Pretence) -> Move:
    return move([Plane(old.provider, old.site)], Plane(new.provider, new.site), HOME, cluster.objects)


def _in_other_versions(one: Pretence, other: Pretence) -> bool:
    """Whether both have one object in two versions of its API, which the pretended cluster takes for two objects."""
    refs = one.objects.keys() | other.objects.keys()
    return len({(ref.api_version.partition("/")[0], ref.kind, ref.name) for ref in refs}) < len(refs)


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_from_any_to_any_other(one: str, other: str) -> None:
    old, new = RIGS[one]("test"), RIGS[other]("test")
    cluster, fresh = pretend((old, new)), pretend((old, new))
    if cluster is None or fresh is None or not (old.restores and new.restores):
        return
    try:
        route(new, fresh, HOME)
        route(old, cluster, HOME)
    except TrafficError:
        return  # the one user's object is nothing for the other
    if _in_other_versions(cluster, fresh):
        return
    start = deepcopy(cluster)
    first, then = planned(old, new, cluster)
    cluster.do(first)
    assert new.provider.read(new.site, cluster.objects) == HOME
    cluster.do(then)
    assert cluster.objects == fresh.objects
    again = planned(old, new, cluster)
    cluster.do((*again.first, *again.then))
    assert cluster.objects == fresh.objects
    changes: tuple[Change, ...] = (*first, *then)
    for cut in range(1, len(changes)):
        killed = deepcopy(start)
        killed.do(changes[:cut])
        more = planned(old, new, killed)
        killed.do(more.first)
        assert new.provider.read(new.site, killed.objects) == HOME
        killed.do(more.then)
        assert killed.objects == fresh.objects, f"cut off after {cut}"


def test_an_object_in_another_version_is_not_deleted() -> None:
    old, new = RIGS["smi"]("test"), RIGS["smi-v1alpha4"]("test")
    cluster = Pretence(old.given)
    route(old, cluster, HOME)
    first, then = planned(old, new, cluster)
    assert first
    assert then == ()
