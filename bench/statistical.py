"""What one look of a statistical check costs, in the middle of a rollout: the answers read, the evidence brought up to
date, the words made. Kayenta's judge apart, which looks at fifty points of each arm at once.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator

from bench.figure import Figure, show
from dsl.compiler import compile_source
from dsl.ir import Check, Program
from dsl.source import Source
from interpreter.analysis.evaluate import evidence_key
from interpreter.analysis.evidence import Moment, State, Test
from interpreter.analysis.judge import questions
from interpreter.analysis.readings import Look
from interpreter.analysis.statistical import prepare_test, rule, tests_in
from interpreter.state import Answer, Events, Histogram, Value

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
        for number, look in enumerate(looks):
            look.seen.clear()
            ruling = rule(test, look, Moment(NOON + number * MINUTE_MS, 10.0), state)
            state = ruling.state or state
        spent = time.process_time() - began
        if not state:
            raise SystemExit(f"{check} has learnt nothing")
        return 1e6 * spent / LOOKS

    return once


def figures() -> Iterator[Figure]:
    for name, check in CHECKS.items():
        once = looking(check)
        least = min(once() for _ in range(ROUNDS))
        limit = None if name == "kayenta" else LIMIT_US
        yield Figure(f"one look of {name}", least, "us", limit=limit)


if __name__ == "__main__":
    sys.exit(0 if show(figures()) else 1)
