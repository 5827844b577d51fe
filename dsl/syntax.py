"""The syntax tree: what was written, node by node, each with the tight span of its own words.

Nodes are named tuples: frozen, cheap to make by the thousand, and good with `match`. The last field of every node is
its `span`. Names stay as written; what they mean is the resolver's business. Sums, products, `and` and `or` are
flat, so
that a long chain is not a deep tree. Comments are not in the tree: the parser returns them beside it, in order.
"""

from __future__ import annotations

from typing import NamedTuple

from dsl.source import Source, Span

# --- words and values -------------------------------------------------------------------------------------------


class Name(NamedTuple):
    """A word of the author's: `success_rate`, or the name of a Kubernetes object, `check-out`."""

    text: str
    span: Span


class Number(NamedTuple):
    """`3`, `0.99`."""

    value: float
    span: Span


class Percent(NamedTuple):
    """`99%`; `value` is 99.0."""

    value: float
    span: Span


class Duration(NamedTuple):
    """`1h30m`, in milliseconds."""

    ms: int
    span: Span


class String(NamedTuple):
    '''`"…"` or `"""…"""`; `value` has escapes resolved and common indentation removed. `raw` is true for the latter.'''

    value: str
    raw: bool
    span: Span


class Bool(NamedTuple):
    """`true`, `false`."""

    value: bool
    span: Span


class Word(NamedTuple):
    """A bare name that cannot be a variable, for it holds a hyphen: `http-web`."""

    text: str
    span: Span


class Clock(NamedTuple):
    """A time of day, `09:30`, in minutes from midnight."""

    minutes: int
    span: Span


class ListOf(NamedTuple):
    """`[a, b]`."""

    items: tuple[Expr, ...]
    span: Span


class Entry(NamedTuple):
    """`key: value` of a map; a quoted and a bare key are the same."""

    key: Name
    value: Expr
    span: Span


class MapOf(NamedTuple):
    """`{ a: 1, "b-c": 2 }`."""

    entries: tuple[Entry, ...]
    span: Span


class Workload(NamedTuple):
    """`deployment/checkout`, `apps.example.com/v1/Widget/widgets`: the parts between the slashes."""

    parts: tuple[Name, ...]
    span: Span


class Range(NamedTuple):
    """`2..10`, both ends included."""

    low: Expr
    high: Expr
    span: Span


# --- expressions ------------------------------------------------------------------------------------------------


class Arg(NamedTuple):
    """An argument, named (`target: 99%`) or by position."""

    name: Name | None
    value: Expr
    span: Span


class Segment(NamedTuple):
    """One part of a dotted path with its arguments; `args` is None where no parentheses stand."""

    name: Name
    args: tuple[Arg, ...] | None
    span: Span


class Ref(NamedTuple):
    """`slow`, `http.latency(0.99)`, `requests.rate of primary`."""

    segments: tuple[Segment, ...]
    arm: Name | None
    span: Span


class Negate(NamedTuple):
    """`-x`."""

    operand: Expr
    span: Span


class Chain(NamedTuple):
    """`a + b - c`, or `a * b / c`: one more operand than operators, read from the left."""

    operands: tuple[Expr, ...]
    operators: tuple[str, ...]
    span: Span


class Compare(NamedTuple):
    """`left op right`; op is one of `< <= > >= == !=`."""

    op: str
    left: Expr
    right: Expr
    span: Span


class Within(NamedTuple):
    """`value in low..high`."""

    value: Expr
    low: Expr
    high: Expr
    span: Span


class Over(NamedTuple):
    """`comparison over 30s`: the window of every query in it."""

    operand: Expr
    window: Expr
    span: Span


class Not(NamedTuple):
    operand: Expr
    span: Span


class And(NamedTuple):
    operands: tuple[Expr, ...]
    span: Span


class Or(NamedTuple):
    operands: tuple[Expr, ...]
    span: Span


class BadExpr(NamedTuple):
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


# --- shared pieces ----------------------------------------------------------------------------------------------


class Param(NamedTuple):
    """A parameter of a metric, an analysis or a strategy, with its default."""

    name: Name
    default: Expr | None
    span: Span


class Field(NamedTuple):
    """`port 9898`, `headers { … }`, `notify_all`: a setting of a block; a lone word has no value."""

    name: Name
    value: Expr | None
    span: Span


