"""Constants of a block: a `let` among statements holds from its own line to the end of its block, and in the blocks in
it. It may not have a name that means something there already, be it declared by the file, imported, or a parameter.
"""

from __future__ import annotations

from collections.abc import Iterable

from dsl import syntax
from dsl.diagnostics import Label
from dsl.meaning.evaluate import value_of
from dsl.meaning.frames import Frame
from dsl.meaning.scope import FUNCTIONS, TESTS, Space
from dsl.source import Span


def entered(items: Iterable[object], frame: Frame) -> Frame:
    """The frame at the start of a block: it knows where names will be declared, lest they be called unknown before."""
    coming: dict[str, Span] = {}
    for item in items:
        if isinstance(item, syntax.Let) and item.name.text not in frame.bindings:
            coming.setdefault(item.name.text, item.name.span)
    return frame._replace(places={**frame.places, **coming}) if coming else frame


def with_let(node: syntax.Let, frame: Frame) -> Frame:
    """The frame behind a `let`; the same one, reported, if its name is taken."""
    value = value_of(node.value, frame)
    if _taken(node.name, frame):
        frame.bench.spoilt = True
        return frame
    return frame._replace(bindings={**frame.bindings, node.name.text: value})


def _taken(name: syntax.Name, frame: Frame) -> bool:
    if name.text in FUNCTIONS or name.text in TESTS:
        note, help_ = "a constant cannot have this name", "give it another name"
        frame.findings.error("RW103", f"`{name.text}` is a word of the language", name.span, note=note, help=help_)
        return True
    label = _declared_before(name.text, frame)
    if label is not None:
        frame.findings.error(
            "RW103",
            f"`{name.text}` is declared twice",
            name.span,
            note="declared again here",
            labels=[label],
            help="give one of them another name",
        )
    return label is not None


def _declared_before(name: str, frame: Frame) -> Label | None:
    """Where a name that means something here comes from."""
    if name in frame.bindings:
        place = frame.places.get(name) or _parameter(name, frame) or frame.bindings[name].span
        return Label(place, "first declared here")
    if name in frame.module.aliases:
        return Label(frame.module.aliases[name].node.span, f"names an import `{name}`")
    for declared, imported in frame.module.find(Space.VALUE, name):
        if imported is not None:
            return Label(imported.node.span, f"brings in another `{name}`")
        return Label(declared.name_span, "first declared here")
    return None


def _parameter(name: str, frame: Frame) -> Span | None:
    node = frame.within[-1].declared.node if frame.within else None
    params = node.params if isinstance(node, syntax.Analysis | syntax.Strategy | syntax.Metric) else ()
    return next((param.name.span for param in params if param.name.text == name), None)
