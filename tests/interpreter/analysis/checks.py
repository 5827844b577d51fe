"""Small Programs, answers and looks for the tests of judgement."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping

from dsl.ir import (
    Analysis,
    Arith,
    Arm,
    Check,
    Compare,
    Condition,
    Const,
    Measure,
    Metric,
    NoData,
    Program,
    Service,
    Statistical,
    Traffic,
    Unit,
    WorkloadRef,
)
from interpreter.analysis.judge import Judgement, judge, questions
from interpreter.desired import Routing
from interpreter.questions import Answer, Events, Histogram, MetricQuestion, Value

MINUTE = 60_000
INF = float("inf")
TENTH = Routing(weight=10)
CANARY, PRIMARY, BASELINE = Arm.CANARY, Arm.PRIMARY, Arm.BASELINE

METRICS = {
    "requests": Metric(Unit.EVENTS),
    "duration": Metric(Unit.HISTOGRAM),
    "up": Metric(Unit.PERCENT),
    "lag": Metric(Unit.MILLISECONDS),
    "depth": Metric(Unit.COUNT),
    "success_rate": Metric(
        Unit.PERCENT, expr=Arith((Const(1.0, Unit.PERCENT), Measure("requests", CANARY, 0, "rate")), ("-",))
    ),
    "latency(0.99)": Metric(Unit.SECONDS, expr=Measure("duration", CANARY, 0, "quantile", 0.99)),
    "errors_per_slow": Metric(
        Unit.NUMBER,
        expr=Arith((Measure("requests", CANARY, 0, "bad"), Measure("requests", PRIMARY, 0, "bad")), ("/",)),
    ),
    **{f"depth_{policy.value}": Metric(Unit.COUNT, no_data=policy) for policy in NoData},
}


def measure(metric: str, arm: Arm = CANARY, window_ms: int = MINUTE) -> Measure:
    return Measure(metric, arm, window_ms)


def require(condition: Condition, text: str = "the check") -> Check:
    return Check("require", condition, text)


def abort(condition: Condition, text: str = "the check") -> Check:
    return Check("abort", condition, text)


def observe(condition: Condition, text: str = "the check") -> Check:
    return Check("observe", condition, text)


def program(*checks: Check, baseline: bool = False, budget: float = 0.01, more: Analysis | None = None) -> Program:
    """A Program whose analysis `main` has these checks."""
    analyses = {"main": Analysis(MINUTE, checks, budget=budget)}
    if more is not None:
        analyses["more"] = more
    return Program(
        "web",
        "shop",
        WorkloadRef("deployment", "web"),
        Traffic("istio"),
        Service("web"),
        (),
        metrics=METRICS,
        analyses=analyses,
        baseline=baseline,
    )


Given = Callable[[MetricQuestion], Answer]


def always(answers: Mapping[tuple[str, str] | str, Answer]) -> Given:
    """Answers by metric, or by metric and arm."""

    def given(question: MetricQuestion) -> Answer:
        return answers.get((question.metric, question.arm)) or answers[question.metric]

    return given


def look(
    policy: Program,
    given: Given | Mapping[tuple[str, str] | str, Answer],
    at_ms: int = MINUTE,
    evidence: Mapping[str, Mapping[str, float | list[float]]] | None = None,
    *,
    routing: Routing = TENTH,
    held_ms: int | None = None,
) -> Judgement:
    """One check of the analysis `main`."""
    give = always(given) if isinstance(given, Mapping) else given
    analysis = policy.analyses["main"]
    answers = {question.key: give(question) for question in questions(policy, analysis, at_ms)}
    return judge(policy, analysis, at_ms, answers, evidence or {}, routing=routing, held_ms=held_ms)


def looks(
    policy: Program, givens: Iterator[Given | Mapping[tuple[str, str] | str, Answer]], routing: Routing
) -> Iterator[Judgement]:
    """One check a minute, with the evidence through JSON between every two."""
    evidence: Mapping[str, Mapping[str, float | list[float]]] = {}
    for tick, given in enumerate(givens, 1):
        judgement = look(policy, given, tick * MINUTE, evidence, routing=routing)
        evidence = json.loads(json.dumps(judgement.evidence, allow_nan=False))
        yield judgement


def counts(canary: tuple[float, float], primary: tuple[float, float]) -> Mapping[tuple[str, str] | str, Answer]:
    """`requests` of both arms, bad and total."""
    return {("requests", "canary"): Events(*canary), ("requests", "primary"): Events(*primary)}


def histogram(*buckets: tuple[float, float]) -> Histogram:
    return Histogram(buckets)


def value(number: float) -> Value:
    return Value(number)


def at_least(metric: str, limit: float, unit: Unit = Unit.NUMBER) -> Compare:
    return Compare(">=", measure(metric), Const(limit, unit))


def at_most(metric: str, limit: float, unit: Unit = Unit.NUMBER) -> Compare:
    return Compare("<=", measure(metric), Const(limit, unit))


NO_REGRESSION = Statistical("no_regression", "requests", MINUTE, PRIMARY, {"confidence": 0.99})
NO_SLOWER = Statistical("no_slower", "duration", MINUTE, PRIMARY, {"confidence": 0.99})
MEETS = Statistical("meets", "requests", MINUTE, None, {"confidence": 0.99, "objective": 0.99})
CERTIFIED = Statistical("certified", "requests", MINUTE, None, {"confidence": 0.95, "objective": 0.99})
NOT_WORSE = Statistical(
    "not_worse", "depth", MINUTE, PRIMARY, {"confidence": 0.99}, {"better": "lower"}, measure("depth")
)
KAYENTA = Statistical(
    "kayenta", "depth", MINUTE, PRIMARY, {"confidence": 0.98}, {"direction": "increase"}, measure("depth")
)
