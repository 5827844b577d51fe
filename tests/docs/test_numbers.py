"""What the guide on numbers shows is what `rollway plan` prints for the policies that it shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rollway.__main__ import main

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "numbers.md"
TEXT = PAGE.read_text()
POLICIES = re.findall(r"```rollout\n(.*?)```", TEXT, re.DOTALL)
OUTPUTS = re.findall(r"```text\n(.*?)```", TEXT, re.DOTALL)
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
    assert f"chances{chances}" == OUTPUTS[shown], f"take over what is printed now:\nchances{chances}"
