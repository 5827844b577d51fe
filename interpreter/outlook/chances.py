"""What the checks of a policy promise at the traffic that one expects: false alarms, and how soon they see.

Each check that can end the rollout is put through many rollouts alone (`interpreter.simulator.chances`), then all of
them together: in healthy traffic; with one percentage point more errors on the canary; with each of its requests a
tenth slower; and with every request bad and far too slow, which shows what a check could ever see. Checks alone keep
the schedule, the tolerance and the share of the budget that they have in the policy.

A release counts as noticed if it was ended before its promotion. Metrics that are plain numbers cannot be drawn: they
stand at the healthy values that the simulator would choose, and checks that know nothing else are left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from dsl import flow
from dsl.ir import BASE_SCALE, Analysis, Arm, CallCheck, Check, GateCheck, HoldOp, Program, Statistical, Unit, walk
from interpreter.analysis.judge import questions
from interpreter.plan_exposure import gathers
from interpreter.plan_times import checks_of
from interpreter.simulator.chances import Course, Outcome, Run, course, runs
from interpreter.simulator.crowd import Latencies, Level, Requests, Source, Sources, Traffic
from interpreter.simulator.draws import PROMETHEUS_BOUNDS, lognormal_shares
from interpreter.simulator.knobs import Knob
from interpreter.simulator.telemetry import MATCHING, PROBES
from interpreter.simulator.witness import choose

SEED = 4
"""Chance begins here, so that the same question gets the same answer."""

MOST_RUNS = 1_000
LEAST_RUNS = 40
FEW_RUNS = 20
"""Enough to see whether a check ends releases of which nothing works."""

WORK = 120_000
"""As much work as is done unless `--runs` asks for more: looks at one threshold, some 40 µs each."""

PATIENT_RUNS = 5
PATIENT_LOOKS = 300
"""So long is looked on when a check that gathers evidence has not seen a bad release before promotion."""

HALF = 0.5
POINT = 0.01
SLOWER = 1.1

Z = 1.959964


class Expected(NamedTuple):
    """What one expects of the service: requests a second, the share of them that is bad, the median and the 99th
    percentile of their latency in seconds."""

    rps: float
    errors: float
    median: float
    slow: float


class Service(NamedTuple):
    """The traffic of a service: all its requests a second; each metric of `counted` while all is well; and the same
    with every request a tenth slower."""

    load: float
    healthy: Sources
    slower: Sources


class Share(NamedTuple):
    """So many of so many rollouts."""

    number: int
    of: int

    @property
    def value(self) -> float:
        return self.number / self.of if self.of else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95% interval."""
        if not self.of:
            return 0.0, 1.0
        widening = 1 + Z * Z / self.of
        middle = (self.value + Z * Z / (2 * self.of)) / widening
        reach = Z / widening * math.sqrt(self.value * (1 - self.value) / self.of + (Z / (2 * self.of)) ** 2)
        low, high = max(0.0, middle - reach), min(1.0, middle + reach)
        return (0.0 if not self.number else low), (1.0 if self.number == self.of else high)


class Moment(NamedTuple):
    """When something was noticed: requests to the canary until then, and time."""

    requests: float
    ms: int


class Noticing(NamedTuple):
    """Of all bad releases: how many were ended before promotion, and by when half of them and nine in ten were. None:
    not before promotion."""

    share: Share
    half: Moment | None
    most: Moment | None


class Prospect(NamedTuple):
    """What a check, or all of them together, makes of releases. `held` are healthy ones that got nowhere; `blank` is
    the share of looks without data. `errors` and `slower` are None where it does not look at such a thing. `promoted`
    is when half of the healthy ones are. `blind` says that not half of the releases of which nothing works are noticed.
    `patient` is by when half of the bad ones would be noticed if the last hold went on, for checks that gather evidence
    and notice fewer than half of them."""

    healthy: Share
    held: Share
    blank: float
    promoted: Moment | None
    errors: Noticing | None
    slower: Noticing | None
    blind: bool
    patient: Moment | None = None


