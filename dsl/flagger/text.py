"""A Canary as `.rollout` text: what people read, and what is compiled.

| Flagger | here |
| --- | --- |
| `interval`, `threshold` | `every`, `tolerate N failures` |
| `stepWeight`, `maxWeight`; `stepWeights` | `ramp`; `for share in […]` |
| `iterations` with `match`; without | `route to canary when …` and `hold`; `hold`, then all the traffic for one check |
| metrics | `require …`, the built-in ones from `std/http` |
| hooks | `after gate`, `run`, `call`, `wait for gate`, `abort when gate … opens`, `on finished` |
| alerts, `event` | channels, and `notify` |
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dsl.flagger.canary import KNATIVE
from dsl.flagger.hooks_text import HooksText, hooks_text
from dsl.flagger.metrics_text import HTTP, can_be_written, checks_text, template_lines
from dsl.flagger.model import Canary, Scaler
from dsl.flagger.problems import Problems
from dsl.flagger.steps_text import steps_text
from dsl.flagger.templates import AlertProvider, MetricTemplate
from dsl.flagger.traffic_text import service_text, traffic_text
from dsl.flagger.writing import Declarations, block, duration, mapping, name, string
from dsl.formatter import format_source
from dsl.source import Source

_KINDS = {"Deployment": "deployment", "DaemonSet": "daemonset", "Service": "service"}
_SCALERS = {"HorizontalPodAutoscaler": "hpa", "ScaledObject": "scaledobject"}


class Policy:
    """One text, of one Canary or of all that stand in a file."""

    def __init__(self, templates: Mapping[str, MetricTemplate], problems: Problems) -> None:
        self.templates, self.problems = templates, problems
        self.hooks = Declarations()
        self.metrics = Declarations(HTTP)
        self.rollouts: list[str] = []
        self.imports: list[str] = []

    def add(self, canary: Canary) -> None:
        """Write a Canary as a rollout, with all that it uses."""
        hooks = hooks_text(canary, self.hooks)
        checks: tuple[str, ...] = ()
        if not canary.skip_analysis:
            checks = checks_text(canary, self.templates, self.metrics, self.problems)
            if any(metric.builtin for metric in canary.analysis.metrics):
                self.imports = ['import "std/http"']
        body = list(_rollout(canary, hooks, checks, self.problems))
        self.rollouts.append(block(f"rollout {name(canary.name)} in {name(canary.namespace)}", body))

    def add_template(self, template: MetricTemplate) -> None:
        """Write a MetricTemplate as a metric by itself."""

        def written(declared: str) -> str:
            if not can_be_written(template, template.namespace):
                return f"metric {declared} from template {string(template.key)} returns number"
            return block(f"metric {declared} returns number", template_lines(template))

        self.metrics.add(template.name, "metric", written)

    def add_alerts(self, provider: AlertProvider) -> None:
        """Write an AlertProvider as a channel that leads to it."""
        self.hooks.add(
            provider.name, "alerts", lambda declared: block(f"channel {declared}", [f"provider {string(provider.key)}"])
        )

    @property
    def text(self) -> str:
        """The whole, in the canonical form; what cannot be parsed stays as it is, for the compiler to say why."""
        parts = [*self.imports, *self.metrics.texts, *self.hooks.texts, *self.rollouts]
        return format_source(Source("policy", "\n\n".join(parts) + "\n" if parts else "")).text


def _rollout(canary: Canary, hooks: HooksText, checks: tuple[str, ...], problems: Problems) -> Iterator[str]:
    yield f"target {_target(canary)}"
    if canary.scaler is not None:
        yield _scaler(canary.scaler)
    service = service_text(canary)
    if service:
        yield service
    yield traffic_text(canary, problems)
    if canary.metrics_server:
        yield f"prometheus {string(canary.metrics_server)}"
    if canary.deadline_ms != 600_000:
        yield f"deadline {duration(canary.deadline_ms)}"
    yield from _ready(canary)
    for gate in hooks.of("confirm-rollout"):
        yield f"after gate {gate}"
    if canary.skip_analysis:
        yield "skip analysis"
    if canary.revert_on_deletion:
        yield "on delete revert"
    for channel in hooks.of("alert", "event"):
        yield f"notify {channel}"
    if not canary.skip_analysis:
        yield "\n" + block("analysis", _analysis(canary, hooks, checks))
    yield "\n" + steps_text(canary, hooks)
    after = [f"run {hook}" for hook in hooks.of("post-rollout")]
    if after:
        yield "\n" + block("on finished", after)


def _target(canary: Canary) -> str:
    target = canary.target
    if target.api_version.startswith(KNATIVE):
        return f"{target.api_version}/{target.kind}/{name(target.name)}"
    return f"{_KINDS[target.kind]}/{name(target.name)}"


def _scaler(scaler: Scaler) -> str:
    lines: list[str] = []
    if scaler.low is not None and scaler.high is not None:
        lines.append(f"primary_replicas {scaler.low}..{scaler.high}")
    elif scaler.low is not None:
        lines.append(f"primary_min_replicas {scaler.low}")
    elif scaler.high is not None:
        lines.append(f"primary_max_replicas {scaler.high}")
    if scaler.queries:
        lines.append(f"primary_queries {mapping({key: string(query) for key, query in scaler.queries.items()})}")
    head = f"scaler {_SCALERS[scaler.ref.kind]}/{name(scaler.ref.name)}"
    return block(head, lines) if lines else head


def _ready(canary: Canary) -> Iterator[str]:
    arms = (("primary", canary.analysis.ready_primary), ("canary", canary.analysis.ready_canary))
    said = [f"{arm} {share}%" for arm, share in arms if share != 100]
    if said:
        yield f"ready {{ {'; '.join(said)} }}"


def _analysis(canary: Canary, hooks: HooksText, checks: tuple[str, ...]) -> Iterator[str]:
    yield f"every {duration(canary.analysis.every_ms)}"
    yield f"tolerate {canary.analysis.threshold} failures"
    for hook in hooks.of("rollout"):
        yield f"call {hook}"
    yield from checks
    for gate in hooks.of("rollback"):
        yield f"abort when gate {gate} opens"
