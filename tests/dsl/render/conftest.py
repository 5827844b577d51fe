"""Diagnostics made by hand, so that the forms are tested without the language behind them."""

from __future__ import annotations

import pytest

from dsl.diagnostics import Diagnostic, Edit, Fix, Label, Severity
from dsl.source import Source, Span

POLICY = """\
rollout checkout in shop {
  analysis {
    require latency(0.99) <= 99%
  }
}
"""


def find(source: Source, words: str, after: int = 0) -> Span:
    """The span of some words of a source."""
    start = source.text.index(words, after)
    return Span(source, start, start + len(words))


@pytest.fixture
def policy() -> Source:
    return Source("checkout.rollout", POLICY)


@pytest.fixture
def units(policy: Source) -> Diagnostic:
    """An error with everything that a diagnostic can have."""
    other = Source("shared.rollout", "## the usual\nlet most = 99%\n")
    return Diagnostic(
        code="RW203",
        severity=Severity.ERROR,
        message="`latency(0.99)` is a time and `99%` is a share",
        span=find(policy, "latency(0.99)"),
        note="a time",
        labels=(Label(find(policy, "99%"), "a share"), Label(find(other, "most"), "named here")),
        help="compare it with a time, such as `500ms`",
        notes=("a share has no unit of time",),
        fixes=(Fix("write `500ms`", (Edit(find(policy, "99%"), "500ms"),), safe=True),),
    )


@pytest.fixture
def warning(policy: Source) -> Diagnostic:
    """A warning over several lines."""
    start = policy.text.index("analysis")
    end = policy.text.index("  }") + 3
    return Diagnostic("RW301", Severity.WARNING, "nothing is tolerated", Span(policy, start, end), note="in here")


@pytest.fixture
def hint(policy: Source) -> Diagnostic:
    return Diagnostic("RW701", Severity.HINT, "the name says little", find(policy, "checkout"))