class CheckChances(NamedTuple):
    """One check, in the analyses that have it."""

    check: Check
    analyses: tuple[str, ...]
    prospect: Prospect


class Chances(NamedTuple):
    """`left_out` are checks that cannot be modelled, `assumptions` what was taken for granted, each in words."""

    program: Program
    service: Service
    runs: int
    seed: int
    checks: tuple[CheckChances, ...]
    whole: Prospect | None
    left_out: tuple[str, ...]
    assumptions: tuple[str, ...]


# --- the worlds -------------------------------------------------------------------------------------------------


def service(program: Program, expected: Expected) -> Service:
    """The service that one expects. Latencies are lognormal, seen in the buckets that Prometheus' libraries have."""
    slower = expected._replace(median=expected.median * SLOWER, slow=expected.slow * SLOWER)
    return Service(expected.rps, _sources(program, expected), _sources(program, slower))


def _sources(program: Program, expected: Expected) -> Sources:
    events = Requests(expected.rps, expected.errors)
    shares = lognormal_shares(expected.median, expected.slow, PROMETHEUS_BOUNDS)
    latencies = Latencies(expected.rps, PROMETHEUS_BOUNDS, shares)
    return {name: events if program.metrics[name].unit is Unit.EVENTS else latencies for name in counted(program)}


def counted(program: Program) -> tuple[str, ...]:
    """The metrics of events and histograms that the policy asks for while it judges."""
    asked = dict.fromkeys(name for check in _checks(program) for name in leaves(program, check))
    return tuple(name for name in asked if program.metrics[name].unit in (Unit.EVENTS, Unit.HISTOGRAM))


def _more_errors(source: Source) -> Source:
    return source._replace(bad=min(1.0, source.bad + POINT)) if isinstance(source, Requests) else source


def _broken(source: Source) -> Source:
    match source:
        case Requests():
            return source._replace(bad=1.0)
        case Latencies():
            return source._replace(shares=(*(0.0 for _ in source.bounds), 1.0))
        case _:
            return source


def _harmed(healthy: Sources, harm: Callable[[Source], Source]) -> Sources:
    return {name: harm(source) for name, source in healthy.items()}


# --- what is worked out -----------------------------------------------------------------------------------------


def chances(program: Program, expected: Service, *, number: int | None = None, seed: int = SEED) -> Chances:
    """The chances of a policy. `number` is how many rollouts to make of each kind, by default as many as take a few
    seconds."""
    checks = _checks(program)
    modelled = tuple(check for check in checks if any(name in expected.healthy for name in leaves(program, check)))
    used = dict.fromkeys(name for check in modelled for name in leaves(program, check))
    number = affordable(program, modelled) if number is None else number
    maker = _Maker(program, expected, _levels(program), number, seed)
    alone = tuple(CheckChances(check, _homes(program, check), maker.prospect((check,))) for check in modelled)
    return Chances(
        program=program,
        service=expected,
        runs=number,
        seed=seed,
        checks=alone,
        whole=None if not alone else alone[0].prospect if len(alone) == 1 else maker.prospect(modelled),
        left_out=tuple(words(check) for check in checks if check not in modelled),
        assumptions=tuple(_assumptions(program, [name for name in used if name not in expected.healthy])),
    )


