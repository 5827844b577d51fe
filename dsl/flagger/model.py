"""A Canary as Flagger understands it: typed, its defaults filled in.

Durations are milliseconds. What only a data plane understands (`service.match`, `trafficPolicy`) stays plain JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dsl.flagger.matching import Test
from dsl.flagger.planes import Plane

SUCCESS_RATE, DURATION = "request-success-rate", "request-duration"
"""The built-in metrics."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Another object; `api_version` only where it decides something."""

    kind: str
    name: str
    api_version: str = ""
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Scaler:
    """`autoscalerRef`."""

    ref: Reference
    low: int | None = None
    high: int | None = None
    queries: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Metric:
    """One entry of `analysis.metrics`; exactly one of built-in, `query` and `template` is what it asks.

    `low` and `high` are inclusive, None where there is no such bound. `path` is where it stands.
    """

    name: str
    window_ms: int
    low: float | None
    high: float | None
    path: str
    query: str = ""
    template: Reference | None = None
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def builtin(self) -> bool:
        return not self.query and self.template is None


@dataclass(frozen=True, slots=True)
class Hook:
    """One entry of `analysis.webhooks`; `type` is never empty."""

    name: str
    type: str
    url: str
    path: str
    timeout_ms: int = 10_000
    retries: int = 0
    insecure: bool = False
    mute: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alert:
    """One entry of `analysis.alerts`; `provider` names an AlertProvider."""

    name: str
    severity: str
    provider: Reference


@dataclass(frozen=True, slots=True)
class Affinity:
    """`analysis.sessionAffinity`; `attributes` are the rest of the cookie, by their names in Flagger."""

    cookie: str
    max_age_ms: int
    attributes: Mapping[str, str | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Analysis:
    """What is checked, and how the traffic moves. One of `iterations` and `weights` says that."""

    every_ms: int
    threshold: int
    iterations: int = 0
    weights: tuple[int, ...] = ()
    step: int = 0
    promote_step: int = 0
    mirror: int | None = None
    matches: tuple[tuple[Test, ...], ...] = ()
    metrics: tuple[Metric, ...] = ()
    alerts: tuple[Alert, ...] = ()
    hooks: tuple[Hook, ...] = ()
    affinity: Affinity | None = None
    ready_primary: int = 100
    ready_canary: int = 100

    def hooks_of(self, *types: str) -> tuple[Hook, ...]:
        return tuple(hook for hook in self.hooks if hook.type in types)


@dataclass(frozen=True, slots=True)
class Canary:
    """A whole Canary. `service` is `spec.service` as plain data, durations in milliseconds."""

    name: str
    namespace: str
    plane: Plane
    target: Reference
    service: Mapping[str, Any]
    analysis: Analysis
    scaler: Scaler | None = None
    ingress: str = ""
    route: str = ""
    upstream: str = ""
    mesh: str = ""
    metrics_server: str = ""
    deadline_ms: int = 600_000
    skip_analysis: bool = False
    revert_on_deletion: bool = False
    suspend: bool = False
