"""Words, values and expressions."""

from __future__ import annotations

from dsl.node import Node
from dsl.source import Span


class Name(Node):
    """A word of the author's: `success_rate`, or the name of a Kubernetes object, `check-out`."""

    text: str
    span: Span


class Number(Node):
    """`3`, `0.99`."""

    value: float
    span: Span


class Percent(Node):
    """`99%`; `value` is 99.0."""

    value: float
    span: Span


class Duration(Node):
    """`1h30m`, in milliseconds."""

    ms: int
    span: Span


class String(Node):
    '''`"…"` or `"""…"""`; `value` has escapes resolved and common indentation removed. `raw` is true for the latter.'''

    value: str
    raw: bool
    span: Span


class Bool(Node):
    """`true`, `false`."""

    value: bool
    span: Span


class Word(Node):
    """A bare name that cannot be a variable, for it holds a hyphen: `http-web`."""

    text: str
    span: Span


class Clock(Node):
    """A time of day, `09:30`, in minutes from midnight."""

    minutes: int
    span: Span


class ListOf(Node):
    """`[a, b]`."""

    items: tuple[Expr, ...]
    span: Span


class Entry(Node):
    """`key: value` of a map; a quoted and a bare key are the same."""

    key: Name
    value: Expr
    span: Span


class MapOf(Node):
    """`{ a: 1, "b-c": 2 }`."""

    entries: tuple[Entry, ...]
    span: Span


class Workload(Node):
    """`deployment/checkout`, `apps.example.com/v1/Widget/widgets`: the parts between the slashes."""

    parts: tuple[Name, ...]
    span: Span


class Range(Node):
    """`2..10`, both ends included."""

    low: Expr
    high: Expr
    span: Span


class Arg(Node):
    """An argument, named (`target: 99%`) or by position."""

    name: Name | None
    value: Expr
    span: Span


class Segment(Node):
    """One part of a dotted path with its arguments; `args` is None where no parentheses stand."""

    name: Name
    args: tuple[Arg, ...] | None
    span: Span


class Ref(Node):
    """`slow`, `http.latency(0.99)`, `requests.rate of primary`."""

    segments: tuple[Segment, ...]
    arm: Name | None
    span: Span


class Negate(Node):
    """`-x`."""

    operand: Expr
    span: Span


class Chain(Node):
    """`a + b - c`, or `a * b / c`: one more operand than operators, read from the left."""

    operands: tuple[Expr, ...]
    operators: tuple[str, ...]
    span: Span


class Compare(Node):
    """`left op right`; op is one of `< <= > >= == !=`."""

    op: str
    left: Expr
    right: Expr
    span: Span


class Within(Node):
    """`value in low..high`."""

    value: Expr
    low: Expr
    high: Expr
    span: Span


class Over(Node):
    """`comparison over 30s`: the window of every query in it."""

    operand: Expr
    window: Expr
    span: Span


class Not(Node):
    operand: Expr
    span: Span


class And(Node):
    operands: tuple[Expr, ...]
    span: Span


class Or(Node):
    operands: tuple[Expr, ...]
    span: Span


class BadExpr(Node):
    """Where an expression was to stand and the parser had to go on without one. Silences what would follow from it."""

    span: Span


Expr = (
    Number
    | Percent
    | Duration
    | String
    | Bool
    | Word
    | Clock
    | ListOf
    | MapOf
    | Workload
    | Range
    | Ref
    | Negate
    | Chain
    | Compare
    | Within
    | Over
    | Not
    | And
    | Or
    | BadExpr
)
