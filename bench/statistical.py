"""What one look of a statistical check costs, in the middle of a rollout.

Twice over: the evidence brought up to date, to which the promise belongs, and the whole look, with the answers read,
the bounds of the canary's share worked out and the words made. Kayenta's judge has the whole look alone: it gathers
points, and looks at fifty of each arm at once.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bench.figure import Figure, show
from dsl.compiler import compile_source
from dsl.ir import Check, Program
from dsl.source import Source
from interpreter.analysis import histogram, rates, slowness
from interpreter.analysis.evaluate import evidence_key
from interpreter.analysis.evidence import Moment, State, Test, counted, number
from interpreter.analysis.judge import questions
from interpreter.analysis.readings import Look
from interpreter.analysis.sequential import objective_evidence, sign_evidence
from interpreter.analysis.statistical import prepare_test, rule, tests_in
from interpreter.questions import Answer, Events, Histogram, Value

MINUTE_MS = 60_000
NOON = 1_795_435_200_000
LOOKS = 60
ROUNDS = 12
LIMIT_US = 50.0
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, float("inf"))
CHECKS = {
    "no_regression": "no_regression(requests)",
    "no_slower, 12 bounds": "no_slower(duration)",
    "meets": "meets(requests, 99%)",
    "not_worse": "not_worse(depth, better: lower)",
    "kayenta": "kayenta(depth, direction: increase)",
}
POLICY = '''
import "std/http"

metric depth returns count {{
  prometheus """sum(queue_depth{{app="{{{{ workload }}}}"}})"""
}}

rollout web in shop {{
  target  deployment/web
  service {{ port 80 }}
  traffic istio {{ hosts ["web.example.com"] }}
  analysis {{
    every   1m
    require {check}
  }}
  steps {{
    shift to 10%
    hold  100 checks
    promote
  }}
}}
'''


def answers(program: Program, at_ms: int, number: int) -> dict[str, Answer]:
    """Of a healthy service; each minute is a little unlike the last."""
    found: dict[str, Answer] = {}
    for analysis in program.analyses.values():
        for question in questions(program, analysis, at_ms):
            many = 1000 if question.arm == "canary" else 9000
            match program.metrics[question.metric].unit.value:
                case "events":
                    found[question.key] = Events(bad=float(number % 7), total=float(many))
                case "histogram":
                    counts = tuple(many * (place + 1) / len(BOUNDS) for place in range(len(BOUNDS)))
                    found[question.key] = Histogram(tuple(zip(BOUNDS, counts, strict=True)))
                case _:
                    found[question.key] = Value(100.0 + number % 11 + (number % 3 if question.arm == "canary" else 0))
    return found


def prepared(check: str) -> tuple[Program, Test]:
    (program,) = (rollout.program for rollout in compile_source(Source("w", POLICY.format(check=check))).rollouts)
    (analysis,) = program.analyses.values()
    (found,) = (test for line in analysis.checks if isinstance(line, Check) for test in tests_in(line.condition))
    return program, prepare_test(program, analysis, evidence_key(found), found)


def looking(check: str) -> Callable[[], float]:
    """Something that makes all looks of a rollout, and says how many microseconds of CPU one of them took."""
    program, test = prepared(check)
    looks = [Look(answers(program, NOON + n * MINUTE_MS, n), NOON + n * MINUTE_MS) for n in range(LOOKS)]

    def once() -> float:
        state: State = {}
        began = time.process_time()
        for minute, look in enumerate(looks):
            look.seen.clear()
            ruling = rule(test, look, Moment(NOON + minute * MINUTE_MS, 10.0), state)
            state = ruling.state or state
        spent = time.process_time() - began
        if not state:
            raise SystemExit(f"{check} has learnt nothing")
        return 1e6 * spent / LOOKS

    return once


def updating(check: str) -> Callable[[], float] | None:
    """Something that brings the evidence up to date for all looks of a rollout, and says how many microseconds of CPU
    one of them took; None for a check that keeps points instead."""
    program, test = prepared(check)
    update = UPDATES.get(test.check.test)
    if update is None:
        return None
    found = [list(answers(program, NOON + n * MINUTE_MS, n).values()) for n in range(LOOKS)]
    moments = [Moment(NOON + n * MINUTE_MS, 10.0) for n in range(LOOKS)]

    def once() -> float:
        state: State = {}
        began = time.process_time()
        for moment, answered in zip(moments, found, strict=True):
            state = update(test, moment, state, answered)
        return 1e6 * (time.process_time() - began) / LOOKS

    return once


def _rates(test: Test, moment: Moment, state: State, found: list[Any]) -> State:
    return rates._bet(test, moment, state, found[0], found[1], 1.0)


def _objective(test: Test, moment: Moment, state: State, found: list[Any]) -> State:
    bad, total = number(state, "bad") + found[0].bad, number(state, "total") + found[0].total
    log_e = objective_evidence(1 - test.check.params["objective"], bad, total)
    return counted(state, moment, log_e, bad=bad, total=total)


def _slowness(_: Test, moment: Moment, state: State, found: list[Any]) -> State:
    tails = [histogram.slower(item.buckets) for item in found]
    return slowness._bet(moment, state, tails, [histogram.total(item.buckets) for item in found])[0]


def _signs(_: Test, moment: Moment, state: State, found: list[Any]) -> State:
    worse = number(state, "worse") + (found[0].value > found[1].value)
    looks = number(state, "looks") + 1
    return counted(state, moment, sign_evidence(worse, looks), worse=worse, looks=looks)


UPDATES: Mapping[str, Callable[[Test, Moment, State, list[Any]], State]] = {
    "no_regression": _rates,
    "no_slower": _slowness,
    "meets": _objective,
    "not_worse": _signs,
}


def figures() -> Iterator[Figure]:
    for name, check in CHECKS.items():
        update, whole = updating(check), looking(check)
        if update is not None:
            yield Figure(f"evidence of {name}", min(update() for _ in range(ROUNDS)), "us", limit=LIMIT_US)
        yield Figure(f"one look of {name}", min(whole() for _ in range(ROUNDS)), "us")


if __name__ == "__main__":
    sys.exit(0 if show(figures()) else 1)
