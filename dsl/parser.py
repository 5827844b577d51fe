"""Text to syntax tree, with everything that is wrong in the text.

The work is done by `parser_driver.py` (the automaton), `parser_errors.py` (what to say and how to go on) and
`tree.py` (the nodes). An error never stops it: a slip that can be guessed is read as what was meant, and otherwise
the damaged statement is dropped and the parser goes on at the next one.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from dsl import syntax
from dsl.diagnostics import Diagnostic, Severity
from dsl.parser_driver import Driver
from dsl.parser_tables import automaton
from dsl.source import Source, Span


class ParseResult(NamedTuple):
    """`dropped` are the places of damaged statements that are not in the tree, so that nobody misses what they held."""

    file: syntax.File
    diagnostics: tuple[Diagnostic, ...]
    dropped: tuple[Span, ...] = ()


class _Stop:
    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []

    def mend(self, driver: Driver) -> bool:
        _, text, start, end = driver.tokens[driver.at]
        span = Span(driver.source, start, end)
        self.diagnostics.append(Diagnostic("RW001", Severity.ERROR, f"unexpected `{text}`", span))
        return False


def parse(source: Source) -> ParseResult:
    """The tree of a text with all that is wrong in it. Never raises, whatever the text."""
    machine = automaton()
    tokens, comments = machine.lexer.lex(source)
    mender = _Stop()
    declarations = Driver(machine, source, tokens).run(mender) or ()
    language = next((node[0] for node in declarations if type(node) is tuple), None)
    documented = _with_docs(source, [node for node in declarations if type(node) is not tuple], comments)
    whole = Span(source, 0, len(source.text))
    file = syntax.File(source, language, tuple(documented), tuple(comments), whole)
    return ParseResult(file, tuple(mender.diagnostics))


def _with_docs(source: Source, declarations: list[Any], comments: list[syntax.Comment]) -> list[Any]:
    """Each declaration with the `##` lines that stand directly above it."""
    docs = {source.position(c.span.start).line: c.text[2:].strip() for c in comments if c.doc and c.own_line}
    if not docs:
        return declarations
    return [_with_doc(node, docs) for node in declarations]


def _with_doc(node: Any, docs: dict[int, str]) -> Any:
    line = node.span.begin.line - 1
    lines: list[str] = []
    while line in docs:
        lines.append(docs[line])
        line -= 1
    return node._replace(doc="\n".join(reversed(lines))) if lines and hasattr(node, "doc") else node
