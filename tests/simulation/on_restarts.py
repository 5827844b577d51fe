"""What a restart changes: nothing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dsl.ir import Program
from interpreter.analysis.judge import Evidence
from tests.simulation import whole
from tests.simulation.rows import Plan, Row
from tests.simulation.traffic import (
    LOOKS,
    RAMP,
    Slowness,
    below,
    errors,
    slower,
    totals,
    windows,
)


def restarts(plan: Plan) -> Iterator[Row]:
    """The state through its JSON after every look, and every look made twice: the evidence is that of an undisturbed
    run, to the last bit."""
    many = max(10, plan.whole // 10)
    chance = plan.chance("restarts")
    n, m = totals(many, 10, RAMP)
    late = (slower(chance, n, below(Slowness(1.1))), slower(chance, m, below(Slowness())))
    seen = windows(chance, many, primary=0.01, canary=0.012, rps=10)
    past = [whole.Past(errors(chance, np.full(30, 600), 0.01, 0.01), np.full(30, 600)) for _ in range(many)]
    for check, rollouts in (
        ("no_regression(requests)", [whole.of_counts(seen, row) for row in range(many)]),
        ("no_regression(requests, dispersion: auto)", [whole.of_counts(seen, row, past[row]) for row in range(many)]),
        ("no_slower(duration)", [whole.of_latencies(late, (n, m), row) for row in range(many)]),
        ("meets(requests, 98.5%)", [whole.of_counts(seen, row) for row in range(many)]),
        ("certified(requests, 98.5%)", [whole.of_counts(seen, row) for row in range(many)]),
    ):
        program = whole.policy(check)
        differ = sum(_evidences(program, one, calm=True) != _evidences(program, one, calm=False) for one in rollouts)
        words = f"`{check}`, killed and repeated after each of {LOOKS} looks: rollouts whose evidence differs"
        yield Row("9 restarts", words, f"{differ} of {many}", "", "0", differ == 0)


def _evidences(program: Program, one: whole.Rollout, *, calm: bool) -> list[Evidence]:
    return [found.evidence for found in whole.looks(program, one, restarted=not calm, twice=not calm)]
