"""What each rule of the grammar becomes.

The parser calls `NODES[rule](*children, span)` when it has read a rule. Most rules are named after their node and
have its fields for children, in order, so that the node's own class is the whole story; the functions here are the
rest. Repetitions (`block{x}`, `args`, `params`, `path`) become tuples.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from dsl import syntax
from dsl.source import Span

# Who answers queries. In a metric, one of these with a text is a query; anything else with a text is a setting.
METRIC_PROVIDERS = frozenset({
    "prometheus", "datadog", "newrelic", "dynatrace", "cloudwatch", "graphite", "influxdb", "stackdriver", "splunk",
    "keptn", "externalmetrics", "loki", "elasticsearch", "honeycomb", "sentry", "web", "kayenta",
    "job",
})  # fmt: skip


def _items(*children: Any) -> tuple[Any, ...]:
    return children[:-1]


# --- declarations -----------------------------------------------------------------------------------------------


def _let(name: syntax.Name, value: syntax.Expr, span: Span) -> syntax.Let:
    return syntax.Let(name, value, "", span)


def _metric(name: syntax.Name, params: Any, unit: syntax.Name, body: Any, span: Span) -> syntax.Metric:
    body = tuple(_query_or_field(item) for item in body) if type(body) is tuple else body
    return syntax.Metric(name, params or (), unit, body, "", span)


def _metric_template(
    name: syntax.Name, template: syntax.String, unit: syntax.Name, fields: Any, span: Span
) -> syntax.Metric:
    return syntax.Metric(name, (), unit, syntax.TemplateRef(template, fields or (), template.span), "", span)


def _query_or_field(item: syntax.Query | syntax.Variant | syntax.Field) -> syntax.Query | syntax.Variant | syntax.Field:
    if not isinstance(item, syntax.Field) or not isinstance(item.value, syntax.String):
        return item
    if item.value.raw or item.name.text in METRIC_PROVIDERS:
        return syntax.Query(None, item.name, item.value, item.span)
    return item


def _variant(traffic: syntax.Name, items: Any, span: Span) -> syntax.Variant:
    return syntax.Variant(traffic, tuple(cast("Any", _query_or_field(item)) for item in items), span)


def _short_variant(
    traffic: syntax.Name, part: syntax.Name | None, provider: syntax.Name, text: syntax.String, span: Span
) -> syntax.Variant:
    query = syntax.Query(part, provider, text, (part or provider).span.to(text.span))
    return syntax.Variant(traffic, (query,), span)


def _analysis(name: syntax.Name, params: Any, items: Any, span: Span) -> syntax.Analysis:
    return syntax.Analysis(name, params or (), items, "", span)


def _nameless_analysis(items: Any, span: Span) -> syntax.Analysis:
    return syntax.Analysis(None, (), items, "", span)


def _named_analysis(name: syntax.Name, items: Any, span: Span) -> syntax.Analysis:
    return syntax.Analysis(name, (), items, "", span)


def _documented(node: Any) -> Callable[..., Any]:
    """For a declaration whose children are its fields, and whose doc comment is filled in later."""
    return lambda *children: node(*children[:-1], "", children[-1])


def _strategy(name: syntax.Name, params: Any, steps: Any, span: Span) -> syntax.Strategy:
    return syntax.Strategy(name, params or (), steps, "", span)


def _day_range(first: syntax.Name, last: syntax.Name | None, _: Span) -> tuple[syntax.Name, syntax.Name]:
    return (first, last or first)


def _gathered(node: Any) -> Callable[..., Any]:
    """For a node that holds all its children in one tuple."""
    return lambda *children: node(children[:-1], children[-1])


# --- statements -------------------------------------------------------------------------------------------------


def _with_block(node: Any) -> Callable[..., Any]:
    """`scaler`, `traffic`: a missing block is an empty one."""
    return lambda head, fields, span: node(head, fields or (), span)


def _tolerate(
    failures: syntax.Expr, consecutive: syntax.Name | None, window: syntax.Expr | None, span: Span
) -> syntax.Tolerate:
    return syntax.Tolerate(failures, consecutive is not None, window, span)


def _hold(amount: syntax.Amount | None, analysis: syntax.Use | None, span: Span) -> syntax.Hold:
    if amount is None:  # a bare `hold` stays for one check
        amount = syntax.Amount(syntax.Number(1.0, span), True, span)
    return syntax.Hold(amount, analysis, span)


def _if(condition: syntax.Expr, then: Any, otherwise: Any, span: Span) -> syntax.If:
    return syntax.If(condition, then, otherwise or (), span)


def _given_event(what: syntax.Name, after: Any, lasting: Any, span: Span) -> syntax.GivenEvent:
    return syntax.GivenEvent(what.text, None, after, lasting, span)


def _given_answer(
    what: syntax.Name, subject: syntax.Use, verb: syntax.Name, after: Any, lasting: Any, span: Span
) -> Any:
    return syntax.GivenEvent(f"{what.text} {verb.text}", subject, after, lasting, span)


def _given_not_ready(_: syntax.Name, __: syntax.Name, after: Any, lasting: Any, span: Span) -> syntax.GivenEvent:
    return syntax.GivenEvent("canary not_ready", None, after, lasting, span)


# --- expressions ------------------------------------------------------------------------------------------------


def _use(path: Any, args: Any, span: Span) -> syntax.Use:
    return syntax.Use(path, args or (), span)


def _chain(*children: Any) -> syntax.Chain:
    return syntax.Chain(children[0:-1:2], children[1:-1:2], children[-1])


def _compare(left: syntax.Expr, op: str, right: syntax.Expr, span: Span) -> syntax.Compare:
    return syntax.Compare(op, left, right, span)


def _ref(*children: Any) -> syntax.Ref:
    return syntax.Ref(children[:-2], children[-2], children[-1])


def _quoted(string: syntax.String, span: Span) -> syntax.Name:
    return syntax.Name(string.value, span)


def _workload_part(*children: Any) -> syntax.Name:
    return syntax.Name(".".join(word.text for word in children[:-1]), children[-1])


def _word(name: syntax.Name, span: Span) -> syntax.Word:
    return syntax.Word(name.text, span)


NODES: dict[str, Callable[..., Any]] = {
    "file": _items,
    "block": _items,
    "params": _items,
    "args": _items,
    "path": _items,
    "language": lambda number, span: (number, span),
    "import": syntax.Import,
    "let": _let,
    "metric": _metric,
    "metric_template": _metric_template,
    "variant": _variant,
    "short_variant": _short_variant,
    "query": syntax.Query,
    "analysis": _analysis,
    "webhook": _documented(syntax.Webhook),
    "gate": _documented(syntax.Gate),
    "channel": _documented(syntax.Channel),
    "at": _gathered(syntax.At),
    "window": _documented(syntax.Window),
    "days": _gathered(syntax.Days),
    "day_range": _day_range,
    "hours": syntax.Hours,
    "zone": syntax.Zone,
    "strategy": _strategy,
    "guardrail": _documented(syntax.Guardrail),
    "applies_to": syntax.AppliesTo,
    "forbid": syntax.Forbid,
    "forbid_skip": syntax.ForbidSkip,
    "require_approval": syntax.RequireApproval,
    "require_gate": syntax.RequireGate,
    "require_metric": syntax.RequireMetric,
    "require_analysis": syntax.RequireAnalysis,
    "test": _documented(syntax.Test),
    "given_metric": syntax.GivenMetric,
    "given_no_data_of": lambda metric, after, lasting, span: syntax.GivenMetric(metric, None, after, lasting, span),
    "given_event": _given_event,
    "given_answer": _given_answer,
    "given_not_ready": _given_not_ready,
    "expect_outcome": syntax.ExpectOutcome,
    "expect_bound": syntax.ExpectBound,
    "param": syntax.Param,
    "field": syntax.Field,
    "use": _use,
    "arg": syntax.Arg,
    "time": lambda value, span: syntax.Amount(value, False, span),
    "checks": lambda value, span: syntax.Amount(value, True, span),
    "quoted": _quoted,
    "workload": _gathered(syntax.Workload),
    "workload_part": _workload_part,
    "rollout": _documented(syntax.Rollout),
    "target": syntax.Target,
    "scaler": _with_block(syntax.Scaler),
    "traffic": _with_block(syntax.Traffic),
    "service": syntax.Service,
    "nameless_analysis": _nameless_analysis,
    "named_analysis": _named_analysis,
    "analysis_use": syntax.AnalysisUse,
    "strategy_use": syntax.StrategyUse,
    "steps": syntax.Steps,
    "deadline": syntax.Deadline,
    "ready": syntax.Ready,
    "baseline": syntax.Baseline,
    "track": syntax.Track,
    "skip_analysis": syntax.SkipAnalysis,
    "on_delete": syntax.OnDelete,
    "handler": syntax.Handler,
    "only_in": syntax.OnlyIn,
    "after": syntax.After,
    "after_gate": syntax.AfterGate,
    "prometheus": syntax.Prometheus,
    "notify_use": syntax.NotifyUse,
    "scale_down_delay": syntax.ScaleDownDelay,
    "setting": syntax.Setting,
    "tolerate": _tolerate,
    "check": syntax.Check,
    "judgement": syntax.Judgement,
    "judgement_group": syntax.JudgementGroup,
    "scored": syntax.Scored,
    "abort_gate": syntax.AbortGate,
    "call_hook": syntax.CallHook,
    "include": syntax.Include,
    "run": syntax.Run,
    "notify": syntax.Notify,
    "shift": syntax.Shift,
    "hold": _hold,
    "pause": syntax.Pause,
    "ramp": syntax.Ramp,
    "mirror": syntax.Mirror,
    "mirror_off": lambda span: syntax.Mirror(None, None, None, span),
    "route": _gathered(syntax.Route),
    "sticky": lambda cookie, lasting, fields, span: syntax.Sticky(cookie, lasting, fields or (), span),
    "scale": syntax.Scale,
    "scale_match": lambda span: syntax.Scale(None, span),
    "wait_approval": syntax.WaitApproval,
    "wait_gate": syntax.WaitGate,
    "wait_window": syntax.WaitWindow,
    "analyse": syntax.Analyse,
    "if": _if,
    "else_if": lambda node, _: (node,),
    "repeat": syntax.Repeat,
    "for": syntax.For,
    "follow": syntax.Follow,
    "promote": syntax.Promote,
    "rollback": syntax.Rollback,
    "match_all": _gathered(syntax.MatchAll),
    "match_test": syntax.MatchTest,
    "match_exists": lambda kind, key, _, span: syntax.MatchTest(kind, key, "exists", None, span),
    "range": syntax.Range,
    "word": _word,
    "list": _gathered(syntax.ListOf),
    "map": _gathered(syntax.MapOf),
    "entry": syntax.Entry,
    "or": _gathered(syntax.Or),
    "and": _gathered(syntax.And),
    "not": syntax.Not,
    "over": syntax.Over,
    "compare": _compare,
    "within": syntax.Within,
    "chain": _chain,
    "negate": syntax.Negate,
    "ref": _ref,
    "segment": syntax.Segment,
}
