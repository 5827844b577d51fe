"""The work queue by a clock of the test's own."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from interpreter.cluster.queue import LONGEST_RETRY_S, WorkQueue


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> WorkQueue[str]:
    return WorkQueue(clock=clock, jitter=lambda: 0.5)


async def now(queue: WorkQueue[str]) -> str | None:
    """What a worker gets without waiting."""
    try:
        async with asyncio.timeout(0.01):
            return await queue.get()
    except TimeoutError:
        return None


async def test_first_in_first_out_and_each_once(queue: WorkQueue[str]) -> None:
    for key in "abab":
        queue.add(key)
    assert len(queue) == 2
    assert [await now(queue), await now(queue), await now(queue)] == ["a", "b", None]


async def test_how_late_a_key_is_taken_counts_from_when_it_was_due(clock: Clock) -> None:
    waited: list[float] = []
    queue: WorkQueue[str] = WorkQueue(clock=clock, waited=waited.append)
    queue.add_at("timer", clock.now + 10)
    queue.add("now")
    clock.now += 12
    assert {await now(queue), await now(queue)} == {"now", "timer"}
    assert sorted(waited) == [2, 12]


async def test_a_key_added_while_in_work_comes_again_afterwards_and_to_nobody_before(queue: WorkQueue[str]) -> None:
    queue.add("a")
    assert await now(queue) == "a"
    queue.add("a")
    queue.add("a")
    assert await now(queue) is None
    queue.done("a")
    assert await now(queue) == "a"
    queue.done("a")
    assert await now(queue) is None


async def test_the_earliest_time_wins(queue: WorkQueue[str], clock: Clock) -> None:
    for seconds in (30, 10, 20):
        queue.add_at("a", clock.now + seconds)
    clock.now += 9
    assert await now(queue) is None
    clock.now += 1
    assert await now(queue) == "a"
    queue.done("a")
    clock.now += 100
    assert await now(queue) is None, "the later times are gone"


async def test_a_key_that_comes_now_needs_no_timer(queue: WorkQueue[str], clock: Clock) -> None:
    queue.add_at("a", clock.now + 10)
    queue.add("a")
    assert await now(queue) == "a"
    queue.done("a")
    clock.now += 60
    assert await now(queue) is None


async def test_a_timer_set_by_the_worker_itself_runs_after_it_is_done(queue: WorkQueue[str], clock: Clock) -> None:
    queue.add("a")
    await now(queue)
    queue.add_at("a", clock.now + 5)
    queue.done("a")
    assert await now(queue) is None
    clock.now += 5
    assert await now(queue) == "a"


async def test_failures_are_put_off_longer_and_longer_until_forgotten(queue: WorkQueue[str], clock: Clock) -> None:
    delays = []
    for _ in range(14):
        queue.retry("a")
        waited = 0.0
        while not len(queue):
            clock.now += 0.25
            waited += 0.25
        delays.append(waited)
        queue.done(str(await now(queue)))
    assert delays[:4] == [0.5, 1, 2, 4]
    assert max(delays) == LONGEST_RETRY_S == delays[-1]
    assert queue.failures("a") == 14
    queue.forget("a")
    queue.retry("a")
    clock.now += 0.5
    assert await now(queue) == "a"


async def test_jitter_spreads_retries_by_a_quarter(clock: Clock) -> None:
    for jitter, seconds in ((0.0, 0.375), (1.0, 0.625)):
        queue = WorkQueue[str](clock=clock, jitter=lambda jitter=jitter: jitter)  # type: ignore[misc]
        queue.retry("a")
        clock.now += seconds - 0.001
        assert len(queue) == 0
        clock.now += 0.002
        assert len(queue) == 1


async def test_age_is_that_of_the_first_that_waits(queue: WorkQueue[str], clock: Clock) -> None:
    assert queue.oldest_age == 0
    queue.add("a")
    clock.now += 3
    queue.add("b")
    assert queue.oldest_age == 3
    await now(queue)
    assert queue.oldest_age == 0
    queue.add_at("c", clock.now + 1)
    await now(queue)
    clock.now += 5
    assert queue.oldest_age == 4


async def test_a_waiting_worker_is_woken(queue: WorkQueue[str]) -> None:
    workers = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(0)
    queue.add("a")
    queue.add("b")
    done, waiting = await asyncio.wait(workers, timeout=0.1)
    assert {task.result() for task in done} == {"a", "b"}
    queue.close()
    assert await asyncio.gather(*waiting) == [None]
    assert await queue.get() is None


async def test_a_real_timer_wakes_a_waiting_worker() -> None:
    queue = WorkQueue[str]()
    worker = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    queue.add_at("late", loop.time() + 60)
    queue.add_at("soon", loop.time() + 0.02)
    assert await asyncio.wait_for(worker, 10) == "soon"


async def test_what_is_discarded_comes_no_more(queue: WorkQueue[str], clock: Clock) -> None:
    queue.add("a")
    queue.add_at("b", clock.now + 1)
    queue.discard("a")
    queue.discard("b")
    clock.now += 2
    assert await now(queue) is None


class Model(RuleBasedStateMachine):
    """Against the plainest model: the time from which a key is wanted, and who has it."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.queue = WorkQueue[int](clock=self.clock, jitter=lambda: 0.5)
        self.wanted: dict[int, float] = {}
        self.working: set[int] = set()

    @rule(key=st.integers(0, 3))
    def add(self, key: int) -> None:
        self.queue.add(key)
        self.wanted[key] = min(self.clock.now, self.wanted.get(key, self.clock.now))

    @rule(key=st.integers(0, 3), seconds=st.integers(-1, 8))
    def add_at(self, key: int, seconds: int) -> None:
        when = self.clock.now + seconds
        self.queue.add_at(key, when)
        self.wanted[key] = min(when, self.wanted.get(key, when))

    @rule(seconds=st.integers(1, 5))
    def later(self, seconds: int) -> None:
        self.clock.now += seconds

    @rule()
    def take(self) -> None:
        due = {key for key, when in self.wanted.items() if when <= self.clock.now and key not in self.working}
        assert len(self.queue) == len(due)
        if due:
            coroutine = self.queue.get()
            with pytest.raises(StopIteration) as got:
                coroutine.send(None)
            key = got.value.value
            assert key in due
            del self.wanted[key]
            self.working.add(key)

    @rule(key=st.integers(0, 3))
    def done(self, key: int) -> None:
        if key in self.working:
            self.working.discard(key)
            self.queue.done(key)

    @invariant()
    def nothing_is_held_twice(self) -> None:
        assert self.queue.busy == len(self.working)


Model.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestModel = Model.TestCase
