"""What a figure comes to: rows, each with what was measured, what the design measured, and what it is held to.

A share of n rollouts that is promised to be p may come out higher by chance: it is held to p + 2.33·√(p(1 - p)/n).
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from tests.simulation.traffic import (
    Numbers,
)

ALPHA = 0.01
LIMIT = -math.log(ALPHA)
CHANCE = 2.33
"""Standard deviations that a share may be off by chance: one in a hundred."""


class Plan(NamedTuple):
    """How many rollouts a cell has, how many of them go through the whole judge, and the seed of all chance."""

    rollouts: int = 10_000
    whole: int = 500
    seed: int = 1

    def chance(self, name: str) -> np.random.Generator:
        """A stream of its own for everything that has a name."""
        return np.random.default_rng([self.seed, zlib.crc32(name.encode())])

    def at_most(self, share: float, rollouts: int | None = None) -> float:
        """The highest share that chance leaves of a promised one."""
        return share + CHANCE * math.sqrt(share * (1 - share) / (rollouts or self.rollouts))


class Row(NamedTuple):
    """One figure: what was measured, what the design measured (`published`), and what it is held to, in words;
    `kept` is None where it is shown for comparison only."""

    figure: str
    what: str
    measured: str
    published: str = ""
    promise: str = ""
    kept: bool | None = None


Figure = Callable[[Plan], Iterator[Row]]


def percent(share: float) -> str:
    return f"{100 * share:.3g}%" if share < 0.995 or share == 1 else f"{100 * share:.2f}%"


def held(figure: str, what: str, share: float, most: float, published: str = "") -> Row:
    """A share that must not be higher."""
    return Row(figure, what, percent(share), published, f"at most {percent(most)}", share <= most)


def shown(figure: str, what: str, share: float, least: float, published: str = "") -> Row:
    """A share that must be higher: that of a test which is known to be bad, or of what must be seen."""
    return Row(figure, what, percent(share), published, f"at least {percent(least)}", share >= least)


class Delay(NamedTuple):
    """The share that was seen within the hour, and the canary's requests until it was, at the median and the 90th
    percentile of all rollouts."""

    share: float
    median: float
    tenth: float

    def __str__(self) -> str:
        words = ["never" if math.isinf(value) else f"{value:,.0f}" for value in (self.median, self.tenth)]
        return f"{percent(self.share)} · {words[0]} · {words[1]}"


def delay_of(found: Numbers) -> Delay:
    ordered = np.sort(found)
    return Delay(
        float(np.isfinite(found).mean()), float(ordered[len(found) // 2]), float(ordered[int(len(found) * 0.9)])
    )


def delay_row(figure: str, words: str, found: Delay, published: str, bounds: tuple[float, float, float] | None) -> Row:
    if bounds is None:
        return Row(figure, words, str(found), published)
    median, tenth, share = bounds
    promise = f"median ≤ {median:,.0f}" + ("" if math.isinf(tenth) else f", 90% ≤ {tenth:,.0f}")
    promise += f", {percent(share)} seen" if share else ""
    kept = found.median <= median and found.tenth <= tenth and found.share >= share
    return Row(figure, words, str(found), published, promise, kept)
