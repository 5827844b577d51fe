"""A rollout that waits for people, with the real interpreter, a real API server and real HTTP: by the API, by a link in
a message, across a restart, and as the account that `rollway install --web` makes."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import yaml

from interpreter.cluster.manifests import NAME
from interpreter.web.keys import SECRET
from rollway.__main__ import main
from rollway.exit_codes import ExitCode
from rollway.serving import Served, Web, serving
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.cluster.hooks import Hooks, hooks
from tests.interpreter.cluster.life import Life, life

ROOT = Path(__file__).resolve().parents[3]
URL = "https://rollway.example.com"
LIMIT_S = 60
POLICY = """
CHANNEL
rollout web in NAMESPACE {
  target deployment/web
  service { port 80; target_port http }
  traffic istio
  steps { shift to 10%; wait for approval WHO; shift to 50%; wait for approval; promote }
  NOTIFY
}
"""


def policy(hooks: Hooks | None = None, who: str = "") -> str:
    channel = f'channel releases {{ webhook "{hooks.url("releases")}" }}' if hooks else ""
    text = POLICY.replace("CHANNEL", channel).replace("NOTIFY", "notify releases" if hooks else "")
    return text.replace("WHO", f'"{who}"' if who else "")


@asynccontextmanager
async def at_web(kubeconfig: str, namespace: str) -> AsyncIterator[Served]:
    web = Web("127.0.0.1", 0, False, URL, False, None, None, "", namespace, namespace)
    async with serving(web, kubeconfig, None, asyncio.Event()) as served:
        yield served


@pytest.fixture
def kubeconfig(control_plane: ControlPlane) -> str:
    control_plane.install_crds("rollway", "istio")
    return str(control_plane.kubeconfig)


@pytest.fixture
async def releases() -> AsyncIterator[Hooks]:
    async with hooks() as made:
        yield made


def token(plane: ControlPlane, namespace: str, name: str, *verbs: str) -> dict[str, str]:
    """The header of a person who has these verbs on rollouts."""
    rules = [{"apiGroups": ["rollway.dev"], "resources": ["rollouts"], "verbs": list(verbs)}]
    path = plane.as_service_account(namespace, name, rules)
    return {"Authorization": f"Bearer {yaml.safe_load(path.read_text())['users'][0]['user']['token']}"}


async def begin(at_work: Life, text: str) -> str:
    """Up to the first wait; the revision that waits."""
    await at_work.deployment()
    await at_work.rollout(text)
    await at_work.phase("Initialized")
    await at_work.push("web:2")
    return str((await waits(at_work, 10))["revision"])


async def waits(at_work: Life, weight: int) -> dict[str, Any]:
    return await at_work.until(
        lambda seen: seen.get("weight") == weight and "waiting for approval" in seen.get("reason", "")
    )


async def approvals(at_work: Life) -> list[dict[str, Any]]:
    """What the record of the run under way says."""
    run = await at_work.get("RolloutRun", (await at_work.status())["run"])
    return list(run["status"].get("approvals") or ())


async def test_who_may_approves_by_the_api_and_the_record_has_it_across_a_restart(
    kubeconfig: str, control_plane: ControlPlane, namespace: str
) -> None:
    anna = token(control_plane, namespace, "anna", "get", "approve")
    ben = token(control_plane, namespace, "ben", "get", "list", "patch")
    path = f"/api/v1/rollouts/rollout/{namespace}/web"
    async with (
        life(kubeconfig, namespace, speed=20.0) as at_work,
        at_web(kubeconfig, namespace) as served,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{served.port}", trust_env=False, timeout=30) as client,
    ):
        revision = await begin(at_work, policy(who="release managers"))
        shown = (await client.get(path, headers=ben)).json()
        step = shown["step"]["number"]
        body = {"revision": revision, "step": step, "reason": "CHG-1"}
        refused = await client.post(f"{path}/approve", headers=ben, json=body)
        assert refused.status_code == 403
        assert "waits for approval from release managers" in refused.json()["title"]
        assert (await at_work.status())["weight"] == 10
        assert await approvals(at_work) == []

        # Nobody is at work when it is approved; who comes next goes on from there.
        await at_work.kill()
        assert (await client.post(f"{path}/approve", headers=anna, json=body)).status_code == 202
        assert (await client.post(f"{path}/approve", headers=anna, json=body)).status_code == 409
        await at_work.start()
        await waits(at_work, 50)
        (approval,) = await approvals(at_work)
        assert approval.pop("at")
        assert approval == {
            "by": f"system:serviceaccount:{namespace}:anna",
            "step": step - 1,
            "verb": "approve",
            "via": "api",
            "reason": "CHG-1",
        }
        assert "(api): CHG-1" in await at_work.happened("Approved")

        # What was said of the first wait is over, and is nothing to the second.
        late = await client.post(f"{path}/approve", headers=anna, json=body)
        assert late.status_code == 409
        assert f"step {step} is over" in late.json()["title"]
        second = {"revision": revision, "step": (await client.get(path, headers=anna)).json()["step"]["number"]}
        assert (await client.post(f"{path}/approve", headers=anna, json=second)).status_code == 202
        await at_work.phase("Succeeded")
        assert len(await approvals(at_work)) == 2


async def test_a_link_in_a_message_approves_once_and_is_nothing_to_a_retry(
    kubeconfig: str, namespace: str, releases: Hooks
) -> None:
    async with at_web(kubeconfig, namespace) as served:
        assert served.make_link is not None
        async with (
            life(kubeconfig, namespace, speed=20.0, make_link=served.make_link) as at_work,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{served.port}", trust_env=False, timeout=30) as client,
        ):
            await begin(at_work, policy(releases))

            async def links() -> dict[str, str]:
                told = [call.body.get("links") or {} for call in releases.called("releases")]
                return next(({name: urlsplit(url).path for name, url in one.items()} for one in told[::-1] if one), {})

            sent = await at_work.so(links, "a message with links")
            assert set(sent) == {"Approve", "Roll back"}
            assert "Approve" in (await client.get(sent["Approve"])).text
            assert (await at_work.status())["weight"] == 10
            assert (await client.post(sent["Approve"], data={"reason": "fine"})).status_code == 200
            await waits(at_work, 50)
            (approval,) = await approvals(at_work)
            assert (approval["by"], approval["via"]) == ("a link sent to the channel releases", "link")
            assert (await client.post(sent["Approve"])).status_code == 409
            assert (await client.post(sent["Roll back"])).status_code == 200
            failed = await at_work.phase("Failed")

            await at_work.annotate(retry=failed["revision"])
            await waits(at_work, 10)
            for name in ("Approve", "Roll back"):
                over = await client.post(sent[name])
                assert over.status_code == 409
                assert "which is over" in over.text
            assert (await at_work.status())["weight"] == 10


async def test_the_account_that_install_makes_can_serve_all_of_it(
    kubeconfig: str,
    control_plane: ControlPlane,
    namespace: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As a process: it says where it listens, knows people, makes its keys, and ends in order."""
    where = ("--namespace", namespace, "--watch-namespace", namespace)
    line = ("--provider", "istio", "--no-flagger", *where, "--web", "--dashboard", "--external-url", URL)
    assert main(["install", *line]) == ExitCode.FINE
    documents = list(yaml.safe_load_all(capsys.readouterr().out))
    rules: dict[str, list[Any]] = {"Role": [], "ClusterRole": []}
    for one in documents:
        rules.get(one["kind"], []).extend(one.get("rules", ()))
    assert {verb for rule in rules["ClusterRole"] for verb in rule["verbs"]} == {"create"}
    account = control_plane.as_service_account(namespace, NAME, rules["Role"], rules["ClusterRole"])
    mark = control_plane.mark()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "rollway", "controller", "--namespace", namespace, "--lease-namespace", namespace),
        *("--no-flagger", "--listen", "127.0.0.1:0", "--web", "127.0.0.1:0", "--dashboard", "--external-url", URL),
        *("--kubeconfig", str(account), "--log-format", "json"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(LIMIT_S):
            port = await said(process.stdout, "the web is served", "port")
            await said(process.stdout, "the key of links is new", "secret")
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
            anna = token(control_plane, namespace, "anna", "get", "list")
            listed = await client.get("/api/v1/rollouts", params={"namespace": namespace}, headers=anna)
            assert listed.status_code == 200, listed.text
            assert listed.json()["items"] == []
            assert (await client.get("/login", headers={"Accept": "text/html"})).status_code == 200
            assert (await client.get("/", headers={"Host": "evil.example.com"})).status_code == 421
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(LIMIT_S):
            rest = (await process.stdout.read()).decode()
            assert await process.wait() == 0, rest
        assert anna["Authorization"].split()[1] not in rest
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    made = control_plane.api.get(f"/api/v1/namespaces/{namespace}/secrets/{SECRET}")
    assert set(made["data"]) == {"current", "previous", "since"}
    asked = control_plane.requests(mark, user=f"system:serviceaccount:{namespace}:{NAME}")
    # Canaries are not its own to see, and whether the cluster has any is up to other tests.
    assert [one for one in asked if one.status in (401, 403) and one.group != "flagger.app"] == []


async def said(stream: asyncio.StreamReader, event: str, field: str) -> Any:
    """The field of a line of the log."""
    while line := await stream.readline():
        told = json.loads(line)
        if told["event"] == event:
            return told[field]
    raise AssertionError(f"the process ended without saying `{event}`")


def test_what_is_wrong_with_its_line_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    for line, words in (
        (("--dashboard",), "are about `--web`"),
        (("--web", "nowhere"), "`--web nowhere` names no port"),
        (("--web", "127.0.0.1:0", "--web-tls-cert", "a"), "go together"),
        (("--web", "127.0.0.1:0", "--external-url", "rollway.example.com"), "is not an address like https://"),
        (("--web", "127.0.0.1:0", "--external-url", "https://a/b"), "with nothing behind it"),
    ):
        assert main(["controller", *line]) == ExitCode.USAGE
        assert words in capsys.readouterr().err
