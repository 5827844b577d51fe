"""Analyses and their checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dsl.ir.conditions import Condition


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How many failed checks are one too many.

    `total`: the count-th failed check of the rollout ends it. `consecutive`: the count-th in a row does.
    `window`: `count` failed ones among the last `window` checks do. A count of 0 counts as 1.
    """

    count: int
    mode: Literal["total", "consecutive", "window"] = "total"
    window: int = 0


@dataclass(frozen=True, slots=True)
class Check:
    """`require`, `observe` or `abort if`; `text` is how it is shown to people."""

    kind: Literal["require", "observe", "abort"]
    condition: Condition
    text: str


@dataclass(frozen=True, slots=True)
class CallCheck:
    """A webhook called at every check; a refusal is a failed check."""

    webhook: str
    kind: Literal["call"] = "call"


@dataclass(frozen=True, slots=True)
class GateCheck:
    """Rolls back at once when the gate is open."""

    gate: str
    kind: Literal["abort_gate"] = "abort_gate"


@dataclass(frozen=True, slots=True)
class Analysis:
    """`budget` is the share of healthy rollouts that all statistical checks together may abort."""

    every_ms: int
    checks: tuple[Check | CallCheck | GateCheck, ...]
    tolerate: Tolerance = Tolerance(1)
    warm_up_ms: int = 0
    provider_errors: int = 3
    budget: float = 0.01
