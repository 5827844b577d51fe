"""One process of a task: started in a group of its own, bounded in time, and ended with all that it started.

Its environment is made anew (PATH, a home and a folder for files of its own, and what the task brings), so that nothing
of the tester's gets into it. When it ends, is stopped or takes too long, its whole group is told to end (SIGTERM), and
killed a little later (SIGKILL). The `Keeper` of a `Group` kills what is left if we are killed ourselves,
and the kernel a process that the keeper has not heard of yet.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from interpreter.local.keeper import Keeper, die_with_parent
from interpreter.tester.output import PIECE, Output

GRACE_S = 5.0
"""Between SIGTERM and SIGKILL."""
LAST_OUTPUT_S = 2.0
"""How long a pipe may stay open after the group is gone: somebody who left the group holds it."""
MARK = "ROLLWAY_TASK"
"""The variable by which a process is known to be a task's, wherever it has gone."""
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "KUBERNETES_SERVICE_HOST")
_PASSED_ON_TOO = ("KUBERNETES_SERVICE_PORT", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy")


class Exit(NamedTuple):
    """`code` as Python has it: below 0 it is the signal. `cut` says who ended it, "" if it ended by itself."""

    code: int
    cut: str = ""


class Group:
    """The processes that run: who watches over them, and which they are."""

    def __init__(self) -> None:
        self._keeper = Keeper()
        self.running: set[int] = set()

    def started(self, process: int) -> None:
        """From now on it is killed if we are."""
        self.running.add(process)
        self._keeper.started(process)

    def ended(self, process: int) -> None:
        """It has been waited for."""
        self.running.discard(process)
        self._keeper.ended(process)

    def close(self) -> None:
        """What still runs is killed."""
        self._keeper.close()


class CannotStart(Exception):
    """There is no such program, or it cannot be run; the text says so."""


async def run(
    argv: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    output: Output,
    group: Group,
    limit_s: float,
    stopped: asyncio.Future[str],
) -> Exit:
    """Run it to its end, or to `limit_s`, or until `stopped` says who wants it ended. Raises `CannotStart`."""
    reading, writing = os.pipe()
    try:
        process = await _start(argv, folder, environment, writing)
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    group.started(process.pid)
    copying = asyncio.create_task(_copy(reading, output))
    try:
        return await _end(process, limit_s, stopped)
    finally:
        _signal(process.pid, signal.SIGKILL)  # what it left behind in its group
        group.ended(process.pid)
        done, _ = await asyncio.wait({copying}, timeout=LAST_OUTPUT_S)
        if not done:
            copying.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await copying


async def _start(
    argv: Sequence[str], folder: Path, environment: Mapping[str, str], writing: int
) -> asyncio.subprocess.Process:
    try:
        return await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
            cwd=folder,
            env=scrubbed(folder, environment),
            start_new_session=True,
            preexec_fn=die_with_parent(),
        )
    except FileNotFoundError as error:
        raise CannotStart(f"there is no program `{argv[0]}` here: the tester's image must have it") from error
    except (OSError, ValueError) as error:
        raise CannotStart(f"`{argv[0]}` cannot be started: {error}") from error


async def _end(process: asyncio.subprocess.Process, limit_s: float, stopped: asyncio.Future[str]) -> Exit:
    ending = asyncio.create_task(process.wait())
    try:
        either: set[asyncio.Future[Any]] = {ending, stopped}
        await asyncio.wait(either, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        if ending.done():
            return Exit(ending.result())
        cut = stopped.result() if stopped.done() else f"it took longer than {limit_s:g}s"
        _signal(process.pid, signal.SIGTERM)
        await asyncio.wait({ending}, timeout=GRACE_S)
        return Exit(ending.result() if ending.done() else -signal.SIGKILL, cut)
    finally:
        if not ending.done():
            _signal(process.pid, signal.SIGKILL)
            await asyncio.shield(ending)


async def _copy(reading: int, output: Output) -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=PIECE)
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(reading, "rb", buffering=0)
    )
    try:
        while piece := await reader.read(PIECE):
            output.write(piece)
    finally:
        transport.close()


def scrubbed(folder: Path, given: Mapping[str, str]) -> dict[str, str]:
    """The environment of a task in this folder."""
    kept = {name: os.environ[name] for name in (*_PASSED_ON, *_PASSED_ON_TOO) if name in os.environ}
    return {"PATH": os.defpath, **kept, "HOME": str(folder), "TMPDIR": str(folder), **given}


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
