"""Steps, one node a statement."""

from __future__ import annotations

from dsl.node import Node
from dsl.source import Span
from dsl.syntax.expressions import Expr, Name
from dsl.syntax.pieces import Amount, Field, Let, Use


class Run(Node):
    """`run acceptance`."""

    webhook: Use
    span: Span


class Shift(Node):
    """`shift to 20% [for 5m] [with slo]`."""

    to: Expr
    hold: Amount | None
    analysis: Use | None
    span: Span


class Hold(Node):
    """`hold 10m`, `hold 5 checks [with slo]`."""

    amount: Amount
    analysis: Use | None
    span: Span


class Pause(Node):
    """`pause 10m`."""

    duration: Expr
    span: Span


class Ramp(Node):
    """`ramp 10% to 50% by 10% [every 5m | every 3 checks] [with slo]`."""

    start: Expr
    stop: Expr
    step: Expr
    every: Amount | None
    analysis: Use | None
    span: Span


class Mirror(Node):
    """`mirror 20% [for 10m] [with slo]`; `share` is None for `mirror off`."""

    share: Expr | None
    hold: Amount | None
    analysis: Use | None
    span: Span


class MatchTest(Node):
    """`header "x-user" =~ "^beta-"`; `kind` is header, cookie or query; `op` is `==`, `=~`, `^=` or `exists`."""

    kind: Name
    key: Expr
    op: str
    value: Expr | None
    span: Span


class MatchAll(Node):
    """`a and b`."""

    tests: tuple[MatchTest, ...]
    span: Span


class Route(Node):
    """`route to canary when …`: alternatives, each a conjunction."""

    alternatives: tuple[MatchAll, ...]
    span: Span


class Sticky(Node):
    """`sticky "canary-session" for 24h { path "/shop" }`."""

    cookie: Expr
    duration: Expr | None
    fields: tuple[Field, ...]
    span: Span


class Scale(Node):
    """`scale canary to 25%`; `to` is None for `match traffic`."""

    to: Expr | None
    span: Span


class WaitApproval(Node):
    """`wait for approval ["who"] [within 4h [else rollback]]`; `otherwise` is `rollback` or `continue`."""

    who: Expr | None
    within: Expr | None
    otherwise: Name | None
    span: Span


class WaitGate(Node):
    """`wait for gate signoff [within 4h [else rollback]]`."""

    gate: Use
    within: Expr | None
    otherwise: Name | None
    span: Span


class WaitWindow(Node):
    """`wait until office_hours`."""

    window: Use
    span: Span


class Notify(Node):
    """`notify oncall ["…"]`."""

    channel: Use
    message: Expr | None
    span: Span


class Analyse(Node):
    """`analyse slo`."""

    analysis: Use
    span: Span


class If(Node):
    condition: Expr
    then: tuple[Step, ...]
    otherwise: tuple[Step, ...]
    span: Span


class Repeat(Node):
    """`repeat 3 { … }`."""

    times: Expr
    steps: tuple[Step, ...]
    span: Span


class For(Node):
    """`for w in [1%, 5%] { … }`."""

    name: Name
    items: Expr
    steps: tuple[Step, ...]
    span: Span


class Follow(Node):
    """`follow careful(most: 30%)`."""

    strategy: Use
    span: Span


class Promote(Node):
    """`promote [by 20% every 1m]`."""

    step: Expr | None
    every: Expr | None
    span: Span


class Rollback(Node):
    """`rollback ["reason"]`."""

    reason: Expr | None
    span: Span


Step = (
    Run
    | Shift
    | Hold
    | Pause
    | Ramp
    | Mirror
    | Route
    | Sticky
    | Scale
    | WaitApproval
    | WaitGate
    | WaitWindow
    | Notify
    | Analyse
    | If
    | Repeat
    | For
    | Follow
    | Promote
    | Rollback
    | Let
)
