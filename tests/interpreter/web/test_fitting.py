"""What fits a rollout as it stands, as a table; and who a wait is for."""

from __future__ import annotations

from typing import Any

import pytest

from dsl.ir import WaitOp
from interpreter.cluster.names import VERBS
from interpreter.signals import ACCEPTED_IN
from interpreter.state import Phase
from interpreter.web.fitting import Decision, Refused, Why, bound_step, check, possible, read
from interpreter.web.people import Person
from interpreter.web.standing import Standing, standing
from interpreter.web.steering import is_named
from tests.rollway.cluster import objects

WAIT = WaitOp()


def one(phase: Phase | str = Phase.WAITING_PROMOTION, **more: Any) -> Standing:
    given = {"revision": "v2", "pc": 6, "run": 2, "wait": WAIT, "reason": "waiting for approval", **more}
    return Standing("Rollout", "shop", "checkout", "u1", str(phase), **given)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("phase", list(Phase))
def test_a_verb_is_for_the_phases_in_which_the_machine_takes_it(verb: str, phase: Phase) -> None:
    reason = "paused by anna" if verb == "resume" else ""
    standing = one(phase, reason=reason)
    fits = phase in ACCEPTED_IN[verb]
    assert (verb in possible(standing)) is fits
    if fits:
        check(standing, Decision(verb, "v2"))
    else:
        with pytest.raises(Refused) as refused:
            check(standing, Decision(verb, "v2"))
        assert refused.value.why is Why.MISFIT


@pytest.mark.parametrize(
    ("decision", "why", "words"),
    [
        (Decision("approve", "v1"), Why.MISFIT, "is at revision `v2`"),
        (Decision("approve", "v2", 5), Why.MISFIT, "step 6 is over"),
        (Decision("approve", "v2", -1), Why.MALFORMED, "counted from 1"),
        (Decision("approve", "v2", run=1), Why.MISFIT, "for run 1"),
        (Decision("praise", "v2"), Why.MALFORMED, "nothing that can be decided"),
        (Decision("approve", "v2", 6, run=2), None, ""),
        (Decision("abort", "v2"), None, ""),
        (Decision("promote", "v2", 9), None, ""),
    ],
)
def test_a_decision_for_something_else_is_refused(decision: Decision, why: Why | None, words: str) -> None:
    if why is None:
        check(one(), decision)
        return
    with pytest.raises(Refused) as refused:
        check(one(), decision)
    assert refused.value.why is why
    assert words in refused.value.said


def test_an_approval_before_its_time_is_for_those_alone_who_ask_for_that() -> None:
    early = one(Phase.PROGRESSING, wait=None, pc=3)
    with pytest.raises(Refused, match="does not wait for approval now"):
        check(early, Decision("approve", "v2"))
    check(early, Decision("approve", "v2"), early=True)
    assert bound_step(early, Decision("approve", "v2")) is None
    assert bound_step(one(), Decision("approve", "v2")) == 6
    assert bound_step(one(), Decision("abort", "v2")) is None


def test_an_object_that_says_little_is_read_as_far_as_it_goes() -> None:
    metadata = {"name": "checkout", "namespace": "shop"}
    bare = standing({"kind": "Rollout", "metadata": metadata, "status": {"step": "x", "phase": 7}}, None)
    assert (bare.phase, bare.pc, bare.wait) == ("", None, None)
    assert list(possible(bare)) == []
    with pytest.raises(Refused, match="no interpreter has looked"):
        check(bare, Decision("abort", "v2"))
    owner = objects.rollout(phase="WaitingPromotion", step=objects.WAITS)
    assert standing(owner, objects.run(owner)).wait == WAIT
    broken = objects.run(owner)
    broken["spec"]["program"] = {"format": "rollway/9"}
    assert standing(owner, broken).wait is None


@pytest.mark.parametrize("value", ["", "{", "{}", "[1]", "{" * 5000, '{"revision": 1}', "v2"])
def test_any_annotation_can_be_read(value: str) -> None:
    assert isinstance(read(value), dict)


@pytest.mark.parametrize(
    ("who", "person", "named"),
    [
        ("", Person("anna"), True),
        ("anna", Person("anna"), True),
        ("sre", Person("anna", ("dev", "sre")), True),
        ("release managers", Person("anna", ("dev",)), False),
        ("sre", Person("anna", ("sre-interns",)), False),
        ("sre", Person("sre2"), False),
        ("SRE", Person("anna", ("sre",)), False),
        ("anna", Person("", ("the channel anna",)), False),
    ],
)
def test_a_wait_is_for_who_is_named_to_the_letter(who: str, person: Person, named: bool) -> None:
    assert is_named(person, who) is named
