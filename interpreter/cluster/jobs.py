"""Jobs that are checks: made, followed to their end, and taken away when nobody waits for them any more.

A question has one Job. Its name comes from the rollout and the question, so that a controller that was started again,
or a second try after a broken connection, finds the Job and makes no other. It belongs to the Rollout, and goes with
it. What happens to it is watched; nothing is asked again and again.

A Job that nobody waits for is deleted at once (`withdraw`): the run was aborted, rolled back, or is about a newer
revision. A controller that stops leaves its Jobs to the next one. What a controller that died has left is found when
the rollout's next Job is made: a rollout asks about one moment at a time, so a Job of another moment that still runs is
nobody's. At the latest its deadline ends it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import structlog

from dsl.embedded.job_manifest import API_VERSION, KIND, JobManifest
from interpreter.cluster import names
from interpreter.cluster.api import Api, ApiError, Conflict, Forbidden, Gone, NotFound, NotLeader, Unreachable
from interpreter.cluster.applier import label_of
from interpreter.cluster.asking import trouble_of
from interpreter.cluster.owner import Owner
from interpreter.masking import mask
from interpreter.objects import Manifest, Ref, controller_reference
from interpreter.providers.job import GRACE_S, Ended
from interpreter.providers.provider import ProviderError, Trouble
from interpreter.questions import MetricQuestion
from interpreter.workloads.diagnosis import why

AGAIN_S = 1.0
"""Between a watch that broke and the next look."""
CLEAN_UP_S = 10.0
MOST_WORDS = 300
_TAIL = 160
"""Characters of a container's last words: the end says more than the beginning."""

log = structlog.get_logger(__name__)


class Check(NamedTuple):
    """Whose a Job is, and which question it answers."""

    owner: Owner
    question: MetricQuestion

    @property
    def ref(self) -> Ref:
        """The same in every life of a controller."""
        owner, question = self.owner, self.question
        digest = hashlib.sha256(f"{owner.uid}/{question.key}".encode()).hexdigest()[:10]
        stem = f"{_slug(owner.name)[:26]}-{_slug(question.metric)[:24]}".rstrip("-")
        return Ref(API_VERSION, KIND, owner.namespace, f"{stem}-{digest}")  # a label of its pods: 63 at most

    def manifest(self, wanted: JobManifest) -> dict[str, Any]:
        """The Job to make. Raises `ProviderError` for one that is to be elsewhere."""
        owner = self.owner
        if wanted.namespace not in ("", owner.namespace):
            why = (
                f"the Job is to be in namespace `{wanted.namespace}`, and is made in the rollout's own, "
                f"`{owner.namespace}`: leave its namespace out"
            )
            raise ProviderError(Trouble.BAD_QUERY, why)
        return {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {
                "name": self.ref.name,
                "namespace": owner.namespace,
                "labels": {**wanted.labels, **self.labels},
                "annotations": {**wanted.annotations, names.MOMENT: str(self.question.at_ms)},
                "ownerReferences": [controller_reference(owner.manifest)],
            },
            "spec": wanted.spec,
        }

    @property
    def labels(self) -> dict[str, str]:
        return {
            names.MANAGED_BY: names.MANAGER,
            names.ROLLOUT: label_of(self.owner.name),
            names.METRIC: label_of(_slug(self.question.metric)),
        }

    def is_ours(self, job: Manifest) -> bool:
        """Whether this rollout made it: the object itself, not one of its name."""
        return any(one.get("uid") == self.owner.uid for one in job["metadata"].get("ownerReferences") or ())

    def has_left(self, job: Manifest) -> bool:
        """Whether it runs for another moment of this rollout."""
        moment = (job["metadata"].get("annotations") or {}).get(names.MOMENT)
        return self.is_ours(job) and moment != str(self.question.at_ms) and _end_of(job) is None


