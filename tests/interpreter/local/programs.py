"""Programs and commands for the tests of the local runtime: short, so that a whole rollout takes a second or two."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from dsl.ir import (
    Analysis,
    Arm,
    Check,
    Compare,
    Const,
    HoldOp,
    Instruction,
    Measure,
    Metric,
    NoData,
    Program,
    PromoteOp,
    Query,
    RouteOp,
    Service,
    Tolerance,
    Traffic,
    Unit,
    WorkloadRef,
)
from interpreter.local import demoapp
from interpreter.local.command import Command

APP = Path(demoapp.__file__)
REQUESTS = Metric(
    unit=Unit.EVENTS,
    queries=(Query("prometheus", "bad{{ interval }}", "bad"), Query("prometheus", "total{{ interval }}", "total")),
    no_data=NoData.HOLD,
)
"""A check waits for its first request: on a busy machine the load may be late, which is nobody's failure."""

DURATION = Metric(unit=Unit.HISTOGRAM, queries=(Query("prometheus", "buckets{{ interval }}"),))


def program(
    *, every_ms: int = 150, window_ms: int = 400, weights: tuple[float, ...] = (20.0, 50.0), most_bad: float = 0.05
) -> Program:
    """Steps of one check each, then promotion; rolled back at the second failed check."""
    errors = Compare("<=", Measure("requests", Arm.CANARY, window_ms, "rate"), Const(most_bad, Unit.PERCENT))
    code: list[Instruction] = []
    for weight in weights:
        code += [RouteOp(weight=weight), HoldOp(checks=1, analysis="slo")]
    return Program(
        name="demo",
        namespace="local",
        target=WorkloadRef("deployment", "demo"),
        traffic=Traffic("kubernetes"),
        service=Service("demo"),
        code=(*code, PromoteOp()),
        analysis="slo",
        deadline_ms=20_000,
        metrics={"requests": REQUESTS, "duration": DURATION},
        analyses={
            "slo": Analysis(every_ms, (Check("require", errors, "error_rate <= 5%"),), Tolerance(2), provider_errors=3)
        },
    )


def app(version: str, *, error_rate: float = 0.0, delay: float = 0.0) -> Command:
    """The demo service as a command line."""
    words = [sys.executable, "-S", str(APP), "--port", "{port}", "--version", version]
    return Command(shlex.join([*words, "--error-rate", str(error_rate), "--delay", str(delay)]))


class Record:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []
        self.states: list[object] = []

    def event(self, at: int, reason: str, message: str, *, warning: bool) -> None:
        self.events.append((reason, message))

    def state_written(self, state: object) -> None:
        self.states.append(state)

    def of(self, reason: str) -> list[str]:
        return [message for what, message in self.events if what == reason]
