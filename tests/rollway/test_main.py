"""Protects how every command ends: the right exit code, one line that says what to do, and never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from rollway import app, commands
from rollway.__main__ import main
from rollway.commands import COMMANDS, Row
from rollway.exit_codes import ExitCode
from rollway.terminal import Stop

ROOT = Path(__file__).resolve().parents[2]


PUT_THEN_STOP = """
import sys, types
from rollway import commands, terminal
from rollway.__main__ import main

def command() -> int:
    terminal.put("x" * 100)
    raise terminal.Stop("no")

sys.modules["odd"] = module = types.ModuleType("odd")
module.command = command
commands.COMMANDS["odd"] = commands.Row("odd", "Odd.", commands.TRY, quick=True)
sys.argv = ["rollway", "odd"]
main()
"""


def rollway(*line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    known = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR")}
    return subprocess.run(
        [sys.executable, "-m", "rollway", *line],
        cwd=ROOT,
        env={**known, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["lnt"], "rollway: no such command `lnt`. Did you mean `lint`?"),
        (["--quiet"], "rollway: no such option: --quiet; `rollway --help` shows how"),
        (
            ["lint", "--formt", "json"],
            "rollway: no such option: --formt (Possible options: --format); `rollway lint --help` shows how",
        ),
        (["compile"], "rollway: missing argument `FILE`; `rollway compile --help` shows how"),
        (["explain", "RW999"], "rollway: there is no code `RW999`; `rollway explain` lists them all"),
    ],
)
def test_wrong_usage_is_one_line(line: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line) == ExitCode.USAGE
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == f"{said}\n"


def test_a_wrong_value_is_told_the_right_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "--format", "xml"]) == ExitCode.USAGE
    said = capsys.readouterr().err
    assert said.startswith("rollway: invalid value for `--format`: `xml` is not one of `text`, `compact`, `json`")
    assert said.count("\n") == 1


def test_nothing_asked_for_is_answered_with_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == ExitCode.USAGE
    printed = capsys.readouterr()
    assert printed.out == ""
    assert all(name in printed.err for name in COMMANDS)


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_lists_every_command_with_its_line(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([option]) == ExitCode.FINE
    printed = " ".join(capsys.readouterr().out.split())
    assert all(f"{name} {row.help}" in printed for name, row in COMMANDS.items())


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_teaches_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == ExitCode.FINE
    printed = capsys.readouterr().out
    assert "Example" in printed
    assert f"rollway {name}" in printed.partition("Example")[2]
    assert "list[str]" not in printed


def test_help_imports_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "import_module", lambda name: pytest.fail(f"{name} was imported"))
    assert main(["--help"]) == ExitCode.FINE


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A command `odd` that does whatever a test puts into `work`."""
    module = SimpleNamespace(work=lambda: 0)

    def odd() -> int:
        result: int = module.work()
        return result

    module.command = odd
    monkeypatch.setitem(commands.COMMANDS, "odd", Row("odd", "Odd.", commands.TRY))
    monkeypatch.setitem(sys.modules, "odd", module)  # type: ignore[arg-type]
    return module


