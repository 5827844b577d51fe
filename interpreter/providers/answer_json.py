"""JSON as servers answer it, read strictly: an object that gives one name twice says two things, and is refused.

Python's reader would take the last of them, others take the first.
"""

from __future__ import annotations

import json
from typing import Any


def read(text: str | bytes) -> Any:
    """What it says. Raises `ValueError` for what is no JSON, or says something twice, `RecursionError` for depth."""
    return json.loads(text, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("an object of it has the same name twice")
    return made
