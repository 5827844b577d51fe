"""The Program: what a policy means, and all that the interpreter needs to know of it.

A `Program` is data: frozen, small, versioned (`format`), the same for every runtime. `dsl.ir_json` turns it into JSON
and back with pydantic's validation, gives its JSON Schema and its digest. The classes here are plain dataclasses so
that `rollway lint`, which builds Programs but never writes one, does not pay for the import of pydantic.

Conventions. Durations are whole milliseconds (`…_ms`). Shares of traffic (`weight`, `mirror`) are percent, 0 to 100.
Quantities inside conditions are in base units: a share is a ratio (99% is 0.99), a time is in seconds; `Const.unit`
only remembers how it was written. All control flow is forward: a `branch` jumps to a higher index, so that a Program
always ends. Whatever is named (metrics, analyses, webhooks, …) stands once, under its name, in a mapping.
"""

from __future__ import annotations

from dsl.ir.analyses import Analysis, CallCheck, Check, GateCheck, Tolerance
from dsl.ir.conditions import (
    BASE_SCALE,
    AllOf,
    AnyOf,
    Arith,
    Arm,
    Between,
    Compare,
    Condition,
    Const,
    Expr,
    Func,
    Judgement,
    JudgementGroup,
    Measure,
    NotOf,
    Statistical,
    StatisticalTest,
    Unit,
)
from dsl.ir.guardrails import Guardrail, Limit
from dsl.ir.hooks import Channel, Webhook, Window
from dsl.ir.instructions import (
    BranchOp,
    CallOp,
    HoldOp,
    Instruction,
    MatchTest,
    NotifyOp,
    PauseOp,
    PromoteOp,
    RollbackOp,
    RouteOp,
    ScaleOp,
    StickySpec,
    WaitOp,
)
from dsl.ir.metrics import Metric, NoData, Query
from dsl.ir.program import (
    FORMAT,
    MAX_INSTRUCTIONS,
    Program,
    RolloutRef,
    Scaler,
    Service,
    SkipAnalysis,
    Span,
    Traffic,
    WorkloadRef,
)
from dsl.ir.tests import ExpectBound, ExpectOutcome, GivenEvent, GivenMetric, TestCase
from dsl.ir.traversal import walk

__all__ = [
    "BASE_SCALE",
    "FORMAT",
    "MAX_INSTRUCTIONS",
    "AllOf",
    "Analysis",
    "AnyOf",
    "Arith",
    "Arm",
    "Between",
    "BranchOp",
    "CallCheck",
    "CallOp",
    "Channel",
    "Check",
    "Compare",
    "Condition",
    "Const",
    "ExpectBound",
    "ExpectOutcome",
    "Expr",
    "Func",
    "GateCheck",
    "GivenEvent",
    "GivenMetric",
    "Guardrail",
    "HoldOp",
    "Instruction",
    "Judgement",
    "JudgementGroup",
    "Limit",
    "MatchTest",
    "Measure",
    "Metric",
    "NoData",
    "NotOf",
    "NotifyOp",
    "PauseOp",
    "Program",
    "PromoteOp",
    "Query",
    "RollbackOp",
    "RolloutRef",
    "RouteOp",
    "ScaleOp",
    "Scaler",
    "Service",
    "SkipAnalysis",
    "Span",
    "Statistical",
    "StatisticalTest",
    "StickySpec",
    "TestCase",
    "Tolerance",
    "Traffic",
    "Unit",
    "WaitOp",
    "Webhook",
    "Window",
    "WorkloadRef",
    "walk",
]
