"""The demo shows what it says: the good revision promoted, the bad one rolled back, and nobody failed but by the bad
one. Here with shorter pauses; `make demo` is the same with longer ones."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from interpreter.local.metering import Served
from interpreter.local.view import Lines
from interpreter.state import Outcome
from rollway import demo

RESULT = demo.Result(Outcome.PROMOTED, Outcome.ROLLED_BACK, Served(10_000, 9), Served(50, 9), 10_000, 9)


async def test_it_goes_as_it_should(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "ALONE_S", 0.3)
    policy = demo.policy()
    quick = {name: replace(found, every_ms=800) for name, found in policy.analyses.items()}
    out = io.StringIO()
    result = await demo.show(Lines(out), 100, 0.5, replace(policy, analyses=quick))
    assert result.as_it_should, (result, out.getvalue())
    assert result.served.total == result.sent
    assert "version 3 comes: it is broken" in out.getvalue()


def test_the_closing_line_counts() -> None:
    assert demo.closing(RESULT) == (
        "10,000 requests served, 9 failed; the bad revision got 50 of them (0.5%) and failed 9, "
        "the good ones failed 0; "
        "version 2: promoted, version 3: rolled back"
    )


@pytest.mark.parametrize(
    "result",
    [
        RESULT._replace(good=Outcome.ROLLED_BACK),
        RESULT._replace(bad=None),
        RESULT._replace(by_bad=Served(50, 8)),
        RESULT._replace(by_bad=Served(50, 0), failed=0, served=Served(10_000, 0)),
        RESULT._replace(failed=10),
    ],
)
def test_it_is_not_as_it_should_be_if_anything_is_not(result: demo.Result) -> None:
    assert RESULT.as_it_should
    assert not result.as_it_should


def test_its_policy_has_nothing_wrong_with_it() -> None:
    from dsl.compiler import compile_file

    assert compile_file(demo.POLICY).diagnostics == ()
