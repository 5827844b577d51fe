"""Small Programs made by hand, for tests of the simulator that need no compiler."""

from __future__ import annotations

from typing import Any

from dsl.ir import (
    Analysis,
    Arith,
    Arm,
    CallOp,
    Check,
    Compare,
    Condition,
    Const,
    Expr,
    HoldOp,
    Instruction,
    Measure,
    Metric,
    Program,
    PromoteOp,
    Query,
    RouteOp,
    Service,
    Span,
    Statistical,
    Tolerance,
    Traffic,
    Unit,
    WaitOp,
    Webhook,
    WorkloadRef,
)

MINUTE = 60_000
ASK = (Query("prometheus", "up"),)
COUNTS = (Query("prometheus", "up", "bad"), Query("prometheus", "up", "total"))

METRICS = {
    "requests": Metric(Unit.EVENTS, COUNTS),
    "duration": Metric(Unit.HISTOGRAM, ASK),
    "cache_hits": Metric(Unit.PERCENT, ASK),
    "queue_depth": Metric(Unit.COUNT, ASK),
    "success_rate": Metric(
        Unit.PERCENT,
        expr=Arith((Const(1.0, Unit.PERCENT), Measure("requests", Arm.CANARY, 0, "rate")), ("-",)),
    ),
    "latency(0.99)": Metric(Unit.SECONDS, expr=Measure("duration", Arm.CANARY, 0, "quantile", 0.99)),
}


def measure(metric: str, arm: Arm = Arm.CANARY, window_ms: int = MINUTE) -> Measure:
    return Measure(metric, arm, window_ms)


def require(left: Expr, cmp: Any, right: Expr, text: str = "", kind: Any = "require") -> Check:
    return Check(kind, Compare(cmp, left, right), text or "a condition")


SUCCESS = require(measure("success_rate"), ">=", Const(0.99, Unit.PERCENT), "success_rate >= 99%")


def held(condition: Condition, kind: Any = "require") -> Check:
    return Check(kind, condition, "a condition")


def no_regression() -> Check:
    return held(Statistical("no_regression", "requests", MINUTE, Arm.PRIMARY, {"confidence": 0.99, "ratio": 1.0}))


def analysis(*checks: Any, tolerate: int = 3, every_ms: int = MINUTE, **more: Any) -> Analysis:
    return Analysis(every_ms, checks, Tolerance(tolerate), **more)


def program(*code: Instruction, main: Analysis | None = None, **more: Any) -> Program:
    """A rollout of these steps under an analysis named `main`."""
    found = analysis(SUCCESS) if main is None else main
    spans = tuple(Span("test.rollout", n + 1, 1, n + 1, 9, f"step {n}") for n in range(len(code)))
    return Program(
        name="checkout",
        namespace="shop",
        target=WorkloadRef("Deployment", "checkout"),
        traffic=Traffic("istio"),
        service=Service("checkout", 80),
        code=code,
        spans=spans,
        analysis="main",
        analyses={"main": found},
        metrics=METRICS,
        webhooks={"load_test": Webhook("http://loadtester.test/")},
        gates={"signoff": Webhook("http://gates.test/")},
        **more,
    )


def ramp(*weights: float, checks: int = 1) -> tuple[Instruction, ...]:
    steps: list[Instruction] = []
    for weight in weights:
        steps += [RouteOp(weight=weight), HoldOp(checks=checks, analysis="main")]
    return tuple(steps)


CANARY = program(*ramp(10, 20, 30, 40, 50), PromoteOp())
CAREFUL = program(
    CallOp("load_test", MINUTE, "main"),
    *ramp(10, 50, checks=2),
    WaitOp(who="release managers", within_ms=4 * 60 * MINUTE),
    PromoteOp(25, MINUTE),
)
