"""A command in a process of its own, and the CPU time it took: user and system, of it and its children."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent


class Cost(NamedTuple):
    cpu_ms: float
    peak_mb: float


def cost(command: Sequence[str]) -> Cost:
    """Run a command to its end. It must succeed: a failing command is fast for the wrong reason."""
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{said.decode(errors='replace')}")
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return Cost(1000 * (usage.ru_utime + usage.ru_stime), usage.ru_maxrss / unit)


def least(command: Sequence[str], times: int) -> Cost:
    """The least of several runs, after one that fills the disk cache and writes the byte code: what other processes
    do on the machine only ever adds."""
    cost(command)
    return min(cost(command) for _ in range(times))


def rollway(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "rollway", *arguments]
