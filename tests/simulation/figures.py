"""The acceptance figures by name, each a function from a `Plan` to rows.

The first of the nine, exact values of the kernels, has no chance in it and stands in the tests
(`tests/interpreter/analysis`, `test_boundaries`).
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.simulation.on_counts import (
    against_kayenta,
    bursts,
    contrast,
    delay,
    fixed_line,
    looks_are_free,
    through_the_judge,
    tolerance,
    validity,
)
from tests.simulation.on_latencies import latency
from tests.simulation.on_objectives import certification, split
from tests.simulation.on_restarts import restarts
from tests.simulation.rows import Figure

FIGURES: Mapping[str, Figure] = {
    "validity": validity,
    "judge": through_the_judge,
    "looks": looks_are_free,
    "bursts": bursts,
    "contrast": contrast,
    "delay": delay,
    "line": fixed_line,
    "tolerance": tolerance,
    "kayenta": against_kayenta,
    "latency": latency,
    "certification": certification,
    "restarts": restarts,
    "split": split,
}
