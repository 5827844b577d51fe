"""What a run is doing, in a small file in its folder: for the commands that speak to it, and for people."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from interpreter.state import State


class Status:
    """Written beside and moved into place, so that a reader never sees half of it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "status.json"
        self._shown: dict[str, Any] = {}

    def write(self, state: State, **more: str) -> None:
        """Write what has changed; nothing, if nothing has."""
        run = state.run
        shown = {
            "phase": state.phase.value,
            "primary": state.primary,
            "revision": run.revision if run else None,
            "step": run.cursor.pc if run else None,
            "weight": state.routing.weight,
            "reason": state.reason,
            "outcome": run.outcome.value if run and run.outcome else None,
            "pid": os.getpid(),
            **more,
        }
        if shown == self._shown:
            return
        self._shown = shown
        beside = self._path.with_suffix(".new")
        beside.write_text(json.dumps(shown, indent=2) + "\n")
        beside.replace(self._path)


def read(folder: Path) -> dict[str, Any] | None:
    """What the run in this folder did last; None if there is none."""
    try:
        data = json.loads((folder / "status.json").read_text())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return data if isinstance(data, dict) else None
