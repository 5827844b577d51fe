"""The Program: what a policy means, and all that the interpreter needs to know of it.

A `Program` is data: frozen, small, versioned (`format`), the same for every runtime. `dsl.ir_json` turns it into JSON
and back with pydantic's validation, gives its JSON Schema and its digest. The classes here are plain dataclasses so
that `rollway lint`, which builds Programs but never writes one, does not pay for the import of pydantic.

Conventions. Durations are whole milliseconds (`…_ms`). Shares of traffic (`weight`, `mirror`) are percent, 0 to 100.
Quantities inside conditions are in base units: a share is a ratio (99% is 0.99), a time is in seconds; `Const.unit`
only remembers how it was written. All control flow is forward: a `branch` jumps to a higher index, so that a Program
always ends. Whatever is named (metrics, analyses, webhooks, …) stands once, under its name, in a mapping.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

FORMAT: Literal["rollway/1"] = "rollway/1"
MAX_INSTRUCTIONS = 1000


# --- quantities -------------------------------------------------------------------------------------------------


class Unit(StrEnum):
    """What a metric returns. The last two are not numbers: statistical checks need them whole."""

    PERCENT = "percent"
    RATIO = "ratio"
    MILLISECONDS = "milliseconds"
    SECONDS = "seconds"
    RATE = "rate"
    COUNT = "count"
    BYTES = "bytes"
    NUMBER = "number"
    EVENTS = "events"
    HISTOGRAM = "histogram"


BASE_SCALE: Mapping[Unit, float] = {Unit.PERCENT: 0.01, Unit.MILLISECONDS: 0.001}
"""What a provider's value is multiplied by to be in base units; 1 for units that are not listed."""


class Arm(StrEnum):
    """Whom a question is about."""

    CANARY = "canary"
    PRIMARY = "primary"
    BASELINE = "baseline"


# --- expressions ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Const:
    """A quantity in base units, and the unit in which it was written."""

    value: float
    unit: Unit = Unit.NUMBER
    op: Literal["const"] = "const"


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric of one arm over one window. `part` picks a number out of events (`rate`, `total`, `bad`) or of a
    histogram (`quantile`, with `q`); a metric that is a number itself has `value`."""

    metric: str
    arm: Arm
    window_ms: int
    part: Literal["value", "rate", "total", "bad", "quantile"] = "value"
    q: float | None = None
    op: Literal["measure"] = "measure"


@dataclass(frozen=True, slots=True)
class Arith:
    """`operands[0] operators[0] operands[1] …`, read from the left; the operators are all of one level."""

    operands: tuple[Expr, ...]
    operators: tuple[Literal["+", "-", "*", "/"], ...]
    op: Literal["arith"] = "arith"


@dataclass(frozen=True, slots=True)
class Func:
    name: Literal["min", "max", "abs", "neg"]
    args: tuple[Expr, ...]
    op: Literal["func"] = "func"


Expr = Const | Measure | Arith | Func


@dataclass(frozen=True, slots=True)
class Compare:
    cmp: Literal["<", "<=", ">", ">=", "==", "!="]
    left: Expr
    right: Expr
    op: Literal["compare"] = "compare"


@dataclass(frozen=True, slots=True)
class Between:
    """`low <= value <= high`."""

    value: Expr
    low: Expr
    high: Expr
    op: Literal["between"] = "between"


@dataclass(frozen=True, slots=True)
class AllOf:
    conditions: tuple[Condition, ...]
    op: Literal["all"] = "all"


@dataclass(frozen=True, slots=True)
class AnyOf:
    conditions: tuple[Condition, ...]
    op: Literal["any"] = "any"


@dataclass(frozen=True, slots=True)
class NotOf:
    condition: Condition
    op: Literal["not"] = "not"


StatisticalTest = Literal["no_regression", "no_slower", "meets", "certified", "not_worse", "kayenta"]


@dataclass(frozen=True, slots=True)
class Statistical:
    """A check that keeps evidence between looks.

    `metric` is the events, histogram or (for `not_worse` and `kayenta`) number that it judges; `against` is the arm it
    is compared with, None where it is held to an objective. `params` are in base units: `confidence` always,
    `ratio` (no_regression), `objective` (meets, certified); `options` are words: `better`, `direction`, `critical`.
    `expr` is what `not_worse` and `kayenta` compare, with the canary as its arm.
    """

    test: StatisticalTest
    metric: str
    window_ms: int
    against: Arm | None = None
    params: Mapping[str, float] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    expr: Expr | None = None
    op: Literal["statistical"] = "statistical"


Condition = Compare | Between | AllOf | AnyOf | NotOf | Statistical


# --- metrics ----------------------------------------------------------------------------------------------------


class NoData(StrEnum):
    """What a check makes of a metric that has no data: a failed check, a passed one, no part in the verdict, or
    wait."""

    FAIL = "fail"
    PASS = "pass"
    SKIP = "skip"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Query:
    """One query template. `part` is `bad` or `total` for events, `value` otherwise."""

    provider: str
    text: str
    part: Literal["value", "bad", "total"] = "value"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric with its arguments bound. Exactly one of `queries`, `expr` and `template` says how to get it.

    `arguments` are the metric's own parameters, for its templates; `template` is `namespace/name` of a MetricTemplate.
    `bucket_scale` is what the bounds of a histogram's buckets are multiplied by to be in seconds (`buckets
    milliseconds` in the language).
    """

    unit: Unit
    queries: tuple[Query, ...] = ()
    expr: Expr | None = None
    template: str | None = None
    arguments: Mapping[str, str | float | bool] = field(default_factory=dict)
    no_data: NoData = NoData.FAIL
    server: str | None = None
    secret: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    insecure_skip_verify: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)
    bucket_scale: float = 1.0


