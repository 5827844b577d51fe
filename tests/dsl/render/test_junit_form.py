"""Protects the JUnit form: XML that parses whatever is in the policy, with counts that agree with what is in it."""

from __future__ import annotations

from xml.etree import ElementTree

from dsl.diagnostics import Diagnostic, Severity
from dsl.render.junit import render
from dsl.source import Source, Span


def suites(diagnostics: list[Diagnostic], files: list[str]) -> dict[str, ElementTree.Element]:
    root = ElementTree.fromstring(render(diagnostics, files))
    cases = root.findall("testsuite/testcase")
    assert int(root.attrib["tests"]) == len(cases)
    assert int(root.attrib["failures"]) == len(root.findall("testsuite/testcase/failure"))
    for suite in root:
        assert int(suite.attrib["tests"]) == len(suite)
        assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure"))
    return {suite.attrib["name"]: suite for suite in root}


def test_a_suite_for_each_file(units: Diagnostic, warning: Diagnostic, hint: Diagnostic) -> None:
    found = suites([units, warning, hint], ["checkout.rollout", "clean.rollout"])
    assert list(found) == ["checkout.rollout", "clean.rollout"]
    assert [case.attrib["name"] for case in found["checkout.rollout"]] == [
        "RW203 at 3:13",
        "RW301 at 2:3",
        "RW701 at 1:9",
    ]
    assert [failure.attrib["type"] for failure in found["checkout.rollout"].iter("failure")] == ["error", "warning"]


def test_a_clean_file_has_one_case_that_passed() -> None:
    [case] = suites([], ["clean.rollout"])["clean.rollout"]
    assert list(case) == []


def test_what_is_said(units: Diagnostic) -> None:
    failure = next(suites([units], [])["checkout.rollout"].iter("failure"))
    assert failure.attrib["message"] == units.message
    assert failure.text == f"checkout.rollout:3:13: {units.message}\nhelp: {units.help}"


def test_characters_that_xml_does_not_know() -> None:
    source = Source("a\x00<&>\"'.rollout", "x")
    said = "\x00\x0b\ud800\ufffe ]]> <b> & \" '"
    odd = Diagnostic("RW100", Severity.ERROR, said, Span(source, 0, 1), help="\x1b")
    [suite] = suites([odd], []).values()
    assert suite.attrib["name"] == "a␀<&>\"'.rollout"
    assert next(suite.iter("failure")).attrib["message"] == "␀␋<U+D800><U+FFFE> ]]> <b> & \" '"
