"""Makes the history that the backtests are tested on: real servers, real requests, a real Prometheus that looks on.

    make backtest-history        # takes 17 minutes

Two HTTP servers count their requests as any service does. The primary serves alone at first; in that quiet part a
dependency of both fails for a while, which is nobody's regression. Then a canary serves beside it, and after some
minutes its errors rise. Prometheus scrapes both every two seconds; what it has in the end is kept beside this module:
`history.om.gz`, its samples in OpenMetrics text as `promtool tsdb create-blocks-from openmetrics` reads them, and
`history.json`, when what happened, in seconds since 1970. Hours of a real service are minutes here.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import httpx
from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from interpreter.local.load import Load
from interpreter.local.processes import free_port
from tests.prometheus.server import binary

HERE = Path(__file__).parent
SAMPLES, EVENTS = HERE / "history.om.gz", HERE / "history.json"

MINUTE = 60.0
QUIET, BURST_AT, BURST = 9 * MINUTE, 4 * MINUTE, 1.5 * MINUTE
HEALTHY, BROKEN = 3.5 * MINUTE, 3.5 * MINUTE
LOAD, CANARYS = 60.0, 15.0  # requests a second, in all and to the canary
USUAL, OF_BURST, OF_REGRESSION = 0.004, 0.03, 0.06  # shares of requests that fail
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
_TYPICAL_S, _SPREAD = 0.012, 0.6

_CONFIG = """\
global: {{scrape_interval: 2s, scrape_timeout: 2s}}
scrape_configs:
  - job_name: checkout
    file_sd_configs: [{{files: ["{folder}/targets.json"], refresh_interval: 1s}}]
"""


class Server:
    """One revision: answers after some milliseconds, fails a share of requests, counts, and shows its counts."""

    def __init__(self, workload: str) -> None:
        self.workload = workload
        self.port = free_port()
        self.failing = USUAL
        self._chance = Random(workload)
        self._registry = CollectorRegistry()
        self._requests = Counter("http_requests", "Requests.", ["code"], registry=self._registry)
        self._took = Histogram("http_request_duration_seconds", "Time.", buckets=BOUNDS, registry=self._registry)
        for code in ("200", "500"):
            self._requests.labels(code)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def answer(self, _: web.Request) -> web.Response:
        began = time.perf_counter()
        await asyncio.sleep(self._chance.lognormvariate(0, _SPREAD) * _TYPICAL_S)
        code = 500 if self._chance.random() < self.failing else 200
        self._requests.labels(str(code)).inc()
        self._took.observe(time.perf_counter() - began)
        return web.Response(status=code)

    async def metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), content_type="text/plain")

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        app = web.Application()
        app.add_routes([web.get("/", self.answer), web.get("/metrics", self.metrics)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        try:
            yield
        finally:
            await runner.cleanup()


class Prometheus:
    """Scrapes the servers that it has been told of."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._url = f"http://127.0.0.1:{free_port()}"
        (folder / "prometheus.yml").write_text(_CONFIG.format(folder=folder))
        self.scrape()

    def scrape(self, *servers: Server) -> None:
        groups = [{"targets": [f"127.0.0.1:{each.port}"], "labels": {"workload": each.workload}} for each in servers]
        new = self._folder / "targets.new"
        new.write_text(json.dumps(groups))
        new.replace(self._folder / "targets.json")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        command = (
            *(binary(), f"--config.file={self._folder}/prometheus.yml", f"--storage.tsdb.path={self._folder}/data"),
            *(f"--web.listen-address={self._url.removeprefix('http://')}", "--log.level=warn"),
        )
        process = subprocess.Popen(command)  # noqa: ASYNC220 - it is not waited for
        try:
            yield
        finally:
            process.terminate()
            process.wait()

    async def samples(self, seconds: float) -> list[dict[str, Any]]:
        """All that it knows of the servers' own series, as they were scraped."""
        query = {"query": f'{{job="checkout",__name__=~"http_.*(bucket|count|sum|total)"}}[{seconds + 60:.0f}s]'}
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            answer = await client.get(f"{self._url}/api/v1/query", params=query)
        found: list[dict[str, Any]] = answer.raise_for_status().json()["data"]["result"]
        return found


async def history() -> None:
    """Make it, and keep it."""
    primary, canary = Server("checkout-primary"), Server("checkout")
    moments: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        prometheus = Prometheus(Path(name))
        async with primary.serving(), prometheus.running():
            began = time.time()
            prometheus.scrape(primary)
            async with _load(primary, LOAD):
                await asyncio.sleep(20)  # for Prometheus to have found it
                moments["quiet_from"] = time.time()
                await asyncio.sleep(BURST_AT)
                moments["burst_from"], primary.failing = time.time(), OF_BURST
                await asyncio.sleep(BURST)
                moments["burst_to"], primary.failing = time.time(), USUAL
                await asyncio.sleep(QUIET - BURST_AT - BURST)
                moments["quiet_to"] = time.time()
            async with canary.serving(), _load(primary, LOAD - CANARYS), _load(canary, CANARYS):
                prometheus.scrape(primary, canary)
                await asyncio.sleep(30)
                moments["canary_from"] = time.time()
                await asyncio.sleep(HEALTHY)
                moments["regression_from"], canary.failing = time.time(), OF_REGRESSION
                await asyncio.sleep(BROKEN)
                moments["to"] = time.time()
                found = await prometheus.samples(time.time() - began)
    SAMPLES.write_bytes(gzip.compress(open_metrics(found).encode(), 9, mtime=0))
    EVENTS.write_text(json.dumps({what: round(at) for what, at in moments.items()}, indent=2) + "\n")


@asynccontextmanager
async def _load(server: Server, rate: float) -> AsyncIterator[None]:
    load = Load(server.url, rate)
    load.start()
    try:
        yield
    finally:
        await load.stop()


def open_metrics(found: list[dict[str, Any]]) -> str:
    """Samples as OpenMetrics text: a family together, of the type `unknown`, for names are as they were scraped."""
    lines: list[str] = []
    family = ""
    for series in sorted(found, key=lambda each: sorted(each["metric"].items())):
        labels = dict(series["metric"])
        name = labels.pop("__name__")
        if name != family:
            family = name
            lines.append(f"# TYPE {family} unknown")
        told = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()) if label != "instance")
        lines += [f"{name}{{{told}}} {value} {at}" for at, value in series["values"]]
    return "\n".join([*lines, "# EOF", ""])


if __name__ == "__main__":
    asyncio.run(history())
    sys.stdout.write(f"{SAMPLES.stat().st_size:,} bytes in {SAMPLES}\n")
