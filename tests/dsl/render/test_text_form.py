"""Protects what people read: each layout that a diagnostic can take is pinned whole, byte by byte."""

from __future__ import annotations

import re
import time

import pytest

from dsl.diagnostics import Diagnostic, Label, Severity
from dsl.render.text import LIMIT, render
from dsl.source import Source, Span

ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def at(text: str, words: str, note: str = "", *labels: tuple[str, str], name: str = "a.rollout") -> Diagnostic:
    """An error at some words of a text, with labels at others."""
    source = Source(name, text)

    def span(of: str) -> Span:
        start = text.index(of)
        return Span(source, start, start + len(of))

    more = tuple(Label(span(of), said) for of, said in labels)
    return Diagnostic("RW100", Severity.ERROR, "wrong", span(words), note, more)


def body(diagnostic: Diagnostic, width: int = 100) -> str:
    """What is printed below the place."""
    return render([diagnostic], width=width).split("\n", 3)[3]


def test_a_whole_diagnostic(units: Diagnostic) -> None:
    assert render([units]) == (
        "error[RW203]: `latency(0.99)` is a time and `99%` is a share\n"
        " --> checkout.rollout:3:13\n"
        "  |\n"
        "3 |     require latency(0.99) <= 99%\n"
        "  |             ^^^^^^^^^^^^^    --- a share\n"
        "  |             |\n"
        "  |             a time\n"
        " ::: shared.rollout:2:5\n"
        "  |\n"
        "2 | let most = 99%\n"
        "  |     ---- named here\n"
        "  |\n"
        "  = help: compare it with a time, such as `500ms`\n"
        "  = fix: write `500ms` (`rollway lint --fix` does it)\n"
        "  = note: a share has no unit of time\n"
    )


def test_a_range_over_several_lines_is_marked_at_both_ends(warning: Diagnostic) -> None:
    assert body(warning) == (
        "2 |   analysis {\n  |   ^^^^^^^^^^\n3 |     require latency(0.99) <= 99%\n4 |   }\n  |   ^ in here\n"
    )


def test_lines_in_between_are_left_out() -> None:
    text = "one\ntwo\nthree\nfour\nfive\n"
    assert body(at(text, "five", "again", ("one", "first"))) == (
        "1 | one\n  | --- first\n...\n5 | five\n  | ^^^^ again\n"
    )


def test_a_range_that_ends_with_its_line_is_of_one_line() -> None:
    assert body(at("one\ntwo\n", "one\n", "this")) == "1 | one\n  | ^^^ this\n"


def test_words_never_run_into_other_words() -> None:
    assert body(at("aa bb cc dd", "bb", "B", ("aa", "A"), ("cc", "C"), ("dd", "D"))) == (
        "1 | aa bb cc dd\n  | -- ^^ -- -- D\n  | |  |  |\n  | |  |  C\n  | |  B\n  | A\n"
    )


def test_words_inside_other_words() -> None:
    assert body(at("latency(0.99)", "latency(0.99)", "all of it", ("0.99", "this part"))) == (
        "1 | latency(0.99)\n  | ^^^^^^^^^^^^^\n  | |       |\n  | |       this part\n  | all of it\n"
    )


def test_two_labels_on_the_same_words_say_both() -> None:
    printed = body(at("aa", "aa", "one", ("aa", "two")))
    assert "one" in printed
    assert "two" in printed


def test_an_empty_place_has_a_caret() -> None:
    source = Source("a.rollout", "ab")
    end = Diagnostic("RW001", Severity.ERROR, "it ends", Span(source, 2, 2), "here")
    assert body(end) == "1 | ab\n  |   ^ here\n"


def test_an_empty_file_can_be_pointed_at() -> None:
    nothing = Diagnostic("RW001", Severity.ERROR, "it is empty", Span(Source("a.rollout", ""), 0, 0))
    assert body(nothing) == "1 |\n  | ^\n"


