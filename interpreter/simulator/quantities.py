"""Quantities as people write them: durations here, the rest as `interpreter.analysis.show` has it."""

from __future__ import annotations

from dsl.ir import Unit
from interpreter.analysis.show import quantity

_LENGTHS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))


def duration(milliseconds: int) -> str:
    """The way the language writes a duration: largest unit first, each once; `0s` for none."""
    rest, parts = abs(milliseconds), []
    for name, length in _LENGTHS:
        count, rest = divmod(rest, length)
        if count:
            parts.append(f"{count}{name}")
    return ("-" if milliseconds < 0 else "") + ("".join(parts) or "0s")


def shown(value: float, unit: Unit) -> str:
    """A quantity in base units, in the words of its unit; events are spoken of by their rate, histograms in time."""
    spoken = {Unit.EVENTS: Unit.PERCENT, Unit.HISTOGRAM: Unit.SECONDS}.get(unit, unit)
    return quantity(value, spoken)
