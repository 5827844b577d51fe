"""The pages by HTTP, as a browser without scripts sees them, on a real API server."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import yaml

from interpreter.objects import Manifest
from interpreter.web.people import ClusterAuthority
from rollway.__main__ import main
from rollway.exit_codes import ExitCode
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.cluster.life import deployment
from tests.rollway.cluster import objects, writing
from tests.rollway.dashboard.board import PERSON, board, checked

WAITING = {"phase": "WaitingPromotion", "reason": "waiting for approval"}


@pytest.fixture(autouse=True)
def _definitions(control_plane: ControlPlane) -> None:
    control_plane.install_crds("rollway", "flagger")


def waiting(plane: ControlPlane, namespace: str, name: str = "checkout") -> Manifest:
    """A rollout that waits for approval, and its run."""
    owner = writing.write(plane.api, objects.rollout(name, namespace, step=objects.WAITS, weight=50.0, **WAITING))
    writing.write(plane.api, checked(objects.run(owner, step=objects.WAITS, weight=50.0, **WAITING)))
    return owner


def address(manifest: Manifest) -> str:
    metadata = manifest["metadata"]
    return f"/rollouts/{manifest['kind'].lower()}/{metadata['namespace']}/{metadata['name']}"


def fields(page: str) -> dict[str, str]:
    """The hidden fields of the form that decides."""
    form = page[page.index('class="decide"') :]
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form))


def asked(plane: ControlPlane, owner: Manifest, verb: str) -> dict[str, Any] | None:
    """What stands on the object."""
    annotations = plane.api.get(writing.path(owner))["metadata"].get("annotations") or {}
    value = annotations.get(f"rollway.dev/{verb}")
    return None if value is None else json.loads(value)


async def confirmed(client: httpx.AsyncClient, owner: Manifest, verb: str, **changed: str) -> httpx.Response:
    """Ask for the form, and send it."""
    page = (await client.get(f"{address(owner)}/{verb}")).text
    return await client.post(f"{address(owner)}/{verb}", data={**fields(page), "reason": "looks good", **changed})


# --- coming in ----------------------------------------------------------------------------------------------------


async def test_who_has_not_said_who_they_are_is_sent_to_the_login_and_back(
    control_plane: ControlPlane, namespace: str
) -> None:
    async with board(str(control_plane.kubeconfig), namespace) as here, here.client(logged_in=False) as client:
        away = await client.get("/?text=x")
        assert (away.status_code, away.headers["Location"]) == (303, "/login?next=%2F%3Ftext%3Dx")
        assert (await client.get("/stream")).status_code == 401
        wrong = await client.post("/login", data={"token": "wrong", "next": "/"})
        assert wrong.status_code == 401
        assert "not valid" in wrong.text
        assert "Set-Cookie" not in wrong.headers
        right = await client.post("/login", data={"token": here.token, "next": "/?text=x"})
        assert (right.status_code, right.headers["Location"]) == (303, "/?text=x")
        cookie = right.headers["Set-Cookie"]
        assert all(word in cookie for word in ("HttpOnly", "SameSite=Strict", "Max-Age=43200"))
        assert "Rollouts</h1>" in (await client.get("/")).text


async def test_the_printed_address_logs_in_and_takes_the_token_out_of_sight(
    control_plane: ControlPlane, namespace: str
) -> None:
    async with board(str(control_plane.kubeconfig), namespace) as here, here.client(logged_in=False) as client:
        entered = await client.get(here.door)
        assert (entered.status_code, entered.headers["Location"]) == (303, "/")
        assert here.token not in (await client.get("/")).text


@pytest.mark.parametrize(
    "next", ["//evil.example", "https://evil.example/", "/\\evil.example", "/logout", "javascript:1", "/a\r\nb"]
)
async def test_a_login_leads_nowhere_but_here(control_plane: ControlPlane, namespace: str, next: str) -> None:
    async with board(str(control_plane.kubeconfig), namespace) as here, here.client(logged_in=False) as client:
        entered = await client.get(f"/login?token={here.token}&next={quote(next)}")
        assert (entered.status_code, entered.headers["Location"]) == (303, "/")


async def test_a_page_that_is_opened_from_a_chat_is_asked_for_once_more_with_the_cookie(
    control_plane: ControlPlane, namespace: str
) -> None:
    async with board(str(control_plane.kubeconfig), namespace) as here, here.client(logged_in=False) as client:
        first = await client.get("/", headers={"Sec-Fetch-Site": "cross-site"})
        assert first.status_code == 200
        assert '<meta http-equiv="refresh" content="0">' in first.text


async def test_who_logs_out_is_out(control_plane: ControlPlane, namespace: str) -> None:
    async with board(str(control_plane.kubeconfig), namespace) as here, here.client(logged_in=False) as client:
        await client.get(here.door)
        csrf = re.search(r'name="csrf" value="(\w+)"', (await client.get("/")).text)
        assert csrf is not None
        assert (await client.post("/logout", data={"csrf": csrf[1]})).status_code == 303
        assert (await client.get("/")).status_code == 303


# --- looking ------------------------------------------------------------------------------------------------------


async def test_a_rollout_a_run_and_what_is_not_there(control_plane: ControlPlane, namespace: str) -> None:
    owner = waiting(control_plane, namespace)
    async with board(str(control_plane.kubeconfig), namespace) as here, here.client() as client:
        page = await client.get(address(owner))
        assert page.status_code == 200
        assert "waiting for approval" in page.text
        assert page.text.count("<svg") == 4
        run = await client.get(f"{address(owner)}/runs/2")
        assert "Run 2" in run.text
        for path, words in (
            (f"{address(owner)}/runs/7", "run 7 of checkout is not kept"),
            (f"/rollouts/rollout/{namespace}/nothing", "there is no Rollout `nothing`"),
            (f"/rollouts/pod/{namespace}/checkout", "there is nothing here"),
            ("/rollouts/rollout/kube-system/checkout", f"this shows the namespace `{namespace}` only"),
        ):
            missing = await client.get(path)
            assert (missing.status_code, words in missing.text) == (404, True), missing.text


async def test_the_text_of_a_policy_is_shown_wherever_it_is_kept(control_plane: ControlPlane, namespace: str) -> None:
    text = objects.POLICY.format(name="checkout", namespace=namespace)
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "policies"},
        "data": {"policy.rollout": text},
    }
    control_plane.api.call("POST", f"/api/v1/namespaces/{namespace}/configmaps", config)
    elsewhere = {**objects.rollout("checkout", namespace), "spec": {"sourceRef": {"name": "policies"}}}
    lost = {**objects.rollout("lost", namespace), "spec": {"sourceRef": {"name": "nowhere"}}}
    owners = [writing.write(control_plane.api, one) for one in (elsewhere, lost, objects.canary("cart", namespace))]
    async with board(str(control_plane.kubeconfig), namespace) as here, here.client() as client:
        pages = [(await client.get(address(owner))).text for owner in owners]
    assert "ConfigMap policies, key policy.rollout" in pages[0]
    assert "wait for approval" in pages[0]
    assert "does not exist" in pages[1]
    assert "ramp 10% to 50% by 10%" in pages[2]


async def test_events_of_the_rollout_and_of_nothing_else(control_plane: ControlPlane, namespace: str) -> None:
    owner = waiting(control_plane, namespace)
    for name in ("checkout", "other"):
        event = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "type": "Warning",
            "reason": "CheckFailed",
            "eventTime": "2026-11-23T10:06:00.000000Z",
            "note": f"of {name}",
            "action": "Rollout",
            "reportingController": "rollway.dev/rollway",
            "reportingInstance": "x",
            "metadata": {"name": f"{name}.1", "namespace": namespace},
            "regarding": {
                "apiVersion": "rollway.dev/v1alpha1",
                "kind": "Rollout",
                "name": name,
                "namespace": namespace,
            },
        }
        control_plane.api.call("POST", f"/apis/events.k8s.io/v1/namespaces/{namespace}/events", event)
    async with board(str(control_plane.kubeconfig), namespace) as here, here.client() as client:
        page = (await client.get(address(owner))).text
    assert "of checkout" in page
    assert "of other" not in page


# --- deciding -----------------------------------------------------------------------------------------------------


async def test_an_approval_is_asked_back_and_written_down_with_who_and_why(
    control_plane: ControlPlane, namespace: str
) -> None:
    owner = waiting(control_plane, namespace)
    async with board(str(control_plane.kubeconfig), namespace) as here, here.client() as client:
        form = (await client.get(f"{address(owner)}/approve")).text
        assert "Approve revision ff87463d6c of checkout" in form
        assert "goes on with step 8: promote." in form
        sent = await confirmed(client, owner, "approve")
        assert (sent.status_code, sent.headers["Location"]) == (303, address(owner))
        page = (await client.get(address(owner))).text
        assert "Taken down: approve revision ff87463d6c, and is acted on in a moment." in page
        assert f"approve of ff87463d6c by {PERSON}" in page
        assert "Taken down" not in (await client.get(address(owner))).text
    said = asked(control_plane, owner, "approve")
    assert said is not None
    assert {name: said[name] for name in ("revision", "step", "by", "reason", "via")} == {
        "revision": "ff87463d6c",
        "step": objects.WAITS,
        "by": PERSON,
        "reason": "looks good",
        "via": "page",
    }


@pytest.mark.parametrize(
    ("changed", "status", "words"),
    [
        ({"revision": "another"}, 409, "not at <code>another</code>"),
        ({"run": "1"}, 409, "run 1"),
        ({"step": "2"}, 409, "step 3 is over"),
        ({"uid": "of-an-object-before"}, 404, "there is no"),
        ({"revision": ""}, 400, "names no revision"),
        ({"csrf": "forged"}, 403, "too old"),
    ],
)
async def test_a_form_that_speaks_of_something_else_decides_nothing(
    control_plane: ControlPlane, namespace: str, changed: dict[str, str], status: int, words: str
) -> None:
    owner = waiting(control_plane, namespace)
    async with board(str(control_plane.kubeconfig), namespace) as here, here.client() as client:
        sent = await confirmed(client, owner, "approve", **changed)
    assert (sent.status_code, words in sent.text) == (status, True), sent.text
    assert asked(control_plane, owner, "approve") is None


async def test_a_session_that_has_ended_meanwhile_leads_to_the_login_and_decides_nothing(
    control_plane: ControlPlane, namespace: str
) -> None:
    owner = waiting(control_plane, namespace)
    async with board(str(control_plane.kubeconfig), namespace) as here, here.client() as client:
        form = fields((await client.get(f"{address(owner)}/approve")).text)
        client.cookies.clear()
        sent = await client.post(f"{address(owner)}/approve", data=form)
        assert sent.status_code == 303
        assert sent.headers["Location"].startswith("/login?next=")
    assert asked(control_plane, owner, "approve") is None


async def test_another_site_decides_nothing(control_plane: ControlPlane, namespace: str) -> None:
    owner = waiting(control_plane, namespace)
    async with board(str(control_plane.kubeconfig), namespace) as here, here.client() as client:
        form = fields((await client.get(f"{address(owner)}/abort")).text)
        for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            sent = await client.post(f"{address(owner)}/abort", data=form, headers=headers)
            assert sent.status_code == 403
    assert asked(control_plane, owner, "abort") is None


async def test_what_does_not_fit_is_not_offered_and_says_why(control_plane: ControlPlane, namespace: str) -> None:
    owner = waiting(control_plane, namespace)
    async with board(str(control_plane.kubeconfig), namespace) as here, here.client() as client:
        assert "do-retry" not in (await client.get(address(owner))).text
        page = (await client.get(f"{address(owner)}/retry")).text
        assert "There is nothing to retry now: it is WaitingPromotion. What can be done is approve, " in page
        assert 'class="decide"' not in page


async def test_read_only_shows_and_decides_nothing(control_plane: ControlPlane, namespace: str) -> None:
    owner = waiting(control_plane, namespace)
    async with board(str(control_plane.kubeconfig), namespace) as here, here.client() as client:
        form = fields((await client.get(f"{address(owner)}/approve")).text)
    async with board(str(control_plane.kubeconfig), namespace, read_only=True) as here, here.client() as client:
        page = (await client.get(address(owner))).text
        assert "do-approve" not in page
        assert "read-only" in page
        assert 'class="decide"' not in (await client.get(f"{address(owner)}/approve")).text
        again = re.search(r'name="csrf" value="(\w+)"', page)
        assert again is not None
        sent = await client.post(f"{address(owner)}/approve", data={**form, "csrf": again[1]})
        assert sent.status_code == 403
    assert asked(control_plane, owner, "approve") is None


# --- who may what -------------------------------------------------------------------------------------------------


def token_of(plane: ControlPlane, namespace: str, name: str) -> str:
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
    return str(plane.api.call("POST", path, {"spec": {"expirationSeconds": 3600}})["status"]["token"])


def viewer(plane: ControlPlane, namespace: str, *verbs: str) -> str:
    """The token of somebody who may do this with the Rollouts of the namespace, and nothing else."""
    rules = [{"apiGroups": ["rollway.dev"], "resources": ["rollouts"], "verbs": list(verbs)}]
    plane.as_service_account(namespace, "viewer", rules)
    return token_of(plane, namespace, "viewer")


async def test_everybody_sees_what_the_cluster_lets_them_and_decides_no_more(
    control_plane: ControlPlane, namespace: str
) -> None:
    owner = waiting(control_plane, namespace)
    foreign = control_plane.make_namespace()
    hidden = waiting(control_plane, foreign, "secret-thing")
    token = viewer(control_plane, namespace, "get", "list")
    at_work = board(str(control_plane.kubeconfig), authority=ClusterAuthority)
    async with at_work as here, here._replace(token=token).client() as client:
        everything = (await client.get("/")).text
        assert f"/rollouts/rollout/{namespace}/checkout" in everything
        assert "secret-thing" not in everything
        assert foreign not in everything
        denied = await client.get(address(hidden))
        assert denied.status_code == 403
        assert "may not see" in denied.text
        assert (await client.get(f"{address(hidden)}/stream")).status_code == 403
        page = (await client.get(address(owner))).text
        assert "may look, and not decide here" in page
        assert "do-approve" not in page
        csrf = re.search(r'name="csrf" value="(\w+)"', page)
        assert csrf is not None
        form = {"csrf": csrf[1], "revision": "ff87463d6c", "step": str(objects.WAITS)}
        sent = await client.post(f"{address(owner)}/approve", data=form)
        assert sent.status_code == 403
    assert asked(control_plane, owner, "approve") is None
    control_plane.drop_namespace(foreign)


async def test_the_verb_alone_lets_somebody_approve(control_plane: ControlPlane, namespace: str) -> None:
    owner = waiting(control_plane, namespace)
    token = viewer(control_plane, namespace, "get", "list", "approve")
    at_work = board(str(control_plane.kubeconfig), authority=ClusterAuthority)
    async with at_work as here, here._replace(token=token).client() as client:
        page = (await client.get(address(owner))).text
        assert "do-approve" in page
        assert "do-abort" not in page
        assert (await confirmed(client, owner, "approve")).status_code == 303
    said = asked(control_plane, owner, "approve")
    assert said is not None
    assert said["by"] == f"system:serviceaccount:{namespace}:viewer"


async def test_what_a_kubeconfig_may_not_do_is_refused_in_the_words_of_the_cluster(
    control_plane: ControlPlane, namespace: str
) -> None:
    """On one's own machine everything is offered that fits: the API server has the last word."""
    owner = waiting(control_plane, namespace)
    rules = [
        {"apiGroups": ["rollway.dev"], "resources": ["rollouts", "rolloutruns"], "verbs": ["get", "list", "watch"]}
    ]
    kubeconfig = control_plane.as_service_account(namespace, "reader", rules)
    async with board(str(kubeconfig), namespace) as here, here.client() as client:
        page = (await client.get(address(owner))).text
        assert "Not everything can be seen" in page
        assert "do-approve" in page
        sent = await confirmed(client, owner, "approve")
    assert (sent.status_code, "the cluster refused" in sent.text) == (502, True)
    assert "cannot patch" in sent.text
    assert asked(control_plane, owner, "approve") is None