class Jobs:
    """Runs the Jobs of all rollouts of a controller."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._waited_for: set[Ref] = set()
        self._given_up: set[Ref] = set()
        """Whoever waited was cancelled: because nobody wants to know any more, or because the controller stops."""
        self._cleaning: set[asyncio.Task[None]] = set()

    async def run(self, check: Check, wanted: JobManifest) -> Ended:
        """Make the Job, or find it, and wait until it has ended. Raises `ProviderError`."""
        manifest = check.manifest(wanted)
        self._waited_for.add(check.ref)
        self._given_up.discard(check.ref)
        try:
            async with asyncio.timeout(wanted.deadline_s + GRACE_S):
                return await self._to_its_end(check, manifest)
        except TimeoutError as late:
            self._delete(check.ref)
            said = (
                f"{check.ref} has not ended {GRACE_S}s after its deadline, and is deleted: does the cluster run Jobs?"
            )
            raise ProviderError(Trouble.BAD_QUERY, said) from late
        except (ApiError, NotLeader) as error:
            trouble = trouble_of(error)
            raise ProviderError(trouble.trouble, _with_hint(error), retry_after=trouble.retry_after) from error
        except asyncio.CancelledError:
            self._given_up.add(check.ref)
            raise
        finally:
            self._waited_for.discard(check.ref)

    def withdraw(self, check: Check) -> None:
        """Nobody wants the answer any more: beside the caller, delete the Job if it may still run."""
        if check.ref in self._given_up:
            self._given_up.discard(check.ref)
            self._delete(check.ref)

    async def close(self) -> None:
        """What is to be deleted is deleted first."""
        await asyncio.gather(*self._cleaning, return_exceptions=True)

    # --- from its making to its end -----------------------------------------------------------------------------

    async def _to_its_end(self, check: Check, manifest: Manifest) -> Ended:
        job = await self._made(check, manifest)
        while True:
            ended = _end_of(job)
            if ended is not None:
                return ended if ended.succeeded else ended._replace(why=await self._words(check.ref, ended.why))
            following = await self._followed(check.ref, job)
            if following is None:
                raise ProviderError(Trouble.BAD_QUERY, f"{check.ref} was deleted before it had ended")
            job = following

    async def _made(self, check: Check, manifest: Manifest) -> Manifest:
        """The Job, made now or found. One that is on its way out is waited for, and made anew."""
        while True:
            found = await self._found(check)
            if found is None:
                try:
                    return await self._api.create(manifest)
                except Conflict:
                    found = await self._api.get(check.ref)
            if found is None:
                continue
            if not check.is_ours(found):
                raise ProviderError(Trouble.BAD_QUERY, f"{check.ref} exists and is not this rollout's: delete it")
            if not found["metadata"].get("deletionTimestamp"):
                return found
            await self._followed(check.ref, found)

    async def _found(self, check: Check) -> Manifest | None:
        """The question's Job, if it exists. On the way, what runs for another moment of this rollout is deleted, unless
        it is waited for here: whoever asked for it is no more."""
        selector = ",".join(f"{key}={value}" for key, value in check.labels.items() if key != names.METRIC)
        found = None
        for job in await self._api.list((API_VERSION, KIND), check.owner.namespace, selector):
            ref = check.ref._replace(name=job["metadata"]["name"])
            if ref == check.ref:
                found = job
            elif check.has_left(job) and ref not in self._waited_for:
                await self._api.delete(ref)
        return found

    async def _followed(self, ref: Ref, job: Manifest) -> Manifest | None:
        """The Job as soon as it has ended, or after a while as it is; None as soon as it is gone."""
        version = job["metadata"]["resourceVersion"]
        stream = self._api.watch(
            (API_VERSION, KIND), ref.namespace, version, field_selector=f"metadata.name={ref.name}"
        )
        try:
            async with contextlib.aclosing(stream) as events:
                async for kind, seen in events:
                    if kind == "BOOKMARK":
                        continue
                    if _end_of(seen) is not None:
                        return seen
                    if kind == "DELETED":
                        return None
        except (Gone, Unreachable):
            pass
        await asyncio.sleep(AGAIN_S)
        return await self._api.get(ref)

    async def _words(self, ref: Ref, said: str) -> str:
        """What the Job says of its failure, and its pods."""
        try:
            pods = await self._api.list(("v1", "Pod"), ref.namespace, f"job-name={ref.name}")
        except ApiError as error:
            of_pods = f"its pods cannot be listed: {error}"
        else:
            of_pods = last_words(pods)
        whole = mask(": ".join(part for part in (f"Job `{ref.name}` failed", of_pods or said) if part))
        return whole if len(whole) <= MOST_WORDS else f"{whole[: MOST_WORDS - 1].rstrip()}…"

    # --- what is left over --------------------------------------------------------------------------------------

    def _delete(self, ref: Ref) -> None:
        task = asyncio.create_task(self._clean(ref))
        self._cleaning.add(task)
        task.add_done_callback(self._cleaning.discard)

    async def _clean(self, ref: Ref) -> None:
        try:
            async with asyncio.timeout(CLEAN_UP_S):
                await self._api.delete(ref)
        except (ApiError, NotLeader, TimeoutError) as error:
            log.warning("a Job that nobody waits for is left to its deadline", job=str(ref), why=str(error))


def _slug(name: str) -> str:
    """A name with small letters, digits and single dashes only."""
    return re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")


def _end_of(job: Manifest) -> Ended | None:
    """How it ended, None while it runs. Source: the Job API, conditions `Complete` and `Failed`."""
    for condition in (job.get("status") or {}).get("conditions") or ():
        if condition.get("status") != "True":
            continue
        if condition.get("type") == "Complete":
            return Ended(True)
        if condition.get("type") == "Failed":
            told = (condition.get("reason"), condition.get("message"))
            return Ended(False, ": ".join(str(part) for part in told if part))
    return None


def last_words(pods: list[Manifest]) -> str:
    """What the pod that failed last says: how its containers ended, and the end of what they wrote. Else what keeps
    pods from running, empty if nothing is to be seen."""
    failed = [pod for pod in pods if (pod.get("status") or {}).get("phase") == "Failed"]
    failed.sort(key=lambda pod: str(pod["metadata"].get("creationTimestamp") or ""))
    for pod in reversed(failed):
        told = [words for container in _containers(pod["status"]) if (words := _end_words(container))]
        if told:
            return "; ".join(told)
    return why(pods)


def _containers(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]


def _end_words(container: Mapping[str, Any]) -> str:
    ended = (container.get("state") or {}).get("terminated") or {}
    if not ended.get("exitCode"):
        return ""
    reason = ended.get("reason")
    known = f" ({reason})" if reason and reason != "Error" else ""
    message = mask(" ".join(str(ended.get("message") or "").split()))
    tail = message if len(message) <= _TAIL else f"…{message[-_TAIL:].lstrip()}"
    return f"container `{container.get('name', '')}` ended with exit code {ended['exitCode']}{known}" + (
        f": {tail}" if tail else ""
    )


def _with_hint(error: ApiError | NotLeader) -> str:
    """RBAC is granted by name."""
    if isinstance(error, Forbidden) and " cannot " in error.message:
        return f"{error}; `rollway install --metrics job` grants what Jobs need"
    if isinstance(error, NotFound):
        return f"{error}: is the namespace on its way out?"
    return str(error)
