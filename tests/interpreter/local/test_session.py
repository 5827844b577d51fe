"""Whole rollouts with real processes and real requests: a good revision is promoted, a bad one is not, nobody who asks
the proxy is let down on the way, and what people ask for by hand is done."""

from __future__ import annotations

import asyncio
import shlex
import socket
import sys
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from dsl.ir import Program, PromoteOp, RouteOp, WaitOp
from interpreter.local import inbox, status
from interpreter.local.command import Command
from interpreter.local.journal import JournalError
from interpreter.local.load import Load
from interpreter.local.session import Session, SessionError, Settings, session
from interpreter.state import Outcome, Phase, Signal, State
from tests.interpreter.local.programs import Record, app, program

LIMIT_S = 60
V1, V2, V3 = app("1"), app("2"), app("3")
BAD = app("bad", error_rate=1.0)


async def until_open(run: Session) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection(*run.parts.socket.getsockname()[:2])
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return


async def roll_out(run: Session, *, rate: float = 60.0) -> tuple[State, Load]:
    """Run under load until nothing is left to do."""
    load = Load(run.parts.url, rate, at_once=6)

    async def loading() -> None:
        await until_open(run)
        load.start()

    starting = asyncio.create_task(loading())
    state = await run.run(run.idle)
    await starting
    await load.stop()
    return state, load


def outcome(state: State) -> Outcome | None:
    return state.run.outcome if state.run else None


def waiting_for_approval() -> Program:
    return replace(program(), code=(RouteOp(weight=30.0), WaitOp(who="somebody"), PromoteOp()))


async def test_a_good_revision_is_promoted_and_no_request_fails(tmp_path: Path) -> None:
    record = Record()
    async with asyncio.timeout(LIMIT_S), session(program(), Settings(tmp_path, V1, V2), record) as run:
        state, load = await roll_out(run)
        canary = run.parts.metering.by_role("canary")
        weights = [row[1] for row in run.journal.all("weight")]
    assert (outcome(state), state.primary) == (Outcome.PROMOTED, V2.revision)
    assert (load.failed, load.sent > 10, canary.total > 0) == (0, True, True)
    assert weights == [20.0, 50.0, 0.0]
    assert record.of("Promoted") == [f"{V2.revision} is promoted"]


async def test_a_bad_revision_is_rolled_back_and_only_its_share_of_requests_failed(tmp_path: Path) -> None:
    record = Record()
    async with asyncio.timeout(LIMIT_S), session(program(), Settings(tmp_path, V1, BAD), record) as run:
        state, load = await roll_out(run)
        bad = run.parts.metering.served(BAD.revision)
        weights = [row[1] for row in run.journal.all("weight")]
        async with aiohttp.ClientSession() as client, client.get(run.parts.url) as answer:
            assert await answer.text() == "hello from version 1\n"
    assert (outcome(state), state.primary) == (Outcome.ROLLED_BACK, V1.revision)
    assert weights == [20.0, 0.0]
    assert load.failed == bad.failed > 0
    assert "error_rate <= 5%" in record.of("RolledBack")[0]


async def test_a_canary_that_dies_at_once_is_rolled_back_with_its_last_words(tmp_path: Path) -> None:
    dying = Command(shlex.join([sys.executable, "-S", "-c", "raise SystemExit('no licence')"]))
    record = Record()
    async with asyncio.timeout(LIMIT_S), session(program(), Settings(tmp_path, V1, dying), record) as run:
        state, load = await roll_out(run)
    assert (outcome(state), load.failed) == (Outcome.ROLLED_BACK, 0)
    assert "its last words: no licence" in record.of("RolledBack")[0]


async def test_a_primary_that_dies_at_once_ends_the_run_with_its_last_words(tmp_path: Path) -> None:
    dying = Command(shlex.join([sys.executable, "-S", "-c", "raise SystemExit('no licence')"]))
    async with asyncio.timeout(LIMIT_S), session(program(), Settings(tmp_path, dying), Record()) as run:
        with pytest.raises(SessionError, match=r"the primary `.*` does not start: .* last words: no licence"):
            await run.run(lambda state: False)


async def test_a_revision_submitted_on_the_way_takes_the_place_of_the_one_under_way(tmp_path: Path) -> None:
    record = Record()
    made = waiting_for_approval()
    async with asyncio.timeout(LIMIT_S), session(made, Settings(tmp_path, V1, V2), record) as run:
        state = await run.run(_waits)
        assert state.run is not None
        inbox.send(tmp_path, inbox.submission_data(V3.text))
        state = await run.run(
            lambda state: _waits(state) and state.run is not None and state.run.revision == V3.revision
        )
        assert record.of("Superseded")
        weights = [row[1] for row in run.journal.all("weight")]
    assert weights == [30.0, 0.0, 30.0]
    assert state.primary == V1.revision


def _waits(state: State) -> bool:
    return state.run is not None and state.run.cursor.pc == 1 and state.phase is not Phase.PROMOTING


