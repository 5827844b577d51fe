"""Policies whose checks are put through many rollouts."""

from __future__ import annotations

from dsl.compiler import compile_source
from dsl.ir import Program
from dsl.source import Source

HOUR = "shift to 5% for 10m; shift to 10% for 10m; ramp 20% to 50% by 10% every 10m"
"""An hour at six weights: setup S of the design's measurements."""


def policy(
    checks: str, *, tolerate: str = "5 failures", steps: str = HOUR, more: str = "", metrics: str = ""
) -> Program:
    """A rollout that looks every minute."""
    text = f"""
        import "std/http"
        {metrics}
        rollout till in cafe {{
          target  deployment/till
          service {{ port 8080 }}
          traffic istio
          {more}
          analysis {{ every 1m; tolerate {tolerate}; {checks} }}
          steps   {{ {steps}; promote }}
        }}
    """
    compilation = compile_source(Source("till.rollout", text), lint=False)
    assert compilation.rollouts, compilation.diagnostics
    return compilation.rollouts[0].program
