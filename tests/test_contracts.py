"""The directions of the architecture: who may import whom, and what the pure core may not touch.

The contracts stand in `pyproject.toml`, and import-linter keeps them. These tests run them, and keep the list of pure
modules complete: a new part of the machine must not escape by not being on it.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHELLS = {
    "admission",
    "backtest",
    "channels",
    "cluster",
    "connecting",
    "driver",
    "http_client",
    "local",
    "outlook",
    "places",
    "providers",
    "retrying",
    "simulator",
    "state_json",
    "templates",
    "tester",
    "tls",
    "web",
    "webhooks",
}
"""The parts of the interpreter that may do I/O or start others that do; the rest is pure."""


def contracts() -> dict[str, dict[str, list[str]]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return {contract["id"]: contract for contract in settings["tool"]["importlinter"]["contracts"]}


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_imports_go_one_way() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_all_of_the_interpreter_but_its_shells_is_held_to_be_pure() -> None:
    parts = {path.stem for path in (ROOT / "interpreter").iterdir() if not path.name.startswith("__")}
    assert {f"interpreter.{part}" for part in parts - SHELLS} == set(contracts()["pure"]["source_modules"])


def test_a_clock_in_the_machine_is_noticed(tmp_path: Path) -> None:
    for package in ("rollway", "interpreter", "dsl", "grammar"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("")
    for module in contracts()["pure"]["source_modules"]:
        (tmp_path / "interpreter" / f"{module.removeprefix('interpreter.')}.py").write_text("")
    (tmp_path / "interpreter" / "effects.py").write_text("import time\n")
    (tmp_path / "dsl" / "ir.py").write_text("import interpreter\n")
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())

    done = lint_imports(tmp_path)

    assert done.returncode == 1
    assert "interpreter.effects is not allowed to import time" in done.stdout
    assert "dsl is not allowed to import interpreter" in done.stdout
