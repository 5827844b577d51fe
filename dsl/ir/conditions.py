"""Quantities, expressions and conditions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal


class Unit(StrEnum):
    """What a metric returns. The last two are not numbers: statistical checks need them whole."""

    PERCENT = "percent"
    RATIO = "ratio"
    MILLISECONDS = "milliseconds"
    SECONDS = "seconds"
    RATE = "rate"
    COUNT = "count"
    BYTES = "bytes"
    NUMBER = "number"
    EVENTS = "events"
    HISTOGRAM = "histogram"


BASE_SCALE: Mapping[Unit, float] = {Unit.PERCENT: 0.01, Unit.MILLISECONDS: 0.001}
"""What a provider's value is multiplied by to be in base units; 1 for units that are not listed."""


class Arm(StrEnum):
    """Whom a question is about."""

    CANARY = "canary"
    PRIMARY = "primary"
    BASELINE = "baseline"


@dataclass(frozen=True, slots=True)
class Const:
    """A quantity in base units, and the unit in which it was written."""

    value: float
    unit: Unit = Unit.NUMBER
    op: Literal["const"] = "const"


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric of one arm over one window. `part` picks a number out of events (`rate`, `total`, `bad`) or of a
    histogram (`quantile`, with `q`); a metric that is a number itself has `value`."""

    metric: str
    arm: Arm
    window_ms: int
    part: Literal["value", "rate", "total", "bad", "quantile"] = "value"
    q: float | None = None
    op: Literal["measure"] = "measure"


@dataclass(frozen=True, slots=True)
class Arith:
    """`operands[0] operators[0] operands[1] …`, read from the left; the operators are all of one level."""

    operands: tuple[Expr, ...]
    operators: tuple[Literal["+", "-", "*", "/"], ...]
    op: Literal["arith"] = "arith"


@dataclass(frozen=True, slots=True)
class Func:
    name: Literal["min", "max", "abs", "neg"]
    args: tuple[Expr, ...]
    op: Literal["func"] = "func"


Expr = Const | Measure | Arith | Func


@dataclass(frozen=True, slots=True)
class Compare:
    cmp: Literal["<", "<=", ">", ">=", "==", "!="]
    left: Expr
    right: Expr
    op: Literal["compare"] = "compare"


@dataclass(frozen=True, slots=True)
class Between:
    """`low <= value <= high`."""

    value: Expr
    low: Expr
    high: Expr
    op: Literal["between"] = "between"


@dataclass(frozen=True, slots=True)
class AllOf:
    conditions: tuple[Condition, ...]
    op: Literal["all"] = "all"


@dataclass(frozen=True, slots=True)
class AnyOf:
    conditions: tuple[Condition, ...]
    op: Literal["any"] = "any"


@dataclass(frozen=True, slots=True)
class NotOf:
    condition: Condition
    op: Literal["not"] = "not"


StatisticalTest = Literal["no_regression", "no_slower", "meets", "certified", "not_worse", "kayenta"]


@dataclass(frozen=True, slots=True)
class Statistical:
    """A check that keeps evidence between looks.

    `metric` is the events, histogram or (for `not_worse` and `kayenta`) number that it judges; `against` is the arm it
    is compared with, None where it is held to an objective. `params` are in base units: `confidence` always,
    `ratio` (no_regression), `objective` (meets, certified); `options` are words: `better`, `direction`, `critical`,
    and in a judgement `muted`.
    `expr` is what `not_worse` and `kayenta` compare, with the canary as its arm.
    """

    test: StatisticalTest
    metric: str
    window_ms: int
    against: Arm | None = None
    params: Mapping[str, float] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    expr: Expr | None = None
    op: Literal["statistical"] = "statistical"


@dataclass(frozen=True, slots=True)
class JudgementGroup:
    """Metrics that a judgement scores together: `kayenta` checks, those with the option `muted` shown and not scored.
    `weight` is the group's part of 100; without one it shares what the others leave."""

    name: str
    tests: tuple[Statistical, ...]
    weight: float | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """Many metrics, one score of 0 to 100, as Kayenta gives it. From `passing` on it holds, from `marginal` on nobody
    can tell, below that it does not hold. It stands alone in a check, never within another condition."""

    groups: tuple[JudgementGroup, ...]
    passing: float = 95.0
    marginal: float = 75.0
    op: Literal["judgement"] = "judgement"


Condition = Compare | Between | AllOf | AnyOf | NotOf | Statistical | Judgement
