"""What is done, what is going on, what comes next and how soon."""

from __future__ import annotations

from dsl.compiler import compile_source
from dsl.ir import Program
from dsl.source import Source
from rollway.dashboard import steps
from rollway.dashboard.steps import At, Progress

NOW = 1_000_000_000
POLICY = """
import "std/http"
rollout web in shop {
  target  deployment/web
  service { port 80 }
  traffic istio
  analysis { every 1m; tolerate 3 failures; require success_rate >= 99% }
  steps { STEPS }
}
"""


def program(text: str) -> Program:
    made = compile_source(Source("web.rollout", POLICY.replace("STEPS", text)), lint=False)
    assert not made.has_errors, made.diagnostics
    return made.rollouts[0].program


RAMP = program("ramp 10% to 50% by 20%; wait for approval; promote")


def shown(found: list[steps.Step]) -> list[tuple[int, str, str]]:
    return [(step.number, step.text, step.progress.name) for step in found]


def test_a_statement_is_one_step_and_the_present_one_shows_its_parts() -> None:
    found = steps.steps(RAMP, At(2, NOW), NOW)
    assert shown(found) == [
        (1, "ramp 10% to 50% by 20%", "NOW"),
        (7, "wait for approval", "AHEAD"),
        (8, "promote", "AHEAD"),
    ]
    assert [part.progress.name for part in found[0].parts] == ["DONE", "DONE", "NOW", "AHEAD", "AHEAD", "AHEAD"]
    assert found[0].parts[2].words == "30% of the traffic to the canary"
    assert found[0].canary == "30%"
    assert not found[1].parts


def test_the_next_step_begins_when_the_holds_before_it_are_over() -> None:
    timed = program("shift to 10% for 5m; shift to 50% for 10m; promote")
    (first, second, third) = steps.steps(timed, At(1, NOW - 60_000), NOW)
    assert first.progress is Progress.NOW
    assert second.soonest == NOW + 4 * 60_000
    assert third.soonest == NOW + 14 * 60_000


def test_what_is_overdue_may_come_at_any_moment() -> None:
    timed = program("shift to 10% for 5m; promote")
    assert steps.steps(timed, At(1, NOW - 3_600_000), NOW)[1].soonest == NOW


def test_who_waits_for_a_person_is_promised_no_time() -> None:
    found = steps.steps(RAMP, At(6, NOW), NOW)
    assert [step.soonest for step in found] == [None, None, None]
    coming = steps.next_of(found)
    assert coming is not None
    assert coming.text == "promote"


def test_before_the_first_step_all_are_ahead() -> None:
    assert {step.progress for step in steps.steps(RAMP, At(-1, NOW), NOW)} == {Progress.AHEAD}
    assert {step.progress for step in steps.steps(RAMP, None, NOW)} == {Progress.AHEAD}


def test_of_a_run_that_is_over_the_steps_behind_its_end_were_not_run() -> None:
    found = steps.steps(RAMP, At(3, NOW, over=True), NOW)
    assert [step.progress.name for step in found] == ["DONE", "SKIPPED", "SKIPPED"]
    assert all(step.soonest is None and not step.parts for step in found)


def test_of_two_arms_only_the_one_that_is_on_record_was_taken() -> None:
    arms = program("shift to 10% for 1m; if success_rate >= 99% { shift to 20% for 1m } else { pause 1m }; promote")
    texts = [step.text for step in steps.steps(arms, None, NOW)]
    assert sum(text == "go on" for text in texts) == 0
    end = len(arms.code) - 1
    pause = next(pc for pc, op in enumerate(arms.code) if op.op == "pause")
    found = {step.text: step for step in steps.steps(arms, At(end, NOW, seen=frozenset({0, 1, pause})), NOW)}
    assert found["pause 1m"].progress is Progress.DONE
    assert found["shift to 20% for 1m"].progress is Progress.SKIPPED
    assert found["shift to 10% for 1m"].progress is Progress.DONE
    assert found["pause 1m"].depth == 1


def test_done_is_what_lies_behind() -> None:
    at = At(6, NOW)
    assert steps.done(steps.steps(RAMP, at, NOW), at) == frozenset(range(6))
