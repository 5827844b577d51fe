"""The figures of `meets` and `certified`, and of the traffic guard."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from interpreter.analysis.sequential import objective_evidence as one_look
from interpreter.analysis.sequential import split_evidence
from tests.simulation.kernels import (
    delays,
    objective_evidence,
)
from tests.simulation.rows import Delay, Plan, Row, delay_of, held, percent
from tests.simulation.traffic import (
    LOOKS,
    Numbers,
    errors,
)

OBJECTIVES = (
    # true share of errors, rollouts that `meets` aborts, and what of them; the same for `certified`
    (0.01, "0.33%", "3.4%"),
    (0.02, "100% · 1,350", ""),
    (0.03, "100% · 450", ""),
    (0.005, "", "100% · 1,850"),
    (0.002, "", "100% · 700"),
)
EACH, MANY = 50, 1_000


def certification(plan: Plan) -> Iterator[Row]:
    """An objective of 99%, a look every 50 requests, 50,000 requests in all: `meets` at α 1%, `certified` at β 5%."""
    for rate, broken, kept in OBJECTIVES:
        chance = plan.chance(f"objective {rate}")
        against, for_it = _objective_delays(chance, plan.rollouts, rate)
        words = f"{percent(rate)} errors where 1% may be"
        if rate == 0.01:
            yield held("8 certification", f"{words}: certified", for_it.share, plan.at_most(0.05), kept)
            yield held("8 certification", f"{words}: meets aborts", against.share, plan.at_most(0.01), broken)
        elif broken:
            yield Row("8 certification", f"{words}: meets aborts", str(against), broken)
        else:
            yield Row("8 certification", f"{words}: certified", str(for_it), kept)
    needed = next(n for n in range(1, 10_000) if one_look(0.01, 0, n, mirrored=True) >= math.log(20))
    words = "requests without an error that certify 99%"
    yield Row("8 certification", words, str(needed), "490", "490 ± 5", abs(needed - 490) <= 5)


def _objective_delays(chance: np.random.Generator, rollouts: int, rate: float) -> tuple[Delay, Delay]:
    """In pieces, for there are a thousand looks."""
    found: tuple[list[Numbers], list[Numbers]] = ([], [])
    for first in range(0, rollouts, 500):
        requests = np.full((min(500, rollouts - first), MANY), EACH)
        bad = errors(chance, requests, rate)
        for mirrored, alpha in ((False, 0.01), (True, 0.05)):
            reached = objective_evidence(0.01, bad, requests, mirrored=mirrored) >= -math.log(alpha)
            found[mirrored].append(delays(reached, requests))
    against, for_it = (delay_of(np.concatenate(parts)) for parts in found)
    return against, for_it


def split(plan: Plan) -> Iterator[Row]:
    """The traffic guard: requests split as set, each by chance, and requests that do not reach the canary at all."""
    many = min(plan.rollouts, 500)
    chance = plan.chance("split")
    for actual, published in ((0.1, ""), (0.0, "405")):
        seen: list[float] = []
        for _ in range(many):
            canary = np.cumsum(chance.binomial(100, actual, LOOKS)).tolist()
            alarms = (
                100.0 * at
                for at, count in enumerate(canary, 1)
                if split_evidence(0.1, count, 100 * at - count) >= math.log(1000)
            )
            seen.append(next(alarms, math.inf))
        found = delay_of(np.array(seen))
        if actual == 0.1:
            yield held("traffic guard", "10% set, 10% got: alarms", found.share, plan.at_most(0.001, many))
        else:
            words = "10% set, nothing got: seen · requests of both arms"
            yield Row(
                "traffic guard", words, str(found), published, "all, ≤ 500", found.share == 1 and found.median <= 500
            )
