"""What to change about a check, given what it promises at the expected traffic.

A threshold is hopeless if it would end most healthy releases. A check is blind if it cannot end a release of which
nothing works. It is late if it gathers evidence and has not enough of it before the promotion. It holds if healthy
releases wait for it longer than four times what was planned.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import log
from typing import Literal, NamedTuple

from dsl import flow
from dsl.ir import Check, HoldOp, Program, Statistical, Unit, walk
from interpreter.analysis import show
from interpreter.analysis.leaves import ENOUGH_REQUESTS
from interpreter.analysis.sequential import objective_evidence
from interpreter.durations import duration
from interpreter.outlook.chances import PATIENT_LOOKS, Chances, CheckChances, Service, leaves, words
from interpreter.simulator.crowd import Latencies, Requests
from interpreter.simulator.expressions import constants, expressions
from interpreter.simulator.telemetry import MATCHING, PROBES

HOPELESS = 0.5
OFTEN = 0.05
EMPTY = 0.05
_MOST_REQUESTS = 1 << 40


class Advice(NamedTuple):
    """What is wrong with a check (as the policy has it), and what to do."""

    kind: Literal["hopeless", "often", "blind", "late", "holds"]
    check: str
    text: str


def advice(found: Chances) -> tuple[Advice, ...]:
    """The worst first, check by check."""
    order = ("hopeless", "blind", "holds", "often", "late")
    every = [each for check in found.checks for each in _of(found, check)]
    return tuple(sorted(every, key=lambda each: order.index(each.kind)))


def _of(found: Chances, one: CheckChances) -> Iterator[Advice]:
    name, seen = words(one.check), one.prospect
    ended = seen.healthy
    if ended.value >= HOPELESS:
        yield Advice("hopeless", name, f"would end {percent(ended.value)} of healthy releases: {_fix(found, one)}")
    elif ended.interval[0] > OFTEN:
        yield Advice("often", name, f"ends one healthy release in {round(1 / ended.value)}: {_fix(found, one)}")
    if seen.held.value >= HOPELESS:
        yield Advice("holds", name, _holding(found, one))
    elif seen.blind:
        yield Advice("blind", name, _blindness(found, one))
    elif _is_late(one):
        yield Advice("late", name, _lateness(found, one))


# --- too strict -------------------------------------------------------------------------------------------------


def _fix(found: Chances, one: CheckChances) -> str:
    """What to write instead."""
    if one.prospect.blank > EMPTY:
        share = percent(one.prospect.blank)
        return f"in {share} of its looks the canary has had no request; look less often, or give it more traffic"
    test = _test(one.check)
    if test is not None and test.test in ("meets", "certified"):
        bad = found.service.healthy[test.metric]
        usual = (
            f"{show.percent(bad.bad, 3)} of requests are bad as it is"
            if isinstance(bad, Requests)
            else "it is not kept"
        )
        return f"{usual}; take an objective that the service keeps"
    for metric in leaves(found.program, one.check):
        match found.program.metrics[metric].unit:
            case Unit.EVENTS:
                return f"use `no_regression({metric})`"
            case Unit.HISTOGRAM:
                return f"use `no_slower({metric})`"
            case _:
                continue
    return "take a threshold that the service keeps"


# --- never ------------------------------------------------------------------------------------------------------


def _blindness(found: Chances, one: CheckChances) -> str:
    """Why it does not even end a release of which nothing works."""
    test = _test(one.check)
    if test is not None:
        return f"does not notice even a release of which nothing works: {_given(found)}; hold the traffic longer"
    for metric in leaves(found.program, one.check):
        source = found.service.healthy.get(metric)
        if isinstance(source, Latencies) and _highest(found.program, one.check) >= source.bounds[-1]:
            bound = show.seconds(source.bounds[-1])
            return (
                f"can never fail: the last bound of the histogram is {bound}, beyond which no latency is known; "
                f"take a threshold below it, or `no_slower({metric})`"
            )
    return "can never fail: it holds even if every request fails and none is fast; take another threshold"


def _highest(program: Program, check: Check) -> float:
    found = (value for expr in expressions(check.condition) for value in constants(expr, program.metrics))
    return max(found, default=0.0)


# --- too late ---------------------------------------------------------------------------------------------------


def _is_late(one: CheckChances) -> bool:
    seen = [each for each in (one.prospect.errors, one.prospect.slower) if each is not None]
    return _test(one.check) is not None and any(each.half is None for each in seen)


def _lateness(found: Chances, one: CheckChances) -> str:
    missed = "+1 point of errors" if one.prospect.errors and one.prospect.errors.half is None else "+10% latency"
    if one.prospect.patient is None:
        needs = f"more than {PATIENT_LOOKS} further checks"
        until = ""
    else:
        needs = _requests(one.prospect.patient.requests)
        until = f", until {duration(_minutes(one.prospect.patient.ms))} after the start if it is the last step"
    return f"needs {needs} to notice {missed} in half of all cases: {_given(found)}; hold the traffic longer{until}"


def _given(found: Chances) -> str:
    """How many requests the canary has had when a rollout that nothing holds up is promoted."""
    promoted = [one.prospect.promoted for one in found.checks if one.prospect.promoted is not None]
    if not promoted:
        return "the canary gets too few before promotion"
    return f"the canary gets {_requests(min(each.requests for each in promoted))} before promotion"


# --- too slow ---------------------------------------------------------------------------------------------------


def _holding(found: Chances, one: CheckChances) -> str:
    test = _test(one.check)
    if test is not None and test.test == "certified":
        return _certifying(found.program, found.service, one, test)
    if any(isinstance(found.service.healthy.get(name), Latencies) for name in leaves(found.program, one.check)):
        return (
            f"holds healthy releases where they are: to compare quantiles takes {ENOUGH_REQUESTS} requests of each arm "
            "in a window; look over a longer one (`over`), or use `no_slower`"
        )
    return f"holds healthy releases where they are: {_given(found)}"


def _certifying(program: Program, service: Service, one: CheckChances, test: Statistical) -> str:
    """How long it takes to certify a healthy release, at the weight at which it waits for that."""
    source = service.healthy[test.metric]
    needed = certificate(test, source.bad) if isinstance(source, Requests) else None
    if needed is None:
        return "never certifies a healthy release: the service itself breaks the objective; take one that it keeps"
    rate = _first_rate(program, one, service.load)
    return (
        f"holds healthy releases: to certify one takes {_requests(needed)} to the canary, and at the "
        f"{show.plain(rate, 3)} a second of its first step that is {duration(_minutes(needed / rate * 1000))}; give it "
        "more traffic or a lower objective, or use `meets`"
    )


def certificate(test: Statistical, bad: float) -> int | None:
    """How many requests it takes to certify an arm with this share of bad ones; None if none will do. As
    `interpreter.analysis.rates` reckons, with as many bad ones as are to be expected."""
    allowed = 1 - test.params["objective"]
    if bad >= allowed:
        return None
    needed = 1 / max(1e-12, 1 - test.params.get("confidence", 0.95))

    def certified(total: int) -> bool:
        return objective_evidence(allowed, bad * total, total, mirrored=True) >= log(needed)

    high = 1
    while not certified(high):
        high *= 2
        if high > _MOST_REQUESTS:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if certified(middle) else (middle, high)
    return high


def _first_rate(program: Program, one: CheckChances, load: float) -> float:
    """How many requests a second the canary has while it is first judged by this check."""
    exposures = flow.exposures(program)
    for place, op in enumerate(program.code):
        exposed = exposures[place]
        if isinstance(op, HoldOp) and op.analysis in one.analyses and exposed is not None:
            after = exposed[1]
            share = (after.weight.high + after.mirror.high) / 100 + (MATCHING if after.matched else 0.0)
            return share * load or PROBES
    return load


def _test(check: Check) -> Statistical | None:
    return next((part for part in walk(check.condition) if isinstance(part, Statistical)), None)


# --- words ------------------------------------------------------------------------------------------------------


def percent(share: float) -> str:
    """A share of rollouts, as exactly as so few of them tell."""
    if 0 < share < 0.1 or 0.99 < share < 1:
        return f"{share * 100:.1f}%"
    return f"{share * 100:.0f}%"


def _requests(number: float) -> str:
    """Two digits are as much as can be said."""
    rounded = int(float(f"{number:.2g}"))
    return f"{rounded:,} request{'' if rounded == 1 else 's'}"


def _minutes(ms: float) -> int:
    """A time, to the minute; to the hour where there are days of it."""
    unit = 60_000 if ms < 86_400_000 else 3_600_000
    return max(1, round(ms / unit)) * unit