async def test_people_approve_and_abort_the_revision_they_looked_at_and_no_other(tmp_path: Path) -> None:
    record = Record()
    made = waiting_for_approval()
    async with asyncio.timeout(LIMIT_S), session(made, Settings(tmp_path, V1, V2), record) as run:
        await run.run(_waits)
        seen = status.read(tmp_path)
        assert seen is not None
        assert (seen["revision"], seen["weight"], seen["url"]) == (V2.revision, 30.0, run.parts.url)
        inbox.send(tmp_path, inbox.signal_data(Signal("approve", "another", who="ann")))
        inbox.send(tmp_path, {"kind": "signal", "verb": "explode", "revision": V2.revision})
        (tmp_path / "inbox" / "broken.json").write_text("{")
        await run.run(lambda state: len(record.of("SignalIgnored")) == 1 and len(record.of("RequestRefused")) == 2)
        assert "another" in record.of("SignalIgnored")[0]
        inbox.send(tmp_path, inbox.signal_data(Signal("approve", V2.revision, who="ann")))
        state = await run.run(run.idle)
    assert outcome(state) is Outcome.PROMOTED
    assert list((tmp_path / "inbox").iterdir()) == []


async def test_a_run_that_is_started_again_goes_on_from_where_it_was_with_the_policy_it_began_with(
    tmp_path: Path,
) -> None:
    made = waiting_for_approval()
    async with asyncio.timeout(LIMIT_S), session(made, Settings(tmp_path, V1, V2), Record()) as run:
        await run.run(_waits)
    async with asyncio.timeout(LIMIT_S), session(program(), Settings(tmp_path, V1, V2), Record()) as run:
        assert (run.resumed, run.keeps_former_policy, run.program) == (True, True, made)
        assert run.parts.proxy.routing.weight == 30.0
        await until_open(run)
        async with aiohttp.ClientSession() as client:
            answers = [await _text(client, run.parts.url) for _ in range(20)]
        assert set(answers) == {"hello from version 1\n", "hello from version 2\n"}
        inbox.send(tmp_path, inbox.signal_data(Signal("approve", V2.revision)))
        state = await run.run(run.idle)
        weights = [row[1] for row in run.journal.all("weight")]
    assert (outcome(state), weights) == (Outcome.PROMOTED, [30.0, 0.0])
    async with asyncio.timeout(LIMIT_S), session(program(), Settings(tmp_path, V1, V2), Record()) as run:
        assert (run.keeps_former_policy, run.program) == (False, program())
        await until_open(run)
        async with aiohttp.ClientSession() as client:
            assert await _text(client, run.parts.url) == "hello from version 2\n"
    async with asyncio.timeout(LIMIT_S):
        with pytest.raises(JournalError, match="began with another --primary"):
            async with session(program(), Settings(tmp_path, V3), Record()):
                pass


async def _text(client: aiohttp.ClientSession, url: str) -> str:
    async with client.get(url) as answer:
        return await answer.text()


async def test_two_runs_never_share_a_folder_or_a_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        busy = Settings(tmp_path / "a", V1, port=taken.getsockname()[1])
        with pytest.raises(SessionError, match="is in use: stop what listens there"):
            async with session(program(), busy, Record()):
                pass
    async with session(program(), Settings(tmp_path / "b", V1), Record()):
        with pytest.raises(JournalError, match="another run"):
            async with session(program(), Settings(tmp_path / "b", V1), Record()):
                pass


async def test_a_metric_server_that_hangs_leaves_the_traffic_where_it_is_and_is_named(tmp_path: Path) -> None:
    """The third check in a row that could not be made counts as failed, and so does the fourth; then it is over."""
    record = Record()

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    asked = Settings(tmp_path, V1, V2, prometheus=url, metric_timeout=0.1)
    async with asyncio.timeout(LIMIT_S), server, session(program(), asked, record) as run:
        state, load = await roll_out(run)
        weights = [row[1] for row in run.journal.all("weight")]
    assert (outcome(state), weights, load.failed) == (Outcome.ROLLED_BACK, [20.0, 0.0], 0)
    assert "prometheus gave no answer within 0.1s" in record.of("CheckNotMade")[0]


async def test_the_page_of_metrics_has_what_was_served_in_prometheus_format(tmp_path: Path) -> None:
    async with asyncio.timeout(LIMIT_S), session(program(), Settings(tmp_path, V1), Record()) as run:
        await run.run(run.idle)
        async with aiohttp.ClientSession() as client:
            for _ in range(7):
                await _text(client, run.parts.url)
            page = await _text(client, run.parts.metrics_url)
    labels = f'arm="primary",revision="{V1.revision}",workload="demo-primary"'
    assert f'rollway_proxy_requests_total{{arm="primary",code="200",revision="{V1.revision}",' in page
    assert f'rollway_proxy_request_duration_seconds_bucket{{arm="primary",le="+Inf",revision="{V1.revision}"' in page
    assert f"rollway_proxy_request_duration_seconds_count{{{labels}}} 7.0" in page
    assert "rollway_proxy_canary_weight 0.0" in page
