"""Healthy values for what nobody stated: a point at which every `require` holds and no `abort` does.

The candidates for a knob come from the constants in the conditions that read it: what lies between them, half and
double of them, they themselves. Knobs that no condition ties together are searched apart, so that the search stays
small. First all arms of a knob stand alike; only conditions that no equal arms can fulfil get a canary that differs
from the primary. What cannot be fulfilled at all is left at its natural value, and the rollout shows why it fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from math import ceil, isfinite
from typing import NamedTuple

from dsl.ir import Arm, Check, Condition, Measure, Metric, Program, RouteOp, Unit
from interpreter.analysis.leaves import ENOUGH_REQUESTS
from interpreter.simulator.expressions import Metrics, constants, expressions, holds, leaves
from interpreter.simulator.knobs import LONGEST_MEDIAN, Knob, knobs_of

LOAD = Knob("", "request_rate")
"""All requests to the service, a second."""

USUAL_LOAD = 50.0
USUAL_ERROR_RATE = 0.0005
USUAL_MEDIAN = 0.08
_MOST_TRIALS = 50_000
_MOST_CONSTANTS = 12

Witness = Mapping[tuple[Knob, Arm], float]
_Place = tuple[Knob, Arm]


class Demand(NamedTuple):
    """A condition, and what it should come to in a healthy world."""

    condition: Condition
    wanted: bool
    soft: bool


class _Search(NamedTuple):
    """One group of knobs that conditions tie together."""

    metrics: Metrics
    demands: tuple[Demand, ...]
    knobs: tuple[Knob, ...]
    smallest_share: float


def natural(knob: Knob, metrics: Metrics) -> float:
    """What a knob stands at if no condition wants anything of it."""
    match knob.kind:
        case "error_rate":
            return USUAL_ERROR_RATE
        case "median":
            return USUAL_MEDIAN
        case "request_rate":
            return USUAL_LOAD
        case "value":
            return _natural_value(metrics[knob.metric])


def _natural_value(metric: Metric) -> float:
    match metric.unit:
        case Unit.SECONDS | Unit.MILLISECONDS:
            return USUAL_MEDIAN
        case Unit.RATE:
            return USUAL_LOAD
        case Unit.PERCENT | Unit.RATIO:
            return 0.5
        case _:
            return 1.0


def choose(program: Program, metrics: Metrics) -> Witness:
    """A healthy value for every knob of every leaf metric, for each arm, and for the load."""
    chosen: dict[_Place, float] = {(LOAD, arm): USUAL_LOAD for arm in Arm}
    for name, metric in metrics.items():
        for knob in knobs_of(name, metric) if metric.expr is None else ():
            if knob.kind != "request_rate":
                chosen.update({(knob, arm): natural(knob, metrics) for arm in Arm})
    for search in _searches(program, metrics):
        chosen.update(_solve(search))
    load = max(chosen[LOAD, Arm.CANARY], load_to_compare(program, metrics))
    return {**chosen, **dict.fromkeys(((LOAD, arm) for arm in Arm), load)}


def load_to_compare(program: Program, metrics: Metrics) -> float:
    """How many requests a second it takes for each arm's quantiles to be compared at the smallest share of traffic."""
    windows = [
        leaf.window_ms
        for demand in demands(program)
        for both in [tuple(leaf for expr in expressions(demand.condition) for leaf in leaves(expr, metrics))]
        if len({leaf.arm for leaf in both}) > 1
        for leaf in both
        if leaf.part == "quantile" and leaf.window_ms > 0
    ]
    if not windows:
        return 0.0
    needed = ENOUGH_REQUESTS / (min(windows) / 1000 * smallest_share(program))
    return 10.0 * ceil(1.1 * needed / 10)


def demands(program: Program) -> Iterator[Demand]:
    """What the program's analyses ask of a healthy world, each once."""
    seen: set[str] = set()
    for analysis in program.analyses.values():
        for check in analysis.checks:
            if isinstance(check, Check) and (key := repr(check)) not in seen:
                seen.add(key)
                yield Demand(check.condition, check.kind != "abort", check.kind == "observe")


def smallest_share(program: Program) -> float:
    """The smallest share of requests that the canary gets at any step."""
    weights = [op.weight for op in program.code if isinstance(op, RouteOp) and op.weight]
    mirrors = [op.mirror for op in program.code if isinstance(op, RouteOp) and op.mirror]
    return min([*weights, *mirrors, 10.0]) / 100


# --- groups -----------------------------------------------------------------------------------------------------


def _knobs(demand: Demand, metrics: Metrics) -> list[Knob]:
    found: dict[Knob, None] = {}
    for expr in expressions(demand.condition):
        for leaf in leaves(expr, metrics):
            found.update(dict.fromkeys(_read(leaf)))
    return list(found)


def readings(program: Program, metrics: Metrics) -> Iterator[tuple[Knob, Arm]]:
    """The knobs that the program's checks read, each arm that they read once."""
    seen: set[_Place] = set()
    for demand in demands(program):
        for leaf in (leaf for expr in expressions(demand.condition) for leaf in leaves(expr, metrics)):
            for knob in _read(leaf):
                if knob != LOAD and (knob, leaf.arm) not in seen:
                    seen.add((knob, leaf.arm))
                    yield knob, leaf.arm


def _read(leaf: Measure) -> tuple[Knob, ...]:
    """The knobs that a measure of a leaf metric reads."""
    match leaf.part:
        case "value":
            return (Knob(leaf.metric, "value"),)
        case "rate":
            return (Knob(leaf.metric, "error_rate"),)
        case "quantile":
            return (Knob(leaf.metric, "median"),)
        case "total":
            return (LOAD,)
        case "bad":
            return (Knob(leaf.metric, "error_rate"), LOAD)


