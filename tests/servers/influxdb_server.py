"""A real InfluxDB 1.7 for the tests, which speaks InfluxQL and Flux, and lets nobody in without a password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from interpreter.local.processes import free_port
from tests.servers.process import program, serving
from tests.servers.recipes import INFLUXDB

USER, PASSWORD = "ann", "pa55word"
MOST_ROWS = 50
"""Of an answer; longer ones are cut off, and say so."""

_CONFIG = """\
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  auth-enabled = true
  flux-enabled = true
  log-enabled = false
  max-row-limit = {rows}
"""


class RealInfluxDB:
    """`url` is where it listens."""

    def __init__(self, url: str) -> None:
        self.url = url

    def make(self, database: str) -> None:
        self._post("/query", params={"q": f'CREATE DATABASE "{database}"'})

    def write(self, database: str, *lines: str) -> None:
        """Points in line protocol, with their times in milliseconds."""
        self._post("/write", params={"db": database, "precision": "ms"}, content="\n".join(lines).encode())

    def make_user(self) -> None:
        """The first one, which is made without a password."""
        self._post("/query", params={"q": f"CREATE USER {USER} WITH PASSWORD '{PASSWORD}' WITH ALL PRIVILEGES"})

    def _post(self, path: str, *, params: dict[str, str], content: bytes = b"") -> None:
        with httpx.Client(trust_env=False, timeout=10, auth=(USER, PASSWORD)) as client:
            client.post(f"{self.url}{path}", params=params, content=content).raise_for_status()


@contextmanager
def running(folder: Path) -> Iterator[RealInfluxDB]:
    """Started, ready, and killed at the end."""
    binary, config = str(program(INFLUXDB)), folder / "influxdb.conf"

    def command(port: int) -> tuple[str, ...]:
        config.write_text(_CONFIG.format(folder=folder, port=port, rpc=free_port(), rows=MOST_ROWS))
        return (binary, "-config", str(config))

    with serving(command, folder, "/ping") as port:
        made = RealInfluxDB(f"http://127.0.0.1:{port}")
        made.make_user()
        yield made
