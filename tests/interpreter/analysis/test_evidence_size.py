"""Protects that evidence stays small: it is kept in an object of the cluster, which holds that of every check.

Each check lives through five hundred hard windows (Kayenta's judge, which forgets after 64, through 100): long numbers,
no two alike, near certainty and back, silence between.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from dsl.ir import Statistical
from interpreter.analysis.judge import Judgement as Judged
from interpreter.desired import Routing
from interpreter.questions import Answer, Events, Histogram, NoDataAnswer, Value
from tests.interpreter.analysis.checks import (
    CERTIFIED,
    INF,
    KAYENTA,
    MEETS,
    MINUTE,
    NO_REGRESSION,
    NO_SLOWER,
    NOT_WORSE,
    looks,
    program,
    require,
)

MOST = 2048
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, INF)
AUTO = Statistical(
    "no_regression", "requests", MINUTE, NO_REGRESSION.against, NO_REGRESSION.params, {"dispersion": "auto"}
)
KAYENTA_SILENT = replace(KAYENTA, params={**KAYENTA.params, "min_points": 64.0})
"""Which forgets only after as many windows without data as there are points, so that both are kept together."""
CHECKS: Mapping[str, Statistical] = {
    "no_regression": NO_REGRESSION,
    "no_regression, dispersion": AUTO,
    "no_slower": NO_SLOWER,
    "meets": MEETS,
    "certified": CERTIFIED,
    "not_worse": NOT_WORSE,
    "kayenta": KAYENTA,
    "kayenta, silent": KAYENTA_SILENT,
}


def hard(windows: int) -> list[Mapping[tuple[str, str] | str, Answer]]:
    """Answers of so many windows."""
    rnd = random.Random(5)

    def events() -> Events:
        total = rnd.lognormvariate(14, 2)
        return Events(total * rnd.random() ** 3, total)

    def buckets() -> Histogram:
        counts = [rnd.lognormvariate(10, 3) for _ in BOUNDS]
        return Histogram(tuple((bound, sum(counts[: place + 1])) for place, bound in enumerate(BOUNDS)))

    def depth() -> Answer:
        return NoDataAnswer("nothing there") if rnd.random() < 0.05 else Value(-rnd.lognormvariate(0, 30))

    made: Mapping[str, Callable[[], Answer]] = {"requests": events, "duration": buckets, "depth": depth}
    return [
        {(name, arm): make() for name, make in made.items() for arm in ("canary", "primary")} for _ in range(windows)
    ]


def sizes(judgements: list[Judged]) -> dict[str, int]:
    """The most bytes that each piece of evidence ever took."""
    most: dict[str, int] = {}
    for judgement in judgements:
        for key, state in judgement.evidence.items():
            most[key] = max(most.get(key, 0), len(json.dumps(state)))
    return most


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_keeps_less_than_two_kilobytes(name: str) -> None:
    windows = 100 if CHECKS[name].test == "kayenta" else 500
    found = sizes(list(looks(program(require(CHECKS[name])), iter(hard(windows)), Routing(weight=50))))
    assert found
    assert {key: size for key, size in found.items() if size >= MOST} == {}
