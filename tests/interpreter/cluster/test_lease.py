"""Two never lead at once: in a simulation of every mishap, and against a real API server through a line that fails."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interpreter.cluster.api import Conflict, NotLeader, Unreachable
from interpreter.cluster.lease import API_VERSION, Leader
from interpreter.objects import Manifest, Ref
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.cluster.tools import Line, config_map, connected, until

LEASE = "rollway"


class Store:
    """A Lease as the API server keeps it."""

    def __init__(self) -> None:
        self.lease: Manifest | None = None
        self.version = 0

    def write(self, manifest: Manifest) -> Manifest:
        self.version += 1
        self.lease = copy.deepcopy(manifest)
        self.lease["metadata"]["resourceVersion"] = str(self.version)
        return copy.deepcopy(self.lease)


class Connection:
    """One candidate's way to it, with a clock of its own that goes at its own rate. `fate` is what becomes of the next
    write: it is done, lost on the way there, or done and the answer lost."""

    def __init__(self, store: Store, rate: float) -> None:
        self.store = store
        self.rate = rate
        self.now = 0.0
        self.fate = "done"
        self.delay = 0.0

    def gated(self, gate: object) -> Any:
        return self

    def clock(self) -> float:
        return self.now

    async def get(self, ref: Ref) -> Manifest | None:
        if self.fate == "lost":
            raise Unreachable("cut")
        return copy.deepcopy(self.store.lease)

    async def create(self, manifest: Manifest) -> Manifest:
        if self.store.lease is not None:
            raise Conflict(409, "AlreadyExists", "exists")
        return self._finish(manifest)

    async def replace(self, manifest: Manifest) -> Manifest:
        assert self.store.lease is not None
        if manifest["metadata"]["resourceVersion"] != self.store.lease["metadata"]["resourceVersion"]:
            raise Conflict(409, "Conflict", "modified")
        return self._finish(manifest)

    def _finish(self, manifest: Manifest) -> Manifest:
        if self.fate == "lost":
            raise Unreachable("cut")
        written = self.store.write(manifest)
        if self.fate == "unanswered":
            raise Unreachable("cut")
        return written


def leader(connection: Any, identity: str, **options: Any) -> Leader:
    return Leader(connection, "system", LEASE, identity, 15, 10, 2, clock=connection.clock, **options)


STEPS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(["done", "done", "done", "lost", "unanswered", "release", "nothing"]),
        st.sampled_from([0.0, 0.5, 2.0, 4.0, 9.0, 11.0, 16.0]),
    ),
    max_size=40,
)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_whatever_happens_two_never_lead_at_once(steps: list[tuple[int, str, float]]) -> None:
    """Three candidates whose clocks differ by a tenth, that are stopped for any time, and whose requests get lost."""

    async def play() -> None:
        store = Store()
        connections = [Connection(store, rate) for rate in (0.9, 1.0, 1.1)]
        leaders = [leader(connection, f"r{number}") for number, connection in enumerate(connections)]
        for who, what, seconds in steps:
            for connection in connections:
                connection.now += seconds * connection.rate
            assert sum(one.held() for one in leaders) <= 1
            connections[who].fate = what
            if what == "release":
                connections[who].fate = "done"
                await leaders[who]._release()
            elif what != "nothing":
                await leaders[who].try_once()
            assert sum(one.held() for one in leaders) <= 1

    asyncio.run(play())


async def test_a_lease_that_is_not_renewed_goes_to_the_next_in_time() -> None:
    store = Store()
    first, second = Connection(store, 1), Connection(store, 1)
    one, other = leader(first, "one"), leader(second, "other")
    assert await one.try_once()
    assert not await other.try_once()
    first.now = second.now = 9.9
    assert one.held()
    first.now = second.now = 10.0
    assert not one.held(), "it gives up before"
    second.now = 14.9
    assert not await other.try_once()
    second.now = 15.0
    assert await other.try_once()
    assert store.lease is not None
    assert store.lease["spec"]["holderIdentity"] == "other"
    assert store.lease["spec"]["leaseTransitions"] == 1


async def test_a_renewal_whose_answer_was_lost_is_made_good_by_the_next() -> None:
    connection = Connection(Store(), 1)
    one = leader(connection, "one")
    assert await one.try_once()
    connection.fate, connection.now = "unanswered", 4.0
    assert not await one.try_once()
    connection.fate, connection.now = "done", 6.0
    assert await one.try_once()
    connection.now = 15.0
    assert one.held()


def test_times_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="retry < renew_deadline < duration"):
        Leader(Connection(Store(), 1), "n", LEASE, "a", 10, 10, 2)  # type: ignore[arg-type]


class Term:
    """What a replica does while it leads, and from when to when."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended = 0
        self.working = False

    async def start(self) -> None:
        self.begun += 1
        self.working = True
        await asyncio.Event().wait()

    async def lose(self) -> None:
        self.ended += 1
        self.working = False


@contextlib.asynccontextmanager
async def standing(leader: Leader, term: Term) -> Any:
    task = asyncio.create_task(leader.run(term.start, term.lose))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_a_leader_that_is_cut_off_lets_go_before_the_next_begins(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    async with (
        Line(control_plane.kubeconfig, tmp_path) as line,
        connected(line.kubeconfig) as far,
        connected(control_plane.kubeconfig) as near,
    ):
        cut_off = Leader(far, namespace, LEASE, "cut-off", 3, 2, 0.3)
        next_one = Leader(near, namespace, LEASE, "next", 3, 2, 0.3)
        first, second = Term(), Term()
        async with standing(cut_off, first):
            await until(lambda: first.working)
            async with standing(next_one, second):
                api = far.gated(cut_off.held)
                await api.create(config_map(namespace, "led"))
                line.silence()
                while not second.working:
                    assert not (cut_off.held() and next_one.held())
                    await asyncio.sleep(0.01)
                assert first.ended == 1
                assert not cut_off.held()
                line.mend()
                with pytest.raises(NotLeader):
                    await api.apply(config_map(namespace, "led"))
                await until(lambda: cut_off.holder == "next")
                assert second.working


async def test_a_lease_that_is_given_back_is_taken_at_once(control_plane: ControlPlane, namespace: str) -> None:
    async with connected(control_plane.kubeconfig) as api:
        first, second = Term(), Term()
        async with standing(Leader(api, namespace, LEASE, "second", 3600, 1800, 0.1), second):
            await until(lambda: second.working)
            waiting = Leader(api, namespace, LEASE, "first", 3600, 1800, 0.1)
            async with standing(waiting, first):
                await until(lambda: waiting.holder == "second")
        # `first` has stopped standing before `second` gave it back
        assert (first.begun, second.ended) == (0, 1)
        lease = await api.get(Ref(API_VERSION, "Lease", namespace, LEASE))
        assert lease is not None
        assert not lease["spec"].get("holderIdentity")
        async with standing(waiting, first):
            await until(lambda: first.working)


async def test_work_that_fails_ends_the_term_and_says_so(control_plane: ControlPlane, namespace: str) -> None:
    async def fail() -> None:
        raise RuntimeError("no room")

    async with connected(control_plane.kubeconfig) as api:
        term = Term()
        leader = Leader(api, namespace, LEASE, "one", 3, 2, 0.1)
        with pytest.raises(RuntimeError, match="no room"):
            await leader.run(fail, term.lose)
        assert term.ended == 1
        assert not leader.held()
