"""A real VictoriaMetrics for the tests. What is written to it can be asked for at once: its latency offset, for which
it hides the newest half minute, is off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.servers.process import program, serving
from tests.servers.recipes import VICTORIAMETRICS

FLAGS = ("-retentionPeriod=100y", "-search.latencyOffset=0s", "-memory.allowedBytes=64MB", "-loggerLevel=ERROR")


class RealVictoriaMetrics:
    """`url` is where it listens."""

    def __init__(self, url: str) -> None:
        self.url = url

    def write(self, *lines: str) -> None:
        """Samples in Prometheus's text form, with their times in milliseconds; seen by every query from now on."""
        with httpx.Client(trust_env=False, timeout=10) as client:
            url = f"{self.url}/api/v1/import/prometheus"
            client.post(url, content="\n".join(lines).encode()).raise_for_status()
            client.get(f"{self.url}/internal/force_flush").raise_for_status()


@contextmanager
def running(folder: Path, *flags: str) -> Iterator[RealVictoriaMetrics]:
    """Started, ready, and killed at the end."""
    binary = str(program(VICTORIAMETRICS))

    def command(port: int) -> tuple[str, ...]:
        return (binary, f"-storageDataPath={folder}/data", f"-httpListenAddr=127.0.0.1:{port}", *FLAGS, *flags)

    with serving(command, folder, "/health") as port:
        yield RealVictoriaMetrics(f"http://127.0.0.1:{port}")
