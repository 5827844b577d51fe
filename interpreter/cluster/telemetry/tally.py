"""What is counted of one rollout, from what was written of it: its checks, how long they took, and how runs ended.

A state that has been written is compared with the one before it, so nothing is counted that a crash may undo, and a
restart does not count again what it finds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import Literal

from dsl.ir import Program, RouteOp
from interpreter.cluster.telemetry.meters import Meters
from interpreter.state import CheckRecord, Outcome, Run, State, Verdict

BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Those of Flagger's histogram, which are the defaults of Prometheus' library for Go."""

Strategy = Literal["canary", "blue-green", "ab-testing"]
FAILURES = (Outcome.ROLLED_BACK, Outcome.PROMOTION_FAILED)


class Durations:
    """How many there were up to each of `BOUNDS_S`, in seconds."""

    def __init__(self) -> None:
        self.sum = 0.0
        self._counts = [0] * (len(BOUNDS_S) + 1)

    def add(self, seconds: float) -> None:
        """One more."""
        self.sum += seconds
        self._counts[bisect_left(BOUNDS_S, seconds)] += 1

    @property
    def buckets(self) -> list[tuple[str, float]]:
        """As Prometheus wants them: upper bound, and how many are not above it."""
        seen, found = 0, []
        for bound, count in zip((*BOUNDS_S, "+Inf"), self._counts, strict=True):
            seen += count
            found.append((str(bound), float(seen)))
        return found


class Tally:
    """Counted since this replica leads. `ends` is by (succeeded, strategy, whether the analysis was skipped)."""

    def __init__(self, meters: Meters) -> None:
        self._meters = meters
        self.checks: Counter[Verdict] = Counter()
        self.durations = Durations()
        self.ends: Counter[tuple[bool, Strategy, bool]] = Counter()

    def note(self, program: Program, before: State, after: State) -> None:
        """`after` has been written, and before it `before` had been."""
        run = after.run
        if run is None:
            return
        was = before.run if before.run is not None and before.run.number == run.number else None
        check = run.last_check
        if check is not None and (was is None or was.last_check is None or was.last_check.at_ms != check.at_ms):
            self._checked(check, after)
        if run.ended_ms is not None and (was is None or was.ended_ms is None):
            self._ended(program, run, run.ended_ms)

    def _checked(self, check: CheckRecord, after: State) -> None:
        self.checks[check.verdict] += 1
        self._meters.late(check.late_ms / 1000)
        if after.wall_ms is not None:
            self.durations.add(max(0, after.wall_ms - check.at_ms) / 1000)

    def _ended(self, program: Program, run: Run, ended_ms: int) -> None:
        outcome = run.outcome
        if outcome is None:
            return
        self._meters.ended(outcome, (ended_ms - run.started_ms) / 1000)
        if outcome is Outcome.PROMOTED or outcome in FAILURES:
            skipped = any(entry.what == "AnalysisSkipped" for entry in run.log)
            self.ends[outcome is Outcome.PROMOTED, strategy(program), skipped] += 1


def strategy(program: Program) -> Strategy:
    """What Flagger would call it: by the requests' headers, by shares of the traffic, or all at once."""
    routes = [op for op in program.code if isinstance(op, RouteOp)]
    if any(op.matches for op in routes):
        return "ab-testing"
    return "canary" if any(op.weight is not None and 0.0 < op.weight < 100.0 for op in routes) else "blue-green"
