"""Protects the reading of inputs: what a path stands for, and that anything unreadable is told and never raised."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from rollway import inputs
from rollway.inputs import STDIN, Input, Unreadable, read_all


def names(*paths: str) -> list[str]:
    return [one.source.name if isinstance(one, Input) else f"!{one.name}" for one in read_all(list(paths))]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for path in ["b.rollout", "a.rollout", "deep/er/c.rollout", ".git/d.rollout", ".e.rollout", "notes.md"]:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("let a = 1\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folder_is_all_policies_beneath_it(tree: Path) -> None:
    assert names(".") == ["a.rollout", "b.rollout", "deep/er/c.rollout"]
    assert names("deep") == ["deep/er/c.rollout"]


def test_no_path_is_this_folder(tree: Path) -> None:
    assert [one.source.name for one in read_all(None) if isinstance(one, Input)] == names(".")


def test_a_file_is_read_whatever_its_name(tree: Path) -> None:
    assert names("notes.md", ".e.rollout") == ["notes.md", ".e.rollout"]


def test_a_file_is_read_once(tree: Path) -> None:
    assert names("b.rollout", "./b.rollout", ".") == ["b.rollout", "a.rollout", "deep/er/c.rollout"]


def test_a_link_in_circles_ends(tree: Path) -> None:
    (tree / "deep" / "up").symlink_to(tree)
    assert names("deep") == ["deep/er/c.rollout"]


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"let a = 1\r\n")))
    [one] = read_all(["-"])
    assert isinstance(one, Input)
    assert (one.source.name, one.source.text) == (STDIN, "let a = 1\r\n")


def test_what_cannot_be_read_is_told_and_the_rest_is_read(tree: Path) -> None:
    (tree / "empty").mkdir()
    missing, empty, good = read_all(["missing.rollout", "empty", "a.rollout"])
    assert missing == Unreadable("missing.rollout", "no such file or directory")
    assert empty == Unreadable("empty", "no `*.rollout` file in it")
    assert isinstance(good, Input)


def test_a_refused_file_is_named(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, mode: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("builtins.open", refuse)
    assert list(read_all(["a.rollout"])) == [Unreadable("a.rollout", "permission denied")]


def test_a_refused_folder_is_named(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("er"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert list(read_all(["deep"])) == [Unreadable("deep/er", "permission denied")]


def test_a_device_without_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "MAX_BYTES", 2 * 1024 * 1024)
    assert list(read_all(["/dev/zero"])) == [Unreadable("/dev/zero", "larger than 2 MB, which no policy is")]


@pytest.mark.parametrize(
    ("data", "place", "said", "help"),
    [
        (b"let a = 1\n# caf\xe9\n", (2, 6), "byte 15 is 0xe9", "latin1"),
        ("# ä\n".encode() + b"\xff", (2, 1), "byte 5 is 0xff", "latin1"),
        ("let a".encode("utf-16"), (1, 1), "byte 0 is 0xff", "utf-16"),
        (b"\x80", (1, 1), "byte 0 is 0x80", "latin1"),
        (b"ab\xe6\x97", (1, 3), "byte 2 is 0xe6", "latin1"),
    ],
)
def test_bytes_that_are_not_text(tmp_path: Path, data: bytes, place: tuple[int, int], said: str, help: str) -> None:
    path = tmp_path / "a.rollout"
    path.write_bytes(data)
    [one] = read_all([str(path)])
    assert isinstance(one, Input)
    assert one.damage is not None
    assert one.damage.message == f"the file is not UTF-8 text: {said}"
    assert tuple(one.damage.span.begin) == place
    assert help in one.damage.help