@pytest.fixture(params=[False, True], ids=["by Typer", "quick"])
def either(
    request: pytest.FixtureRequest, command: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> SimpleNamespace:
    """`odd` by both ways in."""
    monkeypatch.setitem(commands.COMMANDS, "odd", Row("odd", "Odd.", commands.TRY, quick=request.param))
    return command


def raising(error: BaseException) -> object:
    def work(*_: object) -> int:
        raise error

    return work


@pytest.mark.parametrize("code", [0, 1, 2, 3])
def test_a_commands_code_is_the_exit_code(either: SimpleNamespace, code: int) -> None:
    either.work = lambda: code
    assert main(["odd"]) == code


def test_a_stop_is_said_in_a_line(either: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    either.work = raising(Stop("the port is taken; give another with `--port`", ExitCode.FINDINGS))
    assert main(["odd"]) == ExitCode.FINDINGS
    assert capsys.readouterr().err == "rollway: the port is taken; give another with `--port`\n"


def test_a_bug_is_said_in_two_lines(either: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    error = KeyError("x\ny")
    error.add_note("while looking at `a.rollout`")
    either.work = raising(error)
    assert main(["odd"]) == ExitCode.INTERNAL
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert said[0].startswith("rollway: internal error while looking at `a.rollout`: KeyError: ")
    assert said[1].startswith("this is a bug in rollway: please report it at https://")


def test_a_traceback_can_be_asked_for(
    either: SimpleNamespace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    either.work = raising(RuntimeError("odd"))
    monkeypatch.setenv("ROLLWAY_TRACEBACK", "1")
    assert main(["odd"]) == ExitCode.INTERNAL
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_too_deep_a_recursion_is_a_bug_like_others(either: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    either.work = raising(RecursionError("maximum recursion depth exceeded"))
    assert main(["odd"]) == ExitCode.INTERNAL
    assert "Traceback" not in capsys.readouterr().err


def test_a_file_that_cannot_be_used_is_no_bug(either: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    either.work = raising(PermissionError(13, "Permission denied", "out.json"))
    assert main(["odd"]) == ExitCode.USAGE
    assert capsys.readouterr().err == "rollway: `out.json`: permission denied\n"


def test_an_interruption_is_quiet(either: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    either.work = raising(KeyboardInterrupt())
    assert main(["odd"]) == ExitCode.INTERRUPTED
    assert capsys.readouterr().err == ""


def test_a_closed_output_is_quiet(
    either: SimpleNamespace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    either.work = raising(BrokenPipeError(32, "Broken pipe"))
    monkeypatch.setattr("rollway.__main__._close_output", lambda: None)
    assert main(["odd"]) == ExitCode.BROKEN_PIPE
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("command", ["schema", "--help"])
def test_a_reader_that_goes_away_is_no_trouble(command: str) -> None:
    line = [sys.executable, "-m", "rollway", command]
    with subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == ExitCode.BROKEN_PIPE


def test_text_that_the_terminal_lacks_is_written_out(tmp_path: Path) -> None:
    name = tmp_path / "ж.rollout"
    done = rollway("lint", str(name), PYTHONIOENCODING="ascii")
    assert done.returncode == ExitCode.USAGE
    assert "\\u0436.rollout" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_quick_command_that_ends_at_once_has_said_everything(tmp_path: Path) -> None:
    """Its process does not tidy up: what was written must be out by then, to a pipe and to a file."""
    everything = rollway("schema")
    assert everything.stdout.endswith("}\n")
    with (tmp_path / "out").open("w") as out:
        done = subprocess.run(
            [sys.executable, "-c", PUT_THEN_STOP], cwd=ROOT, stdout=out, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == ExitCode.USAGE, done.stderr
    assert (tmp_path / "out").read_text() == "x" * 100
    assert done.stderr == "rollway: no\n"


def test_a_line_of_the_quick_commands_does_not_load_typer() -> None:
    probe = "import sys; from rollway.__main__ import main; main(sys.argv[1:]); print('typer' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", probe, "version"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "False"


def complete(words: str) -> list[str]:
    """What bash is given for a line whose last word is being written."""
    count = len(words.split(" ")) - 1
    done = rollway(COMP_WORDS=words, COMP_CWORD=str(count), _ROLLWAY_COMPLETE="complete_bash")
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_completion_of_commands_options_and_values() -> None:
    assert complete("rollway li") == ["lint"]
    assert complete("rollway ") == list(COMMANDS)
    assert "--format" in complete("rollway lint --f")
    assert complete("rollway lint --format s") == ["sarif"]
    assert complete("rollway compile --format ") == ["json", "manifest"]


def test_completion_leaves_files_to_the_shell() -> None:
    assert complete("rollway lint exa") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_can_be_shown_for_each_shell(shell: str) -> None:
    done = rollway("--show-completion", shell, _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert done.returncode == 0
    assert "_ROLLWAY_COMPLETE=complete_" + shell in done.stdout


def test_completion_can_be_installed(tmp_path: Path) -> None:
    done = rollway("--install-completion", "bash", HOME=str(tmp_path), _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert done.returncode == 0, done.stderr
    assert "rollway" in (tmp_path / ".bash_completions" / "rollway.sh").read_text()


def test_the_exit_codes_are_these() -> None:
    assert {code.name: code.value for code in ExitCode} == {
        "FINE": 0,
        "FINDINGS": 1,
        "USAGE": 2,
        "INTERNAL": 3,
        "WAITING": 4,
        "INTERRUPTED": 130,
        "BROKEN_PIPE": 141,
    }


def test_every_row_of_the_table_is_a_command() -> None:
    for name, row in COMMANDS.items():
        assert (ROOT / (row.module.replace(".", "/") + ".py")).is_file(), name


def test_a_bug_in_the_linter_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = tmp_path / "a.rollout"
    policy.write_text("")
    monkeypatch.setattr("dsl.compiler.compile_source", raising(RuntimeError("odd")))
    assert main(["lint", str(policy)]) == ExitCode.INTERNAL
    assert f"while looking at `{policy}`" in capsys.readouterr().err
