"""Where the diagnostics of one compilation gather, and the little that all who write them have in common."""

from __future__ import annotations

from collections.abc import Iterable

from dsl.diagnostics import Diagnostic, Edit, Fix, Label, Severity
from dsl.meaning.values import Value
from dsl.source import Span
from dsl.suggest import closest, question

_MOST_SUGGESTIONS = 50
"""Looking for a near name costs; a text with more unknown names than this gets them without a question."""


class Findings:
    """Diagnostics in the order found. More is kept for a whole compilation, lest a twisted text take for ever: what was
    looked at on its own already, by declaration and arguments; how many statements were unrolled; and the values of
    constants, which are the same for everybody."""

    def __init__(self) -> None:
        self.all: list[Diagnostic] = []
        self.looked_at: set[tuple[int, str]] = set()
        self.statements = 0
        self.constants: dict[int, Value] = {}
        self._suggestions = _MOST_SUGGESTIONS

    def error(
        self,
        code: str,
        message: str,
        span: Span,
        *,
        note: str = "",
        labels: Iterable[Label] = (),
        help: str = "",
        notes: Iterable[str] = (),
        fixes: Iterable[Fix] = (),
    ) -> None:
        """Note an error."""
        self.all.append(
            Diagnostic(code, Severity.ERROR, message, span, note, tuple(labels), help, tuple(notes), tuple(fixes))
        )

    def unknown(
        self,
        code: str,
        message: str,
        word: str,
        span: Span,
        known: Iterable[str],
        *,
        note: str = "",
        other: str = "",
        mends: Iterable[Fix] = (),
    ) -> None:
        """An unknown word, with the nearest known ones as question and fixes; `other` is the help if none is near, and
        `mends` are the fixes then."""
        near: tuple[str, ...] = ()
        if self._suggestions:
            self._suggestions -= 1
            near = closest(word, known)
        self.error(
            code,
            message,
            span,
            note=note,
            help=question(near) or other,
            fixes=[replacing(span, name) for name in near] or mends,
        )


def replacing(span: Span, text: str, title: str = "") -> Fix:
    """The mend that puts another text in a place."""
    return Fix(title or f"replace with `{text}`", (Edit(span, text),))


def listed(words: Iterable[str], last: str = "and") -> str:
    """`a`, `b` and `c`."""
    quoted = [f"`{word}`" for word in words]
    if len(quoted) < 2:
        return "".join(quoted)
    return f"{', '.join(quoted[:-1])} {last} {quoted[-1]}"


def one_line(text: str, most: int = 60) -> str:
    """A piece of the text for a message: on one line, not too long."""
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"
