"""What a command is to look at: files, folders, and `-` for standard input.

A folder stands for every `*.rollout` beneath it; hidden folders are left out, and links to folders are not followed.
Reading never raises: what cannot be read is told, and the rest is looked at all the same. A file that is not UTF-8 is
read as well as it can be, with a diagnostic that says which byte is wrong.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from dsl.diagnostics import Diagnostic, Severity
from dsl.source import Source, Span
from rollway.exit_codes import ExitCode
from rollway.terminal import Stop, reason, say

STDIN = "<stdin>"
SUFFIX = ".rollout"
MAX_BYTES = 32 * 1024 * 1024
"""More than this is not read at all; what the language takes is far less, and the parser's to say."""

NOT_UTF8 = "RW090"


class Input(NamedTuple):
    """One text to look at. `damage` is there for bytes that are not text; the text is then not worth parsing."""

    source: Source
    damage: Diagnostic | None = None


class Unreadable(NamedTuple):
    """What could not be read, and why."""

    name: str
    why: str


def read_all(paths: list[str] | None) -> Iterator[Input | Unreadable]:
    """Every text that the paths name, each file once; nothing named means the folder that one is in."""
    seen: set[str] = set()
    for path in paths or ["."]:
        for found in _find(path):
            if isinstance(found, Unreadable):
                yield found
            elif (key := os.path.realpath(found) if found != STDIN else STDIN) not in seen:
                seen.add(key)
                yield read(found)


def read(name: str) -> Input | Unreadable:
    """One file, or standard input."""
    try:
        data = _bytes(name)
    except OSError as error:
        return Unreadable(name, reason(error))
    if len(data) > MAX_BYTES:
        return Unreadable(name, f"larger than {MAX_BYTES // 1024 // 1024} MB, which no policy is")
    return decode(name, data)


def decode(name: str, data: bytes) -> Input:
    """The text in some bytes, or what keeps them from being text."""
    try:
        return Input(Source(name, data.decode("utf-8")))
    except UnicodeDecodeError as error:
        return _damaged(name, data, error)


def read_one(path: str) -> Input:
    """The one text that a path names. Raises `Stop` where there is none."""
    found = read(STDIN if path == "-" else path)
    if isinstance(found, Unreadable):
        raise Stop(f"cannot read `{found.name}`: {found.why}")
    return found


def tell(unreadable: Iterable[Unreadable]) -> int:
    """Says what could not be read; the exit code that this comes to."""
    code = ExitCode.FINE
    for one in unreadable:
        say(f"rollway: cannot read `{one.name}`: {one.why}")
        code = ExitCode.USAGE
    return code


def _find(path: str) -> Iterator[str | Unreadable]:
    if path == "-":
        yield STDIN
    elif os.path.isdir(path):
        yield from _in_folder(path)
    else:
        yield path


def _in_folder(folder: str) -> Iterator[str | Unreadable]:
    problems: list[OSError] = []
    found = False
    for where, folders, files in os.walk(folder, onerror=problems.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.endswith(SUFFIX) and not name.startswith("."):
                found = True
                yield os.path.normpath(os.path.join(where, name))
    for error in problems:
        yield Unreadable(str(error.filename or folder), reason(error))
    if not found and not problems:
        yield Unreadable(folder, f"no `*{SUFFIX}` file in it")


def _bytes(name: str) -> bytes:
    if name == STDIN:
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    with open(name, "rb") as stream:
        return stream.read(MAX_BYTES + 1)


def _damaged(name: str, data: bytes, error: UnicodeDecodeError) -> Input:
    source = Source(name, data.decode("utf-8", errors="replace"))
    at = len(data[: error.start].decode("utf-8"))
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    help = "save it as UTF-8 in your editor, or convert it: `iconv -f {} -t utf-8`"
    diagnostic = Diagnostic(
        code=NOT_UTF8,
        severity=Severity.ERROR,
        message=f"the file is not UTF-8 text: byte {error.start} is {data[error.start]:#04x}",
        span=Span(source, at, min(at + 1, len(source.text))),
        note="it stops being text here",
        help=help.format("utf-16" if wide else "latin1"),
    )
    return Input(source, diagnostic)
