"""A run that is killed with `kill -9` between any two effects, and started again, goes through the same sequence of
weights to the same end as one that was not. The boundaries are numbered by the run itself: the n-th round kills at the
n-th, until a round gets to its end before it can be killed."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import signal
from itertools import count, groupby
from pathlib import Path
from typing import NamedTuple

import pytest

from interpreter import state_json
from interpreter.local.command import Command
from interpreter.local.journal import Journal
from interpreter.state import Outcome
from tests.interpreter.local.kill_life import LIMIT_S, live
from tests.interpreter.local.programs import app

AT_ONCE = 4
MOST_BOUNDARIES = 500
GOOD, BAD = app("2"), app("bad", error_rate=1.0)

_FORK = multiprocessing.get_context("forkserver")
_FORK.set_forkserver_preload(["tests.interpreter.local.kill_life"])


class Ending(NamedTuple):
    """What is the same for a run that was killed and for one that was not."""

    weights: tuple[float, ...]
    outcome: Outcome | None
    primary: str | None


async def life(folder: Path, canary: Command, kill_at: int) -> bool:
    """Whether it came to its end without being killed."""
    process = _FORK.Process(target=live, args=(str(folder), canary, kill_at))
    process.start()
    async with asyncio.timeout(LIMIT_S + 15):
        while process.exitcode is None:  # noqa: ASYNC110 - polled, for all lives are watched from one thread
            await asyncio.sleep(0.02)
    code = process.exitcode
    process.close()
    assert code in (0, -signal.SIGKILL), f"the run killed at {kill_at} ended with exit code {code}"
    return code == 0


def ending(folder: Path) -> Ending:
    journal = Journal(folder)
    weights = tuple(weight for weight, _ in groupby(row[1] for row in journal.all("weight")))
    state = state_json.decode(json.dumps(journal.last("state")))
    journal.close()
    return Ending(weights, state.run.outcome if state.run else None, state.primary)


async def killed_at(boundary: int, folder: Path, canary: Command) -> Ending | None:
    """The ending of a run that was killed there and started again; None if there is no such boundary."""
    place = folder / str(boundary)
    if await life(place, canary, boundary):
        return None
    assert await life(place, canary, 0)
    return ending(place)


async def every_boundary(folder: Path, canary: Command) -> dict[int, Ending]:
    """The endings by boundary, up to the first that a run does not have."""
    found: dict[int, Ending] = {}
    numbers = count(1)

    async def work() -> None:
        for number in numbers:
            assert number < MOST_BOUNDARIES
            came = await killed_at(number, folder, canary)
            if came is None:
                return
            found[number] = came

    async with asyncio.TaskGroup() as workers:
        for _ in range(AT_ONCE):
            workers.create_task(work())
    return found


@pytest.mark.parametrize(
    ("canary", "expected"),
    [
        pytest.param(GOOD, Ending((25.0, 50.0, 0.0), Outcome.PROMOTED, GOOD.revision), id="promoted"),
        pytest.param(BAD, Ending((25.0, 0.0), Outcome.ROLLED_BACK, app("1").revision), id="rolled back"),
    ],
)
async def test_killed_anywhere_and_started_again_it_ends_the_same(
    tmp_path: Path, canary: Command, expected: Ending
) -> None:
    assert await life(tmp_path / "unkilled", canary, 0)
    assert ending(tmp_path / "unkilled") == expected
    endings = await every_boundary(tmp_path, canary)
    assert len(endings) >= 15
    assert {number: found for number, found in endings.items() if found != expected} == {}
