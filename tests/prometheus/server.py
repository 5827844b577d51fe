"""A real Prometheus for the tests: found by the script beside this, started on a free port, told what to scrape.

It learns of targets from a file that it watches, so that each test brings its own, under a name of its own; it looks at
them four times a second. New targets are taken up once in five seconds, which is Prometheus's own pace and cannot be
changed. Its long-term store, which is asked for series with `store="away"`, is never there: that is how a real one
comes to answer with a warning.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from interpreter.local.keeper import Keeper
from interpreter.local.processes import free_port, tail
from interpreter.providers.prometheus import Prometheus
from interpreter.providers.provider import Measurement, RenderedQuery, guarded

FETCH = Path(__file__).with_name("fetch")
SCRAPED_EVERY_S = 0.25
PATIENCE_S = 60.0
MOST_STARTS = 3

_CONFIG = """\
global: {{scrape_interval: 250ms, scrape_timeout: 250ms, external_labels: {{store: here}}}}
scrape_configs:
  - job_name: tests
    file_sd_configs: [{{files: ["{folder}/targets.json"], refresh_interval: 1s}}]
remote_read:
  - url: http://127.0.0.1:{nobody}/read
    read_recent: true
    required_matchers: {{store: away}}
"""


class RealPrometheus:
    """Where it listens, and what it scrapes."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self._folder = folder
        self._targets: dict[str, str] = {}
        self._write()

    @contextmanager
    def scraping(self, job: str, url: str) -> Iterator[None]:
        """Have `url` (host and port; the path is /metrics) scraped, as `job`."""
        self._targets[job] = urlsplit(url).netloc
        self._write()
        try:
            yield
        finally:
            del self._targets[job]
            self._write()

    def _write(self) -> None:
        """In one stroke, for the file is watched."""
        groups = [{"targets": [target], "labels": {"job": job}} for job, target in self._targets.items()]
        new = self._folder / "targets.new"
        new.write_text(json.dumps(groups))
        new.replace(self._folder / "targets.json")


def binary(environment: Mapping[str, str] = os.environ) -> str:
    """The program. Where there is none the test fails in CI, and is left out elsewhere."""
    looked = subprocess.run([FETCH, "--kept"], capture_output=True, text=True, check=False, env=dict(environment))
    if looked.returncode != 0:
        missing = pytest.fail if environment.get("CI") else pytest.skip
        missing(looked.stderr.strip())
    return looked.stdout.strip()


@contextmanager
def running(program: str, folder: Path) -> Iterator[RealPrometheus]:
    """Started, ready, and killed at the end with all that it started, even if we are killed first."""
    with ExitStack() as stack:
        nobody = stack.enter_context(socket.socket())
        nobody.bind(("127.0.0.1", 0))  # and never listened on
        config = _CONFIG.format(folder=folder, nobody=nobody.getsockname()[1])
        (folder / "prometheus.yml").write_text(config)
        for _ in range(MOST_STARTS):
            port = free_port()
            made = RealPrometheus(f"http://127.0.0.1:{port}", folder)
            if _is_ready(made.url, stack.enter_context(_process(program, folder, port))):
                yield made
                return
        pytest.fail(f"{program} does not start: {' | '.join(tail(folder / 'log', 5))}")


@contextmanager
def _process(program: str, folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    command = (
        *(program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"),
        *(f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"),
        "--storage.tsdb.retention.time=100y",  # what tests bring of the past is to stay
    )
    keeper = Keeper()
    try:
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=folder
            )
        keeper.started(process.pid)
        try:
            yield process
        finally:
            keeper.close()
            process.wait()
    except OSError as error:
        pytest.fail(f"{program} cannot be started: {error}")


def _is_ready(url: str, process: subprocess.Popen[bytes]) -> bool:
    """Wait for it; False if it has ended instead, as it does when somebody else has taken the port."""
    limit = time.monotonic() + PATIENCE_S
    with httpx.Client(trust_env=False, timeout=5) as client:
        while process.poll() is None and time.monotonic() < limit:
            try:
                if client.get(f"{url}/-/ready").status_code == 200:
                    return True
            except httpx.HTTPError:
                pass
            time.sleep(0.05)
    return False


def as_of_now(text: str) -> RenderedQuery:
    """A query about this moment."""
    return RenderedQuery(text, at_ms=int(time.time() * 1000), window_ms=60_000)


async def until(prometheus: Prometheus, text: str) -> Measurement:
    """Ask again and again until the query has a result."""
    async with asyncio.timeout(PATIENCE_S):
        while not (measured := await guarded(prometheus, as_of_now(text))).samples:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(SCRAPED_EVERY_S / 2)
    return measured
