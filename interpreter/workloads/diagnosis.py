"""Why pods are not ready, in words that a person understands, from what the pods and their events say themselves.

A workload only says how many pods are missing. Each failing pod has one cause here, the most telling one that it shows.
Causes are ranked: what can never come right by itself stands before what may be a matter of waiting. The causes of all
pods are then counted, and told worst first. Values of environment variables or files never appear in a pod's status;
what a container wrote as its last words may hold anything, so it is masked as all foreign text is, and cut short.
Source of the reasons: Kubernetes' documentation of pod status, and the kubelet's words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from interpreter.masking import mask
from interpreter.objects import Manifest

MOST = 300
"""Characters of a diagnosis at most."""

_IMAGE = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"})
_CONFIG = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
_PATIENT = frozenset({"ContainerCreating", "PodInitializing"})
_MESSAGE = 160


class Cause(NamedTuple):
    """`rank`: smaller is more telling. `text` says the same for all pods that fail alike."""

    rank: int
    text: str


def why(pods: Sequence[Manifest], events: Iterable[Manifest] = ()) -> str:
    """What keeps these pods from being ready: "2 of 3 pods: cannot pull image `web:2` (ImagePullBackOff)", worst first,
    at most 300 characters. Empty if all are ready, or nothing is to be seen yet.

    `events` are Events about the pods, or about what makes them (quota, admission); of these the warnings count.
    """
    warnings = tuple(event for event in events if event.get("type") == "Warning")
    living = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    counts: dict[Cause, int] = {}
    for pod in living:
        cause = min(_causes(pod, warnings), default=None)
        if cause is not None:
            counts[cause] = counts.get(cause, 0) + 1
    told = [f"{count} of {_pods(len(living))}: {cause.text}" for cause, count in sorted(counts.items())]
    if not told:
        told = [_of_makers(warnings)] if not living and warnings else []
    return _short("; ".join(told), MOST)


def cause(pod: Manifest) -> str:
    """What keeps this pod from being ready, in words; empty if it is ready, or nothing is to be seen yet."""
    return min(_causes(pod, ()), default=Cause(0, "")).text


def _pods(count: int) -> str:
    return f"{count} pod{'' if count == 1 else 's'}"


def _causes(pod: Manifest, warnings: Sequence[Manifest]) -> Iterator[Cause]:
    status = pod.get("status") or {}
    if status.get("phase") == "Succeeded" or _is_ready(status):
        return
    if status.get("reason") == "Evicted":
        yield Cause(1, f"evicted{_because(status.get('message'))}")
    elif status.get("phase") == "Failed":
        yield Cause(1, f"failed{_because(status.get('message') or status.get('reason'))}")
    for container in _containers(status):
        yield from _of_container(pod, container, warnings)
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            yield Cause(3, f"cannot be scheduled{_because(condition.get('message'))}")
        if condition.get("type") == "Ready" and condition.get("reason") == "ReadinessGatesNotReady":
            yield Cause(6, f"a readiness gate is not passed{_because(condition.get('message'))}")
    mounting = _event(pod, warnings, ("FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox"))
    if mounting:
        yield Cause(4, f"cannot be started{_because(mounting)}")


def _of_container(pod: Manifest, container: Mapping[str, Any], warnings: Sequence[Manifest]) -> Iterator[Cause]:
    name, state = container.get("name", ""), container.get("state") or {}
    waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
    last = (container.get("lastState") or {}).get("terminated") or {}
    reason = waiting.get("reason", "")
    if reason in _IMAGE:
        yield Cause(0, f"cannot pull image `{container.get('image', '')}` ({reason})")
    elif reason in _CONFIG:
        yield Cause(0, f"container `{name}` cannot be made{_because(waiting.get('message') or reason)}")
    elif "OOMKilled" in (ended.get("reason"), last.get("reason")):
        yield Cause(0, f"container `{name}` was killed for want of memory (OOMKilled)")
    elif reason == "CrashLoopBackOff" or ended.get("exitCode"):
        yield Cause(1, f"container `{name}` {_end(reason, ended or last)}")
    elif reason and reason not in _PATIENT:
        yield Cause(4, f"container `{name}` waits{_because(waiting.get('message') or reason)}")
    elif "running" in state and not container.get("ready"):
        probe = _event(pod, warnings, ("Unhealthy",))
        yield Cause(5, f"container `{name}` runs but is not ready{_because(probe or 'its readiness probe fails')}")


def _end(reason: str, ended: Mapping[str, Any]) -> str:
    """How a container came to its end, and its last words, masked: it may have written anything."""
    again = " (CrashLoopBackOff)" if reason == "CrashLoopBackOff" else ""
    if not ended:
        return f"crashes again and again{again}"
    return f"ended with exit code {ended.get('exitCode')}{again}{_because(ended.get('message'))}"


def _containers(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def _is_ready(status: Mapping[str, Any]) -> bool:
    return any((each.get("type"), each.get("status")) == ("Ready", "True") for each in status.get("conditions") or ())


def _event(pod: Manifest, warnings: Sequence[Manifest], reasons: tuple[str, ...]) -> str:
    """The last warning of these reasons about a pod."""
    uid = pod["metadata"].get("uid")
    about = [
        event
        for event in warnings
        if event.get("reason") in reasons and (event.get("involvedObject") or {}).get("uid") == uid
    ]
    return str(about[-1].get("message") or "") if about else ""


def _of_makers(warnings: Sequence[Manifest]) -> str:
    return f"no pods{_because(str(warnings[-1].get('message') or warnings[-1].get('reason') or ''))}"


def _because(message: str | None) -> str:
    """Somebody's message on one line, masked, and without what differs from pod to pod."""
    text = mask(" ".join((message or "").split()))
    text = re.sub(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}\b|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b", "…", text)
    return f": {_short(text, _MESSAGE)}" if text else ""


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
