"""Tests, compiled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from dsl.ir.conditions import Measure
from dsl.ir.metrics import Metric
from dsl.ir.program import Span


@dataclass(frozen=True, slots=True)
class GivenMetric:
    """`given success_rate = 80% after 3m`: from `after_ms` on (for `lasting_ms`, or for ever) the metric is this, in
    base
    units; None means that it has no data. `measure.metric` may be a derived metric; its window means nothing here."""

    measure: Measure
    value: float | None
    after_ms: int = 0
    lasting_ms: int | None = None


@dataclass(frozen=True, slots=True)
class GivenEvent:
    """Something that happens; `what` as in `dsl.syntax.GivenEvent`, `subject` the webhook, gate or metric, if named."""

    what: str
    subject: str | None = None
    after_ms: int = 0
    lasting_ms: int | None = None


@dataclass(frozen=True, slots=True)
class ExpectOutcome:
    outcome: Literal["promoted", "rolled_back", "waiting"]
    within_ms: int | None
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class ExpectBound:
    """A bound that must hold at every moment of the run; traffic and mirror in percent."""

    subject: Literal["traffic", "mirror", "failed_checks"]
    cmp: Literal["<", "<=", ">", ">=", "==", "!="]
    value: float
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class TestCase:
    """A `test` block, compiled; `rollout` is the name of the Program that it is about. `metrics` are those that the
    test speaks of and the Program does not."""

    title: str
    rollout: str
    givens: tuple[GivenMetric | GivenEvent, ...]
    expectations: tuple[ExpectOutcome | ExpectBound, ...]
    span: Span
    metrics: Mapping[str, Metric] = field(default_factory=dict)
