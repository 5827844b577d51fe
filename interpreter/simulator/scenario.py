"""What happens when, in one simulated rollout.

All times count from the moment at which the new revision appears. A scenario is what a `test` block states (`given …`),
and the defaults for the rest: workloads become ready, webhooks accept, gates are open (but for those whose opening
aborts), nothing is approved unless `approve_after_ms` says that people approve so long after they are asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta, tzinfo
from math import inf
from typing import NamedTuple
from zoneinfo import ZoneInfo

from dsl.ir import GivenEvent, GivenMetric, Program, TestCase
from interpreter.desired import Instant
from interpreter.windows import is_open

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
_LOOK_EVERY_MS = 15 * MINUTE


class Scenario(NamedTuple):
    """See the module's docstring. `start_ms` is when the new revision appears, on the wall's clock."""

    title: str = "healthy"
    givens: tuple[GivenMetric | GivenEvent, ...] = ()
    start_ms: Instant = 0
    approve_after_ms: int | None = None
    ready_after_ms: int = 20_000
    answer_delay_ms: int = 0
    horizon_ms: int = 7 * DAY
    most_passes: int = 100_000

    @property
    def metrics(self) -> tuple[GivenMetric, ...]:
        return tuple(given for given in self.givens if isinstance(given, GivenMetric))

    @property
    def events(self) -> tuple[GivenEvent, ...]:
        return tuple(given for given in self.givens if isinstance(given, GivenEvent))

    def active(self, what: str, at_ms: int) -> Iterator[GivenEvent]:
        """The events of one kind that hold at a moment of the scenario."""
        for given in self.givens:
            if isinstance(given, GivenEvent) and given.what == what and given.after_ms <= at_ms < _end(given):
                yield given

    def changes(self) -> tuple[int, ...]:
        """The moments at which something begins or ends, in order."""
        return tuple(sorted({moment for given in self.givens for moment in _ends(given)}))


def _end(given: GivenMetric | GivenEvent) -> float:
    return inf if given.lasting_ms is None else given.after_ms + given.lasting_ms


def _ends(given: GivenMetric | GivenEvent) -> tuple[int, ...]:
    return (given.after_ms,) if given.lasting_ms is None else (given.after_ms, given.after_ms + given.lasting_ms)


def healthy(program: Program, *, start_ms: Instant | None = None, approve_after_ms: int | None = MINUTE) -> Scenario:
    """Nothing goes wrong, and people approve a minute after they are asked."""
    start = usual_start(program) if start_ms is None else start_ms
    return Scenario(start_ms=start, approve_after_ms=approve_after_ms)


def of_test(program: Program, test: TestCase) -> Scenario:
    """What a `test` block states; approvals are given only where it says so."""
    return Scenario(test.title, test.givens, usual_start(program))


def usual_start(program: Program) -> Instant:
    """A Monday at ten in the program's zone, or the first moment after it at which all its windows are open.

    If they are never open together, those that rule the start alone decide.
    """
    starts = [program.windows[name] for name in program.only_in if name in program.windows]
    monday = round(datetime(2024, 1, 1, 10, tzinfo=zone(program)).timestamp() * 1000)
    for wanted in (tuple(program.windows.values()), starts):
        for moment in range(monday, monday + 7 * DAY, _LOOK_EVERY_MS):
            if all(is_open(window, moment) for window in wanted):
                return moment
    return monday


def zone(program: Program) -> tzinfo:
    """The zone in which the program's people live: that of the window that rules its start, or of any window."""
    names = [*program.only_in, *program.windows]
    found = next((program.windows[name] for name in names if name in program.windows), None)
    return UTC if found is None else ZoneInfo(found.zone)


def start_of(text: str, program: Program) -> Instant:
    """The moment that `--start` names: a date and time (`2026-03-02T10:00`), or a day and a time (`sat 03:00`).

    Raises `ValueError` for anything else.
    """
    words = text.lower().split()
    if len(words) == 2 and words[0][:3] in _DAYS:
        clock = time.fromisoformat(words[1])
        moment = datetime.combine(datetime(2024, 1, 1) + timedelta(days=_DAYS.index(words[0][:3])), clock)
    else:
        moment = datetime.fromisoformat(text)
    return round((moment if moment.tzinfo else moment.replace(tzinfo=zone(program))).timestamp() * 1000)


_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
