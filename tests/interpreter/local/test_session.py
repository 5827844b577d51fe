"""Whole rollouts with real processes and real requests: a good revision is promoted, a bad one is not, nobody who asks
the proxy is let down on the way, and what people ask for by hand is done."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from interpreter.local import inbox
from interpreter.local.command import Command
from interpreter.local.journal import JournalError
from interpreter.local.load import Load
from interpreter.local.session import SessionError, Settings, session
from interpreter.state import Outcome, Phase, Signal, State
from tests.interpreter.local.programs import Record, app, program

LIMIT_S = 40


def settings(folder: Path, primary: Command, canary: Command | None = None) -> Settings:
    return Settings(folder, primary, canary)


async def test_a_good_revision_is_promoted_and_no_request_fails(tmp_path: Path) -> None:
    record = Record()
    async with asyncio.timeout(LIMIT_S), session(program(), settings(tmp_path, app("1"), app("2")), record) as run:
        await_open = asyncio.create_task(_load_when_open(run.parts.url))
        state = await run.run(run.idle)
        load = await await_open
        await load.stop()
        served = run.parts.metering.by_role("canary")
    assert state.run is not None
    assert state.run.outcome is Outcome.PROMOTED
    assert state.primary == app("2").revision
    assert (load.failed, load.sent > 20, served.total > 0) == (0, True, True)
    assert "Promoted" in dict(record.events)


async def _load_when_open(url: str, rate: float = 150.0) -> Load:
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    while True:
        try:
            _, writer = await asyncio.open_connection(parts.hostname, parts.port)
            writer.close()
            break
        except OSError:
            await asyncio.sleep(0.02)
    load = Load(url, rate)
    load.start()
    return load
