"""Protects what messages say and to whom they go: what a person can answer, what the last check saw, the one message
of a run that follows it, alerts that are settled, and how often one is sent over restarts."""

from __future__ import annotations

import json

from dsl import ir
from interpreter.actions import Action, ActionResult, NotifyAction
from interpreter.desired import Routing
from interpreter.state import Phase
from interpreter.state_json import decode, encode
from tests.interpreter.machine.rig import HOLD, Rig, program, ramp

CHAT = ir.Channel("slack", "on-call")


def told(rig: Rig, channel: str = "chat") -> list[tuple[str, bool]]:
    """What a channel was told of, and whether as an update."""
    return [(message.event, message.update) for message in rig.messages if message.channel == channel]


def named(rig: Rig) -> None:
    """The service knows what it shows by a name of its own."""
    perform = rig.performing

    def performing(action: Action) -> bool:
        done = perform(action)
        if done and isinstance(action, NotifyAction) and not action.update:
            rig.results[action.key] = ActionResult(True, handle=f"C1:{action.context['run']}")
        return done

    rig.performing = performing


def test_a_wait_for_a_person_says_what_can_be_answered_where_and_what_the_last_check_saw() -> None:
    steps = (ir.RouteOp(weight=10), HOLD, ir.WaitOp(), ir.PromoteOp())
    rig = Rig(program(*steps, channels={"chat": CHAT}, notify=("chat",))).begin().go(600)
    asked = rig.messages[-1]
    assert (asked.event, asked.severity) == ("WaitingForApproval", "warn")
    assert (asked.asks, asked.step) == (("approve", "abort"), 2)
    assert asked.context["run"] == "1"
    assert "success_rate >= 99%" in asked.context["checks"]
    assert "is 100%" in asked.context["checks"]
    rig.signal("approve", who="anna")
    assert told(rig)[-3:] == [("Approved", False), ("Promoting", False), ("Promoted", False)]
    assert "by anna" in rig.messages[-3].context["text"]


def test_a_failure_says_the_check_with_its_value_and_its_threshold() -> None:
    rig = Rig(ramp(10, 20, channels={"chat": CHAT}, notify=("chat",))).begin()
    rig.error_rate = lambda arm: 0.2
    rig.go(600)
    failed = rig.messages[-1]
    assert (failed.event, failed.severity, failed.asks) == ("RolledBack", "error", ("retry",))
    for text in (failed.context["text"], failed.context["checks"]):
        assert "success_rate >= 99%" in text
        assert "80%" in text


def test_the_message_of_a_run_follows_it_and_no_other_run() -> None:
    rig = Rig(ramp(10, 50, channels={"chat": CHAT, "mute": CHAT}, notify=("chat",)))
    named(rig)
    rig.begin().go(3600)
    assert rig.is_in(Phase.SUCCEEDED)
    assert rig.run.handles == {"chat": "C1:1"}
    assert ("TrafficRouted", True) in told(rig)
    assert told(rig, "mute") == []
    first = len(rig.messages)
    rig.begin("v3")
    assert rig.run.handles == {"chat": "C1:2"}
    assert rig.messages[first].event == "NewRevision"
    assert all(message.context["run"] == "2" for message in rig.messages[first:])


def test_a_name_that_comes_late_is_not_the_next_runs() -> None:
    rig = Rig(ramp(10, channels={"chat": CHAT}, notify=("chat",)))
    rig.performing = lambda action: rig._perform(action) if not isinstance(action, NotifyAction) else False
    rig.begin().go(3600)
    late = [action.key for action in rig.state.outbox if isinstance(action, NotifyAction)]
    rig.revision = "v3"
    rig.settle()
    assert rig.run.number == 2
    rig.results |= {key: ActionResult(True, handle="C1:1") for key in late}
    rig.settle()
    assert rig.run.handles == {}
    assert not set(late) & {action.key for action in rig.state.outbox}


def test_what_was_raised_is_settled_where_people_hear_of_errors_only() -> None:
    quiet = {kind: ir.Channel(kind, "x", at=("error",)) for kind in ("alertmanager", "provider", "slack")}
    rig = Rig(ramp(10, channels=quiet, notify=tuple(quiet))).begin().go(3600)
    assert rig.is_in(Phase.SUCCEEDED)
    for channel in ("alertmanager", "provider"):
        assert ("Promoted", True) in told(rig, channel)
        assert all(update for _, update in told(rig, channel))
    assert told(rig, "slack") == []


def test_a_target_that_goes_back_after_a_failure_is_told() -> None:
    """The alert that the rollout has failed is over by that."""
    rig = Rig(ramp(10, channels={"chat": CHAT}, notify=("chat",))).begin()
    rig.error_rate = lambda arm: 0.5
    rig.go(3600)
    assert rig.is_in(Phase.FAILED)
    rig.revision = "v1"
    rig.settle()
    assert told(rig)[-1] == ("Reverted", False)
    rig.deleted = True
    rig.settle()
    assert told(rig)[-1] == ("Terminating", False)


def test_a_message_goes_out_five_times_at_most_over_restarts_and_then_people_hear_that_it_was_lost() -> None:
    rig = Rig(ramp(10, channels={"chat": CHAT}, notify=("chat",)))
    rig.performing = lambda action: rig._perform(action) if not isinstance(action, NotifyAction) else False
    rig.settle()
    attempts = []
    for _ in range(6):
        rig.state, rig.restarted = decode(rig.persisted), True
        rig.settle()
        attempts += [action.attempts for action in rig.state.outbox if isinstance(action, NotifyAction)]
    assert attempts == [2, 3, 4, 5]
    assert "given up after 5 restarts" in rig.event("MessageNotSent").message


def test_a_state_from_before_there_were_names_of_messages_is_read() -> None:
    rig = Rig(ramp(10, channels={"chat": CHAT}, notify=("chat",)))
    rig.performing = lambda action: rig._perform(action) if not isinstance(action, NotifyAction) else False
    rig.begin()
    old = json.loads(encode(rig.state))
    del old["run"]["handles"]
    for action in old["outbox"]:
        for name in ("event", "asks", "step", "update"):
            action.pop(name, None)
    state = decode(json.dumps(old))
    assert state.run is not None
    assert state.run.handles == {}
    assert {action.event for action in state.outbox if isinstance(action, NotifyAction)} == {"Message"}
    assert state.routing == rig.state.routing != Routing(weight=50)
