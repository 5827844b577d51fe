"""A Kubernetes Job as a check: 1 if it completed, 0 if it failed.

The query is a manifest of a Job, or only its `spec`, as YAML. It is made in the rollout's own namespace, once for each
question, and asked after until it has ended. What is the user's to say is left alone: images, service account, what the
pod may do; admission judges it as it judges every Job. Three things are added where they are missing. A deadline, for a
check must come to an end. A time after which the Job is taken away. And that a container that fails says the end of its
log, for that is what people want to read.

Whoever lives in a cluster runs the Job (`Run`); there is none elsewhere, and the answer says so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, NamedTuple

from dsl.flagger.documents import read_documents
from dsl.source import Source
from interpreter.providers.provider import Measurement, ProviderError, RenderedQuery, Sample, Trouble

API_VERSION, KIND = "batch/v1", "Job"
MOST_S = 570
"""A Job's deadline, where it says none, and the longest that it may say."""
GRACE_S = 30
"""How long the cluster may take, beyond the deadline, to end a Job and say so."""
KEPT_S = 600
"""How long a Job that has ended is kept where it does not say itself: its pod and its log can be read so long."""

_TOP = frozenset({"apiVersion", "kind", "metadata", "spec", "status"})
_METADATA = frozenset({"name", "generateName", "namespace", "labels", "annotations", "creationTimestamp"})


class Ended(NamedTuple):
    """How a Job ended. `why` is for people: what it and its pods said of a failure."""

    succeeded: bool
    why: str = ""


class Wanted(NamedTuple):
    """What a query asks to be run: a Job's `spec`, with what was missing, and the labels and annotations of its own."""

    spec: Mapping[str, Any]
    namespace: str = ""
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}

    @property
    def deadline_s(self) -> float:
        """Seconds from its start until the cluster ends it."""
        return float(self.spec["activeDeadlineSeconds"])


Run = Callable[[Wanted], Awaitable[Ended]]
"""Runs a Job to its end. Raises `ProviderError`."""


class Job:
    """Asks by running a Job. `timeout` is this provider's own limit for a question, all tries together."""

    name = "job"
    timeout = MOST_S + 2.0 * GRACE_S

    def __init__(self, run: Run | None = None) -> None:
        self._run = run

    async def measure(self, query: RenderedQuery) -> Measurement:
        if self._run is None:
            raise ProviderError(Trouble.BAD_QUERY, "a Job is run by a controller in a cluster only, and there is none")
        if query.server or query.secret or query.headers:
            why = "a Job takes no `server`, `secret` or `headers`: its pod has a service account and volumes of its own"
            raise ProviderError(Trouble.BAD_QUERY, why)
        ended = await self._run(wanted(query.text))
        return Measurement((Sample({}, 1.0 if ended.succeeded else 0.0),), (ended.why,) if ended.why else ())

    async def close(self) -> None:
        """There is nothing to let go of: a Job outlives whoever asks."""


def wanted(text: str) -> Wanted:
    """What a rendered query asks for. Raises `ProviderError` with all that keeps it from being a Job."""
    documents, diagnostics = read_documents(Source("the manifest", text))
    if diagnostics:
        place = diagnostics[0].span.source.position(diagnostics[0].span.start)
        raise _bad(f"line {place.line}: {diagnostics[0].message}")
    if len(documents) != 1:
        raise _bad(f"one object is wanted, and there are {len(documents) or 'none'}")
    data = documents[0].data
    whole = data if "spec" in data or "kind" in data else {"spec": data}
    problems = list(_problems(whole))
    if problems:
        raise _bad("; ".join(problems))
    metadata = whole.get("metadata") or {}
    return Wanted(
        _completed(whole["spec"]),
        str(metadata.get("namespace") or ""),
        metadata.get("labels") or {},
        metadata.get("annotations") or {},
    )


def _bad(why: str) -> ProviderError:
    return ProviderError(Trouble.BAD_QUERY, f"the query is no manifest of a Job: {why}")


def _problems(whole: Mapping[str, Any]) -> Iterator[str]:
    """What the API server would not say as well, or not before something has been made."""
    version, kind = whole.get("apiVersion", API_VERSION), whole.get("kind", KIND)
    if (version, kind) != (API_VERSION, KIND):
        yield f"it is a {kind} of {version}, and only a {KIND} of {API_VERSION} can be run"
    unknown = sorted(set(whole) - _TOP)
    if unknown:
        yield f"a Job has no {', '.join(f'`{key}`' for key in unknown)}"
    metadata = whole.get("metadata")
    if metadata is not None:
        yield from _problems_of_metadata(metadata)
    spec = whole.get("spec")
    if not isinstance(spec, Mapping):
        yield "it has no `spec`"
        return
    template = spec.get("template")
    pod = template.get("spec") if isinstance(template, Mapping) else None
    if not isinstance(pod, Mapping) or not isinstance(pod.get("containers"), list):
        yield "it has no `spec.template.spec.containers`"
    deadline = spec.get("activeDeadlineSeconds", MOST_S)
    if isinstance(deadline, bool) or not isinstance(deadline, int) or not 0 < deadline <= MOST_S:
        yield f"`activeDeadlineSeconds` is {deadline!r}, and a check takes 1 to {MOST_S} seconds"


def _problems_of_metadata(metadata: object) -> Iterator[str]:
    if not isinstance(metadata, Mapping):
        yield "its `metadata` is no object"
        return
    foreign = sorted(set(metadata) - _METADATA)
    if foreign:
        yield f"its metadata may not have {', '.join(f'`{key}`' for key in foreign)}"
    for key in ("labels", "annotations"):
        words = metadata.get(key)
        if words is not None and not _texts(words):
            yield f"its {key} are not names and texts: quote what looks like a number"


def _texts(words: object) -> bool:
    return isinstance(words, Mapping) and all(isinstance(value, str) for value in words.values())


def _completed(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The spec with what was missing."""
    template = spec["template"]
    pod = dict(template["spec"])
    for key in ("initContainers", "containers"):
        if isinstance(pod.get(key), list):
            pod[key] = [_telling(container) for container in pod[key]]
    return {
        "activeDeadlineSeconds": MOST_S,
        "ttlSecondsAfterFinished": KEPT_S,
        **spec,
        "template": {**template, "spec": pod},
    }


def _telling(container: object) -> object:
    if not isinstance(container, Mapping):
        return container
    return {"terminationMessagePolicy": "FallbackToLogsOnError", **container}
