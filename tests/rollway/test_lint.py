"""Protects `rollway lint`: what is printed where, what is fixed, and what the exit code says."""

from __future__ import annotations

import io
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from dsl.diagnostics import Diagnostic, Edit, Fix, Severity
from dsl.source import Source, Span
from rollway import lint
from rollway.__main__ import main
from rollway.exit_codes import ExitCode

CLEAN = """\
import "std/http"
import "std/strategies"

rollout till in cafe {
  target   deployment/till
  service  { port 8080 }
  traffic  istio
  analysis { every 1m; tolerate 3 failures; require success_rate >= 99% }
  strategy canary
}
"""
BROKEN = CLEAN.replace("success_rate", "sucess_rate")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    (tmp_path / "clean.rollout").write_text(CLEAN)
    (tmp_path / "broken.rollout").write_text(BROKEN)
    return tmp_path


def feed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def test_a_clean_policy(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "clean.rollout"]) == ExitCode.FINE
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("no errors or warnings in 1 file")


def test_a_finding_is_shown_with_its_line_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "broken.rollout", "clean.rollout"]) == ExitCode.FINDINGS
    printed = capsys.readouterr()
    assert " --> broken.rollout:8:53\n" in printed.out
    assert "did you mean `success_rate`?" in printed.out
    assert printed.err.startswith("1 error in 1 file; `rollway explain RW")


def test_a_folder_and_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    feed(monkeypatch, BROKEN)
    assert main(["lint", ".", "-", "--format", "compact"]) == ExitCode.FINDINGS
    printed = capsys.readouterr()
    assert [line.split(":")[0] for line in printed.out.splitlines()] == ["<stdin>", "broken.rollout"]
    assert printed.err.startswith("2 errors in 2 files")


def test_each_form_goes_to_standard_output_alone(capsys: pytest.CaptureFixture[str]) -> None:
    def printed(form: str) -> str:
        assert main(["lint", "broken.rollout", "clean.rollout", "--format", form]) == ExitCode.FINDINGS
        return capsys.readouterr().out

    [finding] = json.loads(printed("json"))
    assert (finding["file"], finding["line"], finding["severity"]) == ("broken.rollout", 8, "error")
    assert json.loads(printed("sarif"))["runs"][0]["results"][0]["ruleId"] == finding["code"]
    assert printed("github").startswith("::error file=broken.rollout,line=8,")
    suites = ElementTree.fromstring(printed("junit"))
    assert [suite.attrib["name"] for suite in suites] == ["broken.rollout", "clean.rollout"]


def test_what_cannot_be_read_is_worse_than_a_finding(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "missing.rollout", "broken.rollout"]) == ExitCode.USAGE
    printed = capsys.readouterr()
    assert "broken.rollout:8:53" in printed.out
    assert printed.err.splitlines()[-1] == "rollway: cannot read `missing.rollout`: no such file or directory"


def test_bytes_that_are_not_text_are_a_finding(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "binary.rollout").write_bytes(bytes(range(256)) * 100)
    assert main(["lint", "binary.rollout", "--format", "compact"]) == ExitCode.FINDINGS
    assert "the file is not UTF-8 text: byte 128 is 0x80" in capsys.readouterr().out


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"x" * 10_000_000, id="a word of ten megabytes"),
        pytest.param(b"rollout a in b {\n" * 600_000, id="ten megabytes of lines"),
        pytest.param(b"{" * 10_000, id="ten thousand brackets"),
        pytest.param(b"let a = " + b"(" * 10_000 + b"1", id="ten thousand parentheses"),
        pytest.param(bytes(10_000_000), id="ten megabytes of nothing"),
    ],
)
def test_too_much_is_a_finding(folder: Path, data: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "big.rollout").write_bytes(data)
    assert main(["lint", "big.rollout"]) == ExitCode.FINDINGS
    printed = capsys.readouterr()
    assert "error[RW0" in printed.out
    assert len(printed.out) < 100_000


# --- with findings made by hand ------------------------------------------------------------------------------------


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> None:
    """A linter that knows three bad words: `bad` is to be `good`, `odd` is a hint, `so-so` a warning that stays."""

    def diagnose(source: Source) -> tuple[Diagnostic, ...]:
        found = []
        for word, severity in (("bad", Severity.ERROR), ("odd", Severity.HINT), ("so-so", Severity.WARNING)):
            at = source.text.find(word)
            while at >= 0:
                span = Span(source, at, at + len(word))
                fixes = (Fix("write `good`", (Edit(span, "good"),), safe=True),) if word == "bad" else ()
                found.append(Diagnostic("RW100", severity, f"`{word}` is {severity}", span, fixes=fixes))
                at = source.text.find(word, at + 1)
        return tuple(found)

    monkeypatch.setattr(lint, "diagnose", diagnose)


