"""The one canonical form of a policy. There are no options.

The form is made from the tokens, each of the kind that the parser found it to be, and from the comments, so that
nothing but space, line ends, `;` and the comma behind a last item can change: parentheses, quotes and the way a number
is written stay the author's. Of his layout three things are kept: where he left an empty line (one is enough), which
blocks he wrote on one line, and which brackets he opened at the end of a line.

- Two spaces a level. One statement a line. At the top of a file, an empty line on both sides of whatever takes several.
- A block that stood on one line stays there, with `;` between its statements, if its line fits into 100 columns.
- A list, a map, or arguments stay on one line if they fit and the author did not begin a new line behind the bracket;
  otherwise each item has its own line and a comma. Other parentheses break only for a comment or for want of room.
- In a block of settings, the values of neighbouring statements begin in one column, which the longest single word
  before a value makes. Phrases (`only in`, `abort if`, `applies to`) go by it if they are short enough. An empty line
  ends a column, and so does a statement of several lines, behind its first. A `let` stands as it does at the top of a
  file. Steps and tests are sentences, not tables, and have no columns.
- Neighbouring one-line blocks that begin with the same word have their braces in one column; so do the comments behind
  neighbouring lines.
- The text of a raw string over several lines stands one step further in than its statement.
- What stands between `# fmt: off` and `# fmt: on`, on lines of their own, is copied as it is.

Three checks are always on: the new text has the same tree, formatting it again changes nothing, and every comment is
there, in order. Should one fail, the text comes back as it was, with a diagnostic that says so.
"""

from __future__ import annotations

from typing import NamedTuple

from dsl import syntax
from dsl.diagnostics import Diagnostic, Severity
from dsl.formatter.layout import layout
from dsl.formatter.print import print_file
from dsl.node import fields
from dsl.parser import read
from dsl.source import Source, Span

INTERNAL_ERROR = f"RW{99:03}"
"""Has no page: a page shows a policy that yields its code, and if one were known, the mistake would be mended."""


class FormatResult(NamedTuple):
    """The canonical text, or the text as it was where it cannot be parsed; then the diagnostics say why."""

    text: str
    diagnostics: tuple[Diagnostic, ...] = ()


def format_source(source: Source) -> FormatResult:
    """A text in canonical form."""
    reading = read(source)
    if reading.result.diagnostics:
        return FormatResult(source.text, reading.result.diagnostics)
    text = print_file(layout(reading))
    trouble = _trouble(reading.result.file, text)
    if trouble:
        return FormatResult(source.text, (_internal_error(source, trouble),))
    return FormatResult(text)


def _trouble(file: syntax.File, text: str) -> str:
    """What is wrong with the new text, if anything."""
    again = read(Source(file.source.name, text))
    new = again.result.file
    if again.result.diagnostics or not same((file.language, file.declarations), (new.language, new.declarations)):
        return "would change what the policy means"
    if [comment.text for comment in file.comments] != [comment.text for comment in new.comments]:
        return "would lose or move a comment"
    if print_file(layout(again)) != text:
        return "is not stable"
    return ""


def same(left: object, right: object) -> bool:
    """Whether two trees are the same but for their places."""
    if isinstance(left, Span):
        return isinstance(right, Span)
    if isinstance(left, tuple) and isinstance(right, tuple):
        if type(left) is not type(right) or fields(left) != fields(right) or len(left) != len(right):
            return False
        return all(same(a, b) for a, b in zip(left, right, strict=True))
    return left == right


def _internal_error(source: Source, trouble: str) -> Diagnostic:
    return Diagnostic(
        INTERNAL_ERROR,
        Severity.ERROR,
        f"the canonical form of this file {trouble}, so it is left as it is",
        Span(source, 0, 0),
        help="this is a mistake of ours: please report it, with the file",
    )
