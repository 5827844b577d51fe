"""What every traffic provider must do, as functions that test one rig. `test_contract` runs them all."""

from __future__ import annotations

import json
from collections.abc import Iterable

from hypothesis import strategies as st

from dsl.capabilities import Capability
from dsl.ir import MatchTest, StickySpec
from interpreter.desired import Routing
from interpreter.objects import Apply, Change, Edit, Manifest, Ref, ref_of
from interpreter.routing import HOME
from tests.interpreter.traffic.pretence import Pretence
from tests.interpreter.traffic.rigs import Rig, with_baseline
from tests.interpreter.traffic.situations import SITUATIONS, allowed, weight

FOREIGN = {"example.com/foreign": "kept"}


def played(rig: Rig, routings: Iterable[Routing]) -> Pretence:
    """The cluster after these routings, each checked: what is read is what was rendered, and again changes nothing."""
    cluster = Pretence(rig.given)
    for routing in routings:
        route(rig, cluster, routing)
        assert rig.provider.read(rig.site, cluster.objects) == routing
        still(rig, cluster, routing)
    return cluster


def route(rig: Rig, cluster: Pretence, routing: Routing) -> None:
    changes = rig.provider.render(rig.site, routing, cluster.objects)
    _only_known(rig, changes)
    cluster.do(changes)


def still(rig: Rig, cluster: Pretence, routing: Routing) -> None:
    """Rendering what holds already changes nothing: no edits, and what is applied is all there."""
    before = dict(cluster.objects)
    changes = rig.provider.render(rig.site, routing, cluster.objects)
    assert not [change for change in changes if isinstance(change, Edit)]
    cluster.do(changes)
    assert cluster.objects == before


def nothing_of_the_past(rig: Rig, situation: str) -> None:
    """What went before leaves no trace: the last routing alone gives the same objects."""
    routings = SITUATIONS[situation]
    assert played(rig, routings).objects == played(rig, routings[-1:]).objects


def foreign_fields_stay(rig: Rig, situation: str) -> None:
    """What others write on the objects survives the next routing."""
    routings = SITUATIONS[situation]
    cluster = played(rig, routings[:1])
    for found in cluster.objects.values():
        found["metadata"].setdefault("annotations", {}).update(FOREIGN)
        found["metadata"].setdefault("labels", {}).update(FOREIGN)
    marked = set(cluster.objects)
    assert rig.provider.read(rig.site, cluster.objects) == routings[0]
    for routing in routings[1:]:
        route(rig, cluster, routing)
        assert rig.provider.read(rig.site, cluster.objects) == routing
    for ref in marked & cluster.objects.keys():
        found = cluster.objects[ref]
        for part in ("annotations", "labels"):
            assert found["metadata"][part].items() >= FOREIGN.items(), f"{ref} lost its foreign {part}"


def all_is_put_back(rig: Rig, situation: str) -> None:
    """After release there is what was there before, to the last field; and releasing again is no error."""
    cluster = played(rig, SITUATIONS[situation])
    cluster.do(rig.provider.release(rig.site, cluster.objects))
    expected = Pretence(rig.given).objects if rig.restores else played(rig, SITUATIONS[situation]).objects
    assert cluster.objects == expected
    assert rig.provider.release(rig.site, cluster.objects) == ()


def users_form_again(rig: Rig) -> None:
    """A user's tools write the user's form again, over what we did to it: that is seen, put right, and can be put back.
    Annotations stay where they are, as `kubectl apply` and server-side apply leave those of others."""
    cluster = played(rig, (HOME, weight(100)))
    for ref, given in Pretence(rig.given).objects.items():
        cluster.objects[ref] = {**cluster.objects[ref], "spec": {**given["spec"]}}
    assert rig.provider.read(rig.site, cluster.objects) != weight(100)
    route(rig, cluster, weight(100))
    assert rig.provider.read(rig.site, cluster.objects) == weight(100)
    cluster.do(rig.provider.release(rig.site, cluster.objects))
    if rig.restores:
        assert cluster.objects == Pretence(rig.given).objects


def missing_objects_are_not_a_routing(rig: Rig) -> None:
    """Nothing is read off nothing; and what is ours and was deleted is made anew."""
    assert rig.provider.read(rig.site, {}) is None
    cluster = played(rig, (HOME,))
    before = dict(cluster.objects)
    given = Pretence(rig.given).objects
    for ref in [ref for ref in cluster.objects if ref not in given]:
        del cluster.objects[ref]
        route(rig, cluster, HOME)
        assert cluster.objects == before


