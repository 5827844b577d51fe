"""From what a person states about a metric to how the knobs behind it must stand.

`given success_rate = 80%` speaks of a derived metric; the simulated world has only leaves. If one leaf stands behind
the metric, its knob is found by bisection: the expressions of the language are monotone in nearly all that people
write, and where one is not, or the value is out of reach, the answer is a sentence that says so and what to state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isclose, isfinite
from typing import NamedTuple

from dsl.ir import Arm, GivenMetric, Measure, Unit
from interpreter.simulator.expressions import Metrics, leaves, value
from interpreter.simulator.knobs import LONGEST_MEDIAN, Knob, Setting
from interpreter.simulator.quantities import shown
from interpreter.simulator.witness import Witness

_NOMINAL_WINDOW_MS = 60_000
_ROUNDS = 200
_FAR = 1e12


class Setpoint(NamedTuple):
    """A knob of one arm stands at `value` for a while; `value` None: the metric behind it has no data."""

    knob: Knob
    arm: Arm
    value: float | None
    since_ms: int
    until_ms: int | None
    given: GivenMetric


class Problem(NamedTuple):
    """Why a scenario cannot be simulated, in the reader's words."""

    text: str


def setpoints(given: GivenMetric, metrics: Metrics, healthy: Witness) -> tuple[Setpoint, ...] | Problem:
    """How the knobs must stand for one `given` to be true."""
    measure = _nominal(given.measure)
    behind = tuple(dict.fromkeys(leaf for leaf in leaves(measure, metrics) if leaf.arm is measure.arm))
    until = None if given.lasting_ms is None else given.after_ms + given.lasting_ms
    names = sorted({leaf.metric for leaf in behind})
    if given.value is None:
        return tuple(
            Setpoint(Knob(name, "value"), measure.arm, None, given.after_ms, until, given)
            for name in (names if measure.metric in metrics else ())
        )
    if len(names) != 1:
        return Problem(f"{named(given.measure)} stands on {_listed(names)}: state these instead")
    knob = _knob(behind)
    found = _invert(measure, given.value, knob, metrics, _fixed(healthy))
    if isinstance(found, Problem):
        return found
    return (Setpoint(knob, measure.arm, found, given.after_ms, until, given),)


def _nominal(measure: Measure) -> Measure:
    return (
        measure
        if measure.window_ms > 0
        else Measure(measure.metric, measure.arm, _NOMINAL_WINDOW_MS, measure.part, measure.q)
    )


def _knob(behind: tuple[Measure, ...]) -> Knob:
    parts = {leaf.part for leaf in behind}
    name = behind[0].metric
    if parts & {"rate", "bad"}:
        return Knob(name, "error_rate")
    if "total" in parts:
        return Knob(name, "request_rate")
    return Knob(name, "median" if "quantile" in parts else "value")


def _fixed(healthy: Witness) -> Setting:
    def setting(knob: Knob, arm: Arm) -> float:
        return healthy.get((knob, arm), 1.0)

    return setting


def _invert(measure: Measure, target: float, knob: Knob, metrics: Metrics, others: Setting) -> float | Problem:
    """Where the knob must stand for the measure to be `target`."""

    def outcome(position: float) -> float:
        def setting(asked: Knob, arm: Arm) -> float:
            return position if asked == knob and arm is measure.arm else others(asked, arm)

        return value(measure, metrics, setting)

    reached: list[float] = []
    for low, high in _ranges(knob):
        ends = (outcome(low), outcome(high))
        reached.extend(end for end in ends if isfinite(end))
        if isfinite(min(ends)) and min(ends) <= target <= max(ends):
            return _bisect(outcome, measure, target, (low, high), metrics)
    least, most = (_shown(measure, end, metrics) for end in (min(reached), max(reached)))
    return Problem(f"{named(measure)} cannot be {_shown(measure, target, metrics)}: it goes from {least} to {most}")


