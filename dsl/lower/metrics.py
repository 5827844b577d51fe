"""Metrics: from a declaration with its arguments bound to the queries, or the expression, that the Program asks.

Metrics are worked out one after another, not inside one another: what a metric needs is put on the bench's list, and
`work_out` takes from that list until it is empty. So a long chain of metrics is no deep recursion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from dsl import ir, syntax
from dsl.diagnostics import Label
from dsl.findings import listed, one_line
from dsl.lower.quantities import quantity_of
from dsl.meaning.blocks import METRIC, TEMPLATE
from dsl.meaning.fields import read_fields, scalar
from dsl.meaning.frames import Bench, Frame, Wanted
from dsl.meaning.quantities import fixed
from dsl.meaning.types import OF_UNIT, Dim
from dsl.meaning.words import QUERY_PROVIDERS, one_of
from dsl.source import Span

_MOST_METRICS = 1000


class Body(NamedTuple):
    """Queries and settings that stand together."""

    queries: tuple[syntax.Query, ...]
    fields: tuple[syntax.Field, ...]
    span: Span


def work_out(bench: Bench) -> None:
    """Bring all metrics that were asked for into the Program."""
    while bench.wanted:
        wanted = bench.wanted.pop(0)
        if bench.looked_at(wanted.declared, wanted.key):
            continue
        if wanted.key not in bench.metrics and len(bench.metrics) < _MOST_METRICS:
            metric = metric_of(wanted)
            if metric is not None:
                bench.metrics[wanted.key] = metric


def metric_of(wanted: Wanted) -> ir.Metric | None:
    """One metric, its arguments bound."""
    node = wanted.declared.of(syntax.Metric)
    unit = ir.Unit(node.unit.text)
    match node.body:
        case syntax.TemplateRef():
            return _template(node.body, node, unit, wanted)
        case tuple() if type(node.body) is tuple:  # a node is a tuple too
            return _queried(node, node.body, unit, wanted)
        case _:
            return _derived(cast("syntax.Expr", node.body), node, unit, wanted)


def _arguments(bindings: Mapping[str, Any]) -> dict[str, str | float | bool]:
    given = {name: scalar(value) for name, value in bindings.items()}
    return {name: value for name, value in given.items() if value is not None}


def _template(ref: syntax.TemplateRef, node: syntax.Metric, unit: ir.Unit, wanted: Wanted) -> ir.Metric | None:
    name = ref.name
    settings = read_fields(ref.fields, TEMPLATE, wanted.frame, f"the metric `{node.name.text}`")
    namespace, slash, rest = name.value.partition("/")
    if not namespace or not slash or not rest or "/" in rest:
        wanted.frame.findings.error(
            "RW205",
            f"`{one_line(name.value)}` does not name a MetricTemplate",
            name.span,
            help='write its namespace and its name, as in `"observability/cache-hits"`',
        )
        wanted.frame.bench.spoilt = True
        return None
    return ir.Metric(
        unit,
        template=name.value,
        arguments=_arguments(wanted.bindings),
        no_data=ir.NoData(settings.get("no_data", "fail")),
        variables=settings.get("variables", {}),
    )


# --- metrics made of metrics ------------------------------------------------------------------------------------


def _derived(expr: syntax.Expr, node: syntax.Metric, unit: ir.Unit, wanted: Wanted) -> ir.Metric | None:
    frame = wanted.frame._replace(window=0, asked=wanted.asked)
    found = quantity_of(expr, frame)
    if not found.known:
        return None
    if unit not in OF_UNIT:
        frame.findings.error(
            "RW217",
            f"a metric that returns {unit.value} cannot be worked out from others",
            expr.span,
            labels=[Label(node.unit.span, "here it says so")],
            help="give it queries, or let it return a number",
        )
        frame.bench.spoilt = True
        return None
    if not _returns(found.dim, unit, bare=found.bare):
        frame.findings.error(
            "RW203",
            f"`{node.name.text}` returns {OF_UNIT[unit]}, and `{one_line(expr.span.text)}` is {found.dim}",
            expr.span,
            note=found.dim.value,
            labels=[Label(node.unit.span, OF_UNIT[unit].value)],
            help=f"say that it returns {listed(units_of(found.dim), 'or')}, or change what it is worked out from",
        )
        frame.bench.spoilt = True
        return None
    if found.bare and OF_UNIT[unit] is Dim.SHARE and found.constant is not None:
        found = fixed(Dim.SHARE, found.constant, found.span)
    return ir.Metric(unit, expr=found.expr)


def _returns(dim: Dim, unit: ir.Unit, *, bare: bool) -> bool:
    """Whether a quantity may be what a metric of that unit returns; a plain number may be anything that is counted."""
    wanted = OF_UNIT[unit]
    if dim is wanted or (dim is Dim.QUOTIENT and wanted in (Dim.SHARE, Dim.NUMBER)):
        return True
    if dim is Dim.NUMBER:
        return wanted not in (Dim.TIME, Dim.SHARE) or (bare and unit is ir.Unit.RATIO)
    return wanted is Dim.NUMBER


def units_of(dim: Dim) -> list[str]:
    """The units that a quantity of a dimension may be returned as."""
    return [unit.value for unit in OF_UNIT if _returns(dim, unit, bare=False)]


# --- metrics that are asked for ---------------------------------------------------------------------------------


def _queried(
    node: syntax.Metric, items: Sequence[syntax.Query | syntax.Variant | syntax.Field], unit: ir.Unit, wanted: Wanted
) -> ir.Metric | None:
    frame = wanted.frame
    common = Body(
        tuple(item for item in items if isinstance(item, syntax.Query)),
        tuple(item for item in items if isinstance(item, syntax.Field)),
        node.name.span,
    )
    variants = [item for item in items if isinstance(item, syntax.Variant)]
    provider = frame.bench.provider
    if provider is None and wanted.declared.module.standard:
        return None  # checked where it was written, and asked by nobody here
    if provider is None:
        return _every_variant(node, common, variants, unit, frame)
    chosen = next((variant for variant in variants if variant.traffic.text == provider), None)
    if chosen is None and not common.queries and variants:
        _not_for(node, variants, provider, wanted)
        return None
    return _metric(node, common, chosen, unit, frame, _arguments(wanted.bindings))


def _body(item: syntax.Variant) -> Body:
    return Body(
        tuple(i for i in item.items if isinstance(i, syntax.Query)),
        tuple(i for i in item.items if isinstance(i, syntax.Field)),
        item.traffic.span,
    )


def _not_for(node: syntax.Metric, variants: list[syntax.Variant], provider: str, wanted: Wanted) -> None:
    known = [variant.traffic.text for variant in variants]
    rollout = wanted.frame.bench.rollout
    labels = [Label(node.name.span, f"it knows {listed(known)}")]
    if rollout is not None:
        traffic = next((i for i in rollout.items if isinstance(i, syntax.Traffic)), None)
        labels += [Label(traffic.provider.span, "the traffic of this rollout")] if traffic is not None else []
    wanted.frame.findings.error(
        "RW218",
        f"`{node.name.text}` does not know how to ask about traffic through `{provider}`",
        wanted.asked,
        labels=labels,
        help=f"it knows {listed(known)}; write a metric of your own, or add `for {provider} …` to it",
    )
    wanted.frame.bench.spoilt = True


def _no_query(node: syntax.Metric, unit: ir.Unit, frame: Frame) -> None:
    example = 'prometheus """…"""'
    if unit is ir.Unit.EVENTS:
        example = f"bad {example}` and `total {example}"
    frame.findings.error(
        "RW217", f"the metric `{node.name.text}` has no query", node.name.span, help=f"add a line `{example}`"
    )
    frame.bench.spoilt = True


def _every_variant(
    node: syntax.Metric, common: Body, variants: list[syntax.Variant], unit: ir.Unit, frame: Frame
) -> ir.Metric | None:
    """Look at all that a metric says, for no rollout in particular."""
    from dsl.capabilities import PROVIDERS  # noqa: PLC0415 - the table is large and not always needed

    first: dict[str, syntax.Variant] = {}
    for variant in variants:
        one_of(variant.traffic, PROVIDERS, "traffic provider", frame)
        before = first.setdefault(variant.traffic.text, variant)
        if before is not variant:
            _twice(variant.traffic.span, before.traffic.span, f"the variant for `{variant.traffic.text}`", frame)
        _metric(node, common, variant, unit, frame, {})
    return _metric(node, common, None, unit, frame, {}) if common.queries or not variants else None


def _twice(span: Span, before: Span, what: str, frame: Frame) -> None:
    frame.findings.error(
        "RW211",
        f"{what} stands twice",
        span,
        labels=[Label(before, "first here")],
        help="keep one of them",
    )
    frame.bench.spoilt = True


def _metric(
    node: syntax.Metric,
    common: Body,
    variant: syntax.Variant | None,
    unit: ir.Unit,
    frame: Frame,
    arguments: Mapping[str, str | float | bool],
) -> ir.Metric:
    what = f"the metric `{node.name.text}`"
    settings = read_fields(common.fields, METRIC, frame, what, beside=QUERY_PROVIDERS)
    body = common
    if variant is not None:
        own = _body(variant)
        settings |= read_fields(own.fields, METRIC, frame, f"{what} for {variant.traffic.text}", beside=QUERY_PROVIDERS)
        body = own if own.queries else common
    return ir.Metric(
        unit,
        queries=_queries(node, body, unit, frame),
        arguments=arguments,
        no_data=ir.NoData(settings.get("no_data", "fail")),
        server=settings.get("server"),
        secret=settings.get("secret"),
        headers=settings.get("headers", {}),
        insecure_skip_verify=settings.get("insecure_skip_verify", False),
        variables=settings.get("variables", {}),
        bucket_scale=0.001 if settings.get("buckets") == "milliseconds" else 1.0,
    )


def _queries(node: syntax.Metric, body: Body, unit: ir.Unit, frame: Frame) -> tuple[ir.Query, ...]:
    parts = ("bad", "total") if unit is ir.Unit.EVENTS else ("value",)
    found: dict[str, syntax.Query] = {}
    for query in body.queries:
        one_of(query.provider, QUERY_PROVIDERS, "metric provider", frame)
        part = query.part.text if query.part is not None else "value"
        if part not in parts:
            _wrong_part(node, query, part, unit, frame)
        before = found.setdefault(part, query)
        if before is not query:
            what = "the query" if part == "value" else f"the query for `{part}`"
            _twice(query.span, before.span, what, frame)
    if frame.module.torn(node.span):
        frame.bench.spoilt = True
    elif not body.queries:
        if all(field.name.text in METRIC for field in body.fields):  # else it is a misspelt query
            _no_query(node, unit, frame)
    elif "value" not in found:
        for part in parts:
            if part not in found and part != "value":
                _lacks(node, body, part, frame)
    return tuple(_query(found[part], part) for part in parts if part in found)


def _query(query: syntax.Query, part: Any) -> ir.Query:
    return ir.Query(query.provider.text, query.text.value.strip(), part)


def _wrong_part(node: syntax.Metric, query: syntax.Query, part: str, unit: ir.Unit, frame: Frame) -> None:
    span = query.part.span if query.part is not None else query.provider.span
    if unit is ir.Unit.EVENTS:
        message, help_ = (
            f"the query of `{node.name.text}` is neither `bad` nor `total`",
            "write `bad` or `total` before it",
        )
    else:
        message = f"`{part}` stands with metrics that return events, and `{node.name.text}` returns {unit.value}"
        help_ = f"leave `{part}` out, or write `returns events`"
    frame.findings.error("RW217", message, span, labels=[Label(node.unit.span, "what it returns")], help=help_)
    frame.bench.spoilt = True


def _lacks(node: syntax.Metric, body: Body, part: str, frame: Frame) -> None:
    frame.findings.error(
        "RW217",
        f"`{node.name.text}` returns events and has no query for `{part}`",
        body.span,
        help=f'add a line `{part} prometheus """…"""`',
    )
    frame.bench.spoilt = True
