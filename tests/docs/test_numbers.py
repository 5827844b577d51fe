"""What the guide on numbers shows is what `rollway plan` prints for the policies that it shows.

The words must be the same. The figures may be off by a little: they follow every change to a statistical check.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rollway.__main__ import main

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "numbers.md"
TEXT = PAGE.read_text()
POLICIES = re.findall(r"```rollout\n(.*?)```", TEXT, re.DOTALL)
OUTPUTS = re.findall(r"```text\n(.*?)```", TEXT, re.DOTALL)
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
LINES = re.findall(r"\$ rollway (plan checkout\.rollout --rps .*)\n", TEXT)


@pytest.mark.parametrize("shown", range(2))
def test_the_guide_shows_what_is_printed(
    shown: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (len(POLICIES), len(OUTPUTS), len(LINES)) == (2, 2, 1)
    monkeypatch.chdir(tmp_path)
    Path("checkout.rollout").write_text(POLICIES[shown])
    assert main(LINES[0].split()) == 0
    _, _, chances = capsys.readouterr().out.partition("\nchances")
    told = f"take over what is printed now:\nchances{chances}"
    assert words(f"chances{chances}") == words(OUTPUTS[shown]), told
    for printed, written in zip(figures(chances), figures(OUTPUTS[shown]), strict=True):
        assert printed == pytest.approx(written, rel=0.2, abs=6), told


def words(text: str) -> list[str]:
    return NUMBER.sub("#", text).split()


def figures(text: str) -> list[float]:
    return [float(number.replace(",", "")) for number in NUMBER.findall(text)]
