"""`dispersion` of `no_regression`: a number, or `auto`."""

from __future__ import annotations

import pytest

from dsl.ir import Statistical
from dsl.meaning.show import statistical_text
from tests.dsl.meaning.small import check, compiled, policy


@pytest.mark.parametrize(
    ("written", "params", "options"),
    [
        ("auto", {}, {"dispersion": "auto"}),
        ("0.003", {"dispersion": 0.003}, {}),
        ("0", {"dispersion": 0.0}, {}),
    ],
)
def test_what_it_comes_to_and_how_it_is_shown(written: str, params: dict[str, float], options: dict[str, str]) -> None:
    found = check(f"require no_regression(requests, dispersion: {written})").condition
    assert isinstance(found, Statistical)
    assert {name: value for name, value in found.params.items() if name == "dispersion"} == params
    assert found.options == options
    assert statistical_text(found) == f"no_regression(requests, dispersion: {written})"


def test_left_out_it_is_left_out() -> None:
    found = check("require no_regression(requests)").condition
    assert isinstance(found, Statistical)
    assert "dispersion" not in found.params
    assert "dispersion" not in found.options


@pytest.mark.parametrize(
    ("written", "code", "said"),
    [
        ("1", "RW205", "a number from 0 to below 1, or `auto`"),
        ("-0.1", "RW205", "a number from 0 to below 1, or `auto`"),
        ("often", "RW213", "`often` is no value for `dispersion`"),
        ("5m", "RW201", "`5m` is a duration"),
    ],
)
def test_what_it_cannot_be(written: str, code: str, said: str) -> None:
    line = f"every 1m; require no_regression(requests, dispersion: {written})"
    (found,) = compiled(policy(checks=line)).diagnostics
    assert found.code == code
    assert said in f"{found.message} {found.help}"
