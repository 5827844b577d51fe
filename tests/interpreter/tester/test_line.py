"""Protects what a command line is taken for without a shell: what runs must be what was checked."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interpreter.tester.line import NeedsShell, parse


@pytest.mark.parametrize(
    ("line", "commands", "joints"),
    [
        ("hey -z 1m http://x/?a=1", [["hey", "-z", "1m", "http://x/?a=1"]], []),
        (
            "curl -sd 'test' -H 'Host: app' http://x/token | grep token",
            [["curl", "-sd", "test", "-H", "Host: app", "http://x/token"], ["grep", "token"]],
            ["|"],
        ),
        ('a "b \\" c" d\\ e && f || g; h', [["a", 'b " c', "d e"], ["f"], ["g"], ["h"]], ["&&", "||", ";"]),
        ("a \\\n  b\nc\n\n", [["a", "b"], ["c"]], [";"]),
        ("a |\n b", [["a"], ["b"]], ["|"]),
        ("a '' \"\"", [["a", "", ""]], []),
        ("a b#c", [["a", "b#c"]], []),
    ],
)
def test_words_and_joints(line: str, commands: list[list[str]], joints: list[str]) -> None:
    read = parse(line)
    assert [list(each.words) for each in read.commands] == commands
    assert list(read.joints) == joints


@pytest.mark.parametrize(
    "line",
    [
        "echo $HOME", "echo `id`", 'echo "$HOME"', 'echo "`id`"', "a & b", "a &", "a > file", "a < file", "a 2> file",
        "(a)", "{ a; }", "ls *", "ls ~", "ls [a]", "# a", "! a", "a 'b", 'a "b', "a |", "| a", "a && ; b", "", "  ;",
        "a >/dev/null/x", "a\\", "a <<b", "a 'b'2>/dev/null", "a &> /dev/null", ">/dev/null",
    ],
)  # fmt: skip
def test_what_only_a_shell_knows(line: str) -> None:
    with pytest.raises(NeedsShell):
        parse(line)


def test_a_single_command_is_started_without_a_shell() -> None:
    assert parse("hey -c 2 'http://x/'").argv == ("hey", "-c", "2", "http://x/")


@pytest.mark.parametrize("line", ["true > /dev/null 2>&1", "echo a 2>/dev/null; echo b", "false || echo c"])
def test_what_is_thrown_away_may_be(line: str) -> None:
    assert ran(parse(line).argv) == ran(("sh", "-c", line))


def test_what_would_be_a_keyword_or_a_variable_is_a_program_by_that_name() -> None:
    assert parse("A=1 hey; if x").programs == ("A=1", "if")
    assert parse("A=1 hey; if x").text == "'A=1' 'hey' ; 'if' 'x'"


def ran(argv: tuple[str, ...]) -> tuple[int, str]:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


WORDS = st.lists(st.text(st.sampled_from("ab'\" $`\\|&;<>(){}[]*?~#!=\n\t%é"), max_size=6), min_size=1, max_size=4)


@given(WORDS)
def test_no_word_is_more_than_a_word_to_the_shell(words: list[str]) -> None:
    line = " | ".join(("echo", shlex.join(words)))
    try:
        read = parse(line)
    except NeedsShell:
        return
    assert [list(each.words) for each in read.commands] == [["echo"], words]
    assert shlex.split(read.text) == ["echo", "|", *words]


@given(st.text(st.sampled_from("ab'\" $\\|&;<>-2/\n"), max_size=12))
def test_a_line_that_is_understood_means_to_a_shell_what_it_means_here(text: str) -> None:
    """The words of the shell's own reading: each program prints its arguments instead of running."""
    line = f"p {text}"
    try:
        read = parse(line)
    except NeedsShell:
        return
    if "\\\n" in text or {each.words[0] for each in read.commands} != {"p"}:
        return
    show = "p() { printf '%s,' \"$@\"; printf ';'; }\n"
    assert ran(("sh", "-c", show + line)) == ran(("sh", "-c", show + read.text.replace("'p'", "p")))


def test_no_file_is_written(tmp_path: Path) -> None:
    with pytest.raises(NeedsShell):
        parse(f"echo a 1>{tmp_path}/x")
