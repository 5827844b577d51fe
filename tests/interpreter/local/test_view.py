"""What a person sees says what is so: where the rollout is, who gets what, what each check saw, what happened; as plain
lines where nobody watches."""

from __future__ import annotations

import asyncio
import io
import re
from dataclasses import replace

from rich.console import Console

from dsl.ir import Span
from interpreter.desired import Routing
from interpreter.local.metering import Metering, Subject
from interpreter.local.view import Lines, Picture
from interpreter.local.view import Subject as Seen
from interpreter.state import CheckRecord, CheckResult, Cursor, Phase, Run, State, Verdict
from tests.interpreter.local.programs import program

PASSED = CheckResult("error_rate <= 5%", "require", Verdict.PASS, (("error_rate", "1.2%"),))
FAILED = CheckResult("latency(0.99) <= 500ms", "require", Verdict.FAIL, (("latency(0.99)", "740ms"),), "too slow")
RUN = Run(
    number=1,
    revision="v2",
    program_digest="",
    started_ms=0,
    began_ms=0,
    cursor=Cursor(pc=1),
    iterations=3,
    failed_checks=1,
    last_check=CheckRecord(1000, 0, 1, 25.0, Verdict.FAIL, (PASSED, FAILED)),
)
STATE = State(Phase.PROGRESSING, primary="v1", run=RUN, routing=Routing(weight=25.0, mirror=5.0), reason="be patient")


def metering() -> Metering:
    made = Metering()
    for _ in range(1500):
        made.record(Subject("primary", "v1"), 200, 0.01)
    made.record(Subject("canary", "v2"), 500, 0.01)
    return made


def test_the_picture_has_all_that_one_wants_to_know() -> None:
    console = Console(file=io.StringIO(), force_terminal=False, width=110)
    picture = Picture(console)
    made = program()
    spans = tuple(Span("a", 1, 1, 1, 1, f"statement {number}") for number in range(len(made.code)))
    picture._subject = Seen(replace(made, spans=spans), metering(), "http://here/", "http://there/metrics")
    picture.state_written(STATE)
    picture.event(1000, "TrafficRouted", "canary weight 25%", warning=False)
    console.print(picture.picture())
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    for words in (
        "demo in local: Progressing",
        "v2   primary v1",
        "2 of 5   statement 1",
        "1 of 3 made",
        "be patient",
        "25%   mirror 5%",
        "error_rate 1.2%",
        "too slow",
        "1,500 requests",
        "1 failed",
        "TrafficRouted    canary weight 25%",
        "http://here/",
    ):
        assert words in shown, words
    assert re.search(r"✗\s+latency\(0\.99\) <= 500ms\s+latency\(0\.99\) 740ms", shown)


def test_the_picture_can_be_drawn_before_anything_has_happened() -> None:
    console = Console(file=io.StringIO(), width=80)
    picture = Picture(console)
    console.print(picture.picture())
    picture._subject = Seen(program(), Metering(), "http://here/", "")
    console.print(picture.picture())
    assert isinstance(console.file, io.StringIO)
    assert "no check yet" in console.file.getvalue()


async def test_lines_say_each_thing_once_and_what_is_over_in_a_moment_not_at_all() -> None:
    out = io.StringIO()
    lines = Lines(out)
    lines.begin(Seen(program(), Metering(), "http://here/", "http://there/metrics"))
    lines.state_written(STATE)
    lines.state_written(STATE)
    lines.state_written(replace(STATE, reason=""))
    lines.event(2000, "RolledBack", "it was slow", warning=True)
    lines.end()
    said = [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in out.getvalue().splitlines()]
    assert said == [
        "  Listening        requests at http://here/, metrics at http://there/metrics",
        "! Check            fail at 25%: error_rate <= 5% (error_rate 1.2%); "
        "fail: latency(0.99) <= 500ms (latency(0.99) 740ms, too slow)",
        "! RolledBack       it was slow",
    ]


async def test_lines_say_what_is_waited_for_once_it_lasts() -> None:
    out = io.StringIO()
    lines = Lines(out)
    lines.state_written(replace(STATE, run=None))
    async with asyncio.timeout(20):
        while "be patient" not in out.getvalue():  # noqa: ASYNC110 - a text tells nobody
            await asyncio.sleep(0.05)
    lines.state_written(replace(STATE, run=None))
    lines.end()
    assert out.getvalue().count("be patient") == 1
