"""What people ask of a run that is under way: small files dropped into its folder.

A request is written beside and moved into `inbox/` in one step, so that a half-written one is never read. Who may write
into the folder may ask: it is made for its owner only. The run takes a request up within a fraction of a second, or
when it is started next, and takes the file away once the request is in its journal.

`status` beside it says what the run is doing, so that a request can name the revision that its author was looking at.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from interpreter.state import Signal

VERBS = ("approve", "abort", "promote", "retry", "pause", "resume")
LONGEST = 64 * 1024


class Submission(NamedTuple):
    """A new revision to roll out."""

    command: str


class Rejected(NamedTuple):
    """A file that is not a request, and why."""

    name: str
    reason: str


Request = Signal | Submission | Rejected


def send(folder: Path, data: dict[str, object]) -> None:
    """Drop a request into a run's folder. Raises `OSError`."""
    inbox = folder / "inbox"
    name = f"{time.time_ns()}-{uuid.uuid4().hex[:8]}"
    beside = folder / f".{name}.tmp"
    beside.write_text(json.dumps(data))
    os.rename(beside, inbox / f"{name}.json")


def signal_data(signal: Signal) -> dict[str, object]:
    return {"kind": "signal", **{key: value for key, value in asdict(signal).items() if value not in (None, "")}}


def submission_data(command: str) -> dict[str, object]:
    return {"kind": "submit", "command": command}


class Inbox:
    """The run's side."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "inbox"

    def make(self) -> None:
        self._path.mkdir(mode=0o700, exist_ok=True)

    def waiting(self) -> Iterator[tuple[Path, Request]]:
        """The requests that are there, oldest first. The caller unlinks each file when it has been taken up."""
        for path in sorted(self._path.glob("*.json")):
            yield path, _read(path)


def _read(path: Path) -> Request:
    try:
        if path.stat().st_size > LONGEST:
            return Rejected(path.name, "it is too long")
        data = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        return Rejected(path.name, f"it cannot be read: {error}")
    if not isinstance(data, dict):
        return Rejected(path.name, "it is not a JSON object")
    match data.get("kind"):
        case "submit" if isinstance(data.get("command"), str):
            return Submission(data["command"])
        case "signal":
            return _signal(path, data)
        case _:
            return Rejected(path.name, "it is neither a signal nor a revision")


def _signal(path: Path, data: dict[str, Any]) -> Request:
    verb, revision, step = data.get("verb"), data.get("revision"), data.get("step")
    if verb not in VERBS or not isinstance(revision, str):
        return Rejected(path.name, "a signal needs a `verb` and a `revision`")
    if step is not None and not isinstance(step, int):
        return Rejected(path.name, "`step` is not a number")
    who, reason = str(data.get("who", ""))[:200], str(data.get("reason", ""))[:500]
    return Signal(verb, revision, who=who, reason=reason, step=step, id=path.stem)
