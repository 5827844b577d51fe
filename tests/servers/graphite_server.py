"""A real Graphite for the tests: carbon, which takes points and writes them to disk, and graphite-web, which answers
from there, and from carbon for what is not written yet. It keeps its answers for a minute, as one with memcached
does."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from interpreter.local.processes import free_port
from tests.servers.process import PATIENCE_S, program, serving
from tests.servers.recipes import GRAPHITE, HERE

STEP_S = 10
"""A point for each ten seconds is kept."""

_CARBON = """\
[cache]
LINE_RECEIVER_INTERFACE = 127.0.0.1
LINE_RECEIVER_PORT = {line}
ENABLE_UDP_LISTENER = False
PICKLE_RECEIVER_INTERFACE = 127.0.0.1
PICKLE_RECEIVER_PORT = 0
CACHE_QUERY_INTERFACE = 127.0.0.1
CACHE_QUERY_PORT = {query}
MAX_CREATES_PER_MINUTE = inf
CARBON_METRIC_INTERVAL = 0
ENABLE_TAGS = False
"""
_SCHEMAS = "[all]\npattern = .*\nretentions = {step}s:2d\n"
_SETTINGS = """\
SECRET_KEY = "for a test"
CARBONLINK_HOSTS = ["127.0.0.1:{query}"]
CACHES = {{"default": {{"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}}}
"""


class RealGraphite:
    """`url` is that of its API."""

    def __init__(self, url: str, line: int) -> None:
        self.url = url
        self._line = line

    def write(self, *lines: str) -> None:
        """`PATH VALUE SECONDS`, by the line protocol; seen by every query from now on."""
        with socket.create_connection(("127.0.0.1", self._line), timeout=10) as connection:
            connection.sendall("".join(f"{line}\n" for line in lines).encode())
        path, _, at = lines[-1].split()
        span = {"from": str(int(at) - STEP_S), "until": at, "format": "json", "noCache": "true"}
        limit = time.monotonic() + PATIENCE_S
        with httpx.Client(trust_env=False, timeout=10) as client:
            while not _points(client.get(f"{self.url}/render", params={"target": path, **span})):
                assert time.monotonic() < limit, f"Graphite does not show {path}"
                time.sleep(0.05)


def _points(answer: httpx.Response) -> list[float]:
    return [value for series in answer.json() for value, _ in series["datapoints"] if value is not None]


@contextmanager
def running(folder: Path) -> Iterator[RealGraphite]:
    """Started, ready, and killed at the end."""
    python = program(GRAPHITE)
    query = free_port()
    environment = _laid_out(folder, query)
    carbon, web = folder / "carbon", folder / "web"

    def carbons(port: int) -> tuple[str, ...]:
        config = folder / "conf" / "carbon.conf"
        config.write_text(_CARBON.format(line=port, query=query))
        script = str(python.with_name("carbon-cache.py"))
        return (str(python), script, "--nodaemon", f"--config={config}", f"--pidfile={carbon}/pid", "start")

    def webs(port: int) -> tuple[str, ...]:
        return (str(python), "-P", str(HERE / "graphite_web.py"), str(port))

    with serving(carbons, carbon, None, environment) as line, serving(webs, web, "/version/", environment) as port:
        yield RealGraphite(f"http://127.0.0.1:{port}", line)


def _laid_out(folder: Path, query: int) -> Mapping[str, str]:
    """The folders and settings of both, and the environment that tells of them."""
    for name in ("conf", "storage/log/webapp", "storage/whisper", "carbon", "web"):
        (folder / name).mkdir(parents=True)
    (folder / "conf" / "storage-schemas.conf").write_text(_SCHEMAS.format(step=STEP_S))
    (folder / "conf" / "local_settings.py").write_text(_SETTINGS.format(query=query))
    return {
        "GRAPHITE_ROOT": str(folder),
        "GRAPHITE_CONF_DIR": str(folder / "conf"),
        "GRAPHITE_STORAGE_DIR": str(folder / "storage"),
        "GRAPHITE_SETTINGS_MODULE": "local_settings",
        "DJANGO_SETTINGS_MODULE": "graphite.settings",
        "PYTHONPATH": str(folder / "conf"),
    }
