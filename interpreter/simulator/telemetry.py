"""What metric providers see of the simulated traffic.

Each knob stands at what was last stated for its arm and still holds, else at its healthy value. How many requests an
arm gets follows from the routing, so that a check that compares counts sees the split that was set: a canary without
any traffic of its own still gets a little (a load test), and a tenth of all requests match a header or cookie.
An answer describes the world as it is at the moment that it is asked for; before the scenario begins, as it is then.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from dsl.ir import Arm, Program, Unit
from interpreter.desired import Routing
from interpreter.questions import Answer, ErrorAnswer, MetricQuestion, NoDataAnswer
from interpreter.simulator import knobs
from interpreter.simulator.expressions import Metrics
from interpreter.simulator.inversion import Problem, Setpoint, conflicts, setpoints
from interpreter.simulator.knobs import Knob, KnobKind
from interpreter.simulator.quantities import shown
from interpreter.simulator.scenario import Scenario
from interpreter.simulator.witness import LOAD, USUAL_LOAD, Witness, choose, readings

PROBES = 5.0
"""Requests a second that reach a canary without traffic of its own."""
MATCHING = 0.1
"""The share of requests that match a header or a cookie."""


def shares(routing: Routing) -> dict[Arm, float]:
    """The share of all requests that each arm gets to see."""
    weight = routing.weight / 100
    routed = weight + (1 - weight) * MATCHING if routing.matches else weight
    canary = routed + routing.mirror / 100
    return {Arm.CANARY: canary, Arm.BASELINE: canary, Arm.PRIMARY: 1 - routed}


class Chosen(NamedTuple):
    """A value that the simulated world took because nobody stated one."""

    what: str
    value: str


class Seen(Protocol):
    """Where the answers about metrics come from: a made-up world, or the past (`interpreter.backtest`)."""

    @property
    def metrics(self) -> Metrics:
        """Every metric, by name."""

    def answer(self, question: MetricQuestion, routing: Routing, at_ms: int) -> Answer:
        """What the provider of this metric says at a moment of the scenario."""

    def chosen(self) -> tuple[Chosen, ...]:
        """What was made up."""


class Telemetry(NamedTuple):
    """The metric providers of one simulated world. `healthy` has a value for each knob of each arm."""

    metrics: Metrics
    scenario: Scenario
    healthy: Witness
    stated: tuple[Setpoint, ...]
    read: tuple[tuple[Knob, Arm], ...] = ()

    def answer(self, question: MetricQuestion, routing: Routing, at_ms: int) -> Answer:
        """What the provider of this metric says at a moment of the scenario."""
        if any(self.scenario.active("provider_down", at_ms)):
            return ErrorAnswer("the metric provider is down")
        arm = Arm(question.arm)
        if self._silent(question.metric, arm, at_ms):
            return NoDataAnswer()
        shared = shares(routing)

        def setting(knob: Knob, of: Arm) -> float:
            return self.stand(knob, of, shared, at_ms)

        metric = self.metrics[question.metric]
        answer = knobs.answer(question.metric, metric.unit, arm, question.window_ms, setting)
        return NoDataAnswer("no requests") if answer is None else answer

    def stand(self, knob: Knob, arm: Arm, shared: dict[Arm, float], at_ms: int) -> float:
        """How a knob stands for an arm at a moment."""
        stated = self._stated(knob.metric, arm, at_ms, knob)
        if stated is not None and stated.value is not None:
            return stated.value
        return self._request_rate(knob, arm, shared, at_ms) if knob.kind == "request_rate" else self.healthy[knob, arm]

    def _request_rate(self, knob: Knob, arm: Arm, shared: dict[Arm, float], at_ms: int) -> float:
        """By the routing. A rate that was stated for another arm says how busy the whole service is."""
        for other in Arm:
            stated = self._stated(knob.metric, other, at_ms, knob)
            if stated is not None and stated.value is not None and shared[other] > 0:
                return stated.value * shared[arm] / shared[other]
        rate = self.healthy[LOAD, arm] * shared[arm]
        return PROBES if rate == 0 and arm is not Arm.PRIMARY else rate

    def _stated(self, metric: str, arm: Arm, at_ms: int, knob: Knob | None = None) -> Setpoint | None:
        """What was stated last, and still holds, of a metric or of one of its knobs."""
        found: Setpoint | None = None
        for point in self.stated:
            about = point.knob == knob or (point.knob.metric == metric and (knob is None or point.value is None))
            holds = point.since_ms <= at_ms and (point.until_ms is None or at_ms < point.until_ms)
            if about and holds and point.arm is arm and (found is None or point.since_ms >= found.since_ms):
                found = point
        return found

    def _silent(self, metric: str, arm: Arm, at_ms: int) -> bool:
        if any(event.subject in (None, metric) for event in self.scenario.active("no_data", at_ms)):
            return True
        stated = self._stated(metric, arm, at_ms)
        return stated is not None and stated.value is None

    def chosen(self) -> tuple[Chosen, ...]:
        """The values that some check reads and nobody stated for the whole time, each once where the arms agree."""
        always = {(p.knob, p.arm) for p in self.stated if p.since_ms <= 0 and p.until_ms is None}
        free = [place for place in self.read if place not in always]
        found: dict[Chosen, None] = {}
        for knob, arm in free:
            value = shown(self.healthy[knob, arm], _UNITS.get(knob.kind) or self.metrics[knob.metric].unit)
            agree = all(self.healthy[k, a] == self.healthy[knob, arm] for k, a in self.read if k == knob)
            alone = {a for k, a in free if k == knob} != {a for k, a in self.read if k == knob}
            tail = f" of {arm.value}" if (alone or not agree) and arm is not Arm.CANARY else ""
            found[Chosen(_NAMES[knob.kind].format(knob.metric) + tail, value)] = None
        if self.healthy[LOAD, Arm.CANARY] != USUAL_LOAD:
            found[Chosen("requests in all", shown(self.healthy[LOAD, Arm.CANARY], Unit.RATE))] = None
        return tuple(found)


_UNITS: dict[KnobKind, Unit] = {"error_rate": Unit.PERCENT, "median": Unit.SECONDS, "request_rate": Unit.RATE}
_NAMES: dict[KnobKind, str] = {
    "error_rate": "{}.rate",
    "median": "{}.quantile(0.5)",
    "request_rate": "{} a second",
    "value": "{}",
}


def telemetry(program: Program, metrics: Metrics, scenario: Scenario) -> Telemetry | Problem:
    """The providers of a scenario, or why what it states cannot be."""
    healthy = choose(program, metrics)
    stated: list[Setpoint] = []
    for given in scenario.metrics:
        points = setpoints(given, metrics, healthy)
        if isinstance(points, Problem):
            return points
        stated.extend(points)
    problem = conflicts(tuple(stated), metrics, healthy)
    if problem is not None:
        return problem
    return Telemetry(metrics, scenario, healthy, tuple(stated), tuple(readings(program, metrics)))
