"""Protects what is written and when: everything that a restart could not find out by itself, and no more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from interpreter.actions import CallAction, EventAction, NotifyAction
from interpreter.desired import Desired, Routing
from interpreter.effects import REASON_MS, Perform, Persist, Reroute, durable, effects, unwritten_for_ms
from interpreter.state import Phase, State, Step

WAITS = State(phase=Phase.INITIALIZING, reason="0 of 1 pods are updated", clock_ms=1000)
TOLD = EventAction("key/1", "NewRevision", "the rollout begins")
SAID = NotifyAction("key/2", "oncall", "info", "{{ text }}")


def written(previous: State, state: State) -> State | None:
    """The state that is written when `previous` was the last."""
    step = Step(state, Desired(Routing(), "r1", primary_up=False), actions=state.outbox)
    return next((effect.state for effect in effects(previous, step, None) if isinstance(effect, Persist)), None)


def test_time_is_not_written() -> None:
    assert written(WAITS, replace(WAITS, clock_ms=10**9, wall_ms=5)) is None


@pytest.mark.parametrize(("after", "is_written"), [(0, False), (REASON_MS - 1, False), (REASON_MS, True)])
def test_a_reason_is_written_once_it_has_stood(after: int, is_written: bool) -> None:
    now = replace(WAITS, reason="0 of 1 pods are available", clock_ms=WAITS.clock_ms + after)
    assert (written(WAITS, now) == now) is is_written
    assert unwritten_for_ms(WAITS, now) == REASON_MS - after


@pytest.mark.parametrize(("before", "after"), [("", "waiting"), ("suspended", "")])
def test_the_first_reason_and_the_end_of_the_last_are_news_at_once(before: str, after: str) -> None:
    now = replace(WAITS, reason=after)
    assert written(replace(WAITS, reason=before), now) == now


def test_a_reason_goes_with_whatever_else_is_written() -> None:
    now = replace(WAITS, reason="", phase=Phase.INITIALIZED)
    assert written(WAITS, now) == now


def test_nothing_is_due_when_the_reason_is_the_written_one() -> None:
    assert unwritten_for_ms(WAITS, replace(WAITS, clock_ms=10**9)) is None


def test_events_are_done_and_not_kept() -> None:
    state = replace(WAITS, phase=Phase.INITIALIZED, outbox=(TOLD, SAID))
    assert durable(state).outbox == (SAID,)
    assert written(WAITS, state) == durable(state)
    todo = effects(WAITS, Step(state, Desired(Routing(), "r1", primary_up=False), actions=state.outbox), None)
    assert [effect.action for effect in todo if isinstance(effect, Perform)] == [TOLD, SAID]


def test_that_an_event_was_sent_costs_no_write() -> None:
    rests = State(phase=Phase.SUCCEEDED)
    assert written(durable(replace(rests, outbox=(TOLD,))), rests) is None


@pytest.mark.parametrize(
    "action", [SAID, CallAction("key/3", "hook", "Failed", "r2", 0.0, 0, 0)], ids=["message", "call"]
)
def test_what_must_not_be_lost_is_written_before_it_is_done(action: NotifyAction | CallAction) -> None:
    rests = State(phase=Phase.FAILED)
    state = replace(rests, outbox=(action,))
    assert written(rests, state) == state
    assert written(state, rests) == rests


def test_less_traffic_comes_before_the_write_and_more_after_it() -> None:
    up = State(phase=Phase.PROGRESSING, routing=Routing(20))
    todo = effects(State(), Step(up, Desired(up.routing, "r1")), Routing(10))
    assert [type(effect) for effect in todo][:2] == [Persist, Reroute]
    down = replace(up, routing=Routing(0))
    todo = effects(up, Step(down, Desired(down.routing, "r1")), Routing(20))
    assert [type(effect) for effect in todo][:2] == [Reroute, Persist]
