"""A rollout: its statements sorted, each read, the Program put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from dsl import ir, syntax
from dsl.diagnostics import Label
from dsl.findings import Findings
from dsl.lower.analysis import every_of, own_analysis, use_analysis
from dsl.lower.blocks import use_channel, use_gate, use_webhook, use_window
from dsl.lower.flow import follow
from dsl.lower.guardrails import guardrails_of
from dsl.lower.metrics import work_out
from dsl.lower.steps import WRITERS
from dsl.meaning.blocks import READY, SCALER, SERVICE, traffic_slots
from dsl.meaning.coder import Coder
from dsl.meaning.evaluate import duration, string, typed, whole
from dsl.meaning.fields import read_fields, twice
from dsl.meaning.frames import Bench, Frame
from dsl.meaning.local import entered, with_let
from dsl.meaning.modules import Modules
from dsl.meaning.values import Type
from dsl.meaning.words import EVENTS, KINDS, SCALERS, api_of, one_of
from dsl.source import Span

_DEADLINE_MS = 600_000
_LONE = (
    syntax.Target,
    syntax.Scaler,
    syntax.Traffic,
    syntax.Service,
    syntax.Deadline,
    syntax.Ready,
    syntax.Baseline,
    syntax.Track,
    syntax.SkipAnalysis,
    syntax.OnDelete,
    syntax.ScaleDownDelay,
    syntax.Prometheus,
)
"""Statements that stand once at most. The analysis and the steps are looked at together with their other forms."""

_WORDS: Mapping[type, str] = {
    syntax.ScaleDownDelay: "scale_down_delay",
    syntax.SkipAnalysis: "skip analysis",
    syntax.OnDelete: "on delete",
}

Node = TypeVar("Node")


class Lowered(NamedTuple):
    """A rollout's Program, or None if something in it is wrong, and the bench for the tests about it."""

    program: ir.Program | None
    places: tuple[Span, ...]
    bench: Bench


def lower_rollout(node: syntax.Rollout, modules: Modules, findings: Findings) -> Lowered:
    """Read one rollout of the file that is being compiled."""
    return _Rollout(node, modules, findings).lower()


