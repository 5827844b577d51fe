"""Two sources, one truth: what the watch tells and what our own writes answered, in whatever order they arrive."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from interpreter.cluster.store import Store
from interpreter.objects import Manifest, Ref, ref_of

Change = tuple[str, str | None, str | None]


def thing(version: int, name: str = "a", uid: str = "1", **more: str) -> Manifest:
    metadata = {"namespace": "n", "name": name, "uid": uid, "resourceVersion": str(version), **more}
    return {"apiVersion": "v1", "kind": "Thing", "metadata": metadata, "version": version}


REF = ref_of(thing(1))


class Told:
    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.store = Store(self)

    def __call__(self, ref: Ref, old: Manifest | None, new: Manifest | None) -> None:
        versions = [None if one is None else one["metadata"]["resourceVersion"] for one in (old, new)]
        self.changes.append((ref.name, versions[0], versions[1]))

    def event(self, kind: str, manifest: Manifest) -> None:
        self.store.event(kind, manifest, manifest)

    @property
    def version(self) -> int | None:
        held = self.store.get("n", "a")
        return None if held is None else held["version"]


def listed(*things: Manifest, at: int) -> Told:
    told = Told()
    told.store.begin_list()
    told.store.finish_list({ref_of(one): one for one in things}, str(at))
    told.changes.clear()
    return told


def test_our_own_write_is_seen_at_once_and_no_older_event_undoes_it() -> None:
    told = listed(thing(5), at=5)
    told.store.put(thing(9))
    told.event("MODIFIED", thing(7))
    assert told.version == 9
    told.event("MODIFIED", thing(9))
    assert told.changes == [("a", "5", "9")], "the watch's copy of our write is no news"


def test_versions_are_numbers() -> None:
    told = listed(thing(9), at=9)
    told.event("MODIFIED", thing(10))
    told.event("MODIFIED", thing(100))
    assert told.version == 100


def test_a_late_answer_does_not_bring_back_what_was_deleted_meanwhile() -> None:
    told = listed(thing(5), at=5)
    told.event("MODIFIED", thing(7))
    told.event("DELETED", thing(8))
    told.store.put(thing(7))
    assert told.version is None


def test_what_we_deleted_does_not_come_back_by_an_event_from_before() -> None:
    told = listed(thing(5), at=5)
    told.store.remove(REF, "1")
    told.event("MODIFIED", thing(6))
    assert told.version is None
    told.event("DELETED", thing(7))
    told.event("ADDED", thing(8, uid="2"))
    assert told.version == 8


def test_what_a_finalizer_keeps_is_shown_as_being_deleted() -> None:
    told = listed(thing(5), at=5)
    told.store.remove(REF, "1")
    told.event("MODIFIED", thing(6, deletionTimestamp="2026-01-01T00:00:00Z"))
    assert told.version == 6


def test_a_late_removal_leaves_what_was_made_anew() -> None:
    told = listed(thing(5), at=5)
    told.event("DELETED", thing(6))
    told.event("ADDED", thing(7, uid="2"))
    told.store.remove(REF, "1")
    assert told.version == 7


def test_an_object_made_anew_is_not_undone_by_the_old_ones_end() -> None:
    told = listed(thing(5), at=5)
    told.store.put(thing(9, uid="2"))
    told.event("DELETED", thing(8))
    assert told.version == 9


def test_a_new_list_shows_what_was_deleted_and_keeps_what_we_wrote_meanwhile() -> None:
    told = listed(thing(5), thing(5, "b"), at=5)
    told.store.begin_list()
    told.store.put(thing(20))
    told.store.finish_list({REF: thing(7)}, "10")
    assert told.version == 20
    assert told.changes == [("a", "5", "20"), ("b", "5", None)]


def test_a_restored_backup_counts_from_lower_numbers_and_is_the_truth() -> None:
    told = listed(thing(500), thing(501, "b"), at=600)
    told.store.put(thing(700))
    told.store.begin_list()
    told.store.finish_list({REF: thing(40)}, "50")
    assert told.version == 40
    assert told.store.get("n", "b") is None
    told.store.put(thing(51))
    assert told.version == 51


def test_what_cannot_be_compared_is_believed() -> None:
    told = listed(at=5)
    for version in ("x9", "x1"):
        manifest = thing(1, resourceVersion=version)
        told.event("MODIFIED", manifest)
        assert told.store.get("n", "a") == manifest


def test_a_change_of_nothing_but_the_version_is_not_told() -> None:
    told = listed(thing(5), at=5)
    told.event("MODIFIED", {**thing(6), "version": 5})
    assert told.changes == []
    assert told.store.resource_version == "6"


def test_labels_select() -> None:
    one, other = thing(1, "a"), thing(1, "b")
    one["metadata"]["labels"], other["metadata"]["labels"] = {"x": "1", "y": "2"}, {"x": "1"}
    told = listed(one, other, at=2)
    assert len(told.store) == 2
    assert list(told.store.select("n", {"x": "1", "y": "2"})) == [one]
    assert list(told.store.select(None, {"x": "1"})) == [one, other]
    assert list(told.store.select("elsewhere", {})) == []


@given(st.data())
def test_in_whatever_order_answers_arrive_the_end_is_the_truth_and_nothing_goes_back(data: st.DataObject) -> None:
    """A history of one name, told in order by the watch; the answers to some of its writes, which are ours, arrive at
    any later moment: before the watch's event or long after it."""
    told, history, uid, there = listed(at=10), [], 0, False
    for version in range(11, 11 + data.draw(st.integers(1, 8))):
        kind = data.draw(st.sampled_from(["MODIFIED", "DELETED"])) if there else "ADDED"
        uid += kind == "ADDED"
        there = kind != "DELETED"
        history.append((kind, thing(version, uid=str(uid)), data.draw(st.booleans())))
    # each of our writes is answered somewhere between its own place and the end
    waiting = [(kind, one) for kind, one, own in history if own]
    events = [(kind, one) for kind, one, _ in history]
    seen = 0
    while events or waiting:
        if waiting and (not events or data.draw(st.booleans())):
            kind, one = waiting.pop(data.draw(st.integers(0, len(waiting) - 1)) if not events else 0)
            if kind == "DELETED":
                told.store.remove(REF, one["metadata"]["uid"])
            else:
                told.store.put(one)
        else:
            told.event(*events.pop(0))
        held = told.version
        assert held is None or held >= seen
        seen = max(seen, held or 0)
    kind, last, _ = history[-1]
    assert told.version == (None if kind == "DELETED" else last["version"])
