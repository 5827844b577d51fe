"""Guardrails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Limit:
    """`forbid SUBJECT CMP VALUE [within D]`; the value in percent; `within_ms` counts from the first instruction."""

    subject: Literal["traffic", "step", "mirror"]
    cmp: Literal["<", "<=", ">", ">=", "==", "!="]
    value: float
    within_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Guardrail:
    """Only guardrails that bind this rollout are in its Program."""

    limits: tuple[Limit, ...] = ()
    approval_before_promote: bool = False
    gates_before_promote: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    analysis_every: tuple[tuple[Literal["<", "<=", ">", ">=", "==", "!="], int], ...] = ()
    no_skip_analysis: bool = False
