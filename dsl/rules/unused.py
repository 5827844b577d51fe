"""Declarations that nothing uses, in files that hold a rollout: a file of shared definitions uses none of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dsl import syntax
from dsl.diagnostics import Diagnostic, Edit, Fix
from dsl.rules.context import Context, collect
from dsl.rules.severities import finding
from dsl.source import Span

_WORDS: dict[type, str] = {
    syntax.Webhook: "webhook",
    syntax.Gate: "gate",
    syntax.Channel: "channel",
    syntax.Window: "window",
    syntax.Analysis: "analysis",
    syntax.Strategy: "strategy",
}


def check(context: Context) -> Iterator[Diagnostic]:
    yield from _parameters(context)
    yield from _constants(context)
    if not context.here(syntax.Rollout):
        return
    used = _used(context)
    for node in context.file.declarations:
        match node:
            case syntax.Metric() if node.name.text not in used:
                yield _unused("RW702", "no check uses the metric", node.name, node.span, "use it in a check")
            case syntax.Let() if node.name.text not in used:
                yield _unused("RW701", "nothing uses the constant", node.name, node.span, "use it")
            case syntax.Import():
                yield from _import(context, node, used)
            case _:
                yield from _named(node, used)


def _named(node: Any, used: set[str]) -> Iterator[Diagnostic]:
    word = _WORDS.get(type(node))
    if word is not None and node.name is not None and node.name.text not in used:
        yield _unused("RW703", f"nothing uses the {word}", node.name, node.span, "use it")


def _unused(code: str, message: str, name: syntax.Name, whole: Span, mend: str) -> Diagnostic:
    return finding(
        code,
        f"{message} `{name.text}`",
        name.span,
        help=f"{mend}, or take it out",
        fixes=[Fix(f"remove `{name.text}`", (Edit(whole, ""),))],
    )


def _used(context: Context) -> set[str]:
    """The names that are used in the file; tests show what a policy does, and are no use of a metric. A name that an
    unknown one was probably meant to be counts as used: one slip is one finding."""
    used = _meant(context)
    for node in context.file.declarations:
        if isinstance(node, syntax.Test | syntax.Import):
            continue
        used |= _names_in(node)
    for test in context.here(syntax.Test):
        for event in collect(test.items).get(syntax.GivenEvent, []):
            if event.subject is not None:
                used |= {part.text for part in event.subject.path}
    return used


def _meant(context: Context) -> set[str]:
    """What the unknown names may have been meant to be."""
    return {
        edit.text
        for diagnostic in context.compilation.diagnostics
        if diagnostic.code == "RW101"
        for fix in diagnostic.fixes
        for edit in fix.edits
    }


def _names_in(node: Any) -> set[str]:
    nodes = collect([node])
    names = {segment.name.text for ref in nodes.get(syntax.Ref, []) for segment in ref.segments}
    names |= {part.text for use in nodes.get(syntax.Use, []) for part in use.path}
    return names | {word.text for word in nodes.get(syntax.Word, [])}


def _import(context: Context, node: syntax.Import, used: set[str]) -> Iterator[Diagnostic]:
    if node.alias is not None:
        unused = node.alias.text not in used
    else:
        module = _module(context, node.path.value)
        if module is None:
            return
        names = {getattr(d, "name", None) for d in module.declarations}
        words = {name.text for name in names if isinstance(name, syntax.Name)}
        unused = not words & used and not _extends(module)
    if unused:
        yield finding(
            "RW704",
            f'nothing of "{node.path.value}" is used',
            node.span,
            help="take the import out",
            fixes=[Fix("remove the import", (Edit(node.span, ""),), safe=True)],
        )


def _extends(module: syntax.File) -> bool:
    """Whether importing a module does something by itself: a guardrail binds without being named."""
    return any(isinstance(node, syntax.Guardrail) for node in module.declarations)


def _module(context: Context, path: str) -> syntax.File | None:
    modules = context.compilation.modules
    if path in modules:
        return modules[path]
    tail = path.removeprefix("./").removeprefix("../")
    return next((file for name, file in modules.items() if name.replace("\\", "/").endswith(tail)), None)


def _parameters(context: Context) -> Iterator[Diagnostic]:
    for kind in (syntax.Metric, syntax.Analysis, syntax.Strategy):
        for node in context.here(kind):
            if node.params:  # type: ignore[attr-defined]
                yield from _unused_parameters(node)


def _constants(context: Context) -> Iterator[Diagnostic]:
    """The constants of blocks: each can be used by what stands behind it in its block, and by nothing else."""
    if not context.inner_constants:
        return
    meant = _meant(context)
    for block in _blocks(context):
        for place, item in enumerate(block):
            if isinstance(item, syntax.Let) and item.name.text not in meant | _names_in(block[place + 1 :]):
                yield _unused("RW701", "nothing uses the constant", item.name, item.span, "use it")


def _blocks(context: Context) -> Iterator[tuple[Any, ...]]:
    with_items: tuple[Any, ...] = (syntax.Rollout, syntax.Analysis)
    with_steps: tuple[Any, ...] = (syntax.Steps, syntax.Strategy, syntax.Repeat, syntax.For)
    for kind in with_items:
        yield from (node.items for node in context.here(kind))
    for kind in with_steps:
        yield from (node.steps for node in context.here(kind))
    for branch in context.here(syntax.If):
        yield from (branch.then, branch.otherwise)


def _unused_parameters(node: Any) -> Iterator[Diagnostic]:
    body = node.body if isinstance(node, syntax.Metric) else node.items if hasattr(node, "items") else node.steps
    names = _names_in(body if type(body) is tuple else (body,))
    texts = [string.value for string in collect([body]).get(syntax.String, [])]
    for param in node.params:
        name = param.name.text
        if name not in names and not any(name in text for text in texts):
            yield finding(
                "RW711",
                f"`{node.name.text}` does not use its parameter `{name}`",
                param.name.span,
                help="use it, or take it out",
            )
