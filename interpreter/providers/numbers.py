"""Numbers out of what servers answer in JSON.

Null is no number. Texts that are numbers count, "NaN" and "Infinity" too, which JSON has no other way to say: they are
passed on, and named where measurements are judged. Anything else where a number is expected is an error: `true` is
not one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from interpreter.providers.provider import ProviderError, Sample, Trouble


def number(value: object, what: str) -> float | None:
    """The number, None for null. `what` is the value's name in a message. Raises `ProviderError`."""
    match value:
        case None:
            return None
        case bool():
            said = str(value).lower()
        case int() | float() | str():
            try:
                if isinstance(value, str) and ("_" in value or not value.isascii()):
                    raise ValueError(value)  # to Python these are numbers
                return float(value)
            except OverflowError:
                said = "too large"
            except ValueError:
                said = f"`{value}`" if isinstance(value, str) else str(value)
        case list():
            said = "a list"
        case _:
            said = "an object"
    raise ProviderError(Trouble.BAD_QUERY, f"one number is needed, and {what} is {said}")


def sample(value: object, what: str, labels: Mapping[str, str] | None = None) -> Iterator[Sample]:
    """One sample, or none for null."""
    read = number(value, what)
    if read is not None:
        yield Sample(labels or {}, read)


def leaves(value: object, name: str, labels: Mapping[str, str]) -> Iterator[Sample]:
    """All numbers in an object of objects, each with the path to it as the label `field`: `percentile.99`."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{name}.{key}" if name else str(key), labels)
    else:
        yield from sample(value, f"`{name}`", {**labels, "field": name})
