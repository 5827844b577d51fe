"""The manifest of a Job that is a check: what may stand in it, and what is added where it is missing.

The text is YAML: a whole Job, or only its `spec`, whole or without the word. What is the user's to say is left alone:
images, service account, what the pod may do. Three things are added. A deadline, for a check must come to an end. A
time after which the Job is taken away. And that a container that fails says the end of its log, for that is what people
want to read. The interpreter reads with this what it runs, and the linter what a policy says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from dsl.flagger.documents import read_documents
from dsl.source import Source

API_VERSION, KIND = "batch/v1", "Job"
MOST_S = 570
"""A Job's deadline, where it says none, and the longest that it may say."""
KEPT_S = 600
"""How long a Job that has ended is kept where it does not say itself: its pod and its log can be read so long."""

_TOP = frozenset({"apiVersion", "kind", "metadata", "spec", "status"})
_METADATA = frozenset({"name", "generateName", "namespace", "labels", "annotations", "creationTimestamp"})


class JobProblem(ValueError):
    """Why a text is no Job that can be run, in words; `start` and `end` are offsets into it, the same if it is about
    the whole."""

    def __init__(self, message: str, start: int = 0, end: int = 0) -> None:
        super().__init__(message)
        self.start, self.end = start, end


class JobManifest(NamedTuple):
    """A Job's `spec`, with what was missing, and the labels and annotations of its own. `namespace` is empty where it
    is not said."""

    spec: Mapping[str, Any]
    namespace: str = ""
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}

    @property
    def deadline_s(self) -> float:
        """Seconds from its start until the cluster ends it."""
        return float(self.spec["activeDeadlineSeconds"])


def read_job(text: str) -> JobManifest:
    """What a text asks to be run. Raises `JobProblem`."""
    documents, diagnostics = read_documents(Source("job", text))
    if diagnostics:
        first = diagnostics[0]
        raise JobProblem(first.message, first.span.start, first.span.end)
    if len(documents) != 1:
        raise JobProblem(f"one object is wanted, and there are {len(documents) or 'none'}")
    data = documents[0].data
    whole = data if "spec" in data or "kind" in data else {"spec": data}
    problems = list(_problems(whole))
    if problems:
        raise JobProblem("; ".join(problems))
    metadata = whole.get("metadata") or {}
    return JobManifest(
        _completed(whole["spec"]),
        str(metadata.get("namespace") or ""),
        metadata.get("labels") or {},
        metadata.get("annotations") or {},
    )


def _problems(whole: Mapping[str, Any]) -> Iterator[str]:
    """What the API server would not say as well, or not before something has been made."""
    version, kind = whole.get("apiVersion", API_VERSION), whole.get("kind", KIND)
    if (version, kind) != (API_VERSION, KIND):
        yield f"it is a {kind} of {version}, and only a {KIND} of {API_VERSION} can be run"
        return
    unknown = sorted(set(whole) - _TOP)
    if unknown:
        yield f"a Job has no {_listed(unknown)}"
    if whole.get("metadata") is not None:
        yield from _problems_of_metadata(whole["metadata"])
    yield from _problems_of_spec(whole.get("spec"))


def _problems_of_metadata(metadata: object) -> Iterator[str]:
    if not isinstance(metadata, Mapping):
        yield "its `metadata` is no object"
        return
    foreign = sorted(set(metadata) - _METADATA)
    if foreign:
        yield f"its metadata may not have {_listed(foreign)}"
    for key in ("labels", "annotations"):
        words = metadata.get(key)
        if words is not None and not _texts(words):
            yield f"its {key} are not names and texts: quote what looks like a number"


def _problems_of_spec(spec: object) -> Iterator[str]:
    if not isinstance(spec, Mapping):
        yield "it has no `spec`"
        return
    template = spec.get("template")
    pod = template.get("spec") if isinstance(template, Mapping) else None
    containers = pod.get("containers") if isinstance(pod, Mapping) else None
    if not isinstance(containers, list) or not containers:
        yield "it has no `spec.template.spec.containers`"
    deadline = spec.get("activeDeadlineSeconds")
    if deadline is not None and (type(deadline) is not int or not 0 < deadline <= MOST_S):
        yield f"`activeDeadlineSeconds` is {json.dumps(deadline)[:60]}, and a check takes 1 to {MOST_S} seconds"


def _listed(keys: list[str]) -> str:
    return ", ".join(f"`{key[:60]}`" for key in keys[:5])


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
        **{key: value for key, value in spec.items() if value is not None},
        "template": {**template, "spec": pod},
    }


def _telling(container: object) -> object:
    if not isinstance(container, Mapping):
        return container
    return {"terminationMessagePolicy": "FallbackToLogsOnError", **container}
