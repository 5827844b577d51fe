"""The base of syntax nodes: named tuples when the program runs, plain nominal classes to the type checker.

Named tuples are frozen, compare by value, are cheap to make, and cost a fifth of a frozen dataclass when a module is
imported. To a type checker, though, they are structural tuples, and a union of forty that contain each other takes it
minutes to compare. So it is told of frozen dataclasses with the same fields in the same order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

_N = TypeVar("_N")

if TYPE_CHECKING:
    from typing import dataclass_transform

    @dataclass_transform(frozen_default=True)
    class Node:
        """A syntax node."""
else:
    from typing import NamedTuple as Node

__all__ = ["Node", "fields", "replaced"]


def fields(node: object) -> tuple[str, ...]:
    """The names of a node's fields, in order."""
    return cast("tuple[str, ...]", getattr(node, "_fields", ()))


def replaced(node: _N, **changes: Any) -> _N:
    """The node with some fields changed."""
    return cast("_N", cast("Any", node)._replace(**changes))