class _Maker(NamedTuple):
    """What makes rollouts of one policy. `levels` are the metrics that stand still, by arm."""

    program: Program
    expected: Service
    levels: Mapping[Arm, Sources]
    number: int
    seed: int

    def prospect(self, checks: tuple[Check, ...]) -> Prospect:
        """What these checks make of releases."""
        way = course(self.program, _only(self.program, checks))
        well = self.expected.healthy
        healthy = self._made(way, "healthy", well, self.number)
        units = {self.program.metrics[name].unit for check in checks for name in leaves(self.program, check)}
        errors = self._noticing(way, "errors", _harmed(well, _more_errors)) if Unit.EVENTS in units else None
        slower = self._noticing(way, "slower", self.expected.slower) if Unit.HISTOGRAM in units else None
        looks = sum(run.looks for run in healthy)
        seen = any(each is not None and each.share.value >= HALF for each in (errors, slower))
        return Prospect(
            healthy=_share(healthy, Outcome.ENDED),
            held=_share(healthy, Outcome.HELD),
            blank=sum(run.blank for run in healthy) / looks if looks else 0.0,
            promoted=_by(healthy, Outcome.PROMOTED, 0.5),
            errors=errors,
            slower=slower,
            blind=not seen and self._blind(way),
            patient=self._patient(checks, errors, slower),
        )

    def _patient(self, checks: tuple[Check, ...], errors: Noticing | None, slower: Noticing | None) -> Moment | None:
        """By when one check would notice if the last hold went on."""
        if len(checks) != 1 or not gathers(checks[0].condition):
            return None
        long = _lengthened(self.program)
        way = course(long, _only(long, checks))._replace(most_looks=PATIENT_LOOKS + 2 * planned_looks(self.program))
        well = self.expected.healthy
        if errors is not None and errors.half is None:
            made = self._made(way, "errors", _harmed(well, _more_errors), PATIENT_RUNS)
        elif slower is not None and slower.half is None:
            made = self._made(way, "slower", self.expected.slower, PATIENT_RUNS)
        else:
            return None
        return _by(made, Outcome.ENDED, 0.5)

    def _noticing(self, way: Course, name: str, canary: Sources) -> Noticing:
        made = self._made(way, name, canary, self.number)
        return Noticing(_share(made, Outcome.ENDED), _by(made, Outcome.ENDED, 0.5), _by(made, Outcome.ENDED, 0.9))

    def _blind(self, way: Course) -> bool:
        made = self._made(way, "broken", _harmed(self.expected.healthy, _broken), FEW_RUNS)
        return _share(made, Outcome.ENDED).value < HALF

    def _made(self, way: Course, name: str, canary: Sources, number: int) -> list[Run]:
        """So many rollouts; fewer, but not too few, where they take much longer than planned."""
        primary = {**self.levels[Arm.PRIMARY], **self.expected.healthy}
        traffic = Traffic(
            self.expected.load, primary, {**self.levels[Arm.CANARY], **canary}, baseline=self.program.baseline
        )
        made: list[Run] = []
        spent, enough = 0, 1.3 * number * max(1, planned_looks(self.program))
        for run in runs(way, traffic, number, f"{self.seed} {name}"):
            made.append(run)
            spent += run.looks
            if spent > enough and len(made) >= LEAST_RUNS:
                break
        return made


def _lengthened(program: Program) -> Program:
    """The same with a much longer last hold."""
    code = list(program.code)
    for place in range(len(code) - 1, -1, -1):
        op = code[place]
        if isinstance(op, HoldOp) and op.analysis is not None:
            code[place] = replace(op, duration_ms=None, checks=PATIENT_LOOKS)
            break
    return replace(program, code=tuple(code))


def _share(made: list[Run], outcome: Outcome) -> Share:
    return Share(sum(run.outcome is outcome for run in made), len(made))


def _by(made: list[Run], outcome: Outcome, part: float) -> Moment | None:
    """By which request, and by what time, that part of all had come to that outcome: each for itself, for a rollout
    that is held up at a small share takes more time for fewer requests."""
    found = [run for run in made if run.outcome is outcome]
    place = max(1, math.ceil(part * len(made)))
    if len(found) < place:
        return None
    return Moment(sorted(run.requests for run in found)[place - 1], sorted(run.ms for run in found)[place - 1])


# --- the checks of a policy -------------------------------------------------------------------------------------


def _used(program: Program) -> Iterable[str]:
    """The analyses under which some step holds the traffic."""
    return dict.fromkeys(_held(program).values())


