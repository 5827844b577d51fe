"""The metrics that a Canary asks, and what it requires of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from dsl.flagger.canary import SUCCESS_RATE, Canary, Metric
from dsl.flagger.problems import Problems
from dsl.flagger.queries import translated
from dsl.flagger.templates import MetricTemplate
from dsl.flagger.writing import Names, block, duration, number, percent, raw, string, value
from dsl.meaning.standard import NAMES
from dsl.meaning.scope import Space

_HTTP = frozenset(NAMES[Space.VALUE][1])


Writer = Callable[[float], str]


class MetricsText(NamedTuple):
    """Declarations, and the lines of the analysis."""

    imports: tuple[str, ...]
    declarations: tuple[str, ...]
    checks: tuple[str, ...]


def metrics_text(canary: Canary, templates: Mapping[str, MetricTemplate], problems: Problems) -> MetricsText:
    """Templates by `namespace/name`: those at hand are written out, the others are referred to."""
    metrics = canary.analysis.metrics
    standard = Names(_HTTP)
    declared: list[str] = []
    checks: list[str] = []
    used = any(metric.builtin for metric in metrics)
    for metric in metrics:
        if metric.builtin:
            checks.append(_builtin(metric))
            continue
        name = standard.give(metric.name, "metric")
        declared.append(_declaration(name, metric, canary, templates, problems))
        checks.append(f"require {_bounds(name, metric, number)} over {duration(metric.window_ms)}")
    return MetricsText(('import "std/http"',) if used else (), tuple(declared), tuple(checks))


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


def _declaration(
    name: str, metric: Metric, canary: Canary, templates: Mapping[str, MetricTemplate], problems: Problems
) -> str:
    if metric.template is None:
        query = translated(metric.query, f"{metric.path}.query", problems)
        return block(f"metric {name} returns number", [f"prometheus {raw(query)}", *_variables(metric)])
    key = f"{metric.template.namespace}/{metric.template.name}"
    template = templates.get(key)
    if template is not None and can_be_written(template, canary.namespace):
        return block(f"metric {name} returns number", [*template_lines(template), *_variables(metric)])
    head = f"metric {name} from template {string(key)} returns number"
    variables = list(_variables(metric))
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