class Use(NamedTuple):
    """A declaration put to use: `slo(target: 99.9%)`, `std.blue_green`; an empty `args` stands for no parentheses
    too."""

    path: tuple[Name, ...]
    args: tuple[Arg, ...]
    span: Span


class Amount(NamedTuple):
    """`10m`, or with `checks` true, `5 checks`."""

    value: Expr
    checks: bool
    span: Span


# --- metrics ----------------------------------------------------------------------------------------------------


class Query(NamedTuple):
    """`[bad|total] prometheus "…"`; `part` is None, `bad` or `total`."""

    part: Name | None
    provider: Name
    text: String
    span: Span


class Variant(NamedTuple):
    """`for istio …`: the queries and settings that hold under one traffic provider."""

    traffic: Name
    items: tuple[Query | Field, ...]
    span: Span


class TemplateRef(NamedTuple):
    """`from template "namespace/name"`."""

    name: String
    span: Span


class Metric(NamedTuple):
    """`body` is an expression (`= …`), a reference to a MetricTemplate, or the items between the braces."""

    name: Name
    params: tuple[Param, ...]
    unit: Name
    body: tuple[Query | Variant | Field, ...] | Expr | TemplateRef
    doc: str
    span: Span


# --- analysis ---------------------------------------------------------------------------------------------------


class Setting(NamedTuple):
    """`every 1m`, `warm_up 2m`, `provider_errors 3`, `budget 1%`."""

    name: Name
    value: Expr
    span: Span


class Tolerate(NamedTuple):
    """`tolerate 5 failures`, `3 consecutive failures`, `2 failures in 10`."""

    failures: Expr
    consecutive: bool
    window: Expr | None
    span: Span


class Check(NamedTuple):
    """`require`, `observe` or `abort if` with its condition; `kind` is `require`, `observe` or `abort`."""

    kind: Name
    condition: Expr
    span: Span


class AbortGate(NamedTuple):
    """`abort when gate panic opens`."""

    gate: Use
    span: Span


class CallHook(NamedTuple):
    """`call load_test`, in an analysis."""

    webhook: Use
    span: Span


class Include(NamedTuple):
    """`include slo(target: 99.9%)`."""

    analysis: Use
    span: Span


AnalysisItem = Setting | Tolerate | Check | AbortGate | CallHook | Include


class Analysis(NamedTuple):
    """Declared with a name, or standing in a rollout, where the name may be missing."""

    name: Name | None
    params: tuple[Param, ...]
    items: tuple[AnalysisItem, ...]
    doc: str
    span: Span


# --- steps ------------------------------------------------------------------------------------------------------


class Run(NamedTuple):
    """`run acceptance`."""

    webhook: Use
    span: Span


class Shift(NamedTuple):
    """`shift to 20% [for 5m] [with slo]`."""

    to: Expr
    hold: Amount | None
    analysis: Use | None
    span: Span


class Hold(NamedTuple):
    """`hold 10m`, `hold 5 checks [with slo]`."""

    amount: Amount
    analysis: Use | None
    span: Span


class Pause(NamedTuple):
    """`pause 10m`."""

    duration: Expr
    span: Span


class Ramp(NamedTuple):
    """`ramp 10% to 50% by 10% [every 5m | every 3 checks] [with slo]`."""

    start: Expr
    stop: Expr
    step: Expr
    every: Amount | None
    analysis: Use | None
    span: Span


class Mirror(NamedTuple):
    """`mirror 20% [for 10m] [with slo]`; `share` is None for `mirror off`."""

    share: Expr | None
    hold: Amount | None
    analysis: Use | None
    span: Span


class MatchTest(NamedTuple):
    """`header "x-user" =~ "^beta-"`; `kind` is header, cookie or query; `op` is `==`, `=~`, `^=` or `exists`."""

    kind: Name
    key: Expr
    op: str
    value: Expr | None
    span: Span


class MatchAll(NamedTuple):
    """`a and b`."""

    tests: tuple[MatchTest, ...]
    span: Span


class Route(NamedTuple):
    """`route to canary when …`: alternatives, each a conjunction."""

    alternatives: tuple[MatchAll, ...]
    span: Span


