"""Protects that what `rollway install` grants is enough for a whole life: a controller is refused nothing, whether it
looks after the whole cluster or one namespace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from interpreter.cluster.manifests import NAME
from rollway.__main__ import main
from rollway.exit_codes import ExitCode
from tests.controlplane.audit import Request
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.plane import running
from tests.interpreter.cluster.hooks import Hooks
from tests.interpreter.cluster.life import Life, life

POLICY = """
    GATE
    rollout web in NAMESPACE {
      target  deployment/web
      scaler  hpa/web
      service { port 80; target_port http }
      traffic istio
      baseline
      steps   { shift to 20%; wait for gate go; promote }
      on delete revert
    }
"""
HPA = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "web"},
    "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "maxReplicas": 3},
}
CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "colours"}, "data": {"sky": "blue"}}


def granted(capsys: pytest.CaptureFixture[str], *line: str) -> tuple[list[Any], list[Any], list[Any]]:
    """The rules of the ClusterRoles, of the Roles where there are rollouts, and of those where the controller is."""
    assert main(["install", *line]) == ExitCode.FINE
    documents = list(yaml.safe_load_all(capsys.readouterr().out))
    roles = [one for one in documents if one["kind"] == "Role"]
    leases = [one for one in roles if {"coordination.k8s.io"} == {g for r in one["rules"] for g in r["apiGroups"]}]
    rules = [rule for one in roles if one not in leases for rule in one["rules"]]
    cluster = [rule for one in documents if one["kind"] == "ClusterRole" for rule in one["rules"]]
    return cluster, rules, [rule for one in leases for rule in one["rules"]]


async def whole_life(at_work: Life, hooks: Hooks) -> None:
    """From the first primary by a rollback and a promotion to the end."""
    await at_work.deployment()
    container = {"name": "app", "envFrom": [{"configMapRef": {"name": "colours"}}]}
    await at_work.apply(CONFIG, HPA)
    template = {"spec": {"containers": [{**container, "image": "web:1", "ports": [{"containerPort": 8080}]}]}}
    await at_work.edit("Deployment", "web", {"spec": {"template": template}})
    await at_work.rollout(POLICY.replace("GATE", hooks.gate("go")))
    await at_work.phase("Initialized")
    await at_work.push("web:bad", fail="ImagePullBackOff")
    await at_work.until(lambda seen: "cannot pull image" in seen.get("reason", ""))
    await at_work.push("web:2")
    await at_work.until(lambda seen: "waiting for gate" in seen.get("reason", ""))
    await at_work.annotate(abort=(await at_work.status())["revision"])
    status = await at_work.phase("Failed")
    hooks.open("go")
    await at_work.annotate(retry=status["revision"])
    await at_work.phase("Succeeded")
    await at_work.delete("Rollout", "web")
    await at_work.gone("Rollout", "web")


@pytest.fixture
def own_plane(control_plane: ControlPlane, tmp_path: Path) -> Iterator[ControlPlane]:
    """A cluster of this test's own: who looks after all rollouts must not meet those of other tests."""
    binaries = Path(control_plane.kubectl_program).parent
    with running(binaries, tmp_path / "plane") as layout:
        made = ControlPlane(layout.kubeconfig, tmp_path, str(binaries), binaries=binaries, audit_log=layout.audit_log)
        made.install_crds("rollway", "istio")
        yield made
        made.close()


async def lived(plane: ControlPlane, namespace: str, hooks: Hooks, account: Path, watched: str | None) -> list[Request]:
    """What a controller asked in a whole life."""
    mark = plane.mark()
    async with life(str(plane.kubeconfig), namespace, start=False, speed=20, lease_namespace=namespace) as at_work:
        await at_work.start(kubeconfig=str(account), elect=True, flagger=False, namespace=watched)
        await whole_life(at_work, hooks)
        await at_work.stop()
    asked = plane.requests(mark, user=f"system:serviceaccount:{namespace}:{NAME}")
    assert asked
    return asked


async def test_in_the_whole_cluster_nothing_is_refused(
    own_plane: ControlPlane, hooks: Hooks, capsys: pytest.CaptureFixture[str]
) -> None:
    namespace = own_plane.make_namespace()
    cluster, here, leases = granted(capsys, "--provider", "istio", "--no-flagger", "--namespace", namespace)
    assert here == []
    account = own_plane.as_service_account(namespace, NAME, leases, cluster)
    asked = await lived(own_plane, namespace, hooks, account, None)
    assert [one for one in asked if one.status in (401, 403)] == []


async def test_in_one_namespace_nothing_is_refused_and_nothing_asked_outside(
    kubeconfig: str, control_plane: ControlPlane, namespace: str, hooks: Hooks, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ("--provider", "istio", "--no-flagger", "--namespace", namespace, "--watch-namespace", namespace)
    cluster, here, leases = granted(capsys, *line)
    assert cluster == []
    account = control_plane.as_service_account(namespace, NAME, [*here, *leases])
    asked = await lived(control_plane, namespace, hooks, account, namespace)
    assert [one for one in asked if one.status in (401, 403)] == []
    elsewhere = [one for one in asked if one.resource and one.namespace != namespace]
    assert [
        one for one in elsewhere if one.group != "authorization.k8s.io"
    ] == []  # what one may do oneself, all may ask
