"""Many small programs in one file, each with all that the parser says about it.

    python -m tests.dsl.parsing.chunks          writes anew what is said; read the difference before you keep it

Programs are parted by a line `---`. Behind each stand lines that begin with `###`: code, place, the underlined text,
the message, and behind bars the note, the help, and the fixes with the text that they make of the underlined one.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from dsl.diagnostics import Diagnostic
from dsl.parser import parse
from dsl.source import Source

FILE = Path(__file__).with_name("errors.txt")


class Chunk(NamedTuple):
    """A program and the lines about it."""

    program: str
    said: str


def chunks() -> list[Chunk]:
    """All programs of the file."""
    parts = FILE.read_text(encoding="utf-8").split("\n---\n")
    return [Chunk(*_split(part)) for part in parts]


def _split(part: str) -> tuple[str, str]:
    lines = part.strip("\n").split("\n")
    program = [line for line in lines if not line.startswith("###")]
    return "\n".join(program) + "\n", "\n".join(line for line in lines if line.startswith("###"))


def said(program: str) -> str:
    """What the parser says about a program."""
    return "\n".join(map(_line, parse(Source("chunk", program)).diagnostics))


def _line(diagnostic: Diagnostic) -> str:
    place = diagnostic.span.begin
    text = f"### {diagnostic.code} {place.line}:{place.column} [{diagnostic.span.text}] {diagnostic.message}"
    text += f" | {diagnostic.note}" if diagnostic.note else ""
    text += f" | {diagnostic.help}" if diagnostic.help else ""
    for label in diagnostic.labels:
        text += f" | [{label.span.text}] {label.text}"
    for fix in diagnostic.fixes:
        edits = ", ".join(f"[{edit.span.text}] -> [{edit.text}]" for edit in fix.edits)
        text += f" | {'safe fix' if fix.safe else 'fix'}: {edits}"
    return text.replace("\n", "⏎")


def main() -> None:
    FILE.write_text(
        "\n---\n".join(f"{chunk.program}{said(chunk.program)}" for chunk in chunks()) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
