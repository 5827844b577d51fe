"""Rollouts through the whole judge: a compiled policy, answers to its questions, the state through its JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import NamedTuple

from dsl.compiler import compile_source
from dsl.ir import Program
from dsl.source import Source
from interpreter.analysis.judge import Judgement, history_questions, judge, questions
from interpreter.desired import Routing
from interpreter.questions import Answer, Events, Histogram, MetricQuestion
from interpreter.state import Run, State, Verdict
from interpreter.state_json import decode, encode
from tests.simulation.traffic import BOUNDS, Counts, Windows

MINUTE = 60_000
START = 1_000 * MINUTE


@cache
def policy(check: str) -> Program:
    """A rollout with one check, of the metrics that everybody imports."""
    text = (
        f'import "std/http"\nrollout shop in shop {{\n  target deployment/shop\n  traffic istio\n'
        f"  analysis {{ every 1m; require {check} }}\n  steps {{ promote }}\n}}\n"
    )
    (found,) = compile_source(Source("simulation.rollout", text), lint=False).rollouts
    return found.program


class Past(NamedTuple):
    """The windows of the primary before a rollout, the last one first."""

    bad: Counts
    total: Counts


class Rollout(NamedTuple):
    """What the providers of one rollout say, look by look."""

    answers: tuple[Mapping[str, Answer], ...]
    weights: tuple[float, ...]
    past: Past | None = None

    def answer(self, question: MetricQuestion, look: int) -> Answer:
        """Answers are by arm: the one check of a policy asks for one metric."""
        back = look - (question.at_ms - START) // MINUTE
        if back == 0:
            return self.answers[look][question.arm]
        assert self.past is not None
        return Events(float(self.past.bad[back - 1]), float(self.past.total[back - 1]))


def of_counts(seen: Windows, row: int, past: Past | None = None) -> Rollout:
    """One rollout of many, with events."""
    x, y, n, m = (item[row].tolist() for item in seen)
    answers = tuple(
        {"canary": Events(float(x[at]), float(n[at])), "primary": Events(float(y[at]), float(m[at]))}
        for at in range(len(x))
    )
    return Rollout(answers, tuple(100 * n[at] / (n[at] + m[at]) for at in range(len(x))), past)


def of_latencies(slower: tuple[Counts, Counts], totals: tuple[Counts, Counts], row: int) -> Rollout:
    """The same with histograms; `slower` and `totals` of canary and primary."""
    looks = range(totals[0].shape[1])
    n, m = (total[row].tolist() for total in totals)
    answers = tuple(
        {
            arm: _histogram(late[row, at].tolist(), total)
            for arm, late, total in zip(("canary", "primary"), slower, (n[at], m[at]), strict=True)
        }
        for at in looks
    )
    return Rollout(answers, tuple(100 * n[at] / (n[at] + m[at]) for at in looks))


def _histogram(slower: list[int], total: int) -> Histogram:
    at_or_below = tuple((bound, float(total - late)) for bound, late in zip(BOUNDS, slower, strict=True))
    return Histogram((*at_or_below, (math.inf, float(total))))


def looks(program: Program, rollout: Rollout, *, restarted: bool = True, twice: bool = False) -> Iterator[Judgement]:
    """One judgement a minute. Between every two the whole state goes through its JSON, as in a restart, unless
    `restarted` says no; with `twice` each is made again after that, from the same answers."""
    analysis = program.analyses["analysis"]
    state = State(run=Run(1, "v2", "digest", 0, 0))
    for look, weight in enumerate(rollout.weights):
        at_ms = START + look * MINUTE
        for _ in range(2 if twice else 1):
            run = state.run
            assert run is not None
            asked = (*questions(program, analysis, at_ms), *history_questions(program, analysis, at_ms, run.evidence))
            answers = {question.key: rollout.answer(question, look) for question in asked}
            found = judge(program, analysis, at_ms, answers, run.evidence, routing=Routing(weight=weight))
            state = replace(state, run=replace(run, evidence=found.evidence))
            state = decode(encode(state)) if restarted else state
        yield found


def log_evidence(found: Judgement) -> float:
    """Of the one statistical check."""
    (kept,) = (kept for kept in found.evidence.values() if "log_e" in kept)
    value = kept["log_e"]
    assert isinstance(value, float)
    return value


def stops(found: Judgement) -> bool:
    """Whether this look would end a rollout that tolerates no failed check."""
    return found.verdict in (Verdict.FAIL, Verdict.ABORT)
