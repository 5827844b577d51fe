"""The syntax tree: what was written, node by node, each with the tight span of its own words.

Nodes are named tuples: frozen, cheap to make by the thousand, and good with `match`. The last field of every node is
its `span`. Names stay as written; what they mean is the resolver's business. Sums, products, `and` and `or` are
flat, so
that a long chain is not a deep tree. Comments are not in the tree: the parser returns them beside it, in order.
"""

from __future__ import annotations

from dsl.node import Node
from dsl.source import Source, Span

# --- words and values -------------------------------------------------------------------------------------------


class Name(Node):
    """A word of the author's: `success_rate`, or the name of a Kubernetes object, `check-out`."""

    text: str
    span: Span


class Number(Node):
    """`3`, `0.99`."""

    value: float
    span: Span


class Percent(Node):
    """`99%`; `value` is 99.0."""

    value: float
    span: Span


class Duration(Node):
    """`1h30m`, in milliseconds."""

    ms: int
    span: Span


class String(Node):
    '''`"…"` or `"""…"""`; `value` has escapes resolved and common indentation removed. `raw` is true for the latter.'''

    value: str
    raw: bool
    span: Span


class Bool(Node):
    """`true`, `false`."""

    value: bool
    span: Span


class Word(Node):
    """A bare name that cannot be a variable, for it holds a hyphen: `http-web`."""

    text: str
    span: Span


class Clock(Node):
    """A time of day, `09:30`, in minutes from midnight."""

    minutes: int
    span: Span


class ListOf(Node):
    """`[a, b]`."""

    items: tuple[Expr, ...]
    span: Span


class Entry(Node):
    """`key: value` of a map; a quoted and a bare key are the same."""

    key: Name
    value: Expr
    span: Span


class MapOf(Node):
    """`{ a: 1, "b-c": 2 }`."""

    entries: tuple[Entry, ...]
    span: Span


class Workload(Node):
    """`deployment/checkout`, `apps.example.com/v1/Widget/widgets`: the parts between the slashes."""

    parts: tuple[Name, ...]
    span: Span


class Range(Node):
    """`2..10`, both ends included."""

    low: Expr
    high: Expr
    span: Span


# --- expressions ------------------------------------------------------------------------------------------------


class Arg(Node):
    """An argument, named (`target: 99%`) or by position."""

    name: Name | None
    value: Expr
    span: Span


class Segment(Node):
    """One part of a dotted path with its arguments; `args` is None where no parentheses stand."""

    name: Name
    args: tuple[Arg, ...] | None
    span: Span


class Ref(Node):
    """`slow`, `http.latency(0.99)`, `requests.rate of primary`."""

    segments: tuple[Segment, ...]
    arm: Name | None
    span: Span


class Negate(Node):
    """`-x`."""

    operand: Expr
    span: Span


class Chain(Node):
    """`a + b - c`, or `a * b / c`: one more operand than operators, read from the left."""

    operands: tuple[Expr, ...]
    operators: tuple[str, ...]
    span: Span


class Compare(Node):
    """`left op right`; op is one of `< <= > >= == !=`."""

    op: str
    left: Expr
    right: Expr
    span: Span


class Within(Node):
    """`value in low..high`."""

    value: Expr
    low: Expr
    high: Expr
    span: Span


class Over(Node):
    """`comparison over 30s`: the window of every query in it."""

    operand: Expr
    window: Expr
    span: Span


class Not(Node):
    operand: Expr
    span: Span


class And(Node):
    operands: tuple[Expr, ...]
    span: Span


class Or(Node):
    operands: tuple[Expr, ...]
    span: Span


class BadExpr(Node):
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


class Param(Node):
    """A parameter of a metric, an analysis or a strategy, with its default."""

    name: Name
    default: Expr | None
    span: Span


class Field(Node):
    """`port 9898`, `headers { … }`, `notify_all`: a setting of a block; a lone word has no value."""

    name: Name
    value: Expr | None
    span: Span


class Use(Node):
    """A declaration put to use: `slo(target: 99.9%)`, `std.blue_green`; an empty `args` stands for no parentheses
    too."""

    path: tuple[Name, ...]
    args: tuple[Arg, ...]
    span: Span


class Amount(Node):
    """`10m`, or with `checks` true, `5 checks`."""

    value: Expr
    checks: bool
    span: Span


# --- metrics ----------------------------------------------------------------------------------------------------


class Query(Node):
    """`[bad|total] prometheus "…"`; `part` is None, `bad` or `total`."""

    part: Name | None
    provider: Name
    text: String
    span: Span


class Variant(Node):
    """`for istio …`: the queries and settings that hold under one traffic provider."""

    traffic: Name
    items: tuple[Query | Field, ...]
    span: Span


class TemplateRef(Node):
    """`from template "namespace/name"`."""

    name: String
    span: Span


class Metric(Node):
    """`body` is an expression (`= …`), a reference to a MetricTemplate, or the items between the braces."""

    name: Name
    params: tuple[Param, ...]
    unit: Name
    body: tuple[Query | Variant | Field, ...] | Expr | TemplateRef
    doc: str
    span: Span


# --- analysis ---------------------------------------------------------------------------------------------------


class Setting(Node):
    """`every 1m`, `warm_up 2m`, `provider_errors 3`, `budget 1%`."""

    name: Name
    value: Expr
    span: Span


