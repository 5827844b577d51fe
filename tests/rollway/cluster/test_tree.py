"""The tree of a rollout, from its objects, and out of a real control plane: once and as it changes."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from interpreter.cluster.api import Api
from interpreter.cluster.connection import connect
from interpreter.objects import Manifest
from rollway.cluster.finding import Found, find
from rollway.cluster.following import Following, Wanted
from rollway.cluster.growing import Growing
from rollway.cluster.shown import run_shown, runs_of, shown
from rollway.cluster.tree import Tree, grown, roots_of, selectors, tree
from tests.rollway.cluster import objects, workloads, writing
from tests.rollway.cluster.conftest import Cluster, on_terminal

LIMIT_S = 60


def found(owner: Manifest, *runs: Manifest) -> Found:
    own = runs_of(map(run_shown, runs), owner["metadata"]["uid"])
    return Found(owner, own, shown(owner, own))


def checkout() -> Found:
    owner = objects.rollout()
    return found(owner, objects.run(owner))


def of(one: Found, *there: Manifest) -> Tree:
    roots = roots_of(one)
    assert roots is not None
    return grown(roots, one, there)


PRIMARY = workloads.deployment("checkout-primary", revision="0a1b2c3d4e")
CANARY = workloads.deployment("checkout", replicas=2, ready=1, image="registry.example/checkout:2")


def test_workloads_have_their_sets_and_these_their_pods() -> None:
    primary, canary = workloads.replicaset(PRIMARY, "7f9c"), workloads.replicaset(CANARY, "aaaa", replicas=2)
    made = of(
        checkout(),
        *(PRIMARY, CANARY, primary, canary),
        workloads.pod(primary, "p-1"),
        workloads.pod(canary, "c-1"),
        workloads.pod(canary, "c-2", ready=False, waiting="CrashLoopBackOff", restarts=4),
    )

    assert [(one.role, one.revision, one.wanted, one.ready) for one in made.workloads] == [
        ("primary", "0a1b2c3d4e", 3, 3),
        ("canary", "ff87463d6c", 2, 1),
    ]
    (set_of_canary,) = made.workloads[1].sets
    assert (set_of_canary.kind, set_of_canary.name, set_of_canary.wanted) == ("ReplicaSet", "checkout-aaaa", 2)
    assert [(pod.name, pod.status, pod.restarts, pod.is_ready) for pod in set_of_canary.pods] == [
        ("c-2", "CrashLoopBackOff", 4, False),
        ("c-1", "Running", 0, True),
    ]
    assert "CrashLoopBackOff" in made.workloads[1].problem
    assert [pod.name for pod in made.workloads[0].pods] == ["p-1"]


def test_a_set_that_is_empty_is_left_out_but_for_the_newest() -> None:
    older = workloads.replicaset(CANARY, "old", replicas=0, made="2026-11-01T00:00:00Z")
    newest = workloads.replicaset(CANARY, "new", replicas=0)

    made = of(checkout(), CANARY, older, newest)

    assert [one.name for one in made.workloads[0].sets] == ["checkout-new"]


def test_pods_are_grouped_where_replica_sets_may_not_be_listed() -> None:
    primary = workloads.replicaset(PRIMARY, "7f9c")
    pod = workloads.pod(primary, "p-1")
    pod["metadata"]["ownerReferences"][0]["controller"] = True

    made = of(checkout(), PRIMARY, pod)

    assert [(one.kind, one.name, one.wanted) for one in made.workloads[0].sets] == [
        ("ReplicaSet", "checkout-primary-7f9c", None)
    ]


def test_the_pods_of_a_daemonset_are_grouped_by_their_revision() -> None:
    owner = objects.rollout()
    record = objects.run(owner)
    record["spec"]["program"]["target"] = {"kind": "DaemonSet", "name": "agent"}
    agent = workloads.daemonset("agent")
    pods = [workloads.pod(agent, name) for name in ("a-1", "a-2")]
    for pod in pods:
        pod["metadata"]["labels"]["controller-revision-hash"] = "66"

    made = of(found(owner, record), agent, *pods)

    (one,) = made.workloads
    assert (one.kind, one.wanted, one.ready) == ("DaemonSet", 2, 2)
    assert [(each.kind, each.name, each.ready) for each in one.sets] == [("Revision", "66", 2)]


def test_the_pods_of_a_knative_service_are_those_of_its_revisions() -> None:
    owner = objects.canary("api")
    owner["spec"]["targetRef"] = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "api"}
    service = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {
            "name": "api",
            "namespace": "shop",
            "uid": "k",
            "annotations": {"rollway.dev/primary-revision": "api-00001"},
        },
        "spec": {"template": {"spec": {"containers": [{"image": "api:2"}]}}},
    }
    pods = []
    for revision in ("api-00001", "api-00002"):
        pod = workloads.pod(CANARY, f"{revision}-x", ownerReferences=[])
        pod["metadata"]["labels"] = {"serving.knative.dev/service": "api", "serving.knative.dev/revision": revision}
        pods.append(pod)

    one = found(owner)
    roots = roots_of(one)
    assert roots is not None
    assert selectors(roots, [service]) == ["serving.knative.dev/service=api"]
    made = of(one, service, *pods)
    assert {each.name: each.is_primary for each in made.workloads[0].sets} == {"api-00001": True, "api-00002": False}


def test_one_selector_finds_the_pods_of_all_three() -> None:
    roots = roots_of(checkout())
    assert roots is not None
    assert selectors(roots, [PRIMARY, CANARY]) == ["app in (checkout,checkout-baseline,checkout-primary)"]
    assert selectors(roots, []) == []


def test_a_primary_that_selects_otherwise_is_asked_for_by_its_own_labels() -> None:
    roots = roots_of(checkout())
    assert roots is not None
    odd = workloads.deployment("checkout-primary")
    odd["spec"]["selector"]["matchLabels"] = {"app": "x", "tier": "web"}
    assert sorted(selectors(roots, [odd, CANARY])) == ["app=checkout", "app=checkout-baseline", "app=x,tier=web"]


def test_somebody_elses_baseline_is_not_in_the_tree() -> None:
    other = workloads.deployment("checkout-baseline")
    other["metadata"]["labels"] = {}
    assert [one.role for one in of(checkout(), CANARY, other).workloads] == ["canary"]


@pytest.mark.parametrize("odd", [None, 5, "x", [1], {"containerStatuses": [None, 5], "conditions": "?"}])
def test_a_pod_of_another_form_is_shown_as_far_as_it_can_be(odd: Any) -> None:
    replica_set = workloads.replicaset(CANARY, "aaaa")
    pod = workloads.pod(replica_set, "c-1")
    pod["status"] = odd
    (shown_pod,) = of(checkout(), CANARY, replica_set, pod).workloads[0].pods
    assert (shown_pod.name, shown_pod.is_ready) == ("c-1", False)


# --- out of a cluster -------------------------------------------------------------------------------------------


def write(cluster: Cluster, *manifests: Manifest) -> list[Manifest]:
    """Make workloads; the cluster's own controllers say how they fare."""
    bare = [{key: value for key, value in one.items() if key != "status"} for one in manifests]
    return [writing.write(cluster.api, {**one, "metadata": _placed(one, cluster.namespace)}) for one in bare]


