"""Guardrails: those that bind a rollout, from its own file and from all that it imports."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from dsl import ir, syntax
from dsl.lower.blocks import use_gate
from dsl.lower.measures import use_metric
from dsl.meaning.evaluate import duration, resolve_ref, share
from dsl.meaning.frames import Bench, Frame
from dsl.meaning.modules import Modules
from dsl.meaning.scope import Declared, Space
from dsl.meaning.words import one_of

_KINDS = ("namespace", "rollout", "target")


def guardrails_of(
    modules: Modules, name: str, namespace: str, target: ir.WorkloadRef, bench: Bench
) -> dict[str, ir.Guardrail]:
    """The guardrails that bind a rollout, by name."""
    subjects = {
        "namespace": (namespace,),
        "rollout": (name,),
        "target": (target.name, f"{target.kind.lower()}/{target.name}", f"{target.kind}/{target.name}"),
    }
    found: dict[str, ir.Guardrail] = {}
    for module in modules.all:
        for declared in module.names[Space.GUARDRAIL].values():
            if _binds(declared.of(syntax.Guardrail), subjects):
                key = bench.key(Space.GUARDRAIL, declared, declared.name)
                found[key] = guardrail_of(declared, bench)
    return found


def _binds(node: syntax.Guardrail, subjects: dict[str, tuple[str, ...]]) -> bool:
    """Whether each kind of pattern that it has, has one that fits."""
    patterns: dict[str, list[str]] = {}
    for rule in node.rules:
        if isinstance(rule, syntax.AppliesTo):
            patterns.setdefault(rule.kind.text, []).append(rule.pattern.value)
    return all(
        any(fnmatchcase(subject, pattern) for pattern in wanted for subject in subjects.get(kind, ()))
        for kind, wanted in patterns.items()
    )


def guardrail_of(declared: Declared, bench: Bench) -> ir.Guardrail:
    """One guardrail."""
    node = declared.of(syntax.Guardrail)
    frame = Frame(bench, declared.module)
    limits: list[ir.Limit] = []
    gates: list[str] = []
    metrics: list[str] = []
    every: list[tuple[Any, int]] = []
    approval = no_skip = False
    for rule in node.rules:
        match rule:
            case syntax.AppliesTo():
                one_of(rule.kind, _KINDS, "kind of pattern", frame)
            case syntax.Forbid():
                limits.append(_limit(rule, frame))
            case syntax.ForbidSkip():
                no_skip = True
            case syntax.RequireApproval():
                approval = True
            case syntax.RequireGate():
                gates.append(use_gate(rule.gate, frame))
            case syntax.RequireMetric():
                metrics += _metric(rule.metric, frame)
            case syntax.RequireAnalysis():
                every += _every(rule, frame)
    return ir.Guardrail(tuple(limits), approval, tuple(gates), tuple(metrics), tuple(every), no_skip)


def _limit(rule: syntax.Forbid, frame: Frame) -> ir.Limit:
    subject: Any = one_of(rule.subject, ("traffic", "step", "mirror"), "subject of a limit", frame) or "traffic"
    op: Any = rule.op
    value = share(rule.value, frame, "the limit")
    within = duration(rule.within, frame, "the time that the limit holds") if rule.within is not None else None
    return ir.Limit(subject, op, value or 0.0, within)


def _metric(ref: syntax.Ref, frame: Frame) -> list[str]:
    """The name that the metric has in the Program, if the Program asks it. Requiring it does not ask it."""
    resolved = resolve_ref(ref, frame)
    if resolved.declared is None:
        if resolved.value is not None or resolved.function:
            frame.findings.error("RW201", f"`{ref.span.text}` is no metric", ref.span, help="name a metric")
            frame.bench.spoilt = True
        return []
    asked = len(frame.bench.wanted)
    use = use_metric(ref, resolved.declared, resolved, frame)
    del frame.bench.wanted[asked:]
    return [use.key] if use is not None else []


def _every(rule: syntax.RequireAnalysis, frame: Frame) -> list[tuple[Any, int]]:
    one_of(rule.setting, ("every",), "setting that can be required", frame)
    ms = duration(rule.value, frame, "the time between two checks")
    return [(rule.op, ms)] if ms is not None else []
