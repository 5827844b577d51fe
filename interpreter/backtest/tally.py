"""What came of many rollouts that nothing was wrong with: how many would have been ended, by which check, when.

What a statistical check promises is a bound over all rollouts together (`budget` of an analysis, shared by its checks),
so it is held against the count: `surprise` is how likely so many or more are if the bound holds, were the rollouts
independent of each other. A plain threshold promises nothing, and neither does Kayenta's score.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import comb
from typing import NamedTuple

from dsl.ir import Check, Program
from interpreter.analysis.statistical import tests_in
from interpreter.backtest.replay import Replay
from interpreter.desired import Instant
from interpreter.simulator.telling import decisive, last_check
from interpreter.state import Verdict

SURPRISING = 0.01


class Alarm(NamedTuple):
    """A rollout that was ended: when it began and ended, and the lines of the check that did it."""

    start_ms: Instant
    ended_ms: Instant
    checks: tuple[str, ...]
    reason: str
    promised: bool


class Tally(NamedTuple):
    """`unfinished` had no time left in the span, or waited. `bound` is the share that may be ended wrongly by the
    statistical checks, None where there are none."""

    rollouts: int
    promoted: int
    unfinished: int
    alarms: tuple[Alarm, ...]
    bound: float | None

    @property
    def decided(self) -> int:
        return self.promoted + len(self.alarms)

    @property
    def by_check(self) -> tuple[tuple[str, int], ...]:
        """How many each line ended, most first."""
        return tuple(Counter(check for alarm in self.alarms for check in alarm.checks).most_common())

    @property
    def promised(self) -> int:
        """How many were ended by statistical checks."""
        return sum(alarm.promised for alarm in self.alarms)

    @property
    def surprise(self) -> float | None:
        """The chance of so many or more by the statistical checks, if their bound holds."""
        return None if self.bound is None else at_least(self.promised, self.decided, self.bound)


def tally(program: Program, replays: Sequence[Replay]) -> Tally:
    """Count them."""
    statistical = {
        check.text: any(test.test != "kayenta" for test in tests_in(check.condition))
        for analysis in program.analyses.values()
        for check in analysis.checks
        if isinstance(check, Check) and check.kind != "observe"
    }
    alarms = tuple(_alarm(replay, statistical) for replay in replays if replay.story.outcome == "rolled_back")
    promoted = sum(replay.story.outcome == "promoted" for replay in replays)
    bound = max((a.budget for a in program.analyses.values()), default=None) if any(statistical.values()) else None
    return Tally(len(replays), promoted, len(replays) - promoted - len(alarms), alarms, bound)


def _alarm(replay: Replay, statistical: dict[str, bool]) -> Alarm:
    record = last_check(replay.story, None)
    blamed: tuple[str, ...] = ()
    if record is not None and record.verdict in (Verdict.FAIL, Verdict.ABORT, Verdict.ERROR):
        blamed = tuple(result.text for result in decisive(record))
    promised = bool(blamed) and all(statistical.get(text, False) for text in blamed)
    return Alarm(replay.start_ms, replay.ended_ms, blamed, replay.story.reason, promised)


def at_least(count: int, of: int, share: float) -> float:
    """The chance that at least `count` of so many independent tries come true."""
    return 1.0 - sum(comb(of, k) * share**k * (1 - share) ** (of - k) for k in range(count))
