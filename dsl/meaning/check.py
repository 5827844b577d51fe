"""Declarations on their own: each is read once with its parameters at their defaults, so that what is wrong in it is
said even where nothing uses it. What a parameter without a default is like is not known, and nothing is said of it.
"""

from __future__ import annotations

from dsl import ir, syntax
from dsl.findings import Findings
from dsl.lower.analysis import EVERY_MS, analysis_of
from dsl.lower.blocks import check_block
from dsl.lower.guardrails import guardrail_of
from dsl.lower.measures import unit_of
from dsl.lower.metrics import work_out
from dsl.lower.steps import WRITERS
from dsl.meaning.arguments import check_params, defaults
from dsl.meaning.check_names import check_names
from dsl.meaning.coder import Coder
from dsl.meaning.evaluate import value_of
from dsl.meaning.frames import Bench, Frame, Link, Wanted
from dsl.meaning.scope import Declared, Declaring, Module, Space
from dsl.meaning.values import Value
from dsl.meaning.words import one_of


def check_module(module: Module, findings: Findings) -> None:
    """Check the names of a file and each of its declarations, the rollouts and tests left aside."""
    check_names(module, findings)
    for node in module.file.declarations:
        if not isinstance(node, syntax.Import | syntax.Test | syntax.Rollout):
            check_declaration(Declared(node, module), findings)


def check_declaration(declared: Declared, findings: Findings) -> None:
    """Check one declaration on a bench of its own."""
    bench = Bench(findings, declared.module, None, baseline=None)
    frame = Frame(bench, declared.module, window=EVERY_MS)
    node: Declaring = declared.node
    try:
        _check(node, declared, bench, frame)
    except RecursionError:
        help_ = "say it in several declarations"
        findings.error("RW108", f"`{declared.name}` is too deeply nested", declared.name_span, help=help_)


def _check(node: Declaring, declared: Declared, bench: Bench, frame: Frame) -> None:
    match node:
        case syntax.Let():
            inner = frame.enter(declared, node.name.span, {})
            if inner is not None:
                value_of(node.value, inner)
        case syntax.Metric():
            _metric(node, declared, bench, _own(node.params, declared, frame))
        case syntax.Analysis():
            analysis_of(node, _own(node.params, declared, frame))
        case syntax.Strategy():
            coder = Coder(bench, None, {}, node.span, WRITERS)
            coder.steps(node.steps, _own(node.params, declared, frame))
        case syntax.Guardrail():
            guardrail_of(declared, bench)
        case syntax.Webhook() | syntax.Gate() | syntax.Channel() | syntax.Window():
            check_block(node, frame)
        case syntax.Rollout():
            return
    work_out(bench)


def _own(params: tuple[syntax.Param, ...], declared: Declared, frame: Frame) -> Frame:
    """The frame inside a declaration that nothing uses yet."""
    check_params(params, frame.findings)
    bound: dict[str, Value] = defaults(declared, params, frame)
    return frame._replace(bindings=bound, within=(Link(declared, declared.name_span),))


def _metric(node: syntax.Metric, declared: Declared, bench: Bench, frame: Frame) -> None:
    one_of(node.unit, tuple(unit.value for unit in ir.Unit), "unit", frame)
    if unit_of(declared) is not None:
        key = bench.key(Space.VALUE, declared, declared.name)
        bench.wanted.append(Wanted(key, declared, frame.bindings, frame, declared.name_span))
