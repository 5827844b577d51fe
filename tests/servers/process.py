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
from typing import NamedTuple

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


class Door(NamedTuple):
    """Where a server is to listen. It is ready when it answers `path` with 2xx; "": with anything; None: when it takes
    a connection."""

    port: int
    path: str | None


class Start(NamedTuple):
    """How a server is started, and where it listens then."""

    command: tuple[str, ...]
    doors: tuple[Door, ...]


@contextmanager
def serving(
    command: Callable[[int], tuple[str, ...]],
    folder: Path,
    ready: str | None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[int]:
    """The port on which the server that `command` starts listens by now; for `ready` see Door."""

    def start() -> Start:
        port = free_port()
        return Start(command(port), (Door(port, ready),))

    with started(start, folder, environment) as (door,):
        yield door.port


@contextmanager
def proxying(
    command: Callable[[int, int], tuple[str, ...]],
    folder: Path,
    ready: str,
    environment: Mapping[str, str] | None = None,
) -> Iterator[tuple[str, str]]:
    """The URLs at which a proxy listens by now: for traffic, and for those who look after it. It takes both ports, and
    is ready when it answers the path `ready` at the second one."""

    def start() -> Start:
        traffic, support = free_port(), free_port()
        return Start(command(traffic, support), (Door(support, ready), Door(traffic, "")))

    with started(start, folder, environment) as (support, traffic):
        yield f"http://127.0.0.1:{traffic.port}", f"http://127.0.0.1:{support.port}"


@contextmanager
def started(
    start: Callable[[], Start], folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[tuple[Door, ...]]:
    """The doors of a server that listens at all of them by now. If it ends instead, as it does when somebody else has
    taken a port, it is started again, on other ports. It has no environment but the one given."""
    log = folder / "log"
    for _ in range(MOST_STARTS):
        command, doors = start()
        with ExitStack() as stack:
            process = stack.enter_context(_process(command, folder, log, environment or {}))
            if all(_is_ready(door, process) for door in doors):
                yield doors
                return
    pytest.fail(f"{command[0]} does not come to be ready: {' | '.join(tail(log, 5))}")


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


def _is_ready(door: Door, process: subprocess.Popen[bytes]) -> bool:
    """Wait for it; False if the process has ended instead."""
    limit = time.monotonic() + PATIENCE_S
    with httpx.Client(trust_env=False, timeout=5) as client:
        while process.poll() is None and time.monotonic() < limit:
            try:
                if door.path is None:
                    socket.create_connection(("127.0.0.1", door.port), timeout=5).close()
                    return True
                if client.get(f"http://127.0.0.1:{door.port}{door.path}").is_success or not door.path:
                    return True
            except (OSError, httpx.HTTPError):
                pass
            time.sleep(0.05)
    return False
