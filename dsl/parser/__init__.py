"""Text to syntax tree, with everything that is wrong in the text.

The work is done by `parser_driver.py` (the automaton), `parser_errors.py` (what to say and how to go on) and
`tree.py` (the nodes). An error never stops it: a slip that can be guessed is read as what was meant, and otherwise
the damaged statement is dropped and the parser goes on at the next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from dsl import syntax
from dsl.diagnostics import Diagnostic, Edit, Fix, Severity, in_order
from dsl.node import replaced
from dsl.parser.driver import MOST_ERRORS, Driver
from dsl.parser.tables import automaton
from dsl.parser.tokens import Token
from dsl.parser.tree_values import bad_escapes
from dsl.source import Source, Span

if TYPE_CHECKING:
    from dsl.parser.mender import Mender

MOST_CHARACTERS = 1 << 20
"""A text that is longer is not read."""

LANGUAGE = 1
"""The version of the language that this is."""


class ParseResult(NamedTuple):
    """`dropped` are the places of damaged statements that are not in the tree, so that nobody misses what they held."""

    file: syntax.File
    diagnostics: tuple[Diagnostic, ...]
    dropped: tuple[Span, ...] = ()


class Reading(NamedTuple):
    """A parsed text with what the formatter needs beside the tree.

    Each token is of the kind that it turned out to be, and `maps` are the places of the braces that open a map.
    """

    result: ParseResult
    tokens: list[Token]
    maps: set[int]


def parse(source: Source) -> ParseResult:
    """The tree of a text with all that is wrong in it. Never raises, whatever the text."""
    return read(source).result


def read(source: Source) -> Reading:
    """The tree of a text together with its tokens."""
    if len(source.text) > MOST_CHARACTERS:
        return Reading(_too_long(source), [], set())
    machine = automaton()
    tokens, comments = machine.lexer.lex(source)
    driver = Driver(machine, source, tokens)
    mender = _MenderAtNeed()
    read_whole = driver.run(mender)
    nodes = _declared(driver.salvage()) if read_whole is None else list(read_whole)
    language = next((node[0] for node in nodes if type(node) is tuple), None)
    declarations = _with_docs(source, [node for node in nodes if type(node) is not tuple], comments)
    file = syntax.File(source, language, tuple(declarations), tuple(comments), Span(source, 0, len(source.text)))
    diagnostics = [*mender.diagnostics(), *_escapes(source, tokens), *_language(nodes)]
    return Reading(ParseResult(file, tuple(in_order(diagnostics)), tuple(mender.dropped())), tokens, driver.maps)


def _declared(salvaged: list[Any]) -> list[Any]:
    """What was salvaged without the ends of lines, which lie between the declarations."""
    return [node for node in salvaged if type(node) is not syntax.Name]


class _MenderAtNeed:
    """A mender that is loaded at the first error: most texts are right, and the command is to be quick."""

    def __init__(self) -> None:
        self._mender: Mender | None = None

    def mend(self, driver: Driver, /) -> bool:
        return self._at_work(driver).mend(driver)

    def too_deep(self, driver: Driver, /) -> None:
        self._at_work(driver).too_deep(driver)

    def diagnostics(self) -> list[Diagnostic]:
        return self._mender.diagnostics if self._mender else []

    def dropped(self) -> list[Span]:
        return self._mender.dropped if self._mender else []

    def _at_work(self, driver: Driver) -> Mender:
        if self._mender is None:
            from dsl.parser.errors import SPECIALISTS  # noqa: PLC0415
            from dsl.parser.mender import Mender  # noqa: PLC0415

            self._mender = Mender(driver, SPECIALISTS)
        return self._mender


def _too_long(source: Source) -> ParseResult:
    """A file without declarations and one complaint: whatever it is, nobody wrote it as a policy."""
    start = Span(source, 0, 0)
    file = syntax.File(source, None, (), (), Span(source, 0, len(source.text)))
    what = f"this file is too long: {len(source.text):,} characters"
    most = f"{MOST_CHARACTERS:,} characters are the most that is read"
    return ParseResult(file, (Diagnostic("RW015", Severity.ERROR, what, start, help=most),))


def _escapes(source: Source, tokens: list[Token]) -> list[Diagnostic]:
    """Backslashes in strings that mean nothing, such as those of a regular expression."""
    found = []
    for kind, text, start, _ in tokens:
        if kind == "STRING" and "\\" in text and source.text.startswith(text, start):
            found += [_escape(Span(source, start + a, start + b)) for a, b in bad_escapes(text)]
    return found[:MOST_ERRORS]


def _escape(span: Span) -> Diagnostic:
    double = Fix("double the backslash", (Edit(span, "\\" + span.text),), safe=True)
    return Diagnostic(
        "RW018",
        Severity.ERROR,
        f"`{span.text}` stands for nothing in a string",
        span,
        help=f"write `\\{span.text}` for a backslash as such; a string in three quotes has no escapes at all",
        fixes=(double,),
    )


def _language(declarations: Sequence[Any]) -> list[Diagnostic]:
    """`language` stands first and once, and names a version that there is."""
    found = []
    for place, node in enumerate(declarations):
        if type(node) is tuple and place:
            found.append(Diagnostic("RW019", Severity.ERROR, "`language` stands first in a file, and once", node[1],
                                    help="move it to the top"))  # fmt: skip
        elif type(node) is tuple and type(node[0]) is syntax.Number and node[0].value != LANGUAGE:
            what = f"there is no version `{node[0].span.text}` of the language"
            found.append(Diagnostic("RW019", Severity.ERROR, what, node[0].span, help="write `language 1`"))
    return found


def _with_docs(source: Source, declarations: list[Any], comments: list[syntax.Comment]) -> list[Any]:
    """Each declaration with the `##` lines that stand directly above it, and not in the one before."""
    docs = {source.position(one.span.start).line: one for one in comments if one.doc and one.own_line}
    if not docs:
        return declarations
    starts = [0, *(node.span.end for node in declarations)]
    return [_with_doc(node, docs, start) for node, start in zip(declarations, starts, strict=False)]


def _with_doc(node: Any, docs: dict[int, syntax.Comment], start: int) -> Any:
    line = node.span.begin.line - 1
    lines: list[str] = []
    while line in docs and docs[line].span.start >= start:
        lines.append(docs.pop(line).text[2:].strip())  # it belongs to one declaration, even if two share a line
        line -= 1
    return replaced(node, doc="\n".join(reversed(lines))) if lines and hasattr(node, "doc") else node
