"""What the standard library would bring in: help for a name that is unknown only because an import is missing.

Loaded when such an error is about to be reported, and not before.
"""

from __future__ import annotations

from typing import NamedTuple

from dsl import syntax
from dsl.diagnostics import Edit, Fix
from dsl.meaning.scope import Module, Space
from dsl.source import Span
from dsl.suggest import closest

NAMES = {
    Space.VALUE: ("std/http", ("requests", "duration", "success_rate", "error_rate", "latency", "request_rate")),
    Space.ANALYSIS: ("std/analyses", ("compared", "compared_with_objective")),
    Space.STRATEGY: ("std/strategies", ("canary", "blue_green", "ab_test", "mirrored")),
}


class Offer(NamedTuple):
    """What to do for a name to be known; `exact` if the name itself need not change."""

    help: str
    fix: Fix
    exact: bool


def offer(module: Module, space: Space, name: syntax.Name) -> Offer | None:
    """The import that a name lacks, if it is or resembles one of a standard module that the file does not import."""
    path, names = NAMES.get(space, ("", ()))
    if not names or any(imported.node.path.value == path for imported in module.imports):
        return None
    line = f'import "{path}"'
    if name.text in names:
        fix = Fix(f"add `{line}`", (_at_the_top(module.file, line),))
        return Offer(f"`{name.text}` is in `{path}`: add `{line}`", fix, exact=True)
    near = closest(name.text, names)
    if not near:
        return None
    fix = Fix(f"replace with `{near[0]}`, and add `{line}`", (_at_the_top(module.file, line), Edit(name.span, near[0])))
    return Offer(f"did you mean `{near[0]}` of `{path}`? then add `{line}`", fix, exact=False)


def _at_the_top(file: syntax.File, line: str) -> Edit:
    """A line before the first import; without one, behind `language 1`, or at the start of the file."""
    text = file.source.text
    first = next((node for node in file.declarations if isinstance(node, syntax.Import)), None)
    if first is not None:
        return Edit(Span(file.source, first.span.start, first.span.start), f"{line}\n")
    if file.language is not None:
        end = _end_of_line(text, file.language.span.end)
        return Edit(Span(file.source, end, end), f"\n\n{line}")
    start = 1 if text.startswith("\ufeff") else 0
    return Edit(Span(file.source, start, start), f"{line}\n\n")


def _end_of_line(text: str, place: int) -> int:
    """Where the line ends, if but a comment stands there; else the place itself."""
    end = text.find("\n", place)
    end = end if end >= 0 else len(text)
    rest = text[place:end].strip()
    return place if rest and not rest.startswith("#") else place + len(text[place:end].rstrip())
