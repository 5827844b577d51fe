"""Instructions, one class each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from dsl.ir.conditions import Condition


@dataclass(frozen=True, slots=True)
class MatchTest:
    """One test on a request; `op` is `==`, `=~` (RE2, not anchored), `^=` (prefix) or `exists`."""

    kind: Literal["header", "cookie", "query"]
    key: str
    op: Literal["==", "=~", "^=", "exists"]
    value: str = ""


@dataclass(frozen=True, slots=True)
class StickySpec:
    """Requests that the canary has answered get this cookie and stay with the canary.

    `attributes` are the rest of the cookie: `domain`, `path`, `same_site` (Strict, Lax, None), `http_only`, `secure`,
    `partitioned`; and `primary_cookie`, the name of a cookie by which requests stay with the primary.
    """

    cookie: str
    max_age_ms: int
    attributes: Mapping[str, str | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RouteOp:
    """Change the routing; None leaves that part as it is. `mirror` 0 ends mirroring. `matches` are alternatives of
    conjunctions; an empty tuple ends header routing."""

    weight: float | None = None
    mirror: float | None = None
    matches: tuple[tuple[MatchTest, ...], ...] | None = None
    sticky: StickySpec | None = None
    op: Literal["route"] = "route"


@dataclass(frozen=True, slots=True)
class HoldOp:
    """Stay, analysing. Exactly one of `duration_ms` and `checks` is set; `at_once` makes the first check now.

    `analysis` is None only where the rollout has none: then time alone ends it.
    """

    duration_ms: int | None = None
    checks: int | None = None
    analysis: str | None = None
    at_once: bool = False
    op: Literal["hold"] = "hold"


@dataclass(frozen=True, slots=True)
class PauseOp:
    """Stay, without analysis, for a time or until a window opens."""

    duration_ms: int | None = None
    window: str | None = None
    op: Literal["pause"] = "pause"


@dataclass(frozen=True, slots=True)
class CallOp:
    """Call a webhook until it accepts, every `every_ms`; each refusal is a failed check of `analysis`."""

    webhook: str
    every_ms: int
    analysis: str | None = None
    op: Literal["call"] = "call"


@dataclass(frozen=True, slots=True)
class WaitOp:
    """Wait for a gate (asked every `every_ms`) or, with `gate` None, for a person's approval."""

    gate: str | None = None
    who: str = ""
    within_ms: int | None = None
    otherwise: Literal["rollback", "continue"] = "rollback"
    every_ms: int = 10_000
    op: Literal["wait"] = "wait"


@dataclass(frozen=True, slots=True)
class ScaleOp:
    """The canary's replicas: a share of the primary's (percent), a number, or following the traffic."""

    share: float | None = None
    replicas: int | None = None
    match_traffic: bool = False
    op: Literal["scale"] = "scale"


@dataclass(frozen=True, slots=True)
class NotifyOp:
    """`message` is a Jinja template; empty for the event's own words."""

    channel: str
    message: str = ""
    op: Literal["notify"] = "notify"


@dataclass(frozen=True, slots=True)
class BranchOp:
    """Go on with the next instruction if the condition holds, else at `target`; None never holds (a plain jump).

    A condition that cannot be known is asked again every `every_ms` and counts as a failed check of `analysis`.
    """

    target: int
    condition: Condition | None = None
    text: str = ""
    every_ms: int = 60_000
    analysis: str | None = None
    op: Literal["branch"] = "branch"


@dataclass(frozen=True, slots=True)
class PromoteOp:
    """Make the canary's revision the primary's; then the traffic goes back at once, or `step` percent every
    `every_ms`."""

    step: float | None = None
    every_ms: int | None = None
    op: Literal["promote"] = "promote"


@dataclass(frozen=True, slots=True)
class RollbackOp:
    reason: str = ""
    op: Literal["rollback"] = "rollback"


Instruction = RouteOp | HoldOp | PauseOp | CallOp | WaitOp | ScaleOp | NotifyOp | BranchOp | PromoteOp | RollbackOp
