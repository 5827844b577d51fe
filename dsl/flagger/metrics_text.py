"""The metrics that a Canary asks, and what it requires of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial

from dsl.flagger.model import SUCCESS_RATE, Canary, Metric
from dsl.flagger.problems import Problems
from dsl.flagger.queries import translated
from dsl.flagger.templates import MetricTemplate
from dsl.flagger.writing import Declarations, block, duration, number, percent, raw, string, value
from dsl.meaning.scope import Space
from dsl.meaning.standard import NAMES

Writer = Callable[[float], str]


HTTP = frozenset(NAMES[Space.VALUE][1])
"""The names of `std/http`, which no other metric may have."""


def checks_text(
    canary: Canary, templates: Mapping[str, MetricTemplate], declared: Declarations, problems: Problems
) -> tuple[str, ...]:
    """What the analysis requires. Templates are by `namespace/name`: those at hand are written out, the others are
    referred to."""
    checks: list[str] = []
    for metric in canary.analysis.metrics:
        if metric.builtin:
            checks.append(_builtin(metric))
            continue
        metric = _with_query(metric, problems)
        name = declared.add(metric.name, "metric", partial(_declaration, metric, canary, templates))
        checks.append(f"require {_bounds(name, metric, number)} over {duration(metric.window_ms)}")
    return tuple(checks)


def _with_query(metric: Metric, problems: Problems) -> Metric:
    if metric.template is not None:
        return metric
    return replace(metric, query=translated(metric.query, f"{metric.path}.query", problems))


def _builtin(metric: Metric) -> str:
    over = f"over {duration(metric.window_ms)}"
    if metric.name == SUCCESS_RATE:
        return f"require {_bounds('success_rate', metric, percent)} {over}"
    return f"require {_bounds('latency(0.99)', metric, _milliseconds)} {over}"


def _milliseconds(bound: float) -> str:
    """Flagger drops what is behind the point."""
    return f"-{-int(bound)}ms" if bound < 0 else f"{int(bound)}ms"


def _bounds(subject: str, metric: Metric, written: Writer) -> str:
    low, high = metric.low, metric.high
    if low is None:
        return f"{subject} <= {written(high or 0.0)}"
    return f"{subject} >= {written(low)}" if high is None else f"{subject} in {written(low)}..{written(high)}"


def _declaration(metric: Metric, canary: Canary, templates: Mapping[str, MetricTemplate], name: str) -> str:
    variables = list(_variables(metric))
    if metric.template is None:
        return block(f"metric {name} returns number", [f"prometheus {raw(metric.query)}", *variables])
    key = f"{metric.template.namespace}/{metric.template.name}"
    template = templates.get(key)
    if template is not None and can_be_written(template, canary.namespace):
        return block(f"metric {name} returns number", [*template_lines(template), *variables])
    head = f"metric {name} from template {string(key)} returns number"
    return block(head, variables) if variables else head


def _variables(metric: Metric) -> Iterator[str]:
    if metric.variables:
        yield f"variables {value(metric.variables)}"


def can_be_written(template: MetricTemplate, namespace: str) -> bool:
    """Whether the text can say all that a template says: there is no word in it for a region, a Secret is one of the
    rollout's own namespace, and what stands in a header may be a credential."""
    return not template.region and not template.headers and (not template.secret or template.namespace == namespace)


def template_lines(template: MetricTemplate) -> Iterator[str]:
    """What is said of a metric whose query is a template's."""
    yield f"{template.provider} {raw(template.query)}"
    if template.address:
        yield f"server {string(template.address)}"
    if template.secret:
        yield f"secret {string(template.secret)}"
    if template.insecure_skip_verify:
        yield "insecure_skip_verify true"
