"""The machine's state as JSON, and back. What a restart reads is what `encode` wrote, and nothing else."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from interpreter.desired import Routing
from interpreter.state import State


class StateError(ValueError):
    """A text that is not a state of a version this interpreter knows."""


@cache
def _adapter() -> TypeAdapter[State]:
    return TypeAdapter(State)


@cache
def _routings() -> TypeAdapter[Routing]:
    return TypeAdapter(Routing)


def encode(state: State) -> str:
    """One line of JSON; what is not set is left out."""
    return _adapter().dump_json(state, exclude_none=True).decode()


def routing_to_data(routing: Routing) -> Any:
    """A routing as plain JSON data."""
    return _routings().dump_python(routing, mode="json", exclude_none=True)


def routing_from_data(data: object) -> Routing:
    """The routing in what `routing_to_data` gave."""
    return _routings().validate_python(data)


def decode(text: str | bytes) -> State:
    """The state in a text that `encode` wrote. Raises `StateError`."""
    try:
        return _adapter().validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise StateError(f"not a rollout's state: {where}: {first['msg']}") from error
