"""A history from a file: what `rollway history -o json` wrote, or a line of `rollway history --all`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rollway.histories import History, HistoryError, from_data
from rollway.terminal import Stop, reason

MOST_BYTES = 64 * 1024 * 1024


def read(path: str, number: int | None = None) -> History:
    """The history in a file (`-`: standard input), of the run of this number if there are several. Raises `Stop`."""
    called = "standard input" if path == "-" else f"`{path}`"
    found = [_history(one, called) for one in _values(_text(path, called), called)]
    chosen = [one for one in found if number is None or one.run.number == number]
    if len(chosen) == 1:
        return chosen[0]
    there = ", ".join(f"{one.spoken} {one.run.number}" for one in found[:8]) or "none"
    if not chosen:
        raise Stop(f"{called} has no run{f' {number}' if number is not None else ''}; it has {there}")
    raise Stop(
        f"{called} has several runs, {there}: say which, as in `rollway report {found[0].run.number} --from FILE`"
    )


def _text(path: str, called: str) -> str:
    try:
        data = sys.stdin.buffer.read(MOST_BYTES + 1) if path == "-" else _bytes(path)
        if len(data) > MOST_BYTES:
            raise Stop(f"{called} is larger than {MOST_BYTES // 1024 // 1024} MB, and no history is")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise Stop(f"{called} cannot be read: {reason(error)}") from error
    except UnicodeDecodeError as error:
        raise Stop(f"{called} is not UTF-8: `rollway history NAME RUN -o json` writes what is read here") from error


def _bytes(path: str) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(MOST_BYTES + 1)


def _values(text: str, called: str) -> list[Any]:
    """One object, a list of them, or one a line."""
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise Stop(f"{called} is nested too deep to be a history") from error
    except json.JSONDecodeError as error:
        try:
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        except (json.JSONDecodeError, RecursionError):
            raise Stop(f"{called} is not JSON: line {error.lineno}: {error.msg}") from error
    return value if isinstance(value, list) else [value]


def _history(data: Any, called: str) -> History:
    try:
        return from_data(data)
    except HistoryError as error:
        raise Stop(f"{called} holds no history: {error}; `rollway history NAME RUN -o json` writes one") from error