def _searches(program: Program, metrics: Metrics) -> Iterator[_Search]:
    groups: list[tuple[set[Knob], list[Demand], list[Knob]]] = []
    for demand in demands(program):
        mine = _knobs(demand, metrics)
        together = [group for group in groups if group[0] & set(mine)]
        joined: tuple[set[Knob], list[Demand], list[Knob]] = (set(), [], [])
        for group in together:
            groups.remove(group)
            joined = (joined[0] | group[0], joined[1] + group[1], joined[2] + group[2])
        fresh = [knob for knob in mine if knob not in joined[0]]
        groups.append((joined[0] | set(mine), [*joined[1], demand], [*joined[2], *fresh]))
    least = smallest_share(program)
    for _, wanted, knobs in groups:
        yield _Search(metrics, tuple(wanted), tuple(knobs), least)


# --- candidates -------------------------------------------------------------------------------------------------


def candidates(knob: Knob, named: list[float], metrics: Metrics) -> list[float]:
    """What is worth trying for a knob, the likeliest first, when these constants stand beside it."""
    if knob == LOAD:
        return [USUAL_LOAD, 500.0, 5_000.0, 50_000.0, 5.0, 0.5, 0.05, 0.0]
    if knob.kind == "median":
        near = [c / by for c in named if c > 0 for by in (8.0, 20.0, 100.0, 3.5, 1.0, 0.5, 0.1)]
        return _unique([USUAL_MEDIAN, *near], 0.0001, LONGEST_MEDIAN)
    share = knob.kind == "error_rate" or metrics[knob.metric].unit in (Unit.PERCENT, Unit.RATIO)
    usual = [USUAL_ERROR_RATE, 0.0] if knob.kind == "error_rate" else _usual_value(metrics[knob.metric])
    marks = sorted({0.0, *([1.0] if share or not named else []), *named})
    middles = [(low + high) / 2 for low, high in pairwise(marks)]
    apart = [b - a for i, a in enumerate(marks) for b in marks[i + 1 :]]
    rest = [factor * c for factor in (0.5, 2.0, 1.0, -1.0) for c in (*named, *apart)]
    return _unique([*usual, *middles, *rest, *marks], 0.0, 1.0) if share else _unique([*usual, *middles, *rest, *marks])


def _usual_value(metric: Metric) -> list[float]:
    return [_natural_value(metric)] if metric.unit in (Unit.SECONDS, Unit.MILLISECONDS, Unit.RATE) else []


def _unique(values: list[float], low: float = float("-inf"), high: float = float("inf")) -> list[float]:
    return list(dict.fromkeys(v for v in (float(f"{v:.12g}") for v in values) if isfinite(v) and low <= v <= high))


# --- the search -------------------------------------------------------------------------------------------------


def _solve(search: _Search) -> dict[_Place, float]:
    """The first point that satisfies all demands; then without the soft ones; then with arms that differ."""
    hard = tuple(demand for demand in search.demands if not demand.soft)
    for wanted in (search.demands, hard):
        for tied in (True, False):
            found = _find(search._replace(demands=wanted), tied)
            if found is not None:
                return found
    return {}


def _find(search: _Search, tied: bool) -> dict[_Place, float] | None:
    """Depth first: a demand is looked at as soon as all its knobs are set."""
    places = _places(search, tied)
    choices = {knob: candidates(knob, _constants_near(knob, search), search.metrics) for knob in search.knobs}
    ready = _ready_at(search, places)
    point: dict[_Place, float] = {}
    trials = 0

    def setting(knob: Knob, arm: Arm) -> float:
        if knob.kind == "request_rate":
            load = point.get((LOAD, Arm.CANARY), USUAL_LOAD)
            return load * (search.smallest_share if arm is not Arm.PRIMARY else 1 - search.smallest_share)
        return point[knob, arm]

    def descend(depth: int) -> bool:
        nonlocal trials
        if depth == len(places):
            return True
        for candidate in choices[places[depth][0][0]]:
            trials += 1
            if trials > _MOST_TRIALS:
                return False
            point.update(dict.fromkeys(places[depth], candidate))
            fits = all(holds(d.condition, search.metrics, setting) is d.wanted for d in ready[depth])
            if fits and descend(depth + 1):
                return True
        return False

    return point if descend(0) else None


def _places(search: _Search, tied: bool) -> list[list[_Place]]:
    """What is set together: all arms of a knob, or the canary apart from the other two."""
    if tied:
        return [[(knob, arm) for arm in Arm] for knob in search.knobs]
    apart: list[list[_Place]] = []
    for knob in search.knobs:
        apart.append([(knob, Arm.PRIMARY), (knob, Arm.BASELINE)])
        apart.append([(knob, Arm.CANARY)])
    return apart


def _ready_at(search: _Search, places: list[list[_Place]]) -> list[list[Demand]]:
    """Which demands can first be decided at each depth."""
    last = {knob: depth for depth, place in enumerate(places) for knob in {p[0] for p in place}}
    ready: list[list[Demand]] = [[] for _ in places]
    for demand in search.demands:
        knobs = _knobs(demand, search.metrics)
        if knobs:
            ready[max(last[knob] for knob in knobs)].append(demand)
    return ready


def _constants_near(knob: Knob, search: _Search) -> list[float]:
    found: dict[float, None] = {}
    for demand in search.demands:
        if knob in _knobs(demand, search.metrics):
            for expr in expressions(demand.condition):
                found.update(dict.fromkeys(constants(expr, search.metrics)))
    return list(found)[:_MOST_CONSTANTS]
