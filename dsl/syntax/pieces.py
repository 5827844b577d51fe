"""Pieces that several statements share."""

from __future__ import annotations

from dsl.node import Node
from dsl.source import Span
from dsl.syntax.expressions import Arg, Expr, Name


class Param(Node):
    """A parameter of a metric, an analysis or a strategy, with its default."""

    name: Name
    default: Expr | None
    span: Span


class Field(Node):
    """`port 9898`, `headers { … }`, `notify_all`: a setting of a block; a lone word has no value."""

    name: Name
    value: Expr | None
    span: Span


class Use(Node):
    """A declaration put to use: `slo(target: 99.9%)`, `std.blue_green`; an empty `args` stands for no parentheses
    too."""

    path: tuple[Name, ...]
    args: tuple[Arg, ...]
    span: Span


class Amount(Node):
    """`10m`, or with `checks` true, `5 checks`."""

    value: Expr
    checks: bool
    span: Span


class Let(Node):
    """`let slow = 750ms`, at the top of a file or in a block; there it has no doc comment."""

    name: Name
    value: Expr
    doc: str
    span: Span
