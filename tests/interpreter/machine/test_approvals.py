"""Protects the record of who let a rollout go on, and that one yes is one yes."""

from __future__ import annotations

import json

from dsl import ir
from interpreter.cluster.owner import Owner
from interpreter.cluster.steering import signals, spent
from interpreter.state import Approval, Phase, State
from interpreter.state_json import decode, encode
from tests.interpreter.machine.rig import HOLD, Rig, program
from tests.interpreter.machine.test_flagger_defects import APPROVAL


def waiting() -> Rig:
    """At the first of two waits, which is instruction 0; the other is 3."""
    return Rig(program(APPROVAL, ir.RouteOp(weight=10), HOLD, APPROVAL, ir.PromoteOp())).begin()


def test_the_record_says_who_when_at_which_step_how_and_why() -> None:
    rig = waiting()
    rig.signal("approve", who="anna", via="page", reason="CHG-1", step=0)
    assert rig.run.approvals == (Approval("anna", rig.now, 0, "page", "CHG-1"),)
    assert rig.event("Approved").message == "approved by anna (page): CHG-1"
    rig.go(120).signal("promote", who="ben", via="link")
    assert [(one.who, one.verb, one.via, one.step) for one in rig.run.approvals] == [
        ("anna", "approve", "page", 0),
        ("ben", "promote", "link", 3),
    ]


def test_an_approval_of_a_step_that_is_over_is_ignored_aloud_and_approves_nothing_else() -> None:
    rig = waiting()
    rig.signal("approve", who="anna", step=0).go(120)
    rig.signal("approve", who="ben", step=0, id="late").go(60)
    assert rig.run.cursor.pc == 3
    assert rig.event("SignalIgnored").message.endswith("by ben: step 1 is over")
    assert [one.who for one in rig.run.approvals] == ["anna"]


def test_one_decision_given_twice_approves_once_whatever_else_it_says() -> None:
    rig = waiting()
    rig.signal("approve", who="anna", id="approve:n1").go(120)
    rig.signal("approve", who="anna again", id="approve:n1").go(60)
    assert rig.run.cursor.pc == 3
    assert rig.is_in(Phase.WAITING_PROMOTION)
    assert [one.who for one in rig.run.approvals] == ["anna"]


def test_a_state_of_an_earlier_version_is_read_with_the_names_that_it_has() -> None:
    state = waiting().signal("approve", who="anna").state
    old = json.loads(encode(state))
    old["run"]["approvals"] = ["anna"]
    found = decode(json.dumps(old))
    assert found.run is not None
    assert found.run.approvals == ("anna",)
    assert decode(encode(found)) == found


def owner(value: str, version: str = "7") -> Owner:
    metadata = {"name": "web", "namespace": "shop", "resourceVersion": version}
    return Owner({"metadata": {**metadata, "annotations": {"rollway.dev/approve": value}}})


def test_an_annotation_says_its_id_and_its_way_and_only_the_ways_that_there_are() -> None:
    said = {"revision": "v2", "step": 3, "by": "anna", "via": "link", "id": "n1", "reason": "fine"}
    (signal,) = signals(owner(json.dumps(said)))
    assert (signal.id, signal.via, signal.step, signal.who) == ("approve:n1", "link", 3, "anna")
    (other,) = signals(owner(json.dumps({**said, "via": "<b>telepathy</b>", "by": "ben"})))
    assert (other.id, other.via) == ("approve:n1", "")
    (bare,) = signals(owner("v2"))
    assert (bare.id, bare.via) == ("approve:v2", "")


def test_an_annotation_is_taken_off_as_it_was_read_and_not_as_somebody_has_written_it_since() -> None:
    state = State(signals_seen=("approve:v2",))
    assert spent(owner("v2", "41"), state) == {
        "metadata": {"resourceVersion": "41", "annotations": {"rollway.dev/approve": None}}
    }
    assert spent(owner("v3", "42"), state) is None