def _placed(manifest: Manifest, namespace: str) -> dict[str, Any]:
    dropped = ("uid", "creationTimestamp", "ownerReferences")
    metadata = {key: value for key, value in manifest["metadata"].items() if key not in dropped}
    return {**metadata, "namespace": namespace}


async def follow(api: Api, namespace: str, seen: asyncio.Event, wanted: int) -> Tree:
    """The tree, once its canary has so many pods that are ready."""
    one = await find(api, namespace, "checkout")
    async with asyncio.timeout(LIMIT_S), Following(api, [Wanted(one.ref[:2], namespace)]) as following:
        growing = Growing(following)
        while True:
            await following.changed()
            made = await growing.tree(one)
            seen.set()
            pods = [pod for each in made.workloads if each.role == "canary" for pod in each.pods]
            if len(pods) == wanted and all(pod.is_ready for pod in pods):
                return made


async def test_it_is_read_and_followed_as_it_changes(cluster: Cluster) -> None:
    owner = cluster.rollout()
    cluster.run(owner)
    _, canary = write(cluster, PRIMARY, workloads.deployment("checkout", replicas=0, image="checkout:2"))
    async with await connect(str(cluster.kubeconfig)) as api:
        before = await tree(api, await find(api, cluster.namespace, "checkout"))
        assert [(one.role, one.wanted) for one in before.workloads] == [("primary", 3), ("canary", 0)]
        seen = asyncio.Event()
        following = asyncio.create_task(follow(api, cluster.namespace, seen, 2))
        await seen.wait()
        cluster.api.merge(writing.path(canary), {"spec": {"replicas": 2}})
        made = await following

    (one,) = [one for one in made.workloads if one.role == "canary"]
    (newest,) = one.sets
    assert (newest.kind, newest.wanted, newest.ready, newest.images) == ("ReplicaSet", 2, 2, ("checkout:2",))
    assert {(pod.status, pod.up, pod.containers) for pod in newest.pods} == {("Running", 1, 1)}


async def test_without_the_right_to_see_pods_the_workloads_are_shown(cluster: Cluster) -> None:
    owner = cluster.rollout()
    cluster.run(owner)
    write(cluster, PRIMARY)
    look = ["get", "list", "watch"]
    rules = [
        {"apiGroups": ["rollway.dev"], "resources": ["*"], "verbs": look},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": look},
    ]
    kubeconfig = cluster.plane.as_service_account(cluster.namespace, "narrow", rules)
    async with await connect(str(kubeconfig)) as api:
        one = await find(api, cluster.namespace, "rollout/checkout")
        made = await tree(api, one)
        async with asyncio.timeout(LIMIT_S), Following(api, [Wanted(one.ref[:2], cluster.namespace)]) as following:
            followed = await Growing(following).tree(one)

    for each in (made, followed):
        assert [workload.name for workload in each.workloads] == ["checkout-primary"]
        (note,) = each.notes  # of ReplicaSets nothing is said: pods name theirs
        assert "list pods" in note


def test_status_shows_it(cluster: Cluster) -> None:
    owner = cluster.rollout()
    cluster.run(owner)
    write(cluster, PRIMARY, CANARY)

    said = cluster.rollway("status", "checkout")

    assert said.code == 0, said.err
    assert re.search(r"^primary  deployment/checkout-primary +70% checkout:1 +\d/3 ", said.out, re.MULTILINE)
    assert re.search(r"^canary  deployment/checkout +30% checkout:2 +\d/2 ", said.out, re.MULTILINE)


def test_a_watch_on_a_terminal_shows_it(cluster: Cluster) -> None:
    owner = cluster.rollout()
    cluster.run(owner)
    write(cluster, PRIMARY)

    said, code = on_terminal(cluster, b"", "status", "checkout", "--watch", "--timeout", "4s")

    assert code == 4
    assert "primary  deployment/checkout-primary" in said
    assert "not at rest after 4s" in said
