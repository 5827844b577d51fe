"""Where the Chromium of the tests comes from, and what is said where there is none."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from tests.chromium import fetch
from tests.goprograms import UnavailableError


def test_one_that_is_named_goes_first(tmp_path: Path) -> None:
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert fetch.find(may_fetch=False, environment={"ROLLWAY_CHROMIUM": str(program)}) == program
    with pytest.raises(UnavailableError, match="which is no program"):
        fetch.find(may_fetch=False, environment={"ROLLWAY_CHROMIUM": str(tmp_path / "nothing")})


def test_without_leave_nothing_is_fetched(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="make chromium"):
        fetch.find(may_fetch=False, environment={"XDG_CACHE_HOME": str(tmp_path)})
    assert not list(tmp_path.iterdir())


def test_elsewhere_one_must_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    with pytest.raises(UnavailableError, match="ROLLWAY_CHROMIUM names one of yours"):
        fetch.find(may_fetch=True, environment={"XDG_CACHE_HOME": str(tmp_path)})


def test_another_package_than_the_one_that_was_looked_at_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm = tmp_path / "npm"
    npm.write_text("")
    node = tmp_path / "node"
    node.write_text("#!/bin/sh\necho other > other.tgz\n")
    node.chmod(0o755)
    (tmp_path / "work").mkdir()
    with pytest.raises(UnavailableError, match="not what it was"):
        fetch._downloaded(node, tmp_path / "work")
