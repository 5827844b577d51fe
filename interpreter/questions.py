"""What the machine asks of the world before it goes on, and what it is answered. Words, no logic.

Each question has a key: an answer is by the key of what was asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from interpreter.desired import CanaryScale, Instant, Role


@dataclass(frozen=True, slots=True)
class MetricQuestion:
    """What did this metric say for this arm over the window that ended at `at_ms`? Leaf metrics only, never derived
    ones."""

    metric: str
    arm: Literal["canary", "primary", "baseline"]
    window_ms: int
    at_ms: Instant

    @property
    def key(self) -> str:
        return f"metric:{self.metric}:{self.arm}:{self.window_ms}:{self.at_ms}"


@dataclass(frozen=True, slots=True)
class ReadyQuestion:
    """Does this workload run this revision at this scale, with all the replicas that `ready` asks for?"""

    role: Role
    revision: str
    scale: CanaryScale

    @property
    def key(self) -> str:
        return f"ready:{self.role}:{self.revision}:{self.scale.mode}:{self.scale.value:g}"


@dataclass(frozen=True, slots=True)
class GateQuestion:
    """Is this gate open? `serial` tells one asking from the next."""

    gate: str
    serial: str

    @property
    def key(self) -> str:
        return f"gate:{self.gate}:{self.serial}"


Question = MetricQuestion | ReadyQuestion | GateQuestion


@dataclass(frozen=True, slots=True)
class Value:
    """A number as the provider gave it (the machine brings it to base units); never NaN or infinite. `note` is what
    the provider said beside it, for people."""

    value: float
    kind: Literal["value"] = "value"
    note: str = ""


@dataclass(frozen=True, slots=True)
class Events:
    """Counts over the question's window."""

    bad: float
    total: float
    kind: Literal["events"] = "events"


@dataclass(frozen=True, slots=True)
class Histogram:
    """Cumulative counts by upper bound, in seconds, ascending; the last bound is infinity (`inf`, "+Inf" in JSON)."""

    buckets: tuple[tuple[float, float], ...]
    kind: Literal["histogram"] = "histogram"


@dataclass(frozen=True, slots=True)
class NoDataAnswer:
    """The provider answered that it has nothing."""

    reason: str = "no data"
    kind: Literal["no_data"] = "no_data"


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """The provider could not be asked, or its answer could not be used."""

    reason: str
    kind: Literal["error"] = "error"


@dataclass(frozen=True, slots=True)
class Readiness:
    """`failed` means that waiting will not help (progress deadline exceeded); `reason` is for people."""

    ready: bool
    reason: str = ""
    failed: bool = False
    kind: Literal["readiness"] = "readiness"


@dataclass(frozen=True, slots=True)
class GateAnswer:
    """`reason` says why a gate is shut, or could not be asked (then it counts as shut)."""

    open: bool
    reason: str = ""
    kind: Literal["gate"] = "gate"


Answer = Value | Events | Histogram | NoDataAnswer | ErrorAnswer | Readiness | GateAnswer
