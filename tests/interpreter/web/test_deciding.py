"""The one way to decide, where others write to the object at the same time: against a real API server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from interpreter.cluster.api import Api, Forbidden
from interpreter.cluster.connection import connect
from interpreter.web.deciding import Decided, Decision, Refused, Why, decide
from interpreter.web.standing import Standing
from tests.interpreter.web.conftest import REVISION, Web
from tests.rollway.cluster import objects, writing


async def interrupted(web: Web, owner: Any, decision: Decision, meanwhile: Any, times: int = 1) -> Decided:
    """Decide, while somebody writes between our look and our write."""
    left = [times]

    async def allow(_: Standing) -> None:
        if left[0]:
            left[0] -= 1
            meanwhile()

    return await decide(web.api, web.ref(owner), decision, allow=allow)


async def test_somebody_elses_change_is_no_obstacle(web: Web) -> None:
    owner = web.waiting()
    done = await interrupted(
        web, owner, Decision("approve", REVISION, by="anna"), lambda: writing.status(web.plane.api, owner, iterations=9)
    )
    assert json.loads(done.value)["step"] == objects.WAITS
    assert web.asked(owner) == {"rollway.dev/approve": done.value}


async def test_a_revision_that_comes_in_between_is_not_approved(web: Web) -> None:
    owner = web.waiting()
    for said in (REVISION, ""):
        with pytest.raises(Refused, match=f"not at `{REVISION}`"):
            await interrupted(
                web, owner, Decision("approve", said), lambda: writing.status(web.plane.api, owner, revision="1" * 10)
            )
        assert web.asked(owner) == {}
        writing.status(web.plane.api, owner, revision=REVISION)


async def test_an_approval_without_a_step_is_not_one_of_the_next_wait(web: Web) -> None:
    """The rollout goes on between our look and our write: what was meant is the wait that was seen."""
    owner = web.waiting()
    with pytest.raises(Refused, match="is over"):
        await interrupted(
            web,
            owner,
            Decision("approve", REVISION),
            lambda: writing.status(web.plane.api, owner, step={"index": objects.WAITS + 1, "text": "wait"}),
        )
    assert web.asked(owner) == {}


async def test_a_retry_in_between_is_another_run(web: Web) -> None:
    owner = web.waiting()

    def tried_again() -> None:
        writing.write(web.plane.api, objects.run(owner, 3, step=objects.WAITS))
        writing.status(web.plane.api, owner, run="checkout-3")

    with pytest.raises(Refused, match="for run 2"):
        await interrupted(web, owner, Decision("abort", REVISION), tried_again)
    assert web.asked(owner) == {}


async def test_what_changes_without_end_is_given_up(web: Web) -> None:
    owner = web.waiting()
    counted = iter(range(1, 1000))
    with pytest.raises(Refused) as refused:
        await interrupted(
            web,
            owner,
            Decision("abort", REVISION),
            lambda: writing.status(web.plane.api, owner, iterations=next(counted)),
            times=100,
        )
    assert refused.value.why is Why.BUSY
    assert next(counted) == 11


async def test_what_is_deleted_in_between_is_missing(web: Web) -> None:
    owner = web.waiting()
    with pytest.raises(Refused) as refused:
        await interrupted(web, owner, Decision("abort", REVISION), lambda: web.plane.api.delete(writing.path(owner)))
    assert refused.value.why is Why.MISSING


async def test_another_verb_is_decided_beside_one_that_stands(web: Web) -> None:
    owner = web.waiting()
    await decide(web.api, web.ref(owner), Decision("approve", REVISION, by="anna"))
    await decide(web.api, web.ref(owner), Decision("abort", REVISION, by="ben"))
    assert set(web.asked(owner)) == {"rollway.dev/approve", "rollway.dev/abort"}


async def test_long_texts_are_cut_and_no_text_is_markup(web: Web) -> None:
    owner = web.waiting()
    done = await decide(
        web.api,
        web.ref(owner),
        Decision("approve", REVISION, by="a" * 9000, reason='"}\n<b>' + "r" * 9000, id="n" * 99),
    )
    said = json.loads(done.value)
    assert (len(said["by"]), len(said["reason"]), len(said["id"])) == (500, 500, 64)


async def test_the_api_server_has_the_last_word(web: Web) -> None:
    owner = web.waiting()
    rules = [{"apiGroups": ["rollway.dev"], "resources": ["rollouts", "rolloutruns"], "verbs": ["get", "list"]}]
    async with await connect(str(web.plane.as_service_account(web.namespace, "reader", rules))) as api:
        assert isinstance(api, Api)
        with pytest.raises(Forbidden):
            await decide(api, web.ref(owner), Decision("abort", REVISION))
    assert web.asked(owner) == {}


async def test_a_canary_of_flaggers_is_decided_about_alike(web: Web) -> None:
    web.plane.install_crds("flagger")
    canary = writing.write(web.plane.api, objects.canary("cart", web.namespace, "Progressing"))
    await decide(web.api, web.ref(canary), Decision("pause", "68d5b9c6f8", by="anna"))
    assert json.loads(web.asked(canary)["rollway.dev/pause"])["by"] == "anna"
