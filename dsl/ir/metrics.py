"""Metrics with their arguments bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from dsl.ir.conditions import Expr, Unit


class NoData(StrEnum):
    """What a check makes of a metric that has no data: a failed check, a passed one, no part in the verdict, or
    wait."""

    FAIL = "fail"
    PASS = "pass"
    SKIP = "skip"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Query:
    """One query template. `part` is `bad` or `total` for events, `value` otherwise."""

    provider: str
    text: str
    part: Literal["value", "bad", "total"] = "value"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric with its arguments bound. Exactly one of `queries`, `expr` and `template` says how to get it.

    `arguments` are the metric's own parameters, for its templates; `template` is `namespace/name` of a MetricTemplate.
    `bucket_scale` is what the bounds of a histogram's buckets are multiplied by to be in seconds (`buckets
    milliseconds` in the language).
    """

    unit: Unit
    queries: tuple[Query, ...] = ()
    expr: Expr | None = None
    template: str | None = None
    arguments: Mapping[str, str | float | bool] = field(default_factory=dict)
    no_data: NoData = NoData.FAIL
    server: str | None = None
    secret: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    insecure_skip_verify: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)
    bucket_scale: float = 1.0
