"""One life of a run in a process of its own, for the test that kills it. What is slow to make is made when this module
is imported: the server that these processes are forked from imports it once."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from dsl import ir_json
from interpreter import state_json
from interpreter.local.command import Command
from interpreter.local.load import Load
from interpreter.local.session import Session, Settings, session
from interpreter.state import State
from tests.interpreter.local.programs import Record, app, program

LIMIT_S = 50
PROGRAM = program(every_ms=100, window_ms=500, weights=(25.0, 50.0), most_bad=0.1)
ir_json.from_data(ir_json.to_data(PROGRAM))
state_json.decode(state_json.encode(State()))


def live(folder: str, canary: Command, kill_at: int) -> None:
    """Run until everything is rolled out, or until the boundary `kill_at`."""
    os.environ["ROLLWAY_KILL_AT"] = str(kill_at)
    asyncio.run(_live(Path(folder), canary))


async def _live(folder: Path, canary: Command) -> None:
    async with session(PROGRAM, Settings(folder, app("1"), canary), Record()) as run:
        loading = asyncio.create_task(_load(run))
        try:
            async with asyncio.timeout(LIMIT_S):
                await run.run(run.idle)
        except TimeoutError as late:
            raise AssertionError(f"no end: {run.state}, {run.parts.metering.served()}") from late
        finally:
            loading.cancel()
            await asyncio.gather(loading, return_exceptions=True)


async def _load(run: Session) -> None:
    await run.parts.changes.until(lambda: run.parts.upstreams.has("primary"))
    load = Load(run.parts.url, 40.0, at_once=4)
    load.start()
    try:
        await asyncio.Event().wait()
    finally:
        await load.stop()
