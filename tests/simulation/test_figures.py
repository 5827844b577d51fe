"""The acceptance figures on fewer rollouts, with a fixed seed; and the harness itself, which must see a broken test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation import on_counts, table
from tests.simulation.__main__ import main
from tests.simulation.figures import FIGURES
from tests.simulation.kernels import rate_evidence
from tests.simulation.rows import Plan, Row
from tests.simulation.traffic import Numbers, Windows

SMALL = {
    "validity": Plan(120, seed=1),
    "judge": Plan(whole=12, seed=1),
    "looks": Plan(200, seed=1),
    "bursts": Plan(400, seed=1),
    "contrast": Plan(400, seed=1),
    "delay": Plan(200, seed=1),
    "line": Plan(300, seed=1),
    "tolerance": Plan(200, seed=1),
    "kayenta": Plan(3, seed=1),
    "latency": Plan(60, seed=1),
    "certification": Plan(60, seed=1),
    "restarts": Plan(whole=30, seed=1),
    "split": Plan(100, seed=1),
}


@pytest.mark.parametrize("name", FIGURES)
def test_the_figures_are_held(name: str) -> None:
    rows = list(FIGURES[name](SMALL[name]))
    assert any(row.kept is not None for row in rows) or name == "kayenta"
    assert table.missed(rows) == []


def test_a_test_that_finds_too_much_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def hasty(seen: Windows, **how: Numbers | None) -> Numbers:
        return 2 * rate_evidence(seen, divided=how.get("divided"))

    monkeypatch.setattr(on_counts, "rate_evidence", hasty)
    assert len(table.missed(FIGURES["validity"](SMALL["validity"]))) > 10


def test_a_test_that_finds_too_little_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def timid(seen: Windows, **how: Numbers | None) -> Numbers:
        return rate_evidence(seen, divided=how.get("divided")) / 2

    monkeypatch.setattr(on_counts, "rate_evidence", timid)
    assert len(table.missed(FIGURES["delay"](SMALL["delay"]))) > 3


# --- the command ------------------------------------------------------------------------------------------------


def made_up(kept: bool | None) -> Row:
    return Row("9 things", "a thing", "7%", "6%", "at most 8%", kept)


@pytest.mark.parametrize(("kept", "code", "said"), [(True, 0, "kept"), (False, 1, "NOT KEPT"), (None, 0, "7%")])
def test_the_command_fails_where_a_figure_is_missed(
    kept: bool | None, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def figure(plan: Plan) -> Iterator[Row]:
        assert plan == Plan(30, 7, 5)
        yield made_up(kept)

    monkeypatch.setitem(FIGURES, "split", figure)
    words = ["split", "--rollouts", "30", "--whole", "7", "--seed", "5", "--processes", "1"]
    assert main(words) == code
    printed = capsys.readouterr()
    assert "30 rollouts a cell, 7 through the whole judge, seed 5" in printed.out
    assert said in printed.out
    assert ("missed: 9 things, a thing: 7%, held to at most 8%" in printed.err) is (kept is False)


@pytest.mark.parametrize("words", [["nothing"], ["split", "--write"]])
def test_what_the_command_cannot_do(words: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words)


def test_the_page_is_written_between_its_markers(tmp_path: Path) -> None:
    page = tmp_path / "simulation.md"
    page.write_text(f"# Before\n\n{table.BEGIN}\nold\n{table.END}\n\nAfter\n")
    for _ in range(2):
        table.write([made_up(True), made_up(False)], Plan(), page)
        found = page.read_text()
        assert found.startswith(f"# Before\n\n{table.BEGIN}\n")
        assert found.endswith(f"{table.END}\n\nAfter\n")
        assert "old" not in found
        assert "| a thing | 7% | 6% | at most 8% |" in found
        assert "**missed:** at most 8%" in found
    page.write_text("no markers")
    with pytest.raises(ValueError, match="has no"):
        table.write([], Plan(), page)