def _held(program: Program) -> Mapping[int, str]:
    """The places of the holds that some run comes to, and what judges there."""
    places = flow.reachable(program)
    return {
        place: op.analysis
        for place, op in enumerate(program.code)
        if place in places and isinstance(op, HoldOp) and op.analysis is not None
    }


def _checks(program: Program) -> tuple[Check, ...]:
    """The metric checks that can end the rollout, each once."""
    found: list[Check] = []
    for check in (check for name in _used(program) for check in program.analyses[name].checks):
        if isinstance(check, Check) and check.kind != "observe" and check not in found:
            found.append(check)
    return tuple(found)


def _homes(program: Program, check: Check) -> tuple[str, ...]:
    return tuple(name for name in _used(program) if check in program.analyses[name].checks)


def _only(program: Program, checks: tuple[Check, ...]) -> Mapping[str, Analysis]:
    """The analyses with none but these checks."""
    return {
        name: replace(analysis, checks=tuple(check for check in analysis.checks if check in checks))
        for name, analysis in program.analyses.items()
    }


def leaves(program: Program, check: Check) -> tuple[str, ...]:
    """The metrics that providers are asked for to judge a check."""
    asked = questions(program, Analysis(60_000, (check,)), 0)
    return tuple(dict.fromkeys(question.metric for question in asked))


def words(check: Check) -> str:
    """A check as the policy has it."""
    return f"abort if {check.text}" if check.kind == "abort" else check.text


def _assumptions(program: Program, standing: list[str]) -> Iterable[str]:
    """What is taken for granted, in words."""
    if standing:
        yield f"{', '.join(f'`{name}`' for name in standing)} stays at a healthy value all the time"
    passing = dict.fromkeys(_passing(program))
    if passing:
        yield f"{', '.join(passing)} lets everything pass"
    exposures = [pair[1] for place in _held(program) if (pair := flow.exposures(program)[place]) is not None]
    if any(exposed.matched for exposed in exposures):
        yield f"{MATCHING:.0%} of requests match what is routed to the canary"
    if any(exposed.dark for exposed in exposures):
        yield f"a canary without traffic gets {PROBES:g} requests a second from a load test"


def _passing(program: Program) -> Iterable[str]:
    for check in (check for name in _used(program) for check in program.analyses[name].checks):
        match check:
            case CallCheck():
                yield f"webhook `{check.webhook}`"
            case GateCheck():
                yield f"gate `{check.gate}`"
            case _:
                pass


def _levels(program: Program) -> Mapping[Arm, Sources]:
    """The plain numbers among the metrics, healthy, as their providers would give them."""
    plain = [
        name
        for name, metric in program.metrics.items()
        if metric.expr is None and metric.unit not in (Unit.EVENTS, Unit.HISTOGRAM)
    ]
    witness = choose(program, program.metrics) if plain else {}
    return {
        arm: {
            name: Level(witness[Knob(name, "value"), arm] / BASE_SCALE.get(program.metrics[name].unit, 1.0))
            for name in plain
        }
        for arm in Arm
    }


def affordable(program: Program, checks: tuple[Check, ...]) -> int:
    """How many rollouts of each kind `WORK` pays for."""
    looks = max(1, planned_looks(program))
    costs = [_cost(program, check) for check in checks]
    work = looks * (2 * sum(costs) + (3 * sum(costs) if len(costs) > 1 else 0))
    return max(LEAST_RUNS, min(MOST_RUNS, int(WORK / max(1.0, work))))


def planned_looks(program: Program) -> int:
    """How many checks a rollout makes that none of them holds up; all arms of an `if` are counted."""
    return sum(checks_of(program, index) for index in flow.reachable(program))


def _cost(program: Program, check: Check) -> float:
    """What a look at a check costs, a threshold on counts being 1; a test that gathers evidence is as five."""
    tests = sum(isinstance(part, Statistical) for part in walk(check.condition))
    slow = any(program.metrics[name].unit is Unit.HISTOGRAM for name in leaves(program, check))
    return max(1.0, 5.0 * tests) * (1.5 if slow else 1.0)
