"""A path into JSON, of which a small part of JSONPath (RFC 9535) is enough: names and places in lists.

`$.data.result[0]['p99.9']`, `$[-1].value`. What selects more than one value (`*`, `..`, slices, filters) is not taken:
one number is wanted. Nothing here runs what a policy's author wrote.
"""

from __future__ import annotations

import re
from typing import Any

_STEP = re.compile(r"\.([A-Za-z_À-￿][\w-]*)|\[\s*(-?\d{1,9})\s*\]|\[\s*'([^'\\]*)'\s*\]|\[\s*\"([^\"\\]*)\"\s*\]")


class PathProblem(Exception):
    """The path cannot be read, or leads nowhere. The message says where it stops."""


def steps(path: str) -> tuple[str | int, ...]:
    """Names and places. Raises `PathProblem`."""
    if not path.startswith("$"):
        raise PathProblem(f"`{path}` is no path into JSON: it begins with `$`")
    found: list[str | int] = []
    at = 1
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            raise PathProblem(f"`{path}` cannot be read at `{path[at:]}`: `.name`, `['name']` and `[0]` are known")
        name, place, single, double = step.groups()
        found.append(int(place) if place is not None else next(n for n in (name, single, double) if n is not None))
        at = step.end()
    return tuple(found)


def value_at(document: Any, path: str) -> Any:
    """What stands there; None for a place that a list does not have. Raises `PathProblem` for a path that does not fit
    the document: a name that is not there, a name in a list, a place in an object."""
    value, way = document, "$"
    for step in steps(path):
        if value is None:
            return None
        if isinstance(step, int) and isinstance(value, list):
            value = value[step] if -len(value) <= step < len(value) else None
        elif isinstance(step, str) and isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(step, str) and isinstance(value, dict):
            raise PathProblem(f"`{path}` leads nowhere: there is no `{step}` at `{way}`")
        else:
            wanted = "a list" if isinstance(step, int) else "an object"
            raise PathProblem(f"`{path}` leads nowhere: `{way}` is not {wanted}")
        way += f"[{step}]" if isinstance(step, int) else f".{step}"
    return value