def test_line_numbers_of_any_length_line_up() -> None:
    text = "".join(f"line {number}\n" for number in range(1, 121))
    assert body(at(text, "line 120", "", ("line 9\n", "nine"))) == (
        "  9 | line 9\n    | ------ nine\n...\n120 | line 120\n    | ^^^^^^^^\n"
    )


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("\tbad", "    bad\n  |     ^^^"),
        ("a\tbad", "a   bad\n  |     ^^^"),
        ("日本 bad", "日本 bad\n  |      ^^^"),
        ("e\u0301 bad", "e\u0301 bad\n  |   ^^^"),
        ("\x1b[2J bad", "␛[2J bad\n  |      ^^^"),
        ("\u202e bad", "<U+202E> bad\n  |          ^^^"),
        ("\x00 bad", "␀ bad\n  |   ^^^"),
        ("\ud800 bad", "<U+D800> bad\n  |          ^^^"),
        ("a\rb bad", "a␍b bad\n  |     ^^^"),
    ],
)
def test_the_caret_stands_under_its_word(line: str, shown: str) -> None:
    assert body(at(line, "bad")) == f"1 | {shown}\n"


def test_wide_words_have_wide_underlines() -> None:
    assert body(at("a 日本 b", "日本", "this")) == "1 | a 日本 b\n  |   ^^^^ this\n"


@pytest.mark.parametrize("before", [0, 5, 39, 40, 41, 200, 900, 5_000, 100_000])
@pytest.mark.parametrize("after", [0, 5, 40, 5_000])
def test_a_long_line_is_cut_around_the_word(before: int, after: int) -> None:
    printed = body(at("x" * before + "BAD" + "y" * after, "BAD"), width=44)
    line, caret = printed.splitlines()
    assert len(line) <= 44
    start = caret.index("^")
    assert line[start : start + 3] == "BAD"
    assert caret.count("^") == 3


def test_a_line_of_ten_megabytes_costs_nothing() -> None:
    source = Source("a.rollout", "x" * 10_000_000 + " BAD " + "y" * 100)
    bad = Diagnostic("RW001", Severity.ERROR, "no", Span(source, 10_000_001, 10_000_004))
    began = time.process_time()
    assert "BAD" in render([bad])
    assert time.process_time() - began < 1


def test_nothing_in_a_message_can_steer_the_terminal() -> None:
    source = Source("evil\x1b[31m.rollout", "x")
    said = "`\x1b]0;title\x07` is\nnot\u202e known"
    evil = Diagnostic("RW100", Severity.ERROR, said, Span(source, 0, 1), note="\x1b[0m", help="\x9b", notes=("\r",))
    printed = render([evil])
    assert not set(printed) & set("\x1b\x07\x9b\r\u202e")
    assert printed.splitlines()[0] == "error[RW100]: `␛]0;title␇` is␊not<U+202E> known"


def test_colours_change_nothing_else(units: Diagnostic, warning: Diagnostic, hint: Diagnostic) -> None:
    coloured = render([units, warning, hint], colour=True)
    assert "\x1b[" in coloured
    assert ESCAPES.sub("", coloured) == render([units, warning, hint])


def test_no_more_than_fifty_are_shown(hint: Diagnostic) -> None:
    printed = render([hint] * (LIMIT + 7))
    assert printed.count("hint[RW701]") == LIMIT
    assert printed.endswith("\n\n… and 7 more; `--format compact` lists them all\n")
    assert "more" not in render([hint] * LIMIT)


def test_a_fix_that_the_help_has_told_is_not_told_again(units: Diagnostic) -> None:
    [fix] = units.fixes
    unsafe = units._replace(fixes=(fix._replace(safe=False),))
    assert "= fix" not in render([unsafe])
    assert "= fix: write `500ms`\n" in render([unsafe._replace(help="compare it with a time")])


def test_nothing_to_say_is_nothing() -> None:
    assert render([]) == ""
