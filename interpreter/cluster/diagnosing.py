"""Why a workload is not ready, from its pods' own words.

A workload's status says that pods are missing, never why. While one is not ready its pods are listed, off the path of a
pass and not more often than every few seconds, and what they say is put behind the reason from then on. When it has
changed the rollout is looked at again, so that a status, an event and a message all carry the cause.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from interpreter.cluster.api import Api, ApiError
from interpreter.cluster.subject import Subject
from interpreter.objects import Manifest
from interpreter.state import Readiness
from interpreter.workloads.diagnosis import why

EVERY_S = 5.0


class Diagnosing:
    """The diagnoses of one rollout's workloads."""

    def __init__(self, api: Api, subject: Subject, on_news: Callable[[], None]) -> None:
        self._api = api
        self._subject = subject
        self._on_news = on_news
        self._causes: dict[str, str] = {}
        self._looked: dict[str, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def explained(self, role: str, readiness: Readiness) -> Readiness:
        """The same with the pods' own cause behind it, as far as it is known."""
        if readiness.ready:
            self._causes.pop(role, None)
            self._looked.pop(role, None)
            return readiness
        self._look(role)
        cause = self._causes.get(role)
        if not cause:
            return readiness
        return Readiness(False, f"{readiness.reason}: {cause}" if readiness.reason else cause, readiness.failed)

    def _look(self, role: str) -> None:
        now = time.monotonic()
        if now - self._looked.get(role, -EVERY_S) < EVERY_S:
            return
        self._looked[role] = now
        task = asyncio.get_running_loop().create_task(self._diagnose(role))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _diagnose(self, role: str) -> None:
        workload = self._subject.primary if role == "primary" else self._subject.target
        selector = _selector(workload)
        if not selector:
            return
        try:
            pods = await self._api.list(("v1", "Pod"), self._subject.program.namespace, selector)
        except ApiError as error:
            cause = f"its pods cannot be listed: {error}"
        else:
            cause = why(_latest(pods))
        if cause != self._causes.get(role, ""):
            self._causes[role] = cause
            self._on_news()

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _selector(workload: Manifest | None) -> str:
    if workload is None:
        return ""
    selector = (workload.get("spec") or {}).get("selector") or {}
    labels = selector.get("matchLabels") if isinstance(selector, dict) else None
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items()))


def _latest(pods: list[Manifest]) -> list[Manifest]:
    """The pods of the newest template, where that can be told: those of an older one are on their way out."""
    hashes: dict[str, str] = {}
    for pod in pods:
        metadata = pod["metadata"]
        label = _template_hash(pod)
        if label:
            hashes[label] = max(hashes.get(label, ""), metadata.get("creationTimestamp") or "")
    if not hashes:
        return pods
    newest = max(hashes, key=lambda label: hashes[label])
    return [pod for pod in pods if _template_hash(pod) == newest]


def _template_hash(pod: Manifest) -> str:
    labels = pod["metadata"].get("labels") or {}
    return str(labels.get("pod-template-hash") or labels.get("controller-revision-hash") or "")
