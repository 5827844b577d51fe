"""A thousand rollouts with four checks a minute each: the CPU time that measuring and judging them takes.

    python -m bench.fleet [serve]

The path is that of a controller without its API server: the driver's passes, the machine, the judge, the state written
as JSON, queries rendered, shared and asked over HTTP. Time is virtual: each rollout is due once a minute, in a second
of its own, and the seconds follow each other as fast as they are done. The metric server is a process of its own, whose
time does not count. One of the four checks asks the same for all rollouts: it is asked once for all that are due
together.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from subprocess import PIPE, Popen
from urllib.parse import parse_qs

from bench.child import ROOT, least
from bench.figure import Figure, show
from dsl.compiler import compile_source
from dsl.ir import Program
from dsl.source import Source
from interpreter.actions import Action, ActionResult
from interpreter.desired import Desired, Instant, Routing
from interpreter.driver import Driver
from interpreter.providers.metrics import Metrics
from interpreter.providers.prometheus import Prometheus
from interpreter.providers.provider import Measurement, RenderedQuery
from interpreter.providers.sharing import Sharing
from interpreter.questions import Answer, GateAnswer, MetricQuestion, Question, Readiness, ReadyQuestion
from interpreter.state import Inputs, State
from interpreter.state_json import encode

ROLLOUTS = 1000
MINUTES = 2
STARTS = 8
MINUTE_MS = 60_000
SECONDS = 60
NOON = 1_795_435_200_000
POLICY = '''
import "std/http"

metric depth returns count {
  prometheus """sum(queue_depth{queue="orders"})"""
}

rollout web in shop {
  target  deployment/web
  service { port 80 }
  traffic istio { hosts ["web.example.com"] }

  analysis {
    every   1m
    require success_rate >= 99%
    require latency(0.99) <= 500ms
    require no_regression(requests)
    require depth <= 100000
  }

  steps {
    shift to 10%
    hold  1000 checks
    promote
  }
}
'''
BUCKETS = (("0.1", 9_000), ("0.25", 9_900), ("0.5", 9_990), ("1", 10_000), ("+Inf", 10_000))


# --- The metric server ----------------------------------------------------------------------------------------------


def said(query: str) -> bytes:
    """What it answers, in the form of Prometheus: buckets, or one number."""
    number = 0 if "5.." in query else 9_000 if '-primary"' in query else 1_000
    rows = [({"le": le}, count) for le, count in BUCKETS] if "by (le)" in query else [({}, number)]
    found = [{"metric": labels, "value": [1795413067.184, str(value)]} for labels, value in rows]
    body = json.dumps({"status": "success", "data": {"resultType": "vector", "result": found}}).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
            query = parse_qs((await reader.readexactly(length)).decode())["query"][0]
            writer.write(said(query))
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        writer.close()


async def serve() -> None:
    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(listening.sockets[0].getsockname()[1], flush=True)
    async with listening:
        await listening.serve_forever()


@contextmanager
def server() -> Iterator[str]:
    process = Popen([sys.executable, "-m", "bench.fleet", "serve"], cwd=ROOT, stdout=PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


# --- The rollouts ---------------------------------------------------------------------------------------------------


class Counting(Prometheus):
    """Prometheus that counts what it is asked."""

    asked = 0

    async def measure(self, query: RenderedQuery) -> Measurement:
        self.asked += 1
        return await super().measure(query)


class World:
    """What one rollout runs in; `now` is set from outside."""

    def __init__(self, program: Program, prometheus: Counting, sharing: Sharing) -> None:
        self._metrics = Metrics(program, {"prometheus": prometheus}, sharing=sharing)
        self._routing: Routing | None = None
        self.revision = "v1"
        self.at: Instant = NOON
        self.questions = 0
        self.bytes = 0
        self.wrong: list[str] = []

    def now(self) -> Instant:
        return self.at

    async def observe(self) -> Inputs:
        return Inputs(self.revision, self._routing)

    async def ask(self, question: Question) -> Answer:
        if not isinstance(question, MetricQuestion):
            return Readiness(True) if isinstance(question, ReadyQuestion) else GateAnswer(True)
        self.questions += 1
        got = await self._metrics.answer(question)
        if got.kind == "error":
            self.wrong.append(got.reason)
        return got

    async def reroute(self, routing: Routing) -> None:
        self._routing = routing

    async def persist(self, state: State) -> None:
        self.bytes += len(encode(state))

    async def arrange(self, desired: Desired) -> None:
        del desired

    async def perform(self, action: Action) -> ActionResult:
        del action
        return ActionResult(True)


async def settle(drivers: list[Driver]) -> None:
    """Passes until nothing moves, with all that was asked answered."""
    while drivers:
        moved = [driver for driver in drivers if (await driver.pass_once())[1] or driver._tasks]
        tasks = [task for driver in moved for task in driver._tasks.values()]
        if tasks:
            await asyncio.wait(tasks)
        drivers = moved


async def fleet(url: str, count: int, minutes: int) -> tuple[float, int, int]:
    """CPU seconds of a virtual minute, questions answered in it, and queries that the server got."""
    (program,) = (rollout.program for rollout in compile_source(Source("web.rollout", POLICY)).rollouts)
    prometheus, sharing = Counting(url), Sharing()
    worlds: list[World] = []
    drivers: list[Driver] = []
    for number in range(count):
        name = f"web-{number}"
        own = replace(program, name=name, target=replace(program.target, name=name))
        worlds.append(World(own, prometheus, sharing))
        drivers.append(Driver(own, worlds[-1], State()))
    began, counted = 0.0, (0, 0)
    for minute in range(-2, minutes):
        if minute == 0:
            began, counted = time.process_time(), (sum(world.questions for world in worlds), prometheus.asked)
        for second in range(SECONDS):
            due = range(second * count // SECONDS, (second + 1) * count // SECONDS)
            for place in due:
                worlds[place].at = NOON + (minute + 2) * MINUTE_MS + 1000 * second
            await settle([drivers[place] for place in due])
            for place in due:
                worlds[place].revision = "v2"
    spent = time.process_time() - began
    await prometheus.close()
    wrong = [reason for world in worlds for reason in world.wrong]
    questions = sum(world.questions for world in worlds) - counted[0]
    checks = sum(driver.state.run.iterations for driver in drivers if driver.state.run is not None)
    if wrong or checks < count * minutes:
        raise SystemExit(f"{checks} checks in {minutes} minutes, {len(wrong)} without an answer: {wrong[:1]}")
    return spent / minutes, questions // minutes, (prometheus.asked - counted[1]) // minutes


def figures() -> Iterator[Figure]:
    with server() as url:
        seconds, questions, asked = asyncio.run(fleet(url, ROLLOUTS, MINUTES))
    yield Figure(
        f"{ROLLOUTS:,} rollouts, four checks a minute each, of one core", 100 * seconds / SECONDS, "%", limit=30
    )
    yield Figure("their CPU time in a minute", seconds, "s")
    bare = least([sys.executable, "-c", "pass"], STARTS)
    yield Figure("their CPU time in a minute, in starts of python", 1000 * seconds / bare.cpu_ms, "times")
    yield Figure("questions answered in a minute", questions, "")
    yield Figure("queries for them that the server gets", asked, "")


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        asyncio.run(serve())
    else:
        sys.exit(0 if show(figures()) else 1)