class Tolerate(Node):
    """`tolerate 5 failures`, `3 consecutive failures`, `2 failures in 10`."""

    failures: Expr
    consecutive: bool
    window: Expr | None
    span: Span


class Check(Node):
    """`require`, `observe` or `abort if` with its condition; `kind` is `require`, `observe` or `abort`."""

    kind: Name
    condition: Expr
    span: Span


class AbortGate(Node):
    """`abort when gate panic opens`."""

    gate: Use
    span: Span


class CallHook(Node):
    """`call load_test`, in an analysis."""

    webhook: Use
    span: Span


class Include(Node):
    """`include slo(target: 99.9%)`."""

    analysis: Use
    span: Span


AnalysisItem = Setting | Tolerate | Check | AbortGate | CallHook | Include


class Analysis(Node):
    """Declared with a name, or standing in a rollout, where the name may be missing."""

    name: Name | None
    params: tuple[Param, ...]
    items: tuple[AnalysisItem, ...]
    doc: str
    span: Span


# --- steps ------------------------------------------------------------------------------------------------------


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
    """`sticky "canary-session" for 24h`."""

    cookie: Expr
    duration: Expr | None
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
)


# --- rollouts ---------------------------------------------------------------------------------------------------


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
    | NotifyUse
    | ScaleDownDelay
    | Handler
)


# --- the other declarations -------------------------------------------------------------------------------------


class Import(Node):
    path: String
    alias: Name | None
    span: Span


class Let(Node):
    name: Name
    value: Expr
    doc: str
    span: Span


class Webhook(Node):
    name: Name
    fields: tuple[Field, ...]
    doc: str
    span: Span


class Gate(Node):
    name: Name
    fields: tuple[Field, ...]
    doc: str
    span: Span


class At(Node):
    """`at error, warn`."""

    severities: tuple[Name, ...]
    span: Span


class Channel(Node):
    name: Name
    items: tuple[Field | At, ...]
    doc: str
    span: Span


class Days(Node):
    """`days mon..fri, sun`: pairs of first and last day."""

    ranges: tuple[tuple[Name, Name], ...]
    span: Span


class Hours(Node):
    """`hours 09:00..16:30`."""

    start: Clock
    stop: Clock
    span: Span


class Zone(Node):
    name: String
    span: Span


class Window(Node):
    name: Name
    items: tuple[Days | Hours | Zone, ...]
    doc: str
    span: Span


class Strategy(Node):
    name: Name
    params: tuple[Param, ...]
    steps: tuple[Step, ...]
    doc: str
    span: Span


class Rollout(Node):
    name: Name
    namespace: Name | None
    items: tuple[RolloutItem, ...]
    doc: str
    span: Span


class AppliesTo(Node):
    """`applies to namespace "prod-*"`; `kind` is `namespace`, `rollout` or `target`."""

    kind: Name
    pattern: String
    span: Span


class Forbid(Node):
    """`forbid traffic > 25% within 30m`; `subject` is `traffic`, `step` or `mirror`."""

    subject: Name
    op: str
    value: Expr
    within: Expr | None
    span: Span


class ForbidSkip(Node):
    """`forbid skip analysis`."""

    span: Span


class RequireApproval(Node):
    """`require approval before promote`."""

    span: Span


class RequireGate(Node):
    """`require gate signoff before promote`."""

    gate: Use
    span: Span


class RequireMetric(Node):
    """`require metric http.success_rate`."""

    metric: Ref
    span: Span


class RequireAnalysis(Node):
    """`require analysis every <= 2m`."""

    setting: Name
    op: str
    value: Expr
    span: Span


Rule = AppliesTo | Forbid | ForbidSkip | RequireApproval | RequireGate | RequireMetric | RequireAnalysis


class Guardrail(Node):
    name: Name
    rules: tuple[Rule, ...]
    doc: str
    span: Span


class GivenMetric(Node):
    """`given success_rate = 80% [after 3m] [for 2m]`; `value` is None for `given no_data of success_rate`."""

    metric: Ref
    value: Expr | None
    after: Expr | None
    lasting: Expr | None
    span: Span


class GivenEvent(Node):
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


class ExpectOutcome(Node):
    """`expect promoted within 2h`; `outcome` is `promoted`, `rolled_back` or `waiting`."""

    outcome: Name
    within: Expr | None
    span: Span


class ExpectBound(Node):
    """`expect traffic <= 30%`; `subject` is `traffic`, `failed_checks` or `mirror`."""

    subject: Name
    op: str
    value: Expr
    span: Span


class Test(Node):
    title: String
    rollout: Name
    items: tuple[GivenMetric | GivenEvent | ExpectOutcome | ExpectBound, ...]
    doc: str
    span: Span


Declaration = (
    Import | Let | Metric | Analysis | Webhook | Gate | Channel | Window | Strategy | Rollout | Guardrail | Test
)


class Comment(Node):
    """`# …` to the end of its line; `doc` for `##`. `own_line` is false where it stands behind a statement."""

    text: str
    doc: bool
    own_line: bool
    span: Span


class File(Node):
    """A whole file. `language` is the number after `language`, if it stands."""

    source: Source
    language: Number | None
    declarations: tuple[Declaration, ...]
    comments: tuple[Comment, ...]
    span: Span
