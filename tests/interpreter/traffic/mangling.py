"""What people may do to the spec of an object: take any part of it away, or write something else there."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from interpreter.objects import Manifest

_ELSE: tuple[Any, ...] = (None, "x", 7, [], {}, ["x"], {"x": {}})


def mangled_specs(manifest: Manifest) -> Iterator[Manifest]:
    """The object over and over, with one part of its spec taken away or replaced."""
    for path in _paths(manifest["spec"]):
        yield _changed(manifest, path, None, gone=True)
        for other in _ELSE:
            yield _changed(manifest, path, other, gone=False)


def _paths(value: Any) -> Iterator[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield (key,)
        yield from ((key, *rest) for rest in _paths(item))


def _changed(manifest: Manifest, path: tuple[Any, ...], other: Any, *, gone: bool) -> Manifest:
    made = deepcopy(manifest)
    at = made["spec"]
    for key in path[:-1]:
        at = at[key]
    if gone:
        del at[path[-1]]
    else:
        at[path[-1]] = deepcopy(other)
    return made
