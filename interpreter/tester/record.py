"""What is known of a task, as it is shown and kept. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from interpreter.tester.plan import Summary

MOST_SHOWN = 1000
"""Characters of a command, of a reason, and of the end of the output; 100 records fit into a ConfigMap."""


class State(StrEnum):
    """A task that was running when the tester stopped is lost: nobody knows how it would have ended."""

    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Record:
    """`began_ms` and `ended_ms` are milliseconds since the epoch. `told`: a caller has had its outcome."""

    id: str
    key: str
    kind: str
    owner: str
    checksum: str
    shown: str
    state: State
    began_ms: int
    reason: str = ""
    ended_ms: int | None = None
    told: bool = False
    waits: bool = True
    tells: bool = False
    summary: Summary | None = None
    tail: str = ""

    def to_json(self) -> str:
        """For the store."""
        return json.dumps({**asdict(self), "summary": _summary_json(self.summary)}, ensure_ascii=False)

    def shown_json(self) -> dict[str, Any]:
        """For people and programs that ask about it."""
        hidden = ("key", "told", "waits", "tells", "tail", "summary")
        shown = {name: value for name, value in asdict(self).items() if name not in hidden}
        return {**shown, "summary": _summary_json(self.summary)}


def from_json(text: str) -> Record | None:
    """None for what is no record of ours."""
    try:
        data: Mapping[str, Any] = json.loads(text)
        summary = Summary(**data["summary"]) if data.get("summary") else None
        return Record(**{**data, "state": State(data["state"]), "summary": summary})
    except (ValueError, TypeError, KeyError):
        return None


def _summary_json(summary: Summary | None) -> dict[str, Any] | None:
    return summary._asdict() if summary is not None else None
