"""Reading objects leniently: each of these gives what is there if it is of the form wanted, and else nothing of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from interpreter.desired import Instant


def mapping(value: object) -> Mapping[str, Any]:
    """A mapping, empty for anything else."""
    return value if isinstance(value, Mapping) else {}


def items(value: object) -> list[Any]:
    """A list, empty for anything else."""
    return value if isinstance(value, list) else []


_CONTROL = {
    **dict.fromkeys((*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\ufffd"),
    ord("\n"): "\n",
    ord("\t"): "\t",
}
"""What would speak to a terminal, or turn the direction of what stands beside it."""


def text(value: object) -> str:
    """A text, empty for anything else. Anybody may have written it: what is not to be seen is made to be."""
    return value.translate(_CONTROL) if isinstance(value, str) else ""


def number(value: object) -> float:
    """A number, also of one in words; 0 for anything else, and for what is not finite."""
    try:
        found = float(value) if isinstance(value, (int, float, str)) else 0.0
    except (ValueError, OverflowError):
        return 0.0
    return found if math.isfinite(found) else 0.0


def whole(value: object) -> int:
    """A whole number; 0 for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


_LAST = 253_402_300_799_000
"""The end of the year 9999: what is later cannot be written as a time."""


def instant(value: object) -> Instant | None:
    """A time of Kubernetes' (RFC 3339), or milliseconds since the epoch, from 1970 to 9999."""
    try:
        match value:
            case bool():
                return None
            case int() | float():
                found = int(value)
            case str():
                found = int(datetime.fromisoformat(value).timestamp() * 1000)
            case _:
                return None
    except (ValueError, OverflowError):
        return None
    return found if 0 <= found <= _LAST else None
