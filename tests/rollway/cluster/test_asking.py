"""A verb is refused where it makes no sense, with what would; and what is written speaks of what was shown."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from interpreter.cluster.owner import Owner
from interpreter.cluster.steering import signals
from interpreter.objects import Manifest
from interpreter.web.deciding import annotation
from rollway.cluster.asking import Request, decision, kept_for_later, news, refuse
from rollway.cluster.now import standing
from rollway.cluster.shown import Shown, run_shown, shown
from rollway.terminal import Stop
from tests.rollway.cluster.objects import LOG, WAITS, program, rollout, run

AT = datetime(2026, 11, 23, 10, 8, tzinfo=UTC)


def seen(**status: Any) -> Shown:
    owner = rollout(**status)
    return shown(owner, [run_shown(run(owner))])


def waiting() -> Shown:
    return seen(phase="WaitingPromotion", step=WAITS, reason="waiting for approval")


def refused(one: Shown, request: Request) -> str:
    with pytest.raises(Stop) as stopped:
        refuse(one, request, program())
    return stopped.value.message


@pytest.mark.parametrize(
    ("verb", "status"),
    [
        ("approve", {"phase": "WaitingPromotion", "step": WAITS}),
        ("approve", {}),
        ("promote", {"phase": "Waiting", "step": None}),
        ("abort", {}),
        ("pause", {}),
        ("resume", {"reason": "paused"}),
        ("resume", {"reason": "paused by anna"}),
        ("retry", {"phase": "Failed", "step": None}),
    ],
)
def test_what_makes_sense_is_not_refused(verb: str, status: dict[str, Any]) -> None:
    one = seen(**status)
    refuse(one, Request(verb), program())
    refuse(one, Request(verb, one.revision), program())


def test_another_revision_than_the_one_under_way_is_refused_with_both() -> None:
    said = refused(waiting(), Request("approve", "0000000000"))
    assert said == (
        "`checkout` in `shop` is at revision `ff87463d6c` (WaitingPromotion), not at `0000000000`: "
        "look at it again with `rollway status checkout`"
    )


def test_a_phase_in_which_there_is_nothing_to_do_is_told_what_can_be_done() -> None:
    assert refused(seen(phase="Failed", step=None), Request("approve")) == (
        "`checkout` in `shop` is in phase Failed, in which there is nothing to approve: "
        "what can be done now is `rollway retry`"
    )
    assert refused(seen(phase="Succeeded", step=None), Request("abort")).endswith(
        "nothing is under way, and a rollout begins with a new revision of its target"
    )


def test_pausing_twice_and_resuming_what_runs_is_refused() -> None:
    assert "is paused already: `rollway resume checkout` goes on" in refused(
        seen(reason="paused by anna"), Request("pause")
    )
    assert "is not paused, so there is nothing to resume; it waits for something else: holding" in refused(
        seen(reason="holding"), Request("resume")
    )


def test_a_step_that_is_over_is_refused() -> None:
    assert refused(waiting(), Request("approve", step=3)) == "step 3 is over: `checkout` in `shop` is at step 7"
    assert "from 1" in refused(waiting(), Request("approve", step=0))


def test_what_nobody_has_looked_at_is_refused() -> None:
    owner = rollout()
    owner["status"] = {}
    assert "no interpreter has looked at `checkout` in `shop` yet" in refused(shown(owner), Request("approve"))


def written(one: Shown, request: Request) -> tuple[Manifest, dict[str, Any]]:
    """The object with the patch in it, and what the annotation says."""
    value = annotation(standing(one, program()), decision(request, "anna")._replace(id="n1"), AT)
    owner = rollout()
    owner["metadata"]["annotations"] = {f"rollway.dev/{request.verb}": value}
    return owner, json.loads(value)


def test_an_approval_is_for_this_wait_and_the_interpreter_reads_it_so() -> None:
    owner, said = written(waiting(), Request("approve", reason="CHG-1"))
    assert said == {
        "revision": "ff87463d6c",
        "step": WAITS,
        "by": "anna",
        "reason": "CHG-1",
        "via": "cli",
        "at": "2026-11-23T10:08:00.000Z",
        "id": "n1",
    }
    [signal] = signals(Owner(owner))
    assert (signal.verb, signal.revision, signal.step) == ("approve", "ff87463d6c", WAITS)
    assert (signal.who, signal.reason) == ("anna", "CHG-1")


def test_a_step_is_counted_from_1_by_people_and_from_0_by_the_interpreter() -> None:
    owner, _ = written(waiting(), Request("promote", step=WAITS + 1))
    [signal] = signals(Owner(owner))
    assert signal.step == WAITS


def test_what_is_not_for_a_step_says_none() -> None:
    for request, one in ((Request("abort"), waiting()), (Request("approve"), seen())):
        owner, said = written(one, request)
        assert set(said) == {"revision", "by", "via", "at", "id"}
        [signal] = signals(Owner(owner))
        assert signal.step is None


@pytest.mark.parametrize(
    ("request_", "status", "said"),
    [
        (Request("approve"), {}, "until a step waits for approval"),
        (Request("promote"), {"step": None}, ""),
        (Request("abort"), {}, ""),
        (Request("approve", step=7), {}, "until step 7, and the rollout is at step 4"),
        (Request("approve"), {"phase": "WaitingPromotion", "step": WAITS}, ""),
    ],
)
def test_what_is_not_acted_on_at_once_says_until_when(request_: Request, status: dict[str, Any], said: str) -> None:
    told = kept_for_later(seen(**status), request_, program())
    assert told.endswith(said)
    assert bool(told) == bool(said)


def test_a_promotion_waits_for_the_canary_and_everything_for_the_end_of_a_suspension() -> None:
    owner = rollout()
    owner["status"]["step"] = {"index": -1}
    assert "until the canary is ready" in kept_for_later(shown(owner), Request("promote"), program())
    owner["spec"]["suspend"] = True
    assert "suspended" in kept_for_later(shown(owner), Request("abort"), program())


def test_news_are_the_lines_that_were_not_there_before() -> None:
    owner = rollout()
    before = run_shown(run(owner))
    line = {"at": "2026-11-23T10:06:00Z", "step": 3, "weight": 30, "what": "Approved", "text": "approved"}
    after = run_shown(run(owner, log=[*LOG[1:], LOG[-1], line]))
    assert [entry.what for entry in news(before, after)] == ["CheckFailed", "Approved"]
    assert news(after, after) == []
    assert len(news(before, run_shown(run(owner, 3)))) == len(LOG)
    assert len(news(None, before)) == len(LOG)
    assert news(before, None) == []