async def test_what_install_grants_is_enough_to_show_everything(
    control_plane: ControlPlane, namespace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ("--web", "--dashboard", "--watch-namespace", namespace, "--namespace", namespace, "--provider", "istio")
    assert main(["install", *line]) == ExitCode.FINE
    documents = list(yaml.safe_load_all(capsys.readouterr().out))
    rules, cluster = (
        [rule for one in documents if one["kind"] == kind for rule in one["rules"]] for kind in ("Role", "ClusterRole")
    )
    kubeconfig = control_plane.as_service_account(namespace, "controller", rules, cluster)
    owner = waiting(control_plane, namespace)
    workload = deployment("checkout")
    control_plane.api.call("POST", f"/apis/apps/v1/namespaces/{namespace}/deployments", workload)
    pods = f"/api/v1/namespaces/{namespace}/pods?labelSelector=app%3Dcheckout"
    control_plane.api.until(pods, lambda found: len(found["items"]) == 2)
    at_work = board(str(kubeconfig), namespace, authority=ClusterAuthority)
    token = viewer(control_plane, namespace, "get", "list")
    async with at_work as here, here._replace(token=token).client() as client:
        everything, page = (await client.get("/")).text, (await client.get(address(owner))).text
    assert "Not everything can be seen" not in everything
    assert "Not everything can be seen" not in page
    assert "ReplicaSet checkout-" in page


async def test_one_who_may_not_list_is_told_what_keeps_the_page_from_showing(
    control_plane: ControlPlane, namespace: str
) -> None:
    kubeconfig = control_plane.as_service_account(namespace, "nobody", [])
    async with board(str(kubeconfig), namespace) as here, here.client() as client:
        page = (await client.get("/")).text
    assert "Not everything can be seen:" in page
    assert "cannot list resource" in page or "forbidden" in page
