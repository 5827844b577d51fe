"""What is installed: the definitions, the controller with its pods and its Lease, and a Flagger beside it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import yaml

import crds
from interpreter.cluster.api import Api
from interpreter.cluster.controller import LEASE
from interpreter.cluster.names import GROUP, VERSION
from interpreter.objects import Manifest, Ref
from rollway.cluster.doctor.controllers import DEPLOYMENT, Controller
from rollway.cluster.doctor.finding import Area, Finding, Findings, Verdict
from rollway.terminal import plural

INSTALL = "rollway install | kubectl apply --server-side -f -"
DEFINITION = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")


def _finding(verdict: Verdict, what: str, do: str = "") -> Finding:
    return Finding(Area.INSTALLED, verdict, what, do)


# --- definitions ------------------------------------------------------------------------------------------------


async def definitions(api: Api) -> Findings:
    """Each of ours, as the cluster has it."""
    wanted = [yaml.safe_load(text) for text in crds.definitions().values()]
    theirs = [await api.get(Ref(*DEFINITION, "", ours["metadata"]["name"])) for ours in wanted]
    if not any(theirs):
        yield _finding(Verdict.WRONG, f"there is no definition of {GROUP}: nothing is installed", INSTALL)
        return
    fine = 0
    for ours, found in zip(wanted, theirs, strict=True):
        name = ours["metadata"]["name"]
        problem = _definition(ours, found)
        if problem is None:
            fine += 1
        else:
            yield _finding(problem[0], f"the definition {name} {problem[1]}", INSTALL)
    if fine:
        yield _finding(Verdict.OK, f"{fine} of {plural(len(wanted), 'definition')} as this rollway has them")


def _definition(ours: Manifest, theirs: Manifest | None) -> tuple[Verdict, str] | None:
    if theirs is None:
        return Verdict.WRONG, "is missing"
    conditions = {one["type"]: one for one in (theirs.get("status") or {}).get("conditions") or ()}
    if conditions.get("Established", {}).get("status") != "True":
        refused = conditions.get("NamesAccepted", {})
        why = f": {refused.get('message', '')}" if refused.get("status") == "False" else ""
        return Verdict.WRONG, f"is not established{why}"
    versions = {one["name"]: one for one in theirs["spec"]["versions"]}
    if not versions.get(VERSION, {}).get("served"):
        return Verdict.WRONG, f"does not serve {VERSION} (it has {', '.join(versions)})"
    if versions[VERSION].get("schema") != ours["spec"]["versions"][0].get("schema"):
        return Verdict.NOTE, "is of another version of rollway than this command: fields may be missing"
    return None


# --- the controller ---------------------------------------------------------------------------------------------


async def controller(api: Api, one: Controller) -> Findings:
    """Its Deployment, its pods, and the Lease."""
    status = one.manifest.get("status") or {}
    wanted, ready = one.manifest["spec"].get("replicas", 1), status.get("readyReplicas", 0)
    title = f"the controller {one} ({one.image})"
    where = "all namespaces" if one.watched is None else f"the namespace `{one.watched}`"
    look = f"kubectl -n {one.namespace} logs deployment/{one.name}; kubectl -n {one.namespace} get events"
    if wanted == 0:
        yield _finding(
            Verdict.WRONG,
            f"{title} is scaled to 0: no rollout goes on",
            f"kubectl -n {one.namespace} scale deployment/{one.name} --replicas=2",
        )
    elif ready >= wanted:
        yield _finding(Verdict.OK, f"{title} looks after {where}: {ready} of {plural(wanted, 'pod')} ready")
    else:
        verdict = Verdict.WRONG if ready == 0 else Verdict.NOTE
        yield _finding(verdict, f"{title}: {ready} of {plural(wanted, 'pod')} ready", look)
    labels = one.manifest["spec"]["selector"].get("matchLabels") or {}
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    for pod in await api.list(("v1", "Pod"), one.namespace, selector):
        for trouble in _troubles(pod):
            yield _finding(Verdict.NOTE, f"the pod {pod['metadata']['name']} {trouble}", look)
    if wanted and not one.says("--no-leader-election"):
        yield _lease(await api.get(_lease_ref(one)), one, ready)


def _troubles(pod: Manifest) -> Iterator[str]:
    for status in (pod.get("status") or {}).get("containerStatuses") or ():
        waiting: dict[str, Any] = (status.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") not in (None, "ContainerCreating"):
            yield f"does not start: {waiting['reason']} {waiting.get('message', '')}".rstrip()
        if status.get("restartCount", 0) > 3:
            yield f"was started anew {status['restartCount']} times"


def _lease_ref(one: Controller) -> Ref:
    return Ref("coordination.k8s.io/v1", "Lease", one.value("--lease-namespace") or one.namespace, LEASE)


def _lease(lease: Manifest | None, one: Controller, ready: int) -> Finding:
    spec = (lease or {}).get("spec") or {}
    holder, renewed = spec.get("holderIdentity"), spec.get("renewTime")
    if not holder or renewed is None:
        verdict = Verdict.WRONG if ready else Verdict.NOTE
        do = f"see why: kubectl -n {one.namespace} logs deployment/{one.name}"
        return _finding(verdict, f"nobody holds the Lease {one.namespace}/{LEASE}: no replica leads", do)
    ago = datetime.now(UTC) - datetime.fromisoformat(renewed)
    if ago > timedelta(seconds=2 * spec.get("leaseDurationSeconds", 15)):
        said = f"{holder} held the Lease and has not renewed it for {ago.total_seconds():.0f}s: no replica leads"
        return _finding(Verdict.WRONG, said, f"see why: kubectl -n {one.namespace} logs deployment/{one.name}")
    return _finding(Verdict.OK, f"{holder} leads")


# --- Flagger ----------------------------------------------------------------------------------------------------


async def flagger_beside(api: Api, ours: list[Controller]) -> Findings:
    """A Flagger that carries out the same Canaries."""
    for deployment in await api.list(DEPLOYMENT):
        images = [one["image"] for one in deployment["spec"]["template"]["spec"]["containers"]]
        is_flagger = any(image.rpartition("/")[2].partition(":")[0].partition("@")[0] == "flagger" for image in images)
        if not is_flagger or deployment["spec"].get("replicas", 1) == 0:
            continue
        namespace, name = deployment["metadata"]["namespace"], deployment["metadata"]["name"]
        rivals = [str(one) for one in ours if one.flagger]
        if rivals:
            said = f"Flagger ({namespace}/{name}) and the controller {', '.join(rivals)} both carry out Canaries"
            do = f"kubectl -n {namespace} scale deployment/{name} --replicas=0, or start ours with --no-flagger"
            yield _finding(Verdict.WRONG, said, do)
        else:
            yield _finding(Verdict.NOTE, f"Flagger ({namespace}/{name}) is installed as well, and has the Canaries")
