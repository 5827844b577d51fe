"""Protects `rollway fmt`: what it writes, what it leaves alone, and what its exit code says."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from rollway.__main__ import main
from rollway.exit_codes import ExitCode

LOOSE = """\
import "std/http"
# why
rollout   till in cafe {
 target deployment/till
     service {port 8080}
  traffic istio
  analysis { every 1m; tolerate 3 failures; require success_rate >= 99% }
  steps { shift to 10%  # at first
   promote }
}
"""
BROKEN = "rollout till in cafe {\n  target ???\n}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loose.rollout").write_text(LOOSE)
    return tmp_path


@pytest.fixture
def tidy(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The loose policy in canonical form."""
    main(["fmt", "loose.rollout"])
    capsys.readouterr()
    text = (folder / "loose.rollout").read_text()
    (folder / "loose.rollout").write_text(LOOSE)
    (folder / "tidy.rollout").write_text(text)
    return text


def test_a_file_is_written_in_place_and_then_stays(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fmt", "loose.rollout"]) == ExitCode.FINE
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "1 file formatted\n")
    text = (folder / "loose.rollout").read_text()
    assert text != LOOSE
    assert "# why" in text
    assert "# at first" in text
    assert main(["fmt", "loose.rollout", "--check"]) == ExitCode.FINE
    assert main(["fmt", "loose.rollout"]) == ExitCode.FINE
    assert (folder / "loose.rollout").read_text() == text
    assert capsys.readouterr().err == "1 file already in form\n" * 2


def test_check_names_what_would_change_and_changes_nothing(
    folder: Path, tidy: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fmt", "--check", "."]) == ExitCode.FINDINGS
    printed = capsys.readouterr()
    assert printed.out == "loose.rollout\n"
    assert printed.err == "1 file would be formatted, 1 file already in form\n"
    assert (folder / "loose.rollout").read_text() == LOOSE


def test_diff_shows_what_would_change(folder: Path, tidy: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fmt", "--diff", "."]) == ExitCode.FINDINGS
    printed = capsys.readouterr().out
    assert printed.startswith("--- loose.rollout\n+++ loose.rollout (after)\n@@")
    assert "-rollout   till in cafe {\n" in printed
    assert "+rollout till in cafe {\n" in printed
    assert "tidy.rollout" not in printed
    assert (folder / "loose.rollout").read_text() == LOOSE


def test_standard_input_goes_to_standard_output(
    tidy: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(LOOSE.encode())))
    assert main(["fmt", "-"]) == ExitCode.FINE
    assert capsys.readouterr().out == tidy


def test_what_cannot_be_parsed_is_left_alone_and_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "broken.rollout").write_text(BROKEN)
    assert main(["fmt", "."]) == ExitCode.FINDINGS
    printed = capsys.readouterr()
    assert (folder / "broken.rollout").read_text() == BROKEN
    assert (folder / "loose.rollout").read_text() != LOOSE
    assert "error[RW0" in printed.err
    assert " --> broken.rollout:2:" in printed.err
    assert printed.err.endswith("1 file formatted, 1 file left alone, for it cannot be parsed\n")
    assert printed.out == ""


def test_what_cannot_be_parsed_is_not_passed_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(BROKEN.encode())))
    assert main(["fmt", "-"]) == ExitCode.FINDINGS
    assert capsys.readouterr().out == ""


def test_what_cannot_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fmt", "missing.rollout"]) == ExitCode.USAGE
    assert capsys.readouterr().err == "rollway: cannot read `missing.rollout`: no such file or directory\n"


def test_bytes_that_are_not_text_are_left_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "old.rollout").write_bytes(b"# caf\xe9\n")
    assert main(["fmt", "old.rollout"]) == ExitCode.FINDINGS
    assert (folder / "old.rollout").read_bytes() == b"# caf\xe9\n"
    assert "not UTF-8" in capsys.readouterr().err
