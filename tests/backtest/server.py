"""A real Prometheus on the history that is kept beside this module (`history` makes it)."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from interpreter.backtest.moments import Span
from tests.backtest.history import EVENTS, SAMPLES
from tests.prometheus.server import FETCH, binary, running


def promtool() -> str:
    """The program. Where there is none the test fails in CI, and is left out elsewhere."""
    looked = subprocess.run([FETCH, "--promtool", "--kept"], capture_output=True, text=True, check=False)
    if looked.returncode != 0:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(looked.stderr.strip())
    return looked.stdout.strip()


@contextmanager
def remembering(folder: Path) -> Iterator[str]:
    """The address of one that has nothing but the history, made into blocks of its own kind."""
    samples = folder / "history.om"
    samples.write_bytes(gzip.decompress(SAMPLES.read_bytes()))
    command = (promtool(), "tsdb", "create-blocks-from", "openmetrics", "-q", str(samples), str(folder / "data"))
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    with running(binary(), folder) as server:
        yield server.url


def moments() -> dict[str, int]:
    """When what happened, in milliseconds since 1970."""
    kept: dict[str, int] = json.loads(EVENTS.read_text())
    return {what: at * 1000 for what, at in kept.items()}


def quiet() -> Span:
    """The part in which nobody did anything wrong."""
    at = moments()
    return Span(at["quiet_from"], at["quiet_to"])
