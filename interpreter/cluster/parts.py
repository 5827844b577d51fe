"""What all rollouts of a controller share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from interpreter.cluster.api import Api
from interpreter.cluster.caches import Caches
from interpreter.cluster.clock import Clock
from interpreter.cluster.events import Recorder
from interpreter.cluster.outside import Outside
from interpreter.cluster.telemetry.meters import Meters

KEPT = 10
"""How many runs of a rollout are kept, if nothing else is said."""


@dataclass(frozen=True, slots=True)
class Parts:
    """`boundary` is called between any two effects of a look: tests kill the process there. `default_provider` is the
    traffic provider of a Canary that names none; `cross_namespace_refs` whether a policy may name MetricTemplates and
    AlertProviders of other namespaces; `event_webhook` gets the events of Canaries that have no hook for them;
    `history` is how many runs of a rollout are kept, the one under way included."""

    api: Api
    caches: Caches
    outside: Outside
    recorder: Recorder
    clock: Clock
    boundary: Callable[[str], None] | None = None
    default_provider: str = "kubernetes"
    cross_namespace_refs: bool = True
    event_webhook: str = ""
    history: int = KEPT
    meters: Meters = field(default_factory=Meters)
