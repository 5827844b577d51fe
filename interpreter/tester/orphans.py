"""Processes that have left the group of their task, as daemons do: found, killed, and waited for.

On Linux we ask to be the parent of whatever loses its own (`PR_SET_CHILD_SUBREAPER`, prctl(2)); in a container we are
that anyway. Such a child carries the mark of its task in its environment. It is killed when that task is over. One that
has ended is waited for, or it would stay in the table of processes for ever. Only a process that is a tester and
nothing else may do this: it takes every child that it does not know for an orphan.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Container
from pathlib import Path

from interpreter.tester.processes import MARK

_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_PROC = Path("/proc")


def adopt() -> bool:
    """Become the parent of orphans, and close our own memory and environment to them: what runs under our name could
    read `/proc/PID/environ` (prctl(2), `PR_SET_DUMPABLE`). False where there is no such thing."""
    if not sys.platform.startswith("linux"):
        return False
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    return bool(ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def sweep(running: Container[str]) -> list[int]:
    """Kill the children whose task is not running any more, and wait for those that have ended; their ids."""
    swept = []
    for process in _children():
        task = _task_of(process)
        if task is None or task in running:
            continue
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
            swept.append(process)
    return swept


def reap(known: Container[int]) -> None:
    """Wait for children that have ended and that nobody else waits for."""
    for process in _children():
        if process not in known and _state(process) == "Z":
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process, os.WNOHANG)


def _children() -> list[int]:
    found: list[int] = []
    for file in _PROC.glob("self/task/*/children"):
        with contextlib.suppress(OSError):
            found += map(int, file.read_text(encoding="ascii").split())
    return found


def _task_of(process: int) -> str | None:
    try:
        environment = (_PROC / str(process) / "environ").read_bytes()
    except OSError:
        return None
    prefix = f"{MARK}=".encode()
    marks = [entry[len(prefix) :] for entry in environment.split(b"\0") if entry.startswith(prefix)]
    return marks[0].decode("ascii", "replace") if marks else None


def _state(process: int) -> str:
    """The letter of proc(5); it stands behind the name, which is in brackets and may hold anything."""
    try:
        text = (_PROC / str(process) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[0]
