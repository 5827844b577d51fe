"""Whether a simulated rollout did what a `test` block expects, and if not, what it did instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from time import perf_counter
from typing import NamedTuple, assert_never

from dsl.ir import ExpectBound, ExpectOutcome, Metric, Program, Span, TestCase
from dsl.ir_json import digest
from interpreter.analysis.readings import compare
from interpreter.durations import duration
from interpreter.simulator.inversion import Problem
from interpreter.simulator.scenario import of_test
from interpreter.simulator.simulation import simulate
from interpreter.simulator.timeline import Level, Story
from interpreter.state import State
from interpreter.state_json import decode, encode


class Failure(NamedTuple):
    """An expectation that did not hold. `at_ms` is when it was seen not to, None where it never came about."""

    expectation: str
    span: Span
    instead: str
    at_ms: int | None


class Tested(NamedTuple):
    """One test, run. `story` is None where the scenario could not be simulated."""

    test: TestCase
    failures: tuple[Failure, ...]
    story: Story | None
    seconds: float

    @property
    def passed(self) -> bool:
        return not self.failures


def run_test(program: Program, test: TestCase, metrics: Mapping[str, Metric] | None = None) -> Tested:
    """Simulate what the test states and hold the outcome against what it expects."""
    _prepare(program)
    began = perf_counter()
    story = simulate(program, of_test(program, test), metrics=metrics)
    if isinstance(story, Problem):
        failures: tuple[Failure, ...] = (Failure("the scenario", test.span, story.text, None),)
        return Tested(test, failures, None, perf_counter() - began)
    return Tested(test, tuple(judged(story, test)), story, perf_counter() - began)


def _prepare(program: Program) -> None:
    """Have the JSON codecs built, which takes longer than most tests, so that no test is charged for it."""
    digest(program)
    decode(encode(State()))


def judged(story: Story, test: TestCase) -> Iterator[Failure]:
    """The expectations that did not hold, in the order in which they stand."""
    for expectation in test.expectations:
        match expectation:
            case ExpectOutcome():
                failure = (
                    _waiting(story, expectation) if expectation.outcome == "waiting" else _ended(story, expectation)
                )
            case ExpectBound():
                failure = _bound(story, expectation)
            case _:
                assert_never(expectation)
        if failure is not None:
            yield failure


def _ended(story: Story, expected: ExpectOutcome) -> Failure | None:
    if story.outcome != expected.outcome:
        return Failure(expected.text, expected.span, _what_happened(story), story.ended_ms)
    ended = story.last_ms if story.ended_ms is None else story.ended_ms
    if expected.within_ms is None or ended <= expected.within_ms:
        return None
    late = f"it was {_words(story)}, but only after {duration(ended)}"
    return Failure(expected.text, expected.span, late, ended)


def _waiting(story: Story, expected: ExpectOutcome) -> Failure | None:
    """`waiting` alone: that is how it ends. `waiting within D`: within that time it comes to wait."""
    began = next((level.at_ms for level in story.levels if level.waiting), None)
    if expected.within_ms is None or began is None:
        met = story.outcome == "waiting"
        return None if met else Failure(expected.text, expected.span, _what_happened(story), story.ended_ms)
    if began <= expected.within_ms:
        return None
    return Failure(expected.text, expected.span, f"it came to wait only after {duration(began)}", began)


def _bound(story: Story, expected: ExpectBound) -> Failure | None:
    for level in story.levels:
        value = _value(level, expected)
        if compare(expected.cmp, value, expected.value) is not True:
            unit = "" if expected.subject == "failed_checks" else "%"
            instead = f"{expected.subject} was {value:g}{unit} at {duration(level.at_ms)}"
            return Failure(expected.text, expected.span, instead, level.at_ms)
    return None


def _value(level: Level, expected: ExpectBound) -> float:
    match expected.subject:
        case "traffic":
            return level.traffic
        case "mirror":
            return level.mirror
        case "failed_checks":
            return level.failed_checks


def _what_happened(story: Story) -> str:
    ended = duration(story.last_ms if story.ended_ms is None else story.ended_ms)
    reason = f": {story.reason}" if story.reason and story.outcome != "promoted" else ""
    if story.outcome == "waiting":
        return f"it was waiting since {duration(story.waiting_since_ms or 0)}{reason}"
    if story.outcome == "running":
        return f"it was still running at {ended}{reason}"
    return f"it was {_words(story)} after {ended}{reason}"


def _words(story: Story) -> str:
    match story.outcome:
        case "running":
            return "still running"
        case "promotion_failed":
            return "not promoted, for the primary did not become ready"
        case other:
            return other.replace("_", " ")
