"""One question is asked once however many want to know; who differs is asked apart; no server is asked too much."""

from __future__ import annotations

import asyncio

import pytest

from interpreter.providers.provider import Measurement, ProviderError, RenderedQuery, Sample, Trouble
from interpreter.providers.sharing import Sharing

QUERY = RenderedQuery("up", at_ms=5_100, window_ms=60_000, server="http://a", secret={"token": "one"})


class Slow:
    """Answers when it is let, with the number of the query."""

    name = "slow"

    def __init__(self, trouble: Trouble | None = None) -> None:
        self.asked: list[RenderedQuery] = []
        self.at_once = 0
        self.most = 0
        self.dropped = 0
        self.free = asyncio.Event()
        self.trouble = trouble

    async def measure(self, query: RenderedQuery) -> Measurement:
        self.asked.append(query)
        number = len(self.asked)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await self.free.wait()
        except asyncio.CancelledError:
            self.dropped += 1
            raise
        finally:
            self.at_once -= 1
        if self.trouble is not None:
            raise ProviderError(self.trouble, "no")
        return Measurement((Sample({}, float(number)),))

    async def close(self) -> None: ...


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_the_same_question_is_asked_once_and_again_when_it_is_answered() -> None:
    slow, sharing = Slow(), Sharing()
    many = [asyncio.create_task(sharing.measure(slow, QUERY._replace(at_ms=5_000 + n))) for n in range(50)]
    await settled()
    slow.free.set()
    assert {got.samples[0].value for got in await asyncio.gather(*many)} == {1.0}
    assert len(slow.asked) == 1
    await sharing.measure(slow, QUERY)
    assert len(slow.asked) == 2
    assert not sharing._asked
    assert not sharing._places


@pytest.mark.parametrize(
    "other",
    [
        QUERY._replace(text="down"),
        QUERY._replace(at_ms=6_000),
        QUERY._replace(window_ms=30_000),
        QUERY._replace(server="http://b"),
        QUERY._replace(headers={"X-Scope-OrgID": "b"}),
        QUERY._replace(secret={"token": "two"}),
        QUERY._replace(region="eu"),
        QUERY._replace(insecure_skip_verify=True),
    ],
)
async def test_what_differs_is_asked_apart(other: RenderedQuery) -> None:
    slow, sharing = Slow(), Sharing()
    slow.free.set()
    await asyncio.gather(sharing.measure(slow, QUERY), sharing.measure(slow, other))
    assert len(slow.asked) == 2


async def test_an_error_is_everybodys_and_is_not_kept() -> None:
    slow, sharing = Slow(Trouble.AUTH), Sharing()
    slow.free.set()
    got = await asyncio.gather(*(sharing.measure(slow, QUERY) for _ in range(3)), return_exceptions=True)
    assert [type(error) for error in got] == [ProviderError] * 3
    assert len(slow.asked) == 1
    slow.trouble = None
    assert (await sharing.measure(slow, QUERY)).samples


async def test_who_gives_up_leaves_the_others_their_answer() -> None:
    slow, sharing = Slow(), Sharing()
    first, second = (asyncio.create_task(sharing.measure(slow, QUERY)) for _ in range(2))
    await settled()
    first.cancel()
    await settled()
    slow.free.set()
    assert (await second).samples[0].value == 1.0
    assert (first.cancelled(), slow.dropped) == (True, 0)


async def test_a_question_that_nobody_waits_for_is_dropped() -> None:
    slow, sharing = Slow(), Sharing()
    only = asyncio.create_task(sharing.measure(slow, QUERY))
    await settled()
    only.cancel()
    await settled()
    assert slow.dropped == 1
    slow.free.set()
    assert (await sharing.measure(slow, QUERY)).samples[0].value == 2.0


async def test_a_server_is_asked_so_much_at_once_and_another_beside_it() -> None:
    slow, sharing = Slow(), Sharing(most_at_once=3)
    many = [asyncio.create_task(sharing.measure(slow, QUERY._replace(text=str(n)))) for n in range(10)]
    await settled()
    assert slow.at_once == 3
    other = asyncio.create_task(sharing.measure(slow, QUERY._replace(server="http://b")))
    await settled()
    assert slow.at_once == 4
    slow.free.set()
    await asyncio.gather(*many, other)
    assert (slow.most, len(slow.asked)) == (4, 11)


async def test_to_wait_for_the_first_place_takes_nothing_of_the_limit_of_time() -> None:
    slow, sharing = Slow(), Sharing(most_at_once=1)
    first = asyncio.create_task(sharing.measure(slow, QUERY, timeout=30))
    second = asyncio.create_task(sharing.measure(slow, QUERY._replace(text="down"), timeout=0.05))
    await asyncio.sleep(0.2)  # four times what the second one may take, which has not been asked yet
    assert len(slow.asked) == 1
    slow.free.set()
    assert [got.samples[0].value for got in await asyncio.gather(first, second)] == [1.0, 2.0]
    assert slow.most == 1


async def test_nobody_waits_for_a_place_for_ever_and_it_is_said_who_keeps_them() -> None:
    slow, sharing = Slow(), Sharing(most_at_once=1, patience=0.05)
    first = asyncio.create_task(sharing.measure(slow, QUERY, timeout=30))
    await settled()
    with pytest.raises(ProviderError, match=r"slow: a has had other questions before this one for 0.05s"):
        await sharing.measure(slow, QUERY._replace(text="down"), timeout=30)
    slow.free.set()
    await first
    await sharing.measure(slow, QUERY)  # the place that was waited for in vain is not lost
    assert not sharing._places
