"""Trees as short text, for tests: `Shift(Percent(20.0), Amount(Duration(300000)))`; what is absent is left out."""

from __future__ import annotations

from dsl.node import fields
from dsl.parser import parse
from dsl.source import Source, Span


def shown(thing: object) -> str:
    """A node without its places and without what is absent or empty."""
    names = fields(thing)
    if names and isinstance(thing, tuple):
        parts = [shown(part) for part in thing if not isinstance(part, Span) and part not in (None, (), "", False)]
        return f"{type(thing).__name__}({', '.join(parts)})"
    if isinstance(thing, tuple):
        return f"[{', '.join(map(shown, thing))}]"
    return repr(thing)


def tree(text: str) -> str:
    """The declarations of a text that is right."""
    result = parse(Source("tree", text))
    assert not result.diagnostics, [one.message for one in result.diagnostics]
    return "\n".join(map(shown, result.file.declarations))


def inside(text: str) -> str:
    """The one statement in a block."""
    whole = tree(text)
    return whole[whole.index("[") + 1 : whole.rindex("]")]
