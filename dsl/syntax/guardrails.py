"""Guardrails and their rules."""

from __future__ import annotations

from dsl.node import Node
from dsl.source import Span
from dsl.syntax.expressions import Expr, Name, Ref, String
from dsl.syntax.pieces import Use


class AppliesTo(Node):
    """`applies to namespace "prod-*"`; `kind` is `namespace`, `rollout` or `target`."""

    kind: Name
    pattern: String
    span: Span


class Forbid(Node):
    """`forbid traffic > 25% within 30m`; `subject` is `traffic`, `step` or `mirror`."""

    subject: Name
    op: str
    value: Expr
    within: Expr | None
    span: Span


class ForbidSkip(Node):
    """`forbid skip analysis`."""

    span: Span


class RequireApproval(Node):
    """`require approval before promote`."""

    span: Span


class RequireGate(Node):
    """`require gate signoff before promote`."""

    gate: Use
    span: Span


class RequireMetric(Node):
    """`require metric http.success_rate`."""

    metric: Ref
    span: Span


class RequireAnalysis(Node):
    """`require analysis every <= 2m`."""

    setting: Name
    op: str
    value: Expr
    span: Span


Rule = AppliesTo | Forbid | ForbidSkip | RequireApproval | RequireGate | RequireMetric | RequireAnalysis


class Guardrail(Node):
    name: Name
    rules: tuple[Rule, ...]
    doc: str
    span: Span
