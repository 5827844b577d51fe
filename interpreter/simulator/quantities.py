"""Quantities of metrics in the words of their units."""

from __future__ import annotations

from dsl.ir import Unit
from interpreter.analysis.show import quantity


def shown(value: float, unit: Unit) -> str:
    """A quantity in base units, in the words of its unit; events are spoken of by their rate, histograms in time."""
    spoken = {Unit.EVENTS: Unit.PERCENT, Unit.HISTOGRAM: Unit.SECONDS}.get(unit, unit)
    return quantity(value, spoken)
