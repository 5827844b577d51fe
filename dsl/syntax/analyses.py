"""Analyses and what stands in them."""

from __future__ import annotations

from dsl.node import Node
from dsl.source import Span
from dsl.syntax.expressions import Expr, Name
from dsl.syntax.pieces import Let, Param, Use


class Setting(Node):
    """`every 1m`, `warm_up 2m`, `provider_errors 3`, `budget 1%`; of a judgement, `pass 95` and `marginal 75`."""

    name: Name
    value: Expr
    span: Span


class Tolerate(Node):
    """`tolerate 5 failures`, `3 consecutive failures`, `2 failures in 10`."""

    failures: Expr
    consecutive: bool
    window: Expr | None
    span: Span


class Check(Node):
    """`require`, `observe` or `abort if` with its condition; `kind` is `require`, `observe` or `abort`."""

    kind: Name
    condition: Expr
    span: Span


class AbortGate(Node):
    """`abort when gate panic opens`."""

    gate: Use
    span: Span


class CallHook(Node):
    """`call load_test`, in an analysis."""

    webhook: Use
    span: Span


class Include(Node):
    """`include slo(target: 99.9%)`."""

    analysis: Use
    span: Span


class Scored(Node):
    """What stands alone on a line of a judgement: `kayenta(cpu)`, or what was meant for one."""

    check: Expr
    span: Span


class JudgementGroup(Node):
    """`group latency weight 60 { … }`."""

    name: Name
    weight: Expr | None
    items: tuple[Scored, ...]
    span: Span


class Judgement(Node):
    """`judgement { … }`; `observe` is the word before it, where it only shows."""

    observe: Name | None
    items: tuple[Setting | JudgementGroup | Scored, ...]
    span: Span


AnalysisItem = Setting | Tolerate | Check | Judgement | AbortGate | CallHook | Include | Let


class Analysis(Node):
    """Declared with a name, or standing in a rollout, where the name may be missing."""

    name: Name | None
    params: tuple[Param, ...]
    items: tuple[AnalysisItem, ...]
    doc: str
    span: Span
