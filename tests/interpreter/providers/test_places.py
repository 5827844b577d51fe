"""Who is next at a server, and how long it is left alone."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from interpreter.places import LONGEST_PAUSE_S, Places
from interpreter.providers.prometheus import Prometheus
from interpreter.providers.provider import ProviderError, RenderedQuery
from interpreter.providers.sharing import Sharing
from tests.interpreter.providers.server import Server, number, says

AT_MS = 1_795_413_067_184


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def served(places: Places, *askers: str, leaving: tuple[int, ...] = ()) -> list[str]:
    """Who came to have the one place, in order, after all of them stood in line; some leave again."""
    order: list[str] = []

    async def ask(asker: str) -> None:
        async with places.place(asker):
            order.append(asker)
            await asyncio.sleep(0)

    async with places.place("first"):
        tasks = [asyncio.create_task(ask(asker)) for asker in askers]
        await settled()
        for at in leaving:
            tasks[at].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return order


async def test_rollouts_take_turns() -> None:
    assert await served(Places(1), "a", "a", "a", "b", "c", "b") == ["a", "b", "c", "a", "b", "a"]


async def test_who_leaves_the_line_takes_no_turn_and_no_place() -> None:
    places = Places(1)
    assert await served(places, "a", "a", "b", leaving=(0, 2)) == ["a"]
    assert await served(places, "c") == ["c"]


async def test_who_is_gone_when_its_turn_comes_passes_the_place_on() -> None:
    places = Places(1)
    async with places.place("first"):
        tasks = [asyncio.create_task(places._take(asker)) for asker in ("a", "b")]
        await settled()
    tasks[0].cancel()  # it has its turn, and has not noticed yet
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (tasks[0].cancelled(), tasks[1].done()) == (True, True)


def test_a_server_is_left_alone_for_as_long_as_it_says_but_not_for_ever() -> None:
    now = 100.0
    places = Places(1, clock=lambda: now)
    places.pause(20)
    places.pause(5)
    assert places.quiet == 20
    now = 121
    assert places.quiet == 0
    places.pause(1e18)
    assert places.quiet == LONGEST_PAUSE_S


def asked(server: Server, text: str) -> RenderedQuery:
    return RenderedQuery(text, AT_MS, 60_000, server.url)


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_what_one_rollout_is_told_counts_for_all(server: Server, form: str) -> None:
    until = datetime.now(UTC) + timedelta(hours=1)
    wanted = "3600" if form == "seconds" else format_datetime(until, usegmt=True)
    server.answers = [says(429, "slow down", f"Retry-After: {wanted}"), number("1")]
    prometheus, sharing = Prometheus(), Sharing()
    said = []
    for text in ("one", "other"):
        with pytest.raises(ProviderError) as caught:
            await sharing.measure(prometheus, asked(server, text), asker=text)
        said.append(str(caught.value))
    await prometheus.close()
    assert len(server.asked) == 1
    assert "answered 429: slow down; it wants to be left alone until " in said[0]
    assert "has asked for fewer queries, and is left alone; it wants to be left alone until " in said[1]
    assert server.url.removeprefix("http://") in said[1]


async def test_a_short_wait_is_waited_by_all_and_then_all_are_answered(server: Server) -> None:
    server.answers = [says(429, "", "Retry-After: 0.2"), number("1")]
    prometheus, sharing = Prometheus(), Sharing(most_at_once=1)
    tasks = [asyncio.create_task(sharing.measure(prometheus, asked(server, str(n)), asker=str(n))) for n in range(5)]
    got = await asyncio.gather(*tasks)
    await prometheus.close()
    assert [measured.samples[0].value for measured in got] == [1.0] * 5
    assert len(server.asked) == 6
    assert not sharing._places


async def test_each_query_that_a_server_was_asked_is_told_of(server: Server) -> None:
    server.answers = [says(503, "later"), number("1"), says(401, "who?")]
    prometheus, told = Prometheus(), []
    sharing = Sharing(heard=lambda provider, outcome, seconds: told.append((provider, outcome, seconds > 0)))
    await sharing.measure(prometheus, asked(server, "one"))
    with pytest.raises(ProviderError):
        await sharing.measure(prometheus, asked(server, "two"))
    await prometheus.close()
    assert told == [("prometheus", "transient", True), ("prometheus", "ok", True), ("prometheus", "auth", True)]
