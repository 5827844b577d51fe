"""JSON as servers answer it, read strictly: an object that gives one name twice says two things, and is refused.

Python's reader would take the last of them, others take the first. One of more than `MOST_OBJECTS` objects is refused
too: it is not the answer to a question for one number, and to read it holds up all else.
"""

from __future__ import annotations

import json
from typing import Any

MOST_OBJECTS = 50_000


def read(text: str | bytes) -> Any:
    """What it says. Raises `ValueError` for what is no JSON, or says something twice, `RecursionError` for depth."""
    objects = 0

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal objects
        objects += 1
        made = dict(pairs)
        if len(made) != len(pairs) or objects > MOST_OBJECTS:
            raise ValueError("an object of it has the same name twice, or there are too many")
        return made

    return json.loads(text, object_pairs_hook=once)
