"""The Program itself, and what only it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from dsl.ir.analyses import Analysis
from dsl.ir.guardrails import Guardrail
from dsl.ir.hooks import Channel, Webhook, Window
from dsl.ir.instructions import CallOp, Instruction, NotifyOp
from dsl.ir.metrics import Metric

FORMAT: Literal["rollway/1"] = "rollway/1"
MAX_INSTRUCTIONS = 1000


@dataclass(frozen=True, slots=True)
class WorkloadRef:
    """`api_version` is empty for the built-in kinds, which every runtime knows."""

    kind: str
    name: str
    api_version: str = ""


@dataclass(frozen=True, slots=True)
class Scaler:
    ref: WorkloadRef
    min_replicas: int | None = None
    max_replicas: int | None = None
    queries: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Service:
    """`name` is the apex Service, the target's name if not said."""

    name: str
    port: int | None = None
    target_port: int | str | None = None
    port_name: str | None = None
    port_discovery: bool = False
    app_protocol: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Traffic:
    """The data plane by name, and its own options as plain JSON."""

    provider: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SkipAnalysis:
    """Promote as soon as the canary is ready: always, or for a revision among the last `known_within` promoted ones."""

    always: bool = False
    known_within: int = 0


@dataclass(frozen=True, slots=True)
class RolloutRef:
    name: str
    namespace: str


@dataclass(frozen=True, slots=True)
class Span:
    """Where an instruction came from; lines and columns from 1. `text` is the statement as written, on one line."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int
    text: str


@dataclass(frozen=True, slots=True)
class Program:
    """One rollout, compiled. `spans[i]` belongs to `code[i]`, and is not part of the digest. `start_gates` are asked
    before the canary is scaled up."""

    name: str
    namespace: str
    target: WorkloadRef
    traffic: Traffic
    service: Service
    code: tuple[Instruction, ...]
    spans: tuple[Span, ...] = ()
    scaler: Scaler | None = None
    analysis: str | None = None
    deadline_ms: int = 600_000
    ready_primary: float = 100.0
    ready_canary: float = 100.0
    baseline: bool = False
    track_configs: bool = True
    skip_analysis: SkipAnalysis = SkipAnalysis()
    revert_on_delete: bool = False
    only_in: tuple[str, ...] = ()
    after: tuple[RolloutRef, ...] = ()
    start_gates: tuple[str, ...] = ()
    notify: tuple[str, ...] = ()
    scale_down_delay_ms: int = 0
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    analyses: Mapping[str, Analysis] = field(default_factory=dict)
    webhooks: Mapping[str, Webhook] = field(default_factory=dict)
    gates: Mapping[str, Webhook] = field(default_factory=dict)
    channels: Mapping[str, Channel] = field(default_factory=dict)
    windows: Mapping[str, Window] = field(default_factory=dict)
    guardrails: Mapping[str, Guardrail] = field(default_factory=dict)
    handlers: Mapping[Literal["start", "pause", "promoted", "rollback", "finished"], tuple[CallOp | NotifyOp, ...]] = (
        field(default_factory=dict)
    )
    format: Literal["rollway/1"] = FORMAT
