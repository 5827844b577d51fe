"""Amazon's CloudWatch as moto plays it, in a process of its own. It takes any signature."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.process import serving


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Its URL."""

    def command(port: int) -> tuple[str, ...]:
        return (sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port))

    with serving(command, folder, "/moto-api/data.json") as port:
        yield f"http://127.0.0.1:{port}"
