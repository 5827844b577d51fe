"""The picture that should hold: who gets which request, and how many of each workload there are. Words, no logic.

Time is whole milliseconds since the epoch. Shares of traffic are percent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dsl.ir import MatchTest, StickySpec

Instant = int
Role = Literal["primary", "canary", "baseline"]


@dataclass(frozen=True, slots=True)
class Routing:
    """Who gets which request. `weight` and `mirror` in percent. `exposure` is in `interpreter.routing`."""

    weight: float = 0.0
    mirror: float = 0.0
    matches: tuple[tuple[MatchTest, ...], ...] = ()
    sticky: StickySpec | None = None


@dataclass(frozen=True, slots=True)
class CanaryScale:
    """How many canaries. `off`: none. `full`: as the target's own scaler or the primary has. `share`: percent of the
    primary's. `replicas`: a number. `traffic`: in proportion to the weight that the routing gives it."""

    mode: Literal["off", "full", "share", "replicas", "traffic"] = "off"
    value: float = 0.0


@dataclass(frozen=True, slots=True)
class Desired:
    """All that should hold now.

    `primary` and `canary` are revisions (`canary` is None while none is to run; `canary_scale` is then `off`).
    `baseline` asks for a fresh copy of the primary's revision at the canary's size. `released` is set when the
    rollout is being deleted with `on delete revert`: the target gets back its replicas and the user's objects their
    original form. `primary_up` is false until the primary has been ready for the first time: until then the data plane
    is to be left as it is, for what would be sent to the primary would be lost.
    """

    routing: Routing
    primary: str | None
    canary: str | None = None
    canary_scale: CanaryScale = CanaryScale()
    baseline: bool = False
    released: bool = False
    primary_up: bool = True
