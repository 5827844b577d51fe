"""A task as it is to be run: a command line, what it needs, and how its end is judged. Pure.

Each kind of task (`interpreter.tester.kinds`) turns a webhook's metadata into a `Plan`; none of them runs anything.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class Summary(NamedTuple):
    """What a load test measured. Times are milliseconds; None where the tool does not say."""

    requests: int
    errors: int
    seconds: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None

    @property
    def error_rate(self) -> float:
        """Of all requests, 0 to 1; 1 if there was none."""
        return self.errors / self.requests if self.requests else 1.0

    @property
    def rate(self) -> float | None:
        """Requests a second."""
        return self.requests / self.seconds if self.seconds else None

    def words(self) -> str:
        """One line for people."""
        parts = [f"{self.requests} requests", f"{self.errors} errors ({self.error_rate:.2%})"]
        if self.rate is not None:
            parts.append(f"{self.rate:.1f}/s")
        times = (("p50", self.p50_ms), ("p95", self.p95_ms), ("p99", self.p99_ms))
        parts += [f"{name} {value:.3g}ms" for name, value in times if value is not None]
        return ", ".join(parts)


class Ended(NamedTuple):
    """How a process ended: its exit code, what is kept of its output, and a file that it left behind, by name."""

    code: int
    output: str
    file: Callable[[str], str | None] = lambda _name: None


class Verdict(NamedTuple):
    """What came of a task. `reason` is for people: why it failed, or what it measured."""

    passed: bool
    reason: str
    summary: Summary | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """`programs` are those that it starts, each of which must be allowed; `shell` is why it needs more than that, ""
    if it does not. A `line` was written by the policy, and may start other programs than what is made here. `files`
    are written into the task's folder, which is its working directory.

    A task that `waits` is answered when it has ended, one that does not when it has begun; of the latter, `tells` says
    that the next call is refused once if it has failed. `timeout_s` of None is the tester's own.
    """

    kind: str
    argv: tuple[str, ...]
    programs: tuple[str, ...]
    shown: str
    judge: Callable[[Ended], Verdict]
    shell: str = ""
    line: bool = False
    waits: bool = True
    tells: bool = False
    returns_output: bool = False
    logs_output: bool = False
    timeout_s: float | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    def key(self, owner: str) -> str:
        """The same for the same task of the same rollout, whatever its revision."""
        what = json.dumps([owner, self.kind, self.argv, sorted(self.files.items())])
        return hashlib.sha256(what.encode()).hexdigest()[:16]