def baseline_comes_and_goes(rig: Rig, situation: str) -> None:
    """A baseline that gets its part, keeps it from routing to routing, and loses it again leaves no trace; what is read
    is the routing, whether it has its part already or still. One that gets nothing makes no difference."""
    routings, given = SITUATIONS[situation], with_baseline(rig)
    cluster = played(rig, routings[:1])
    before = dict(played(rig, routings).objects)
    for routing in routings:
        route(given, cluster, routing)
        for site in rig.site.either:
            assert rig.provider.read(site, cluster.objects) == routing
        still(given, cluster, routing)
    assert cluster.objects == played(given, routings[-1:]).objects
    part = given.site.baseline_part(routings[-1])
    split = {ref: one for ref, one in cluster.objects.items() if ref.name != given.site.baseline}
    assert (given.site.baseline in json.dumps([_routes(one) for one in split.values()])) == (part > 0)
    route(rig, cluster, routings[-1])
    assert cluster.objects == before


def _routes(found: Manifest) -> list[object]:
    """What a data plane goes by: the spec, and annotations that are not our notes."""
    annotations = found["metadata"].get("annotations") or {}
    return [found.get("spec"), {key: text for key, text in annotations.items() if not key.startswith("rollway.dev/")}]


def a_part_that_was_taken_is_given_back(rig: Rig) -> None:
    """Somebody leads the baseline's part elsewhere: the canary's is read still, and the next look repairs it."""
    given = with_baseline(rig)
    cluster = played(given, (HOME, weight(20)))
    before = dict(cluster.objects)
    for ref, found in before.items():
        text = json.dumps(found).replace(given.site.baseline, "elsewhere")
        cluster.objects[ref] = json.loads(text)
    assert cluster.objects != before
    seen = rig.provider.read(given.site, cluster.objects)
    assert seen is None or seen.weight >= 20
    route(given, cluster, weight(20))
    assert {ref: one for ref, one in cluster.objects.items() if ref.name != given.site.baseline} == {
        ref: one for ref, one in before.items() if ref.name != given.site.baseline
    }


def routings(row: Capability) -> st.SearchStrategy[Routing]:
    """Any routing that the row allows."""
    steps = st.integers(0, round(100 / row.granularity)) if row.granularity and row.weights else st.just(0)
    shares = st.one_of(st.sampled_from((0.0, 100.0)), steps.map(lambda count: round(count * row.granularity, 2)))
    step = max(row.mirror_step, 0.1)
    mirrors = st.one_of(st.just(0.0), st.integers(1, round(100 / step)).map(lambda count: round(count * step, 1)))
    stickies = st.one_of(st.none(), st.builds(StickySpec, names, st.integers(1000, 10**9)))
    drawn = st.builds(Routing, shares, mirrors, alternatives, stickies)
    return drawn.map(lambda routing: _pruned(row, routing)).filter(lambda routing: allowed(row, routing))


names = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,12}", fullmatch=True)
values = st.one_of(st.sampled_from(("always", "a.b*c", "1", "50% (of it)", "x|y$")), names)
patterns = st.sampled_from(("^beta", "beta$", "^a.c$", "x|y", "[a-z]+-\\d", "(one|two)"))


@st.composite
def _tests(draw: st.DrawFn) -> MatchTest:
    kind = draw(st.sampled_from(("header", "cookie", "query")))
    op = draw(st.sampled_from(("==", "=~", "^=", "exists")))
    value = "" if op == "exists" else draw(patterns if op == "=~" else values)
    return MatchTest(kind, draw(names), op, value)  # type: ignore[arg-type]


def _key(test: MatchTest) -> str:
    return f"{test.kind} {test.key.lower()}"


alternatives = st.lists(
    st.lists(_tests(), min_size=1, max_size=3, unique_by=_key).map(tuple), max_size=3, unique=True
).map(tuple)


def _pruned(row: Capability, routing: Routing) -> Routing:
    """The routing, less what the row does not have at all, so that few of those drawn are thrown away."""
    kept = tuple(tuple(test for test in tests if test.op in row.operators(test.kind)) for tests in routing.matches)
    return Routing(
        weight=routing.weight,
        mirror=0.0 if not row.mirror else routing.mirror if row.mirror_share else round(routing.mirror / 100) * 100.0,
        matches=tuple(tests for tests in kept if tests) if row.matches else (),
        sticky=routing.sticky if row.sticky else None,
    )


def _only_known(rig: Rig, changes: Iterable[Change]) -> None:
    """A provider touches only what it says that it touches."""
    refs = set(rig.provider.refs(rig.site))
    for change in changes:
        assert _ref(change) in refs


def _ref(change: Change) -> Ref:
    match change:
        case Apply():
            return ref_of(change.manifest)
        case Edit():
            return ref_of(change.after)
        case _:
            return change.ref


def objects_of(cluster: Pretence, rig: Rig) -> list[Manifest]:
    """What the provider looks after, in its order."""
    return [cluster.objects[ref] for ref in rig.provider.refs(rig.site) if ref in cluster.objects]