@pytest.fixture
def policy(folder: Path, words: None) -> Path:
    path = folder / "words.rollout"
    path.write_text("bad odd\r\nbad so-so\n", newline="")
    return path


def test_hints_are_for_those_who_ask(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy.write_text("odd")
    assert main(["lint", str(policy)]) == ExitCode.FINE
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "no errors or warnings in 1 file (1 hint: `--hints` shows them)\n"
    assert main(["lint", str(policy), "--hints"]) == ExitCode.FINE
    printed = capsys.readouterr()
    assert printed.out.startswith("hint[RW100]: `odd` is hint\n")
    assert printed.err.startswith("1 hint in 1 file")


def test_warnings_fail_unless_only_errors_do(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy.write_text("so-so")
    assert main(["lint", str(policy)]) == ExitCode.FINDINGS
    assert main(["lint", str(policy), "--fail-on", "error"]) == ExitCode.FINE
    assert capsys.readouterr().err.count("1 warning in 1 file") == 2


def test_the_count(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["lint", str(policy)])
    assert capsys.readouterr().err == "2 errors, 1 warning in 1 file; `rollway explain RW100` says more\n"


def test_the_code_to_explain_is_of_the_gravest(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hint, error = Severity.HINT, Severity.ERROR
    span = Span(Source("a", "x"), 0, 1)
    found = [Diagnostic("RW701", hint, "h", span), Diagnostic("RW203", error, "e", span)]
    assert lint.summary(found, 1, hints=True) == "1 error, 1 hint in 1 file; `rollway explain RW203` says more"
    assert lint.summary(found, 1, hints=False) == "1 error in 1 file; `rollway explain RW203` says more"


def test_fixes_are_applied_and_what_stays_is_told(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "--fix", str(policy)]) == ExitCode.FINDINGS
    assert policy.read_bytes() == b"good odd\r\ngood so-so\n"
    printed = capsys.readouterr()
    assert "`so-so` is warning" in printed.out
    assert "`bad`" not in printed.out
    assert printed.err.splitlines()[0] == "fixed 2 findings in 1 file"


def test_what_would_be_fixed_can_be_seen(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint", "--diff", str(policy)]) == ExitCode.FINDINGS
    assert policy.read_bytes() == b"bad odd\r\nbad so-so\n"
    printed = capsys.readouterr()
    assert "-bad odd" in printed.out
    assert "+good odd" in printed.out
    assert "error[" not in printed.out
    assert printed.err == "after that: 1 warning in 1 file; `rollway explain RW100` says more\n"


def test_standard_input_is_fixed_on_the_way_through(
    words: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    feed(monkeypatch, "bad so-so\n")
    assert main(["lint", "--fix", "-"]) == ExitCode.FINDINGS
    printed = capsys.readouterr()
    assert printed.out == "good so-so\n"
    assert "`so-so` is warning" in printed.err


def test_standard_input_with_nothing_to_fix_comes_out_as_it_went_in(
    words: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    feed(monkeypatch, "fine\n")
    assert main(["lint", "--fix", "-"]) == ExitCode.FINE
    assert capsys.readouterr().out == "fine\n"


def test_fixes_that_never_end_are_ended(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def diagnose(source: Source) -> tuple[Diagnostic, ...]:
        grow = Fix("grow", (Edit(Span(source, 0, 0), "x"),), safe=True)
        return (Diagnostic("RW100", Severity.ERROR, "too short", Span(source, 0, 1), fixes=(grow,)),)

    monkeypatch.setattr(lint, "diagnose", diagnose)
    policy.write_text("y")
    assert main(["lint", "--fix", str(policy)]) == ExitCode.FINDINGS
    assert policy.read_text() == "x" * lint.ROUNDS + "y"


def test_a_fix_that_makes_it_worse_is_not_made(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def diagnose(source: Source) -> tuple[Diagnostic, ...]:
        worse = Fix("double", (Edit(Span(source, 0, 0), "y"),), safe=True)
        one = Diagnostic("RW100", Severity.ERROR, "no", Span(source, 0, 1), fixes=(worse,))
        return (one,) * len(source.text)

    monkeypatch.setattr(lint, "diagnose", diagnose)
    policy.write_text("y")
    main(["lint", "--fix", str(policy)])
    assert policy.read_text() == "y"


# --- colours -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "0"}, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"NO_COLOR": ""}, False),
    ],
)
def test_colours_on_paper(
    policy: Path,
    environment: dict[str, str],
    coloured: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    main(["lint", str(policy)])
    assert ("\x1b[" in capsys.readouterr().out) is coloured


@pytest.mark.parametrize(
    ("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colours_on_a_terminal(
    policy: Path,
    environment: dict[str, str],
    coloured: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    main(["lint", str(policy)])
    assert ("\x1b[" in capsys.readouterr().out) is coloured
