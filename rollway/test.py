"""`rollway test`: the `test` blocks of policies, in virtual time."""

import json
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from rollway.exit_codes import ExitCode
from rollway.parameters import Argument, Option
from rollway.policies import Policies, compiled
from rollway.terminal import plural, put, say

if TYPE_CHECKING:
    from interpreter.simulator.verdict import Tested


class TestForm(StrEnum):
    """How to print the results."""

    __test__ = False

    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"


class Outcome(NamedTuple):
    """One test of one file, run."""

    file: str
    tested: "Tested"


def command(
    paths: Annotated[
        list[str] | None, Argument("Files, folders with `*.rollout` in them, or `-` for standard input.", "PATH")
    ] = None,
    run: Annotated[str | None, Option("--run", "Only tests whose title has this in it.", "SUBSTRING")] = None,
    form: Annotated[TestForm, Option("--format", "How to print the results.")] = TestForm.TEXT,
) -> int:
    """Run the `test` blocks of policies.

    Each runs in virtual time, in milliseconds. What a test does not state is healthy. For an expectation
    that does not hold: where it stands, what happened instead, the timeline around it, and each value of
    the check that decided it. Without a path, the current folder is looked through.

    \b
    Examples:
      rollway test checkout.rollout
      rollway test policies/ --run "burst of errors"
      rollway test policies/ --format junit > results.xml

    Exit codes: 0 all passed, or there are none; 1 a test failed, or a policy has errors; 2 wrong usage or
    unreadable input.
    """
    policies = compiled(paths)
    outcomes = list(_run(policies, run or ""))
    match form:
        case TestForm.TEXT:
            put("".join(_text(outcome) for outcome in outcomes))
        case TestForm.JSON:
            put(json.dumps([_data(outcome) for outcome in outcomes], indent=2, ensure_ascii=False) + "\n")
        case TestForm.JUNIT:
            put(_junit(outcomes))
    sys.stdout.flush()
    failed = sum(not outcome.tested.passed for outcome in outcomes)
    if outcomes or not policies.code:
        say(_summary(outcomes, failed, policies, run))
    return policies.code or (ExitCode.FINDINGS if failed else ExitCode.FINE)


def _run(policies: Policies, wanted: str) -> list[Outcome]:
    from interpreter.simulator.verdict import run_test

    outcomes: list[Outcome] = []
    for source, compilation in policies.compilations:
        programs = {found.program.name: found.program for found in compilation.rollouts}
        for test in compilation.tests:
            if wanted in test.title:
                outcomes.append(Outcome(source.name, run_test(programs[test.rollout], test, test.metrics)))
    return outcomes


def _summary(outcomes: list[Outcome], failed: int, policies: Policies, run: str | None) -> str:
    files = plural(len(policies.compilations), "file")
    if not outcomes:
        whose = f" whose title has `{run}` in it" if run else ""
        return f"no tests{whose} in {files}"
    seconds = sum(outcome.tested.seconds for outcome in outcomes)
    counts = f"{len(outcomes) - failed} passed" + (f", {failed} failed" if failed else "")
    return f"{plural(len(outcomes), 'test')}: {counts} in {seconds:.2f}s ({files})"


# --- forms ------------------------------------------------------------------------------------------------------


def _text(outcome: Outcome) -> str:
    tested = outcome.tested
    mark = "pass" if tested.passed else "FAIL"
    head = f"{mark}  {tested.test.rollout}: {tested.test.title} ({tested.seconds * 1000:.0f} ms)\n"
    return head + "".join(f"\n{failure}\n" for failure in _failures(tested)) + ("" if tested.passed else "\n")


def _failures(tested: "Tested") -> list[str]:
    """Each expectation that did not hold, with its place, what happened instead, and the story around it."""
    from interpreter.simulator.telling import around

    told = []
    for failure in tested.failures:
        place = f"{failure.span.file}:{failure.span.line}:{failure.span.column}"
        lines = [f"{place}: {failure.expectation}", f"instead: {failure.instead}"]
        if tested.story is not None:
            lines += ["", *around(tested.story, failure.at_ms)]
        told.append("\n".join(f"    {line}".rstrip() for line in lines))
    return told


def _data(outcome: Outcome) -> dict[str, Any]:
    from interpreter.simulator.telling import data

    tested = outcome.tested
    span = tested.test.span
    return {
        "title": tested.test.title,
        "rollout": tested.test.rollout,
        "file": span.file,
        "line": span.line,
        "column": span.column,
        "passed": tested.passed,
        "milliseconds": round(tested.seconds * 1000, 3),
        "failures": [
            {
                "expectation": failure.expectation,
                "instead": failure.instead,
                "at_ms": failure.at_ms,
                "file": failure.span.file,
                "line": failure.span.line,
                "column": failure.span.column,
            }
            for failure in tested.failures
        ],
        "story": None if tested.story is None else data(tested.story),
    }


def _junit(outcomes: list[Outcome]) -> str:
    from xml.etree.ElementTree import Element, SubElement, indent, tostring

    failed = sum(not outcome.tested.passed for outcome in outcomes)
    whole = Element("testsuites", tests=str(len(outcomes)), failures=str(failed), errors="0")
    for file in dict.fromkeys(outcome.file for outcome in outcomes):
        mine = [outcome.tested for outcome in outcomes if outcome.file == file]
        suite = SubElement(whole, "testsuite", name=file, tests=str(len(mine)), errors="0")
        suite.set("failures", str(sum(not tested.passed for tested in mine)))
        suite.set("time", f"{sum(tested.seconds for tested in mine):.6f}")
        for tested in mine:
            case = SubElement(suite, "testcase", classname=tested.test.rollout, name=_writable(tested.test.title))
            case.set("time", f"{tested.seconds:.6f}")
            if not tested.passed:
                first = tested.failures[0]
                fault = SubElement(case, "failure", message=_writable(f"{first.expectation}: {first.instead}"))
                fault.text = _writable("\n\n".join(_failures(tested)))
    indent(whole)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(whole, encoding="unicode") + "\n"


def _writable(text: str) -> str:
    """The text without what XML cannot hold."""
    return "".join(sign if sign in "\n\t" or (sign >= " " and sign not in "\ufffe\uffff") else "�" for sign in text)
