"""Who a token is and what its owner may, as a real API server says; and that nobody is let in while it says nothing."""

from __future__ import annotations

import pytest

from interpreter.cluster.connection import connect
from interpreter.cluster.names import API_VERSION
from interpreter.objects import Ref
from interpreter.web import people
from interpreter.web.people import VIEW, ClusterAuthority, Kept, LocalAuthority, Person, Unavailable
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.web.conftest import Web


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def rollout(web: Web, name: str = "checkout") -> Ref:
    return Ref(API_VERSION, "Rollout", web.namespace, name)


async def test_a_token_of_the_cluster_is_somebody_and_another_text_is_nobody(web: Web) -> None:
    authority = ClusterAuthority(web.api)
    token = web.token("anna")
    person = await authority.person(token)
    assert person is not None
    assert person.name == web.named("anna")
    assert f"system:serviceaccounts:{web.namespace}" in person.groups
    for text in ("", "nonsense", token[:-2] + "xx", token + "\n", "a" * 20_000, "tökén"):
        assert await authority.person(text) is None


@pytest.mark.parametrize(
    ("verbs", "may", "holds"),
    [
        (("approve",), True, True),
        (("patch",), True, False),
        (("get", "list"), False, False),
        (("abort", "promote"), False, False),
        (("*",), True, True),
    ],
)
async def test_who_holds_the_verb_or_may_change_the_object_may(
    web: Web, verbs: tuple[str, ...], may: bool, holds: bool
) -> None:
    authority = ClusterAuthority(web.api)
    person = await authority.person(web.token("anna", *verbs))
    assert person is not None
    assert await authority.may(person, "approve", rollout(web)) is may
    assert await authority.holds(person, "approve", rollout(web)) is holds
    elsewhere = Ref(API_VERSION, "Rollout", "default", "checkout")
    assert not await authority.may(person, "approve", elsewhere)


async def test_a_right_on_one_rollout_is_none_on_another_and_seeing_is_a_right_of_its_own(web: Web) -> None:
    authority = ClusterAuthority(web.api)
    person = await authority.person(web.token("anna", "approve", "get", resourceNames=["checkout"]))
    assert person is not None
    assert await authority.may(person, "approve", rollout(web))
    assert await authority.may(person, VIEW, rollout(web))
    assert not await authority.may(person, "approve", rollout(web, "cart"))
    assert not await authority.may(person, "abort", rollout(web))
    assert not await authority.may(person, VIEW, rollout(web, ""))


async def test_a_token_for_another_audience_is_nobody(web: Web) -> None:
    path = f"/api/v1/namespaces/{web.namespace}/serviceaccounts/anna/token"
    plain = web.token("anna")
    asked = {"spec": {"audiences": ["rollway"], "expirationSeconds": 3600}}
    ours = web.plane.api.call("POST", path, asked)["status"]["token"]
    strict, lax = ClusterAuthority(web.api, audience="rollway"), ClusterAuthority(web.api)
    assert await strict.person(ours) is not None
    assert await strict.person(plain) is None
    assert await lax.person(ours) is None


async def test_a_right_that_is_taken_away_is_gone_after_ten_seconds(web: Web) -> None:
    clock = Clock()
    authority = ClusterAuthority(web.api, clock=clock)
    token = web.token("anna", "approve")
    person = await authority.person(token)
    assert person is not None
    assert await authority.may(person, "approve", rollout(web))
    web.token("anna", "get")
    clock.now += 9.9
    assert await authority.may(person, "approve", rollout(web))
    clock.now += 0.2
    assert not await authority.may(person, "approve", rollout(web))


async def test_nobody_is_let_in_by_a_controller_that_may_not_ask(web: Web, control_plane: ControlPlane) -> None:
    token = web.token("anna", "approve")
    async with await connect(str(control_plane.as_service_account(web.namespace, "weak", []))) as api:
        with pytest.raises(Unavailable, match="may not create tokenreviews; `rollway install --web`"):
            await ClusterAuthority(api).person(token)


async def test_the_local_secret_is_the_person_at_this_machine() -> None:
    authority = LocalAuthority("s3cret", "me")
    assert await authority.person("s3cret") == Person("me")
    for text in ("", "s3cre", "s3cretx", "\udcff"):
        assert await authority.person(text) is None
    assert not await authority.may(Person("somebody else"), "abort", Ref(API_VERSION, "Rollout", "a", "b"))


def test_answers_are_kept_for_their_time_and_no_more_than_so_many() -> None:
    clock = Clock()
    kept: Kept[str, str | None] = Kept(10, 2, clock)
    kept.put("a", None)
    kept.put("b", "2")
    assert kept.get("a") == (None,)
    kept.put("c", "3")
    assert kept.get("b") is None
    clock.now += 10
    assert kept.get("a") is None


@pytest.mark.parametrize(
    ("status", "audience", "known"),
    [
        ({"authenticated": True, "user": {"username": "anna"}}, "", True),
        ({"authenticated": True, "user": {"username": "anna"}, "audiences": ["rollway"]}, "rollway", True),
        # An API server that knows no audiences says who it is, and not for whom the token was made.
        ({"authenticated": True, "user": {"username": "anna"}}, "rollway", False),
        ({"authenticated": True, "user": {"username": "anna"}, "audiences": ["vault"]}, "rollway", False),
        ({"authenticated": False, "user": {"username": "anna"}}, "", False),
        ({"authenticated": "yes", "user": {"username": "anna"}}, "", False),
        ({"authenticated": True, "user": {}}, "", False),
        ({"authenticated": True}, "", False),
        ({}, "", False),
    ],
)
def test_only_a_review_that_says_all_of_it_names_somebody(
    status: dict[str, object], audience: str, known: bool
) -> None:
    """What a TokenReview may say, by its documentation; the API server of the tests does not say all of it."""
    assert (people._person({"status": status}, audience) is not None) is known
