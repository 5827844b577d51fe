"""A past that a test makes up: what each arm was at each moment, without a server."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from dsl.compiler import compile_source
from dsl.ir import Program
from dsl.source import Source
from interpreter.backtest.history import History, step_of
from interpreter.questions import Answer, MetricQuestion

BEGIN = 1_793_534_400_000
MINUTE = 60_000

_POLICY = """\
metric requests returns events {{
  bad   prometheus "bad"
  total prometheus "total"
}}
metric duration returns histogram {{ prometheus "took" }}
metric queue returns number {{ prometheus "queue" }}
rollout till in cafe {{
  target   deployment/till
  service  {{ port 8080 }}
  traffic  istio
  {more}
  analysis {{ every 1m; tolerate 2 failures; {checks} }}
  steps    {{ ramp 10% to 50% by 20% every 5m; promote }}
}}
"""


class _Past:
    def __init__(self, program: Program, says: Callable[[MetricQuestion], Answer]) -> None:
        self.step_ms = step_of(program)
        self.answer = says


def program(checks: str, more: str = "") -> Program:
    compilation = compile_source(Source("till.rollout", _POLICY.format(checks=checks, more=more)))
    (found,) = compilation.rollouts
    return found.program


def past(of: Program, says: Callable[[MetricQuestion], Answer]) -> History:
    return cast(History, _Past(of, says))
