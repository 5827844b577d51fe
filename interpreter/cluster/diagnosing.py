"""Why a workload is not ready, from its pods' own words.

A workload's status says that pods are missing, never why. While one is not ready its pods are listed every few seconds,
beside the passes, and what they say is put behind the reason. When it has changed the rollout is looked at again, so
that a status, an event and a message all carry the cause. A failure that comes before the first list has been made
waits for it: a moment's delay is worth the reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from interpreter.cluster.api import Api, ApiError
from interpreter.cluster.subject import Subject
from interpreter.objects import Manifest
from interpreter.questions import Readiness
from interpreter.workloads.diagnosis import why

EVERY_S = 5.0


class Diagnosing:
    """The diagnoses of one rollout's workloads, by role."""

    def __init__(self, api: Api, subject: Subject, on_news: Callable[[], None]) -> None:
        self._api = api
        self._subject = subject
        self._on_news = on_news
        self._causes: dict[str, str] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._asked: set[str] = set()

    def begin(self) -> None:
        """A look at the rollout begins."""
        self._asked.clear()

    def end(self) -> None:
        """The look has ended: what it did not find unready is watched no more."""
        for role in [role for role in self._tasks if role not in self._asked]:
            self._tasks.pop(role).cancel()
            self._causes.pop(role, None)

    def explained(self, role: str, readiness: Readiness) -> Readiness:
        """The same with the pods' own cause behind it, as far as it is known."""
        if readiness.ready:
            self._asked.discard(role)
            return readiness
        self._asked.add(role)
        if role not in self._tasks:
            self._tasks[role] = asyncio.get_running_loop().create_task(self._watch(role))
        cause = self._causes.get(role)
        failed = readiness.failed and cause is not None
        return Readiness(False, ": ".join(part for part in (readiness.reason, cause) if part), failed)

    async def _watch(self, role: str) -> None:
        """Look at the pods again and again, until the workload is ready and this is cancelled."""
        while True:
            cause = await self._cause(role)
            if cause != self._causes.get(role):
                self._causes[role] = cause
                self._on_news()
            await asyncio.sleep(EVERY_S)

    async def _cause(self, role: str) -> str:
        subject = self._subject
        workloads = {"primary": subject.primary, "canary": subject.target, "baseline": subject.baseline}
        selector = _selector(workloads[role])
        if not selector:
            return ""
        try:
            return why(_latest(await self._api.list(("v1", "Pod"), self._subject.program.namespace, selector)))
        except ApiError as error:
            return f"its pods cannot be listed: {error}"

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


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
