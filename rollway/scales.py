"""Axes of a chart: where a value lies, which values get a tick, and how a tick is written.

A `Scale` is an `Axis` with its ends settled and a length in pixels. Linear and time axes end at round values; a
logarithmic one at whole decades or at 1, 2, 5 times one. Values are floats; on a time axis they are seconds since the
epoch, written in UTC. Pure: the same values give the same ticks.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from math import ceil, floor, isclose, isfinite, log10
from typing import Literal

_SAME = 1e-9  # two values this near to each other, relatively, are one that is not quite exact
_ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_TIME_STEPS = (
    *(1, 2, 5, 10, 15, 30, _MINUTE, 2 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE),
    *(_HOUR, 2 * _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY, 7 * _DAY, 14 * _DAY, 30 * _DAY, 365 * _DAY),
)


@dataclass(frozen=True, slots=True)
class Axis:
    """What an axis shows. `low` and `high` fix its ends (default: round values about the data). A `log` axis shows
    positive values only. `unit`: how its ticks are written; `percent` takes shares of 1, `seconds` takes seconds."""

    label: str = ""
    kind: Literal["linear", "log", "time"] = "linear"
    unit: Literal["number", "percent", "seconds"] = "number"
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis with its ends and ticks. `place` gives 0 at `low` and 1 at `high`."""

    axis: Axis
    low: float
    high: float
    ticks: tuple[float, ...]

    def place(self, value: float) -> float:
        """Where a value lies, as a share of the axis' length; outside 0…1 where it lies outside."""
        if self.axis.kind == "log":
            return (log10(value) - log10(self.low)) / (log10(self.high) - log10(self.low))
        return (value - self.low) / (self.high - self.low)

    def shows(self, value: float | None) -> bool:
        """Whether a value can be placed on the axis at all: a number, positive on a logarithmic axis."""
        return value is not None and isfinite(value) and (self.axis.kind != "log" or value > 0)

    def written(self, tick: float) -> str:
        """A tick as people read it."""
        if self.axis.kind == "time":
            return _moment(tick, self.ticks)
        return quantity(tick, self.axis.unit)


def scale(axis: Axis, values: list[float], most_ticks: int) -> Scale:
    """Settle an axis about its data.

    Raises:
        ValueError: the axis' fixed ends are in the wrong order, or not positive on a logarithmic axis.
    """
    seen = [v for v in values if isfinite(v) and (axis.kind != "log" or v > 0)]
    low, high = _ends(axis, seen)
    match axis.kind:
        case "log":
            return _logarithmic(axis, low, high, most_ticks)
        case "time":
            fits = (s for s in _TIME_STEPS if (high - low) / s <= most_ticks)
            return Scale(axis, low, high, _between(low, high, next(fits, _TIME_STEPS[-1])))
        case "linear":
            step = _round_step((high - low) / max(most_ticks, 1))
            low = low if axis.low is not None else floor(low / step + 1e-9) * step
            high = high if axis.high is not None else ceil(high / step - 1e-9) * step
            return Scale(axis, low, high, _between(low, high, step))


def _ends(axis: Axis, seen: list[float]) -> tuple[float, float]:
    usual = (1.0, 10.0) if axis.kind == "log" else (0.0, 1.0)
    low = axis.low if axis.low is not None else min(seen, default=usual[0])
    high = axis.high if axis.high is not None else max(seen, default=max(usual[1], low))
    if axis.kind == "log" and low <= 0:
        raise ValueError("a logarithmic axis begins above 0")
    if low > high:
        raise ValueError(f"an axis cannot go from {low:g} to {high:g}")
    if high - low > _SAME * max(abs(low), abs(high)):
        return low, high
    if axis.kind == "log":
        return low / 2, high * 2
    room = abs(low) / 2 or 1.0
    return (low, high + room) if axis.low is not None or low == 0 else (low - room, high + room)


def _logarithmic(axis: Axis, low: float, high: float, most_ticks: int) -> Scale:
    decades = range(floor(log10(low)) - 1, ceil(log10(high)) + 2)
    fine = [factor * 10.0**d for d in decades for factor in (1, 2, 5)]
    low = low if axis.low is not None else max(t for t in fine if t <= low * (1 + 1e-9))
    high = high if axis.high is not None else min(t for t in fine if t >= high * (1 - 1e-9))
    inside = [t for t in fine if low * (1 - 1e-9) <= t <= high * (1 + 1e-9)]
    if len(inside) > most_ticks:
        whole = [10.0**d for d in decades if low * (1 - 1e-9) <= 10.0**d <= high * (1 + 1e-9)]
        inside = whole[:: max(1, ceil(len(whole) / max(most_ticks, 1)))]
    return Scale(axis, low, high, tuple(inside))


def _round_step(least: float) -> float:
    power = 10.0 ** floor(log10(least))
    return next(f * power for f in _ROUND if f * power >= least * (1 - 1e-9))


def _between(low: float, high: float, step: float) -> tuple[float, ...]:
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return tuple(float(f"{n * step:.12g}") for n in range(first, last + 1))


def _moment(tick: float, ticks: tuple[float, ...]) -> str:
    """The finest part that the ticks differ in; the day at midnight."""
    moment = datetime.fromtimestamp(tick, UTC)
    step = min((b - a for a, b in pairwise(ticks)), default=float(_MINUTE))
    if step >= _DAY or (moment.hour, moment.minute, moment.second) == (0, 0, 0):
        return f"{moment.day} {moment:%b}"
    return f"{moment:%H:%M:%S}" if step < _MINUTE else f"{moment:%H:%M}"


def quantity(value: float, unit: Literal["number", "percent", "seconds"]) -> str:
    """A value as people read it: `0.25` as a number, `25%` in percent, `250ms` in seconds."""
    match unit:
        case "percent":
            return f"{_short(value * 100)}%"
        case "seconds" if 0 < abs(value) < 1 and not isclose(abs(value), 1):
            return f"{_short(value * 1000)}ms"
        case "seconds":
            return f"{_short(value)}s"
        case "number":
            return _short(value)


def _short(value: float) -> str:
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if suffix == 'k' else size):.4g}{suffix}"
    return f"{value:.4g}"
