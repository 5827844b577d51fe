"""The policies that stand in prose, found and made whole.

A block that begins with three back-ticks and `rollout` is a policy. A comment on the line above it says that it is a
part of one, and of what: `<!-- steps -->` for steps, `<!-- checks -->` for the inside of an analysis.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^(?:<!-- (?P<part>\w+) -->\n)?```rollout\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)

WHOLE = """\
import "std/http"
import "std/strategies"

webhook acceptance {{ url "http://tests.shop/" }}
gate signoff {{ url "http://gates.shop/" }}

channel oncall {{
  slack  "on-call"
  secret "slack-webhook"
}}

analysis fast {{ every 30s; tolerate 2 failures; require success_rate >= 99% }}

rollout example in shop {{
  target  deployment/example
  service {{ port 80 }}
  traffic istio

  analysis {{
    every    1m
    tolerate 3 failures
    {checks}
  }}

  steps {{
    {steps}
  }}
}}
"""
CHECKS = "require  success_rate >= 99%"
STEPS = "ramp 10% to 50% by 10%\npromote"


class Policy(NamedTuple):
    """A policy, and the line of the document on which it begins."""

    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"


def policies() -> list[Policy]:
    """All of them, in the pages, the README and CONTRIBUTING."""
    paths = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    return [policy for path in paths for policy in _in(path)]


def _in(path: Path) -> list[Policy]:
    page = path.read_text(encoding="utf-8")
    return [
        Policy(path, page.count("\n", 0, found.start("text")), _whole(found["part"], found["text"]))
        for found in BLOCK.finditer(page)
    ]


def _whole(part: str | None, text: str) -> str:
    match part:
        case None:
            return text
        case "steps":
            return WHOLE.format(steps=text if "promote" in text else f"{text}promote", checks=CHECKS)
        case "checks":
            return WHOLE.format(steps=STEPS, checks=text)
    raise ValueError(f"a block of policy is said to be `{part}`, which is neither `steps` nor `checks`")
