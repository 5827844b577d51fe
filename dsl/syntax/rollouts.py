"""What stands in a rollout."""

from __future__ import annotations

from dsl.node import Node
from dsl.source import Span
from dsl.syntax.analyses import Analysis
from dsl.syntax.expressions import Expr, Name, Workload
from dsl.syntax.pieces import Field, Let, Use
from dsl.syntax.steps import Notify, Run, Step


class Target(Node):
    workload: Workload
    span: Span


class Scaler(Node):
    workload: Workload
    fields: tuple[Field, ...]
    span: Span


class Traffic(Node):
    provider: Name
    fields: tuple[Field, ...]
    span: Span


class Service(Node):
    fields: tuple[Field, ...]
    span: Span


class AnalysisUse(Node):
    """`analysis slo(target: 99.9%)`."""

    analysis: Use
    span: Span


class StrategyUse(Node):
    """`strategy blue_green(checks: 5)`."""

    strategy: Use
    span: Span


class Steps(Node):
    """`steps { … }`."""

    steps: tuple[Step, ...]
    span: Span


class Deadline(Node):
    value: Expr
    span: Span


class Ready(Node):
    """`ready { primary 100%; canary 50% }`."""

    fields: tuple[Field, ...]
    span: Span


class Baseline(Node):
    span: Span


class Track(Node):
    """`track configs false`."""

    value: Expr
    span: Span


class SkipAnalysis(Node):
    """`skip analysis`; with `known` set, `skip analysis for known revisions within 5`."""

    known: Expr | None
    span: Span


class OnDelete(Node):
    """`on delete revert`."""

    action: Name
    span: Span


class OnlyIn(Node):
    window: Use
    span: Span


class After(Node):
    """`after rollout payments [in shop]`."""

    rollout: Name
    namespace: Name | None
    span: Span


class AfterGate(Node):
    """`after gate signoff`: asked before the canary is scaled up."""

    gate: Use
    span: Span


class Prometheus(Node):
    """`prometheus "http://prometheus:9090"`: the server of those metrics that name none."""

    server: Expr
    span: Span


class NotifyUse(Node):
    """`notify oncall`, in a rollout: its events go to that channel."""

    channel: Use
    span: Span


class ScaleDownDelay(Node):
    """`scale_down_delay 30s`: how long the canary stays up after a rollback."""

    value: Expr
    span: Span


class Handler(Node):
    """`on rollback { … }`; `event` is start, pause, promoted, rollback or finished."""

    event: Name
    steps: tuple[Run | Notify, ...]
    span: Span


RolloutItem = (
    Target
    | Scaler
    | Traffic
    | Service
    | Analysis
    | AnalysisUse
    | StrategyUse
    | Steps
    | Deadline
    | Ready
    | Baseline
    | Track
    | SkipAnalysis
    | OnDelete
    | OnlyIn
    | After
    | AfterGate
    | Prometheus
    | NotifyUse
    | ScaleDownDelay
    | Handler
    | Let
)