class Sticky(NamedTuple):
    """`sticky "canary-session" for 24h`."""

    cookie: Expr
    duration: Expr | None
    span: Span


class Scale(NamedTuple):
    """`scale canary to 25%`; `to` is None for `match traffic`."""

    to: Expr | None
    span: Span


class WaitApproval(NamedTuple):
    """`wait for approval ["who"] [within 4h [else rollback]]`; `otherwise` is `rollback` or `continue`."""

    who: Expr | None
    within: Expr | None
    otherwise: Name | None
    span: Span


class WaitGate(NamedTuple):
    """`wait for gate signoff [within 4h [else rollback]]`."""

    gate: Use
    within: Expr | None
    otherwise: Name | None
    span: Span


class WaitWindow(NamedTuple):
    """`wait until office_hours`."""

    window: Use
    span: Span


class Notify(NamedTuple):
    """`notify oncall ["…"]`."""

    channel: Use
    message: Expr | None
    span: Span


class Analyse(NamedTuple):
    """`analyse slo`."""

    analysis: Use
    span: Span


class If(NamedTuple):
    condition: Expr
    then: tuple[Step, ...]
    otherwise: tuple[Step, ...]
    span: Span


class Repeat(NamedTuple):
    """`repeat 3 { … }`."""

    times: Expr
    steps: tuple[Step, ...]
    span: Span


class For(NamedTuple):
    """`for w in [1%, 5%] { … }`."""

    name: Name
    items: Expr
    steps: tuple[Step, ...]
    span: Span


class Follow(NamedTuple):
    """`follow careful(most: 30%)`."""

    strategy: Use
    span: Span


class Promote(NamedTuple):
    """`promote [by 20% every 1m]`."""

    step: Expr | None
    every: Expr | None
    span: Span


class Rollback(NamedTuple):
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
)


# --- rollouts ---------------------------------------------------------------------------------------------------


class Target(NamedTuple):
    workload: Workload
    span: Span


class Scaler(NamedTuple):
    workload: Workload
    fields: tuple[Field, ...]
    span: Span


class Traffic(NamedTuple):
    provider: Name
    fields: tuple[Field, ...]
    span: Span


class Service(NamedTuple):
    fields: tuple[Field, ...]
    span: Span


class AnalysisUse(NamedTuple):
    """`analysis slo(target: 99.9%)`."""

    analysis: Use
    span: Span


class StrategyUse(NamedTuple):
    """`strategy blue_green(checks: 5)`."""

    strategy: Use
    span: Span


class Steps(NamedTuple):
    """`steps { … }`."""

    steps: tuple[Step, ...]
    span: Span


class Deadline(NamedTuple):
    value: Expr
    span: Span


class Ready(NamedTuple):
    """`ready { primary 100%; canary 50% }`."""

    fields: tuple[Field, ...]
    span: Span


class Baseline(NamedTuple):
    span: Span


class Track(NamedTuple):
    """`track configs false`."""

    value: Expr
    span: Span


class SkipAnalysis(NamedTuple):
    """`skip analysis`; with `known` set, `skip analysis for known revisions within 5`."""

    known: Expr | None
    span: Span


class OnDelete(NamedTuple):
    """`on delete revert`."""

    action: Name
    span: Span


class OnlyIn(NamedTuple):
    window: Use
    span: Span


class After(NamedTuple):
    """`after rollout payments [in shop]`."""

    rollout: Name
    namespace: Name | None
    span: Span


class NotifyUse(NamedTuple):
    """`notify oncall`, in a rollout: its events go to that channel."""

    channel: Use
    span: Span


class ScaleDownDelay(NamedTuple):
    """`scale_down_delay 30s`: how long the canary stays up after a rollback."""

    value: Expr
    span: Span


class Handler(NamedTuple):
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
    | NotifyUse
    | ScaleDownDelay
    | Handler
)


# --- the other declarations -------------------------------------------------------------------------------------


class Import(NamedTuple):
    path: String
    alias: Name | None
    span: Span


class Let(NamedTuple):
    name: Name
    value: Expr
    doc: str
    span: Span


class Webhook(NamedTuple):
    name: Name
    fields: tuple[Field, ...]
    doc: str
    span: Span


class Gate(NamedTuple):
    name: Name
    fields: tuple[Field, ...]
    doc: str
    span: Span


