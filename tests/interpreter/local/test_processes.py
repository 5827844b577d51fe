"""Processes are started, watched and ended for good: a revision that cannot run says why, one that dies comes back, and
nothing that was started outlives the run, even a run that is killed."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from interpreter.local.command import Command, CommandError
from interpreter.local.keeper import Keeper
from interpreter.local.processes import Process, Stage
from tests.interpreter.local.programs import app

LIMIT_S = 30


def python(code: str) -> Command:
    return Command(shlex.join([sys.executable, "-S", "-c", code, "{port}"]))


class Bench:
    def __init__(self, folder: Path) -> None:
        self.keeper = Keeper()
        self._folder = folder
        self._changed = asyncio.Event()
        self._made: list[Process] = []

    def process(self, command: Command) -> Process:
        log = self._folder / "log"
        made = Process(command, "canary", log=log, keeper=self.keeper, changed=self._changed.set)
        self._made.append(made)
        made.start()
        return made

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    async def close(self) -> None:
        for process in self._made:
            await process.stop()
        self.keeper.close()


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path)
    yield made
    await made.close()


async def test_a_service_becomes_ready_on_the_port_it_was_given(bench: Bench) -> None:
    process = bench.process(app("7"))
    await bench.until(lambda: process.stage is Stage.READY)
    reader, writer = await asyncio.open_connection("127.0.0.1", process.endpoint.port)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()
    pid = process.pid
    await process.stop()
    assert process.stage is Stage.STOPPED
    assert pid is not None
    assert not alive(pid)


async def test_a_service_that_reads_the_port_from_its_environment_and_has_no_health_path_is_ready(bench: Bench) -> None:
    code = (
        "import http.server, os; h = type('H', (http.server.BaseHTTPRequestHandler,), {'do_GET': lambda s:"
        " s.send_error(404), 'log_message': lambda *a: None});"
        "http.server.HTTPServer(('127.0.0.1', int(os.environ['PORT'])), h).serve_forever()"
    )
    process = bench.process(Command(shlex.join([sys.executable, "-S", "-c", code])))
    await bench.until(lambda: process.stage is Stage.READY)


async def test_a_service_that_answers_500_to_its_health_path_is_not_ready(bench: Bench) -> None:
    code = (
        "import http.server, sys; h = type('H', (http.server.BaseHTTPRequestHandler,), {'do_GET': lambda s:"
        " (open('asked', 'a').close(), s.send_error(500)), 'log_message': lambda *a: None});"
        "http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), h).serve_forever()"
    )
    process = bench.process(python(code.replace("'asked'", repr(str(bench._folder / "asked")))))
    await until((bench._folder / "asked").exists)
    await asyncio.sleep(0.1)
    assert process.stage is Stage.STARTING


async def test_a_process_that_always_dies_is_given_up_with_its_last_words(bench: Bench) -> None:
    process = bench.process(python("import sys; sys.stderr.write('no database\\n'); sys.exit(3)"))
    await bench.until(lambda: process.stage is Stage.GIVEN_UP)
    assert process.deaths == 3
    assert "ended with exit code 3; its last words: no database" in process.reason


async def test_a_program_that_is_not_there_is_given_up_at_once(bench: Bench) -> None:
    process = bench.process(Command("no-such-program --port {port}"))
    await bench.until(lambda: process.stage is Stage.GIVEN_UP)
    assert process.reason == "the program `no-such-program` is not to be found"
    with pytest.raises(CommandError, match="the program `no-such-program` is not to be found: check its name"):
        process.command.check()


async def test_a_service_that_was_well_and_dies_is_started_again(bench: Bench) -> None:
    process = bench.process(app("1"))
    for _ in range(2):
        await bench.until(lambda: process.stage is Stage.READY)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        await bench.until(lambda: process.stage is not Stage.READY)
    assert "was killed by signal 9" in process.reason
    await bench.until(lambda: process.stage is Stage.READY)


async def test_a_service_that_ignores_the_polite_signal_and_its_children_are_ended(bench: Bench) -> None:
    folder = bench._folder
    child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    code = (
        f"import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"p = subprocess.Popen([sys.executable, '-S', '-c', {child!r}]);"
        f"f = open({str(folder / 'pid.new')!r}, 'w'); f.write(str(p.pid)); f.close();"
        f"import os; os.rename({str(folder / 'pid.new')!r}, {str(folder / 'pid')!r}); time.sleep(600)"
    )
    process = bench.process(python(code))
    await until((folder / "pid").exists)
    grandchild = int((folder / "pid").read_text())
    await process.stop(patience=0.1)
    await until_gone(grandchild)


async def test_nothing_outlives_a_run_that_is_killed(tmp_path: Path) -> None:
    child = (
        "import subprocess, sys, time;"
        "p = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(600)']);"
        "print(p.pid, flush=True); time.sleep(600)"
    )
    code = f"""
import asyncio, os, sys
from pathlib import Path
from interpreter.local.command import Command
from interpreter.local.keeper import Keeper
from interpreter.local.processes import Process

async def main():
    import shlex
    command = Command(shlex.join([sys.executable, "-S", "-c", {child!r}]))
    process = Process(command, "canary", log=Path({str(tmp_path / "log")!r}), keeper=Keeper(), changed=lambda: None)
    process.start()
    while not Path({str(tmp_path / "log")!r}).exists() or not Path({str(tmp_path / "log")!r}).read_text().strip():
        await asyncio.sleep(0.02)
    print(process.pid, Path({str(tmp_path / "log")!r}).read_text().strip(), flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as run:  # noqa: ASYNC220
        assert run.stdout is not None
        pids = [int(word) for word in run.stdout.readline().split()]
        assert len(pids) == 2
        assert all(alive(pid) for pid in pids)
        run.kill()
    for pid in pids:
        await until_gone(pid)


def test_a_command_is_the_same_revision_as_long_as_it_is_the_same_words() -> None:
    assert Command("app  --port {port}").revision == Command("app --port '{port}'").revision
    assert Command("app --v 1").revision != Command("app --v 2").revision
    assert Command("app --port={port}").arguments(80) == ["app", "--port=80"]
    for text in ("", "   ", "app 'unclosed"):
        with pytest.raises(CommandError):
            Command(text).words()


def alive(pid: int) -> bool:
    """Is there such a process, other than as a zombie?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def until_gone(pid: int) -> None:
    await until(lambda: not alive(pid))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not holds():  # noqa: ASYNC110 - other processes do not tell us
            await asyncio.sleep(0.02)
