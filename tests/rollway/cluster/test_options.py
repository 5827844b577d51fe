"""Lengths of time on a line."""

from __future__ import annotations

import pytest

from rollway.cluster.options import seconds
from rollway.terminal import Stop


@pytest.mark.parametrize(
    ("text", "value"), [("90s", 90), ("1h30m", 5400), ("250ms", 0.25), ("1.5m", 90), ("0s", 0), ("1m1ms", 60.001)]
)
def test_a_length_of_time(text: str, value: float) -> None:
    assert seconds(text, "--wait") == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "10", "s", "-1s", "1s 2s", "1d", "ten seconds", "1m30"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(Stop, match="`--wait` is a length of time such as"):
        seconds(text, "--wait")