# --- analysis ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How many failed checks are one too many.

    `total`: the count-th failed check of the rollout ends it. `consecutive`: the count-th in a row does.
    `window`: `count` failed ones among the last `window` checks do. A count of 0 counts as 1.
    """

    count: int
    mode: Literal["total", "consecutive", "window"] = "total"
    window: int = 0


@dataclass(frozen=True, slots=True)
class Check:
    """`require`, `observe` or `abort if`; `text` is how it is shown to people."""

    kind: Literal["require", "observe", "abort"]
    condition: Condition
    text: str


@dataclass(frozen=True, slots=True)
class CallCheck:
    """A webhook called at every check; a refusal is a failed check."""

    webhook: str
    kind: Literal["call"] = "call"


@dataclass(frozen=True, slots=True)
class GateCheck:
    """Rolls back at once when the gate is open."""

    gate: str
    kind: Literal["abort_gate"] = "abort_gate"


@dataclass(frozen=True, slots=True)
class Analysis:
    """`budget` is the share of healthy rollouts that all statistical checks together may abort."""

    every_ms: int
    checks: tuple[Check | CallCheck | GateCheck, ...]
    tolerate: Tolerance = Tolerance(1)
    warm_up_ms: int = 0
    provider_errors: int = 3
    budget: float = 0.01


# --- webhooks, gates, channels, windows -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Webhook:
    """`body` becomes the `metadata` of the call, string to string."""

    url: str
    timeout_ms: int = 10_000
    retries: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, str] = field(default_factory=dict)
    secret: str | None = None
    insecure_skip_verify: bool = False


@dataclass(frozen=True, slots=True)
class Channel:
    """`kind` is `slack`, `msteams`, `discord`, `rocket`, `gchat`, `alertmanager` or `webhook`; `to` is what stood
    behind
    it: a channel's name, or a URL. `fields` are its other settings."""

    kind: str
    to: str
    secret: str | None = None
    at: tuple[Literal["info", "warn", "error"], ...] = ("info", "warn", "error")
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Window:
    """Days are 0 (Monday) to 6; hours are minutes from midnight, the end not included; an end before its start is
    past midnight. `zone` is a name of the tz database. Without hours the whole day counts."""

    days: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)
    start: int = 0
    stop: int = 1440
    zone: str = "UTC"


# --- guardrails -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Limit:
    """`forbid SUBJECT CMP VALUE [within D]`; the value in percent; `within_ms` counts from the first instruction."""

    subject: Literal["traffic", "step", "mirror"]
    cmp: Literal["<", "<=", ">", ">=", "==", "!="]
    value: float
    within_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Guardrail:
    """Only guardrails that bind this rollout are in its Program."""

    limits: tuple[Limit, ...] = ()
    approval_before_promote: bool = False
    gates_before_promote: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    analysis_every: tuple[tuple[Literal["<", "<=", ">", ">=", "==", "!="], int], ...] = ()
    no_skip_analysis: bool = False


# --- instructions -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MatchTest:
    """One test on a request; `op` is `==`, `=~` (RE2, not anchored), `^=` (prefix) or `exists`."""

    kind: Literal["header", "cookie", "query"]
    key: str
    op: Literal["==", "=~", "^=", "exists"]
    value: str = ""


@dataclass(frozen=True, slots=True)
class StickySpec:
    """Requests that the canary has answered get this cookie and stay with the canary."""

    cookie: str
    max_age_ms: int


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


# --- the rollout ------------------------------------------------------------------------------------------------


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
    """One rollout, compiled. `spans[i]` belongs to `code[i]`, and is not part of the digest."""

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


# --- tests ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GivenMetric:
    """`given success_rate = 80% after 3m`: from `after_ms` on (for `lasting_ms`, or for ever) the metric is this, in
    base
    units; None means that it has no data. `measure.metric` may be a derived metric; its window means nothing here."""

    measure: Measure
    value: float | None
    after_ms: int = 0
    lasting_ms: int | None = None


@dataclass(frozen=True, slots=True)
class GivenEvent:
    """Something that happens; `what` as in `dsl.syntax.GivenEvent`, `subject` the webhook, gate or metric, if named."""

    what: str
    subject: str | None = None
    after_ms: int = 0
    lasting_ms: int | None = None


@dataclass(frozen=True, slots=True)
class ExpectOutcome:
    outcome: Literal["promoted", "rolled_back", "waiting"]
    within_ms: int | None
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class ExpectBound:
    """A bound that must hold at every moment of the run; traffic and mirror in percent."""

    subject: Literal["traffic", "mirror", "failed_checks"]
    cmp: Literal["<", "<=", ">", ">=", "==", "!="]
    value: float
    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class TestCase:
    """A `test` block, compiled; `rollout` is the name of the Program that it is about. `metrics` are those that the
    test speaks of and the Program does not."""

    title: str
    rollout: str
    givens: tuple[GivenMetric | GivenEvent, ...]
    expectations: tuple[ExpectOutcome | ExpectBound, ...]
    span: Span
    metrics: Mapping[str, Metric] = field(default_factory=dict)
