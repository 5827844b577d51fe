"""The API over real HTTP, in front of a real API server: who may see, who may decide, and that nothing else happens."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import jsonschema
import pytest

from interpreter.cluster.connection import connect
from interpreter.web.application import application
from interpreter.web.people import ClusterAuthority
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.web.conftest import REVISION, Web
from tests.rollway.cluster import objects, writing

STEP = objects.WAITS + 1
ASKED = {"revision": REVISION, "step": STEP, "reason": "CHG-1"}


def said(web: Web, owner: Any, verb: str = "approve") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(web.asked(owner)[f"rollway.dev/{verb}"])
    return found


async def test_who_may_approve_does_and_the_annotation_says_who_and_how(web: Web) -> None:
    owner = web.waiting()
    anna = await web.person("anna", "approve")
    answer = await anna.post(f"{web.path(owner)}/approve", json=ASKED)
    assert answer.status_code == 202, answer.text
    body = answer.json()
    assert (body["by"], body["step"], body["reason"], body["later"]) == (web.named("anna"), STEP, "CHG-1", "")
    written = said(web, owner)
    assert (written["by"], written["via"], written["step"]) == (web.named("anna"), "api", STEP - 1)
    assert (written["revision"], written["reason"], written["id"]) == (REVISION, "CHG-1", body["id"])


@pytest.mark.parametrize(
    ("verbs", "status"),
    [((), 403), (("get", "list", "watch"), 403), (("abort",), 403), (("patch",), 202), (("approve",), 202)],
)
async def test_who_may_not_changes_nothing(web: Web, verbs: tuple[str, ...], status: int) -> None:
    owner = web.waiting()
    ben = await web.person("ben", *verbs)
    answer = await ben.post(f"{web.path(owner)}/approve", json=ASKED)
    assert answer.status_code == status
    assert bool(web.asked(owner)) is (status == 202)
    if status == 403:
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        assert f"`{web.named('ben')}` may not approve" in answer.json()["title"]


@pytest.mark.parametrize("token", ["", "nonsense"])
async def test_nobody_decides_or_sees_anything(web: Web, token: str) -> None:
    owner = web.waiting()
    nobody = await web.client(token)
    for answer in (
        await nobody.post(f"{web.path(owner)}/approve", json=ASKED),
        await nobody.get(web.path(owner)),
        await nobody.get("/api/v1/rollouts"),
    ):
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert web.asked(owner) == {}


@pytest.mark.parametrize(
    ("verb", "body", "status", "words"),
    [
        ("approve", {**ASKED, "revision": "0000000000"}, 409, "is at revision `ff87463d6c` (WaitingPromotion), not at"),
        ("approve", {**ASKED, "step": 3}, 409, "step 3 is over"),
        ("approve", {"step": STEP}, 400, "revision"),
        ("approve", {**ASKED, "step": 0}, 400, "step"),
        ("approve", {**ASKED, "step": True}, 400, "step"),
        ("approve", {**ASKED, "by": "the king"}, 400, "by"),
        ("approve", {**ASKED, "reason": "x" * 501}, 400, "reason"),
        ("approve", {**ASKED, "id": "a b"}, 400, "id"),
        ("approve", [], 400, "the body"),
        ("retry", {"revision": REVISION}, 409, "in phase WaitingPromotion, in which there is nothing to retry"),
        ("resume", {"revision": REVISION}, 409, "is not paused"),
        ("delete", {"revision": REVISION}, 404, "there is no `delete`"),
    ],
)
async def test_what_does_not_fit_is_refused_with_the_reason(
    web: Web, verb: str, body: Any, status: int, words: str
) -> None:
    owner = web.waiting()
    anna = await web.person("anna", "*")
    answer = await anna.post(f"{web.path(owner)}/{verb}", json=body)
    assert answer.status_code == status, answer.text
    assert words in answer.json()["title"]
    assert web.asked(owner) == {}


async def test_an_approval_of_what_does_not_wait_for_one_is_refused(web: Web) -> None:
    owner = web.waiting("cart", phase="Progressing", reason="holding", step=3)
    anna = await web.person("anna", "approve")
    answer = await anna.post(f"{web.path(owner)}/approve", json={"revision": REVISION})
    assert answer.status_code == 409
    assert "does not wait for approval now" in answer.json()["title"]
    assert web.asked(owner) == {}


async def test_a_wait_that_names_somebody_is_for_them(web: Web) -> None:
    """`patch` is not enough then; the group, the name, or the verb itself is."""
    path = "approve"
    group = f"system:serviceaccounts:{web.namespace}"
    cases = [
        ("release managers", ("patch",), 403),
        ("release managers", ("approve",), 202),
        (group, ("patch",), 202),
        (web.named("p3"), ("patch",), 202),
    ]
    for number, (who, verbs, status) in enumerate(cases):
        owner = web.waiting(f"web-{number}", who=who)
        person = await web.person(f"p{number}", *verbs)
        answer = await person.post(f"{web.path(owner)}/{path}", json=ASKED)
        assert answer.status_code == status, (who, verbs, answer.text)
        assert bool(web.asked(owner)) is (status == 202)
        if status == 403:
            assert "waits for approval from release managers" in answer.json()["title"]


async def test_of_two_who_approve_at_once_one_is_recorded_and_the_other_is_told(web: Web) -> None:
    owner = web.waiting()
    people = [await web.person(name, "approve") for name in ("anna", "ben", "carl", "dora")]
    answers = await asyncio.gather(*(one.post(f"{web.path(owner)}/approve", json=ASKED) for one in people))
    assert sorted(one.status_code for one in answers) == [202, 409, 409, 409]
    first = next(one.json()["by"] for one in answers if one.status_code == 202)
    assert said(web, owner)["by"] == first
    for one in answers:
        assert one.status_code == 202 or f"has been approved already by {first}" in one.json()["title"]


async def test_the_same_decision_twice_is_one(web: Web) -> None:
    owner = web.waiting()
    anna = await web.person("anna", "approve")
    body = {**ASKED, "id": "chg-1-try"}
    first = await anna.post(f"{web.path(owner)}/approve", json=body)
    before = web.asked(owner)
    again = await anna.post(f"{web.path(owner)}/approve", json=body)
    assert (first.json()["repeated"], again.json()["repeated"]) == (False, True)
    assert web.asked(owner) == before


async def test_what_there_is_not_is_told_only_to_who_may_know(web: Web) -> None:
    anna, ben = await web.person("anna", "approve", "get"), await web.person("ben", "approve", resourceNames=["mine"])
    gone = f"/api/v1/rollouts/rollout/{web.namespace}/gone"
    for answer in (
        await anna.post(f"{gone}/approve", json=ASKED),
        await anna.get(gone),
        await anna.get(f"{gone}/runs"),
    ):
        assert answer.status_code == 404
        assert "there is no Rollout" in answer.json()["title"]
    assert (await ben.post(f"{gone}/approve", json=ASKED)).status_code == 403
    assert (await ben.get(gone)).status_code == 403
    assert (await anna.get(f"/api/v1/rollouts/secret/{web.namespace}/gone")).status_code == 404
    assert (await anna.get("/api/v1/nothing")).status_code == 404
    wrong = await anna.put(f"{gone}/approve", json=ASKED)
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "POST")
    assert (await anna.delete(gone)).headers["Allow"] == "GET,HEAD"


async def test_a_rollout_and_its_runs_are_the_data_of_the_commands(
    web: Web, capsys: pytest.CaptureFixture[str]
) -> None:
    from rollway.__main__ import main

    owner = web.waiting()
    anna = await web.person("anna", "get")
    answer = await anna.get(web.path(owner))
    assert answer.status_code == 200
    capsys.readouterr()
    where = ("-n", web.namespace, "--kubeconfig", str(web.plane.kubeconfig), "-o", "json")
    assert await asyncio.to_thread(main, ["status", "checkout", *where]) == 0
    assert answer.json() == json.loads(capsys.readouterr().out)
    runs = (await anna.get(f"{web.path(owner)}/runs")).json()["items"]
    assert [run["number"] for run in runs] == [2]
    assert runs[0]["log"]
    tag = answer.headers["ETag"]
    again = await anna.get(web.path(owner), headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    writing.status(web.plane.api, owner, iterations=99)
    assert (await anna.get(web.path(owner), headers={"If-None-Match": tag})).status_code == 200


async def test_a_list_comes_a_page_at_a_time_and_holds_what_one_may_list(web: Web) -> None:
    for number in range(5):
        phase = "Failed" if number == 3 else "Progressing"
        writing.write(web.plane.api, objects.rollout(f"web-{number}", web.namespace, phase))
    anna = await web.person("anna", "list")
    mine = {"namespace": web.namespace}
    seen: list[str] = []
    page = (await anna.get("/api/v1/rollouts", params={**mine, "limit": "2"})).json()
    while True:
        seen += [row["name"] for row in page["items"]]
        assert page["total"] == 5
        if "continue" not in page:
            break
        query = {**mine, "limit": "2", "continue": page["continue"]}
        page = (await anna.get("/api/v1/rollouts", params=query)).json()
    assert seen == [f"web-{number}" for number in range(5)]
    failed = (await anna.get("/api/v1/rollouts", params={**mine, "phase": "Failed"})).json()
    assert [row["name"] for row in failed["items"]] == ["web-3"]
    named = (await anna.get("/api/v1/rollouts", params={**mine, "name": "EB-1"})).json()
    assert [row["name"] for row in named["items"]] == ["web-1"]

    everywhere = await anna.get("/api/v1/rollouts")
    assert everywhere.status_code == 403
    assert "name one with `?namespace=`" in everywhere.json()["title"]
    for query in ({"limit": "0"}, {"limit": "x"}, {"limit": "501"}, {"continue": "bm9uc2Vuc2U"}, {"continue": "ü"}):
        assert (await anna.get("/api/v1/rollouts", params={**mine, **query})).status_code == 400


async def test_a_list_holds_no_kind_that_one_may_not_list(web: Web) -> None:
    web.plane.install_crds("flagger")
    writing.write(web.plane.api, objects.rollout("checkout", web.namespace))
    writing.write(web.plane.api, objects.canary("cart", web.namespace))
    anna = await web.person("anna", "list")
    ben = await web.person("ben", "list", resources=["rollouts", "canaries"], apiGroups=["rollway.dev", "flagger.app"])
    for person, kinds in ((anna, ["Rollout"]), (ben, ["Canary", "Rollout"])):
        page = (await person.get("/api/v1/rollouts", params={"namespace": web.namespace})).json()
        assert [row["kind"] for row in page["items"]] == kinds
        assert page["total"] == len(kinds)


async def test_read_only_decides_nothing(web: Web) -> None:
    owner = web.waiting()
    await web.start(read_only=True)
    anna = await web.person("anna", "*")
    answer = await anna.post(f"{web.path(owner)}/approve", json=ASKED)
    assert (answer.status_code, web.asked(owner)) == (403, {})
    assert (await anna.get(web.path(owner))).status_code == 200


async def test_while_the_api_server_does_not_answer_nobody_is_let_in(web: Web, control_plane: ControlPlane) -> None:
    token = web.token("anna", "*")
    owner = web.waiting()
    async with await connect(str(control_plane.kubeconfig)) as api:
        api._client.configuration.host = "http://127.0.0.1:1"
        await web.start(authority=ClusterAuthority(api))
        anna = await web.client(token)
        for answer in (await anna.get(web.path(owner)), await anna.post(f"{web.path(owner)}/approve", json=ASKED)):
            assert answer.status_code == 503
            assert "the API server does not answer" in answer.json()["detail"]
            assert answer.headers["Retry-After"]
    assert web.asked(owner) == {}


async def test_the_description_names_every_route_and_what_is_answered_is_as_it_says(web: Web) -> None:
    owner = web.waiting()
    document = (await (await web.client()).get("/api/v1/openapi.json")).json()
    app = application(web.api, ClusterAuthority(web.api))
    routes = {
        (route.method.lower(), route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None and route.resource.canonical.startswith("/api/v1") and route.method != "HEAD"
    }
    said = {(method, path) for path, operations in document["paths"].items() for method in operations}
    assert routes == said

    anna = await web.person("anna", "get", "list", "approve")
    listed = f"/api/v1/rollouts?namespace={web.namespace}"
    answers = {
        "Rollouts": await anna.get(listed),
        "Rollout": await anna.get(web.path(owner)),
        "Runs": await anna.get(f"{web.path(owner)}/runs"),
        "Decided": await anna.post(f"{web.path(owner)}/approve", json=ASKED),
        "Problem": await anna.post(f"{web.path(owner)}/abort", json=ASKED),
    }
    for name, answer in answers.items():
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        jsonschema.validate(answer.json(), schema)
    jsonschema.validate(ASKED, {"$ref": "#/components/schemas/Asked", "components": document["components"]})
