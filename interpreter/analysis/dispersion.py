"""How bursty bad events are, and what `no_regression` does about it.

Its test takes bad events to come independently of each other. Where they come in bursts (a node dies, a database
hiccups) the counts of a window vary by more than chance, and evidence mounts in healthy rollouts. So the gains of each
window are divided by how many times as much its counts vary:

    φ = (1 - ρ)(1 + (n - 1)ι) + ρ(1 + (m - 1)ι)

with n requests of the canary, m of the other arm, ρ = n / (n + m), and ι the correlation of two requests of a window:
0 where they fail independently. ι = max(0, (χ²/dof - 1) / (n̄ - 1)) by Pearson's χ² of the other arm's windows (n̄ is
their mean size). Where there are fewer than `ENOUGH` windows, those that are missing are taken to vary as chance has
it: two or three windows would often seem bursty and are not. The figures that come of it stand in the simulation suite
(`tests/simulation`).

Dividing takes nothing from the promise, whatever φ is: it makes a likelihood ratio a power of it between 0 and 1, whose
expectation is 1 at most by Jensen's inequality, as long as φ was known before the window was. Hence ι is measured on
earlier windows only: on the thirty before the first look, if the policy asks for them (`dispersion: auto`), and in any
case on those of the other arm that the check has seen. A drift of the common rate looks like bursts, and costs a little
power. What dividing restores where events do come in bursts is an approximation, measured and not proven; and the first
windows of a check without history have next to nothing to go by.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from interpreter.analysis import show
from interpreter.analysis.evidence import State, Test, number, numbers
from interpreter.analysis.leaves import Leaf
from interpreter.analysis.readings import Look
from interpreter.desired import Instant
from interpreter.questions import Events

HISTORY = 30
"""As many windows before the first look are asked for."""

ENOUGH = 10
"""Fewer windows than these with requests in them are too little to speak of."""


NOTABLE = 1.5
"""Bursts that make counts vary by less than this are not spoken of."""


class Spread(NamedTuple):
    """Sums over windows: how many, their bad events y, their requests m, and y²/m. Pearson's χ² needs no more."""

    windows: float = 0.0
    bad: float = 0.0
    total: float = 0.0
    squares: float = 0.0

    def plus(self, counts: Events) -> Spread:
        """With one more window; one without requests tells nothing."""
        if not counts.total > 0:
            return self
        bad = min(max(0.0, counts.bad), counts.total)
        squares = self.squares + bad * bad / counts.total
        return Spread(self.windows + 1, self.bad + bad, self.total + counts.total, squares)

    @property
    def correlation(self) -> float:
        """ι; 0 as long as nothing can be known of it."""
        if self.windows < 2 or not 0 < self.bad < self.total or not self.total > self.windows:
            return 0.0
        rate = self.bad / self.total
        chi_squared, free = (self.squares - self.bad * rate) / (rate * (1 - rate)), self.windows - 1
        excess = (chi_squared - free) / max(free, ENOUGH)
        return min(1.0, max(0.0, excess / (self.total / self.windows - 1)))


def spread_of(state: State) -> Spread:
    """What a check's evidence has of it."""
    kept = numbers(state, "spread")
    return Spread(*kept) if kept else Spread()


def divisor(correlation: float, canary_total: float, other_total: float) -> float:
    """φ of a window with so many requests, 1 at the least."""
    share = canary_total / (canary_total + other_total)
    canary = 1 + (canary_total - 1) * correlation
    other = 1 + (other_total - 1) * correlation
    return max(1.0, (1 - share) * canary + share * other)


# --- history ----------------------------------------------------------------------------------------------------


def history(test: Test, at_ms: Instant, state: State) -> Iterator[tuple[Leaf, Instant]]:
    """What the first look asks of the time before it: the primary's windows, and when each ended. (The primary's also
    where the other arm is a baseline: before the rollout there was none.)"""
    if test.before is not None and "history" not in state:
        window_ms = test.check.window_ms
        for index in range(1, HISTORY + 1):
            yield test.before, at_ms - index * window_ms


def remember(test: Test, look: Look, at_ms: Instant, state: State) -> State:
    """The evidence with what history was answered, once; a window that could not be had is left out."""
    spread, asked = Spread(), False
    for leaf, ended_ms in history(test, at_ms, state):
        answer = look.answers.get(f"{leaf.prefix}{ended_ms}")
        asked = asked or answer is not None
        if isinstance(answer, Events):
            spread = spread.plus(answer)
    return {**state, "spread": list(spread), "history": spread.windows} if asked else state


def words(test: Test, state: State, varied: float) -> str:
    """What is to be said of it: that counts vary by more than chance, or that too little is known of earlier times."""
    told: list[str] = []
    if varied >= NOTABLE:
        told.append(f"errors come in bursts: counts vary {show.plain(varied, 2)} times as much as by chance")
    if test.before is not None and (known := number(state, "history")) < ENOUGH:
        had = show.count(known, "window")
        told.append(f"only {had} of requests before this rollout to tell by how bursty errors are")
    return "; ".join(told)
