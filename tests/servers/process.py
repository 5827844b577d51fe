"""A server of the tests in a process of its own: started on a free port, waited for, killed at the end with all that it
started, even if we are killed first."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from interpreter.local.keeper import Keeper
from interpreter.local.processes import free_port, tail
from tests.goprograms import UnavailableError
from tests.servers.recipes import Server

PATIENCE_S = 45.0
MOST_STARTS = 3


def program(server: Server, environment: Mapping[str, str] = os.environ) -> Path:
    """The program. Where there is none the test fails in CI, and is left out elsewhere."""
    try:
        return server.find(may_make=False, environment=environment)
    except UnavailableError as error:
        missing = pytest.fail if environment.get("CI") else pytest.skip
        missing(f"no {server.name} for the tests: {error}")


@contextmanager
def serving(
    command: Callable[[int], tuple[str, ...]],
    folder: Path,
    ready: str | None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[int]:
    """The port on which the server that `command` starts listens by now. It is ready when it answers the path `ready`
    with 2xx; None: when it takes a connection. It has no environment but the one given."""
    log = folder / "log"
    for _ in range(MOST_STARTS):
        port = free_port()
        words = command(port)
        with ExitStack() as stack:
            process = stack.enter_context(_process(words, folder, log, environment or {}))
            if _is_ready(port, ready, process):
                yield port
                return
    pytest.fail(f"{words[0]} does not come to be ready: {' | '.join(tail(log, 5))}")


@contextmanager
def _process(
    command: tuple[str, ...], folder: Path, log: Path, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    keeper = Keeper()
    try:
        with log.open("ab") as file:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd=folder,
                env={"PATH": os.defpath, "HOME": str(folder), **environment},
                start_new_session=True,
            )
        keeper.started(process.pid)
        try:
            yield process
        finally:
            keeper.close()
            process.wait()
    except OSError as error:
        pytest.fail(f"{command[0]} cannot be started: {error}")


def _is_ready(port: int, path: str | None, process: subprocess.Popen[bytes]) -> bool:
    """Wait for it; False if it has ended instead, as it does when somebody else has taken the port."""
    limit = time.monotonic() + PATIENCE_S
    with httpx.Client(trust_env=False, timeout=5) as client:
        while process.poll() is None and time.monotonic() < limit:
            try:
                if path is None:
                    socket.create_connection(("127.0.0.1", port), timeout=5).close()
                    return True
                if client.get(f"http://127.0.0.1:{port}{path}").is_success:
                    return True
            except (OSError, httpx.HTTPError):
                pass
            time.sleep(0.05)
    return False
