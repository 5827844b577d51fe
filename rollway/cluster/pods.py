"""A pod as one line: what `kubectl get pods` says of it, and what keeps it from being ready, in words. Pure.

The words under STATUS are those that operators know: the pod's phase, or what is more telling, the reason for which a
container waits or has ended, with `Init:` in front for one of those that run first. Read leniently, as all that is
shown: what is missing is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from interpreter.desired import Instant
from interpreter.objects import Manifest
from interpreter.workloads.diagnosis import cause
from rollway.cluster.reading import instant, items, mapping, text, whole

_DONE = frozenset({"Completed", "Succeeded"})


class Pod(NamedTuple):
    """`containers` of it are there, `up` of them ready; `problem` is empty unless something keeps it from being ready.
    `leaving`: it is being deleted."""

    name: str
    status: str
    up: int
    containers: int
    is_ready: bool
    restarts: int
    created: Instant | None
    problem: str = ""
    leaving: bool = False


def pod_of(manifest: Manifest) -> Pod:
    """A pod from its object."""
    metadata, spec, status = (mapping(manifest.get(part)) for part in ("metadata", "spec", "status"))
    containers = [mapping(one) for one in items(status.get("containerStatuses"))]
    leaving = "deletionTimestamp" in metadata
    return Pod(
        name=text(metadata.get("name")),
        status="Terminating" if leaving else _status(spec, status, containers),
        up=sum(one.get("ready") is True for one in containers),
        containers=max(len(containers), len(items(spec.get("containers")))),
        is_ready=not leaving and _is_ready(status),
        restarts=sum(whole(one.get("restartCount")) for one in containers),
        created=instant(metadata.get("creationTimestamp")),
        problem="" if leaving else _problem(manifest),
        leaving=leaving,
    )


def _problem(manifest: Manifest) -> str:
    """A pod that is written by hand, or by something odd, has no cause that can be told."""
    try:
        return cause(manifest)
    except (AttributeError, KeyError, TypeError):
        return ""


def _status(spec: Mapping[str, Any], status: Mapping[str, Any], containers: list[Mapping[str, Any]]) -> str:
    if first := _first(spec, status):
        return first
    for container in containers:
        if reason := _reason(container):
            running_again = reason in _DONE and any("running" in mapping(one.get("state")) for one in containers)
            return "Running" if running_again else reason
    return text(status.get("reason")) or text(status.get("phase")) or "Unknown"


def _first(spec: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    """What those that run first are at; empty once they are done."""
    started = [mapping(one) for one in items(status.get("initContainerStatuses"))]
    stays = {
        text(mapping(one).get("name"))
        for one in items(spec.get("initContainers"))
        if mapping(one).get("restartPolicy") == "Always"
    }
    for number, container in enumerate(started):
        ended = mapping(mapping(container.get("state")).get("terminated"))
        if ended and ended.get("exitCode") == 0:
            continue
        if container.get("name") in stays and container.get("started") is True:
            continue
        reason = _reason(container)
        if reason and reason != "PodInitializing":
            return f"Init:{reason}"
        return f"Init:{number}/{len(items(spec.get('initContainers'))) or len(started)}"
    return ""


def _reason(container: Mapping[str, Any]) -> str:
    """Why a container does not run; empty if it does."""
    state = mapping(container.get("state"))
    if waiting := text(mapping(state.get("waiting")).get("reason")):
        return waiting
    ended = mapping(state.get("terminated"))
    if not ended:
        return ""
    if signal := whole(ended.get("signal")):
        return text(ended.get("reason")) or f"Signal:{signal}"
    return text(ended.get("reason")) or f"ExitCode:{whole(ended.get('exitCode'))}"


def _is_ready(status: Mapping[str, Any]) -> bool:
    conditions = (mapping(one) for one in items(status.get("conditions")))
    return any((one.get("type"), one.get("status")) == ("Ready", "True") for one in conditions)