class At(NamedTuple):
    """`at error, warn`."""

    severities: tuple[Name, ...]
    span: Span


class Channel(NamedTuple):
    name: Name
    items: tuple[Field | At, ...]
    doc: str
    span: Span


class Days(NamedTuple):
    """`days mon..fri, sun`: pairs of first and last day."""

    ranges: tuple[tuple[Name, Name], ...]
    span: Span


class Hours(NamedTuple):
    """`hours 09:00..16:30`."""

    start: Clock
    stop: Clock
    span: Span


class Zone(NamedTuple):
    name: String
    span: Span


class Window(NamedTuple):
    name: Name
    items: tuple[Days | Hours | Zone, ...]
    doc: str
    span: Span


class Strategy(NamedTuple):
    name: Name
    params: tuple[Param, ...]
    steps: tuple[Step, ...]
    doc: str
    span: Span


class Rollout(NamedTuple):
    name: Name
    namespace: Name | None
    items: tuple[RolloutItem, ...]
    doc: str
    span: Span


class AppliesTo(NamedTuple):
    """`applies to namespace "prod-*"`; `kind` is `namespace`, `rollout` or `target`."""

    kind: Name
    pattern: String
    span: Span


class Forbid(NamedTuple):
    """`forbid traffic > 25% within 30m`; `subject` is `traffic`, `step` or `mirror`."""

    subject: Name
    op: str
    value: Expr
    within: Expr | None
    span: Span


class ForbidSkip(NamedTuple):
    """`forbid skip analysis`."""

    span: Span


class RequireApproval(NamedTuple):
    """`require approval before promote`."""

    span: Span


class RequireGate(NamedTuple):
    """`require gate signoff before promote`."""

    gate: Use
    span: Span


class RequireMetric(NamedTuple):
    """`require metric http.success_rate`."""

    metric: Ref
    span: Span


class RequireAnalysis(NamedTuple):
    """`require analysis every <= 2m`."""

    setting: Name
    op: str
    value: Expr
    span: Span


Rule = AppliesTo | Forbid | ForbidSkip | RequireApproval | RequireGate | RequireMetric | RequireAnalysis


class Guardrail(NamedTuple):
    name: Name
    rules: tuple[Rule, ...]
    doc: str
    span: Span


class GivenMetric(NamedTuple):
    """`given success_rate = 80% [after 3m] [for 2m]`; `value` is None for `given no_data of success_rate`."""

    metric: Ref
    value: Expr | None
    after: Expr | None
    lasting: Expr | None
    span: Span


class GivenEvent(NamedTuple):
    """`given approval after 5m`, `given webhook load_test refuses`, `given provider_down for 4m`.

    `what` is the words that say it, joined by one space: `no_data`, `provider_down`, `webhook refuses`, `gate opens`,
    `approval`, `new_revision`, `interpreter_restart`, `canary not_ready`, `abort`. `subject` is what it is about, if
    named.
    """

    what: str
    subject: Use | None
    after: Expr | None
    lasting: Expr | None
    span: Span


class ExpectOutcome(NamedTuple):
    """`expect promoted within 2h`; `outcome` is `promoted`, `rolled_back` or `waiting`."""

    outcome: Name
    within: Expr | None
    span: Span


class ExpectBound(NamedTuple):
    """`expect traffic <= 30%`; `subject` is `traffic`, `failed_checks` or `mirror`."""

    subject: Name
    op: str
    value: Expr
    span: Span


class Test(NamedTuple):
    title: String
    rollout: Name
    items: tuple[GivenMetric | GivenEvent | ExpectOutcome | ExpectBound, ...]
    doc: str
    span: Span


Declaration = (
    Import | Let | Metric | Analysis | Webhook | Gate | Channel | Window | Strategy | Rollout | Guardrail | Test
)


class Comment(NamedTuple):
    """`# …` to the end of its line; `doc` for `##`. `own_line` is false where it stands behind a statement."""

    text: str
    doc: bool
    own_line: bool
    span: Span


class File(NamedTuple):
    """A whole file. `language` is the number after `language`, if it stands."""

    source: Source
    language: Number | None
    declarations: tuple[Declaration, ...]
    comments: tuple[Comment, ...]
    span: Span
