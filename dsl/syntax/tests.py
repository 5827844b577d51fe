"""Tests: what is given, what is expected."""

from __future__ import annotations

from dsl.node import Node
from dsl.source import Span
from dsl.syntax.expressions import Expr, Name, Ref, String
from dsl.syntax.pieces import Use


class GivenMetric(Node):
    """`given success_rate = 80% [after 3m] [for 2m]`; `value` is None for `given no_data of success_rate`."""

    metric: Ref
    value: Expr | None
    after: Expr | None
    lasting: Expr | None
    span: Span


class GivenEvent(Node):
    """`given approval after 5m`, `given webhook load_test refuses`, `given provider_down for 4m`.

    `what` is the words that say it, joined by one space: `no_data`, `provider_down`, `webhook refuses`, `gate opens`,
    `approval`, `new_revision`, `interpreter_restart`, `canary not_ready`, `abort`. `subject` is what it is about, if
    named.
    """

    what: str
    subject: Use | None
    after: Expr | None
    lasting: Expr | None
    span: Span


class ExpectOutcome(Node):
    """`expect promoted within 2h`; `outcome` is `promoted`, `rolled_back` or `waiting`."""

    outcome: Name
    within: Expr | None
    span: Span


class ExpectBound(Node):
    """`expect traffic <= 30%`; `subject` is `traffic`, `failed_checks` or `mirror`."""

    subject: Name
    op: str
    value: Expr
    span: Span


class Test(Node):
    title: String
    rollout: Name
    items: tuple[GivenMetric | GivenEvent | ExpectOutcome | ExpectBound, ...]
    doc: str
    span: Span
