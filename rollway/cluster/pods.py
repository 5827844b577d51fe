"""What is wrong with pods, in Kubernetes' own words: what `kubectl describe` would be asked for next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from interpreter.masking import mask
from interpreter.objects import Manifest

MOST = 5
_LONGEST = 300
_ON_THE_WAY = frozenset({"", "ContainerCreating", "PodInitializing"})
"""Reasons to wait that every pod has at its beginning."""


def troubles(pods: Iterable[Manifest]) -> list[str]:
    """One line for each thing that is wrong, each once however many pods have it, at most `MOST`."""
    seen: dict[str, list[str]] = {}
    for pod in pods:
        for trouble in _of(pod):
            seen.setdefault(trouble, []).append(pod["metadata"]["name"])
    told = [f"{_who(names)}: {mask(trouble)}" for trouble, names in seen.items()]
    return told[:MOST] + ([f"and {len(told) - MOST} more"] if len(told) > MOST else [])


def _of(pod: Manifest) -> Iterator[str]:
    status = pod.get("status") or {}
    if status.get("phase") == "Failed" and status.get("reason"):
        yield _joined(status["reason"], status.get("message"))
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            yield _joined(condition.get("reason", "Unschedulable"), condition.get("message"))
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        yield from _container(container)


def _container(container: dict[str, Any]) -> Iterator[str]:
    state = container.get("state") or {}
    waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
    last = (container.get("lastState") or {}).get("terminated") or {}
    name = container.get("name", "")
    if waiting.get("reason", "") not in _ON_THE_WAY:
        yield f"{name}: {_joined(waiting['reason'], waiting.get('message'))}"
    if ended.get("exitCode"):
        yield f"{name}: {_exit(ended)}"
    elif last and not container.get("ready"):
        yield f"{name}: {_exit(last)}, restarted {container.get('restartCount', 0)} times"


def _exit(ended: dict[str, Any]) -> str:
    why = _joined(ended.get("reason", ""), ended.get("message"))
    return f"ended with exit code {ended.get('exitCode')}" + (f" ({why})" if why else "")


def _who(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _joined(reason: str, message: str | None) -> str:
    said = " ".join((message or "").split())[:_LONGEST]
    return f"{reason}: {said}" if said and said != reason else reason
