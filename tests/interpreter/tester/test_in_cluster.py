"""Protects gates and tasks that are kept in a cluster, and callers whom the cluster knows: on a real API server, with
the rights of `deploy/tester` and no others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from interpreter.cluster.api import Api
from interpreter.cluster.connection import connect
from interpreter.tester.guard import GATES, Cluster
from interpreter.tester.store import ConfigMap, StoreError
from interpreter.web.people import ClusterAuthority
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.tester.conftest import Client, Starts, running

MANIFESTS = Path(__file__).resolve().parents[3] / "deploy" / "tester"
APPROVERS = [{"apiGroups": ["rollway.dev"], "resources": ["rollouts"], "verbs": ["approve", "get"]}]


def granted() -> tuple[list[Any], list[Any]]:
    """The rules of the tester's Role, and of its ClusterRole."""
    documents = list(yaml.safe_load_all((MANIFESTS / "rights.yaml").read_text()))
    rules = {each["kind"]: each["rules"] for each in documents if "rules" in each}
    return rules["Role"], rules["ClusterRole"]


@pytest.fixture
async def api(control_plane: ControlPlane, namespace: str) -> AsyncIterator[Api]:
    """As the tester's own account."""
    control_plane.install_crds("rollway")
    role, cluster_role = granted()
    kubeconfig = control_plane.as_service_account(namespace, "rollway-tester", role, cluster_role)
    async with await connect(str(kubeconfig)) as made:
        yield made


async def test_gates_and_tasks_are_in_config_maps_and_outlive_the_tester(api: Api, namespace: str) -> None:
    stores = {name: ConfigMap(api, namespace, f"rollway-{name}") for name in ("gates", "tester-tasks")}
    settings = {"gates": stores["gates"], "tasks": stores["tester-tasks"]}
    async with running(**settings) as client:
        assert (await client.post("/gate/check")).status_code == 403
        assert (await client.post("/gate/open")).status_code == 202
        assert (await client.post("/rollback/open", name="other")).status_code == 202
        lost = (await client.post(cmd="sleep 60")).headers["Rollway-Task"]
    assert set(await stores["gates"].read()) == {"gate_podinfo.test", "rollback_other.test"}
    async with running(**settings) as client:
        assert (await client.post("/gate/check")).status_code == 200
        assert (await client.post("/gate/close")).status_code == 202
        assert (await client.post("/gate/check")).status_code == 403
        assert (await client.post("/rollback/check", name="other")).status_code == 200
        assert (await client.task(lost))["state"] == "lost"


async def test_a_gate_is_opened_by_kubectl_too(
    api: Api, control_plane: ControlPlane, namespace: str, tester: Starts
) -> None:
    client = await tester(gates=ConfigMap(api, namespace, "rollway-gates"))
    value = json.dumps({"open": True, "by": "jo", "at": "2026-01-01T00:00:00Z"})
    done = await asyncio.to_thread(
        control_plane.kubectl, "-n", namespace, "create", "configmap", "rollway-gates",
        f"--from-literal=gate_podinfo.test={value}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = await client.post("/gate/check")
    assert (answer.status_code, answer.text) == (200, "Approved: gate opened by jo at 2026-01-01T00:00:00Z")


async def test_the_tester_may_write_no_other_config_map(api: Api, namespace: str) -> None:
    with pytest.raises(StoreError, match="cannot"):
        await ConfigMap(api, namespace, "somebody-elses").read()


def token_of(control_plane: ControlPlane, namespace: str, name: str, rules: list[Any]) -> dict[str, str]:
    kubeconfig = control_plane.as_service_account(namespace, name, rules)
    user = yaml.safe_load(kubeconfig.read_text())["users"][0]["user"]
    return {"Authorization": f"Bearer {user['token']}"}


async def test_whoever_opens_a_gate_needs_the_right_to_approve(
    api: Api, control_plane: ControlPlane, namespace: str, tester: Starts
) -> None:
    client: Client = await tester(guard=Cluster(ClusterAuthority(api), GATES))
    approver = token_of(control_plane, namespace, "approver", APPROVERS)
    guest = token_of(control_plane, namespace, "guest", [])
    where = {"namespace": namespace}
    assert (await client.post("/gate/open", **where)).status_code == 401
    assert (await client.post("/gate/open", **where, headers={"Authorization": "Bearer no"})).status_code == 401
    refused = await client.post("/gate/open", **where, headers=guest)
    assert (refused.status_code, "it takes the verb `approve` on rollouts" in refused.text) == (403, True)
    opened = await client.post("/gate/open", **where, headers=approver)
    assert opened.status_code == 202, opened.text
    answer = await client.post("/gate/check", **where)
    assert f"opened by system:serviceaccount:{namespace}:approver at " in answer.text
    assert (await client.post("/rollback/open", **where, headers=approver)).status_code == 403
    assert (await client.post("/gate/open", namespace="default", headers=approver)).status_code == 403
    assert (await client.post(type="bash", cmd="true", **where)).status_code == 200
