"""How things are put into a status: times, numbers, texts that hold no secret and have an end, and conditions. Pure.

A condition keeps its `lastTransitionTime` for as long as its `status` is the same (Kubernetes API conventions), so that
a status made again from the same facts is equal to the one before, and nothing is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from interpreter.desired import Instant
from interpreter.masking import mask
from interpreter.state import State

MOST_TEXT = 1024
"""Characters of one text in a status."""

Truth = Literal["True", "False", "Unknown"]
Json = dict[str, Any]


def rfc3339(at_ms: Instant) -> str:
    """A time as Kubernetes writes it: UTC, whole seconds."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def wall(state: State, clock_ms: int) -> str | None:
    """A time of the machine's own clock as the wall had it; None for a state that has not seen the wall's yet."""
    return None if state.wall_ms is None else rfc3339(state.wall_ms - (state.clock_ms - clock_ms))


def number(value: float) -> int | float:
    """A whole number without its point."""
    return int(value) if value == int(value) else value


def words(text: str, most: int = MOST_TEXT) -> str:
    """A text as it may be shown: without secrets, and at most so long."""
    masked = mask(text)
    return masked if len(masked) <= most else masked[: most - 1] + "…"


def present(**fields: Any) -> Json:
    """The fields that have something to say: neither None nor empty. The names are the camelCase ones of the status."""
    return {
        name: value for name, value in fields.items() if value is not None and value != "" and value not in ([], {})
    }


class Says(NamedTuple):
    """A condition, before it has its times."""

    type: str
    status: Truth
    reason: str
    message: str


def conditions(says: Sequence[Says], previous: Mapping[str, Any], *, generation: int, now_ms: Instant) -> list[Json]:
    """Conditions in the form of `metav1.Condition`; `previous` is the status that had the earlier ones."""
    made: list[Json] = []
    for one in says:
        before = earlier(previous, one.type)
        same = before.get("status") == one.status and "lastTransitionTime" in before
        made.append(
            {
                "type": one.type,
                "status": one.status,
                "reason": one.reason,
                "message": words(one.message),
                "lastTransitionTime": before["lastTransitionTime"] if same else rfc3339(now_ms),
                "observedGeneration": generation,
            }
        )
    return made


def earlier(previous: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """The condition of this type in a status, empty if it has none."""
    return next((one for one in previous.get("conditions") or () if one.get("type") == kind), {})