def _ranges(knob: Knob) -> tuple[tuple[float, float], ...]:
    """Where to look for a knob, the likeliest range first. Plain values are kept apart by their sign: a metric that is
    divided by is often not defined at nothing."""
    match knob.kind:
        case "error_rate":
            return ((0.0, 1.0),)
        case "median":
            return ((1e-9, LONGEST_MEDIAN),)
        case "request_rate":
            return ((0.0, 1e9),)
        case "value":
            return (0.0, 1.0), (0.0, _FAR), (-_FAR, 0.0)


def _bisect(
    outcome: Callable[[float], float], measure: Measure, target: float, ends: tuple[float, float], metrics: Metrics
) -> float | Problem:
    low, high = ends
    rising = outcome(high) >= outcome(low)
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if (outcome(middle) < target) is rising:
            low = middle
        else:
            high = middle
    found = min((low, high), key=lambda at: abs(outcome(at) - target))
    tidy = float(f"{found:.12g}")
    if isclose(outcome(tidy), target, rel_tol=1e-9, abs_tol=1e-12):
        return tidy
    if isclose(outcome(found), target, rel_tol=1e-6, abs_tol=1e-9):
        return found
    names = _listed(sorted({leaf.metric for leaf in leaves(measure, metrics)}))
    return Problem(f"nothing makes {named(measure)} exactly {_shown(measure, target, metrics)}: state {names} instead")


def conflicts(settings: tuple[Setpoint, ...], metrics: Metrics, healthy: Witness) -> Problem | None:
    """Two statements about one knob at one time that cannot both hold."""
    for index, late in enumerate(settings):
        for early in settings[:index]:
            same = (late.knob, late.arm) == (early.knob, early.arm)
            if same and late.value is not None and early.value is not None and _together(early, late):
                problem = _contradiction(early, late, metrics, healthy)
                if problem is not None:
                    return problem
    return None


def _together(one: Setpoint, other: Setpoint) -> bool:
    ends = (
        one.until_ms is None or other.since_ms < one.until_ms,
        other.until_ms is None or one.since_ms < other.until_ms,
    )
    return all(ends) and _subject(one.given) != _subject(other.given)


def _subject(given: GivenMetric) -> tuple[str, str, float | None]:
    return given.measure.metric, given.measure.part, given.measure.q


def _contradiction(early: Setpoint, late: Setpoint, metrics: Metrics, healthy: Witness) -> Problem | None:
    at: Mapping[tuple[Knob, Arm], float] = {**healthy, (late.knob, late.arm): late.value or 0.0}
    seen = value(_nominal(early.given.measure), metrics, _fixed(at))
    if early.given.value is None or isclose(seen, early.given.value, rel_tol=1e-6, abs_tol=1e-9):
        return None
    first, second = (
        f"`{name(given.measure)} = {_shown(given.measure, given.value or 0.0, metrics)}`"
        for given in (early.given, late.given)
    )
    return Problem(f"{first} and {second} cannot both hold: both speak of `{late.knob.metric}`")


def name(measure: Measure) -> str:
    """The measure as a policy would write it."""
    part = {"value": "", "quantile": f".quantile({measure.q:g})" if measure.q is not None else ".quantile"}
    tail = "" if measure.arm is Arm.CANARY else f" of {measure.arm.value}"
    return f"{measure.metric}{part.get(measure.part, '.' + measure.part)}{tail}"


def named(measure: Measure) -> str:
    """The measure in back-ticks."""
    return f"`{name(measure)}`"


def _listed(names: list[str]) -> str:
    return " and ".join(f"`{each}`" for each in names) or "nothing"


def _shown(measure: Measure, quantity: float, metrics: Metrics) -> str:
    return shown(quantity, unit_of(measure, metrics))


def unit_of(measure: Measure, metrics: Metrics) -> Unit:
    """In which unit people speak of a measure."""
    match measure.part:
        case "rate":
            return Unit.PERCENT
        case "total" | "bad":
            return Unit.COUNT
        case "quantile":
            return Unit.SECONDS
        case "value":
            return metrics[measure.metric].unit