class _Rollout:
    def __init__(self, node: syntax.Rollout, modules: Modules, findings: Findings) -> None:
        self.node = node
        self.modules = modules
        traffic = self.one(syntax.Traffic)
        known = traffic is not None and _is_provider(traffic.provider.text)
        baseline = self.one(syntax.Baseline) is not None
        provider = traffic.provider.text if traffic is not None and known else None
        self.bench = Bench(findings, modules.main, provider, baseline=baseline)
        self.bench.rollout = node
        self.frame = Frame(self.bench, modules.main)
        self.behind: dict[int, Frame] = {}
        self.name = node.name.text
        self.namespace = node.namespace.text if node.namespace is not None else "default"

    def one(self, kind: type[Node]) -> Node | None:
        """The first statement of a kind."""
        return next((item for item in self.node.items if isinstance(item, kind)), None)

    def each(self, kind: type[Node]) -> list[Node]:
        return [item for item in self.node.items if isinstance(item, kind)]

    def lower(self) -> Lowered:
        errors = len(self.bench.findings.all)
        self.check_repeats()
        self.read_constants()
        analysis, local = self.analysis()
        target = self.target()
        coder = Coder(self.bench, analysis, local, self.node.span, WRITERS)
        self.steps(coder)
        code = coder.result()
        scaler = self.one(syntax.Scaler)
        parts: dict[str, Any] = {
            "scaler": self.scaler(scaler) if scaler is not None else None,
            "notify": tuple(dict.fromkeys(use_channel(i.channel, self.at(i)) for i in self.each(syntax.NotifyUse))),
            "only_in": tuple(dict.fromkeys(use_window(i.window, self.at(i)) for i in self.each(syntax.OnlyIn))),
            "start_gates": tuple(dict.fromkeys(use_gate(i.gate, self.at(i)) for i in self.each(syntax.AfterGate))),
            "after": tuple(self.after(item) for item in self.each(syntax.After)),
            "handlers": self.handlers(),
            "guardrails": guardrails_of(self.modules, self.name, self.namespace, target, self.bench),
            **self.settings(),
        }
        traffic, service = self.traffic(), self.service(target)
        work_out(self.bench)
        program = ir.Program(
            name=self.name,
            namespace=self.namespace,
            target=target,
            traffic=traffic,
            service=service,
            code=code.code,
            spans=code.spans,
            analysis=analysis,
            **parts,
            **(self.bench.named() | {"metrics": self.metrics()}),
        )
        spoilt = self.bench.spoilt or len(self.bench.findings.all) > errors
        return Lowered(None if spoilt else program, code.places, self.bench)

    def read_constants(self) -> None:
        """Give the statements behind a `let` a frame that knows it."""
        if self.one(syntax.Let) is None:
            return
        self.frame = frame = entered(self.node.items, self.frame)
        for item in self.node.items:
            if isinstance(item, syntax.Let):
                frame = with_let(item, frame)
            self.behind[id(item)] = frame

    def at(self, item: syntax.RolloutItem) -> Frame:
        """How to read the names in a statement."""
        return self.behind.get(id(item), self.frame)

    # --- what stands once -------------------------------------------------------------------------------------

    def check_repeats(self) -> None:
        first: dict[type, Any] = {}
        for item in self.node.items:
            if isinstance(item, _LONE):
                before = first.setdefault(type(item), item)
                if before is not item:
                    word = _WORDS.get(type(item), type(item).__name__.lower())
                    twice(item.span, before.span, word, self.frame)

    def either(self, kinds: tuple[type, ...], code: str, message: str, help_: str) -> Any:
        """The one statement of several that exclude each other."""
        found: list[Any] = [item for item in self.node.items if isinstance(item, kinds)]
        if len(found) > 1:
            self.frame.findings.error(
                code, message, head(found[1]), labels=[Label(head(found[0]), "the first one")], help=help_
            )
            self.bench.spoilt = True
        return found[0] if found else None

    def lacks(self, what: str, help_: str) -> None:
        if self.damaged():
            return
        self.frame.findings.error("RW301", f"the rollout `{self.name}` has no {what}", self.node.name.span, help=help_)
        self.bench.spoilt = True

    def damaged(self) -> bool:
        """Whether a statement of this rollout could not be read: then what it lacks may have stood there."""
        inside = self.modules.main.torn(self.node.span)
        self.bench.spoilt = self.bench.spoilt or inside
        return inside

    # --- what is rolled out -----------------------------------------------------------------------------------

    def target(self) -> ir.WorkloadRef:
        item = self.one(syntax.Target)
        if item is None:
            self.lacks("target", "say what is rolled out, as in `target deployment/checkout`")
            return ir.WorkloadRef("Deployment", self.name)
        return self.workload(item.workload, KINDS, "kind of workload")

    def workload(self, node: syntax.Workload, kinds: Mapping[str, str], what: str) -> ir.WorkloadRef:
        parts = [part.text for part in node.parts]
        if len(parts) == 2:
            word = one_of(node.parts[0], kinds, what, self.frame)
            return ir.WorkloadRef(kinds.get(word or "", parts[0]), parts[1])
        if len(parts) in (3, 4):
            return ir.WorkloadRef(parts[-2], parts[-1], "/".join(parts[:-2]))
        self.frame.findings.error(
            "RW205",
            f"`{node.span.text}` does not name a workload",
            node.span,
            help=f"write `{next(iter(kinds))}/web`, or `apps.example.com/v1/Widget/web` for a kind of your own",
        )
        self.bench.spoilt = True
        return ir.WorkloadRef("", parts[-1] if parts else "")

    def scaler(self, item: syntax.Scaler) -> ir.Scaler:
        data = read_fields(item.fields, SCALER, self.at(item), "a scaler")
        low, high = data.get("primary_replicas", (None, None))
        low, high = data.get("primary_min_replicas", low), data.get("primary_max_replicas", high)
        ref = self.workload(item.workload, SCALERS, "kind of scaler")
        return ir.Scaler(ref, low, high, data.get("primary_queries", {}))

    def traffic(self) -> ir.Traffic:
        item = self.one(syntax.Traffic)
        if item is None:
            self.lacks(
                "traffic", "say what splits its traffic, as in `traffic istio`, or `traffic kubernetes` for none"
            )
            return ir.Traffic("kubernetes")
        from dsl.capabilities import PROVIDERS, VARIANTS  # noqa: PLC0415 - a large table

        provider = one_of(item.provider, PROVIDERS, "traffic provider", self.frame)
        if provider is None:
            return ir.Traffic(item.provider.text)
        api = api_of(item)
        slots, what = traffic_slots(provider, api), f"`traffic {provider}`"
        if (provider, api) in VARIANTS:
            what += f" with `api {api}`"
        options = read_fields(item.fields, slots, self.at(item), what, item.provider.span, item.span)
        return ir.Traffic(provider, options)

    def service(self, target: ir.WorkloadRef) -> ir.Service:
        item = self.one(syntax.Service)
        data = read_fields(item.fields, SERVICE, self.at(item), "a service") if item is not None else {}
        own = ("name", "port", "target_port", "port_name", "port_discovery", "app_protocol")
        return ir.Service(
            name=data.get("name", target.name),
            options={name: value for name, value in data.items() if name not in own},
            **{name: data[name] for name in own[1:] if name in data},
        )

    def metrics(self) -> dict[str, ir.Metric]:
        """The metrics, those that name no server with the rollout's own."""
        item = self.one(syntax.Prometheus)
        server = string(item.server, self.at(item), "the address of a server") if item is not None else None
        return {
            name: replace(metric, server=server) if server is not None and _takes_server(metric) else metric
            for name, metric in self.bench.metrics.items()
        }

    # --- analysis and steps -----------------------------------------------------------------------------------

    def analysis(self) -> tuple[str | None, dict[str, str]]:
        """The default analysis, and those that stand in the rollout, by their names there."""
        item = self.either(
            (syntax.Analysis, syntax.AnalysisUse),
            "RW302",
            f"the rollout `{self.name}` has two analyses",
            "a rollout has one; others are declared outside, and named behind `with`",
        )
        if isinstance(item, syntax.AnalysisUse):
            return use_analysis(item.analysis, self.at(item)), {}
        if isinstance(item, syntax.Analysis):
            key = own_analysis(item, self.at(item))
            return key, {item.name.text: key} if item.name is not None else {}
        return None, {}

    def steps(self, coder: Coder) -> None:
        item = self.either(
            (syntax.Steps, syntax.StrategyUse),
            "RW302",
            f"the rollout `{self.name}` says twice what happens",
            "keep either `steps { … }` or one `strategy …`; to put a strategy among steps, write `follow …`",
        )
        match item:
            case None:
                self.lacks("steps", "add `steps { … }` or a `strategy …`")
            case syntax.StrategyUse():
                follow(coder, item.strategy, self.at(item), item.span)
            case _:
                coder.steps(item.steps, self.at(item))
        coder.finish()

    def handlers(self) -> dict[Any, tuple[ir.CallOp | ir.NotifyOp, ...]]:
        first: dict[str, syntax.Handler] = {}
        made: dict[Any, tuple[ir.CallOp | ir.NotifyOp, ...]] = {}
        for item in self.each(syntax.Handler):
            event = one_of(item.event, EVENTS, "event", self.frame)
            before = first.setdefault(item.event.text, item)
            if before is not item:
                twice(item.event.span, before.event.span, f"on {item.event.text}", self.frame)
            elif event is not None:
                made[event] = tuple(self.handled(step, self.at(item)) for step in item.steps)
        return made

    def handled(self, step: syntax.Run | syntax.Notify, frame: Frame) -> ir.CallOp | ir.NotifyOp:
        if isinstance(step, syntax.Run):
            return ir.CallOp(use_webhook(step.webhook, frame), every_of(self.bench, None))
        message = typed(step.message, Type.TEXT, frame, "the message") if step.message is not None else None
        return ir.NotifyOp(use_channel(step.channel, frame), message.data if message is not None else "")

    # --- settings ---------------------------------------------------------------------------------------------

    def settings(self) -> dict[str, Any]:
        """The rest of what a rollout can say of itself."""
        deadline, delay = self.one(syntax.Deadline), self.one(syntax.ScaleDownDelay)
        ready, track = self.one(syntax.Ready), self.one(syntax.Track)
        found: dict[str, Any] = {"baseline": self.bench.baseline, "skip_analysis": self.skip()}
        if deadline is not None:
            found["deadline_ms"] = duration(deadline.value, self.at(deadline), "the deadline") or _DEADLINE_MS
        if delay is not None:
            found["scale_down_delay_ms"] = duration(delay.value, self.at(delay), "the delay", zero=True) or 0
        if ready is not None:
            data = read_fields(ready.fields, READY, self.at(ready), "`ready`")
            found |= {f"ready_{arm}": share for arm, share in data.items()}
        if track is not None:
            value = typed(track.value, Type.BOOL, self.at(track), "`track configs`")
            found["track_configs"] = value is None or value.data
        action = self.one(syntax.OnDelete)
        if action is not None:
            found["revert_on_delete"] = one_of(action.action, ("revert",), "action", self.frame) is not None
        return found

    def skip(self) -> ir.SkipAnalysis:
        item = self.one(syntax.SkipAnalysis)
        if item is None:
            return ir.SkipAnalysis()
        if item.known is None:
            return ir.SkipAnalysis(always=True)
        within = whole(item.known, self.at(item), "the number of revisions to look back on", low=1, high=1000)
        return ir.SkipAnalysis(known_within=within or 1)

    def after(self, item: syntax.After) -> ir.RolloutRef:
        namespace = item.namespace.text if item.namespace is not None else self.namespace
        if (item.rollout.text, namespace) == (self.name, self.namespace):
            self.frame.findings.error(
                "RW305",
                f"the rollout `{self.name}` would wait for itself",
                item.rollout.span,
                labels=[Label(self.node.name.span, "this rollout")],
                help="name another rollout, or take the line out",
            )
            self.bench.spoilt = True
        return ir.RolloutRef(item.rollout.text, namespace)


def _takes_server(metric: ir.Metric) -> bool:
    return metric.server is None and bool(metric.queries) and all(q.provider == "prometheus" for q in metric.queries)


def _is_provider(name: str) -> bool:
    from dsl.capabilities import PROVIDERS  # noqa: PLC0415 - a large table

    return name in PROVIDERS


def head(item: Any) -> Span:
    """The place of a statement without its block."""
    span: Span = item.span
    opening = span.text.find("{")
    return span if opening <= 0 else Span(span.source, span.start, span.start + len(span.text[:opening].rstrip()))
