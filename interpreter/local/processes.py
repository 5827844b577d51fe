"""One process of a revision: started, watched, asked whether it is well, started again when it dies, stopped.

Each process leads a process group of its own, gets a free port as `{port}` and `$PORT`, and writes to a log file, of
which the last lines are shown when it dies. It is ready when it accepts a connection and answers its health path with
anything below 500 (a service without such a path says 404, and is up).

A process that dies is started again, later each time. One that was never ready and has died three times is given up:
then waiting does not help, and the reason says what it wrote last.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from interpreter.desired import Role
from interpreter.local.command import Command
from interpreter.local.keeper import Keeper, die_with_parent
from interpreter.local.upstreams import Endpoint

DEATHS_BEFORE_GIVING_UP = 3
FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 10.0
PROBE_EVERY_S = 0.05
PROBE_TIMEOUT_S = 2.0
PATIENCE_S = 5.0
LAST_WORDS = 5


class Stage(StrEnum):
    """Where one process is in its life."""

    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    GIVEN_UP = "given up"
    STOPPED = "stopped"


class Process:
    """One replica. `changed` is called whenever `stage` is another one."""

    def __init__(
        self,
        command: Command,
        role: Role,
        *,
        log: Path,
        keeper: Keeper,
        changed: Callable[[], None],
        health_path: str = "/healthz",
    ) -> None:
        self.command = command
        self.role = role
        self.revision = command.revision
        self.stage = Stage.STARTING
        self.reason = "starting"
        self.deaths = 0
        self.endpoint = Endpoint(role, self.revision, 0)
        self._was_ready = False
        self._log = log
        self._keeper = keeper
        self._changed = changed
        self._health_path = health_path
        self._child: asyncio.subprocess.Process | None = None
        self._life: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child is not None else None

    def start(self) -> None:
        self._life = asyncio.create_task(self._live())

    async def stop(self, patience: float = PATIENCE_S) -> None:
        """End the process: politely first, then not. What is under way must have been drained before."""
        if self._life is not None:
            self._life.cancel()
            await asyncio.gather(self._life, return_exceptions=True)
            self._life = None
        await self._end(patience)
        self._become(Stage.STOPPED, "stopped")

    async def _live(self) -> None:
        """Start, and start again, until it is hopeless."""
        while self.stage is not Stage.GIVEN_UP:
            trouble = await self._once()
            self.deaths += 1
            if not self._was_ready and (trouble is not None or self.deaths >= DEATHS_BEFORE_GIVING_UP):
                self._become(Stage.GIVEN_UP, trouble or self._last_words())
                return
            self._become(Stage.RESTARTING, trouble or self._last_words())
            await asyncio.sleep(min(LONGEST_DELAY_S, FIRST_DELAY_S * 2 ** min(self.deaths - 1, 10)))

    async def _once(self) -> str | None:
        """One life of the process; why it could not even be started, if so."""
        self.endpoint = Endpoint(self.role, self.revision, free_port())
        try:
            self._child = await self._spawn()
        except FileNotFoundError:
            return f"the program `{self.command.words()[0]}` is not to be found"
        except PermissionError:
            return f"the program `{self.command.words()[0]}` may not be run"
        except OSError as error:
            return f"the command could not be started: {error.strerror}"
        self._keeper.started(self._child.pid)
        watch = asyncio.create_task(self._until_ready())
        try:
            await self._child.wait()
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
        await self._end(0.0)
        return None

    async def _spawn(self) -> asyncio.subprocess.Process:
        port = self.endpoint.port
        with self._log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *self.command.arguments(port),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PORT": str(port)},
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )

    async def _until_ready(self) -> None:
        self._become(Stage.STARTING, "starting")
        while not await answers(self.endpoint.port, self._health_path):  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(PROBE_EVERY_S)
        self._was_ready = True
        self._become(Stage.READY, "")

    async def _end(self, patience: float) -> None:
        """Nothing of the process group is left after this."""
        child = self._child
        if child is None:
            return
        if child.returncode is None and patience > 0:
            _signal_group(child.pid, signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(child.wait(), patience)
        _signal_group(child.pid, signal.SIGKILL)
        await child.wait()
        self._keeper.ended(child.pid)

    def _last_words(self) -> str:
        code = self._child.returncode if self._child is not None else None
        how = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with exit code {code}"
        lines = tail(self._log, LAST_WORDS)
        return f"the process {how}" + (f"; its last words: {' | '.join(lines)}" if lines else "; it wrote nothing")

    def _become(self, stage: Stage, reason: str) -> None:
        if (stage, reason) != (self.stage, self.reason):
            self.stage, self.reason = stage, reason
            self._changed()


async def answers(port: int, path: str) -> bool:
    """Does a service on this port answer? Whatever is below 500 counts; so does a service that does not speak HTTP."""
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
                writer.write(request.encode())
                words = (await reader.readline()).split()
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError):
        return False
    return not (len(words) > 1 and words[0].startswith(b"HTTP/") and words[1][:1] == b"5")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tail(path: Path, lines: int) -> list[str]:
    """The last lines of a file; of a long one only its end is read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line.strip()[:200] for line in text.splitlines() if line.strip()][-lines:]


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
