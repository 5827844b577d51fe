"""Protects a user's file while it is written: whole or untouched, with its mode, through its link."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rollway.files import write


def test_the_text_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.rollout"
    path.write_text("before")
    path.chmod(0o640)
    write(str(path), "after\r\nä")
    assert path.read_bytes() == "after\r\nä".encode()
    assert path.stat().st_mode & 0o7777 == 0o640
    assert [one.name for one in tmp_path.iterdir()] == ["a.rollout"]


def test_a_new_file(tmp_path: Path) -> None:
    write(str(tmp_path / "new"), "text")
    assert (tmp_path / "new").read_text() == "text"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("before")
    link.symlink_to(real)
    write(str(link), "after")
    assert link.is_symlink()
    assert real.read_text() == "after"


def test_a_failure_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.rollout"
    path.write_text("before")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as told:
        write(str(path), "after")
    assert told.value.filename == str(path)
    assert path.read_text() == "before"
    assert [one.name for one in tmp_path.iterdir()] == ["a.rollout"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "no" / "a.rollout")
    with pytest.raises(FileNotFoundError) as told:
        write(missing, "text")
    assert told.value.filename == missing
