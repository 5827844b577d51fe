"""The tree of a rollout: its workloads, their replica sets, and their pods.

A rollout has up to three workloads: the *primary* serves, the *canary* is the target itself while a revision is being
tried, and the *baseline* is a fresh copy of the primary that the canary is compared with. Under a workload stand its
sets: the ReplicaSets of a Deployment, and what else tells the pods of one template from those of another (the revision
of a DaemonSet, a StatefulSet or a Knative service). Under a set stand its pods.

`tree` reads all of it once; `rollway.cluster.growing` follows it. What one may not read is left out, and said in
`Tree.notes`: a tree without pods is better than none. Without ReplicaSets little is missing, for pods name theirs.

    Tree(workloads=(Workload("primary", "Deployment", "checkout-primary", …, sets=(PodSet(…, pods=(Pod(…), …)),)), …))
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from dsl.ir import WorkloadRef
from interpreter.cluster.api import Api, ApiError
from interpreter.cluster.names import GROUP
from interpreter.desired import Instant, Role
from interpreter.objects import Manifest, Ref
from interpreter.workloads.kind import REVISION, SELECTOR_LABELS, WorkloadError
from interpreter.workloads.metadata import BASELINE, PRIMARY, is_ours
from interpreter.workloads.registry import ref_of_workload
from interpreter.workloads.selectors import selects
from rollway.cluster.finding import Found
from rollway.cluster.pods import Pod, pod_of
from rollway.cluster.reading import instant, items, mapping, text, whole

T = TypeVar("T")

PODS = ("v1", "Pod")
SETS = ("apps/v1", "ReplicaSet")
KNATIVE = "serving.knative.dev"
_KNATIVES_PRIMARY = (f"{GROUP}/primary-revision", "flagger.app/primary-revision")
_KNATIVE_SERVICE = f"{KNATIVE}/service"
_REVISIONS = ("pod-template-hash", "controller-revision-hash", f"{KNATIVE}/revision")
"""Labels of a pod that tell its template from others."""


class PodSet(NamedTuple):
    """Pods of one template. `kind` is `ReplicaSet`, or `Revision` where nothing but a label holds them together;
    `wanted` is None where nothing says how many there should be. `newest`: of the workload's latest template.
    `is_primary`: of the one that serves, where one workload has both (Knative)."""

    kind: str
    name: str
    wanted: int | None
    created: Instant | None
    images: tuple[str, ...]
    newest: bool
    pods: tuple[Pod, ...]
    is_primary: bool = False

    @property
    def ready(self) -> int:
        return sum(pod.is_ready for pod in self.pods)


class Workload(NamedTuple):
    """One of the rollout's workloads. `revision` is the one that it runs or is being brought to. `wanted` is the number
    of pods asked for, `ready` how many there are; None where the kind does not say."""

    role: Role
    kind: str
    name: str
    revision: str
    images: tuple[str, ...]
    wanted: int | None
    ready: int | None
    created: Instant | None
    sets: tuple[PodSet, ...] = ()

    @property
    def pods(self) -> tuple[Pod, ...]:
        return tuple(pod for each in self.sets for pod in each.pods)

    @property
    def problem(self) -> str:
        """What keeps the first of its pods that fails from being ready, in words."""
        return next((pod.problem for pod in self.pods if pod.problem), "")


class Tree(NamedTuple):
    """`workloads` in the order primary, canary, baseline; those that exist. `notes` say what could not be read."""

    workloads: tuple[Workload, ...] = ()
    notes: tuple[str, ...] = ()


class Roots(NamedTuple):
    """What the workloads of a rollout are called, by their roles."""

    target: WorkloadRef
    refs: Mapping[Role, Ref]


async def tree(api: Api, found: Found) -> Tree:
    """The tree as it is now. Raises `ApiError` where not even the workloads can be read because there is no connection;
    what one is not allowed to read becomes a note."""
    roots = roots_of(found)
    if roots is None:
        return Tree()
    notes: list[str] = []
    reads = [_allowed(api.get(ref), None, notes) for ref in roots.refs.values()]
    workloads = [one for one in await asyncio.gather(*reads) if one is not None]
    namespace = found.ref.namespace
    lists = [
        _allowed(api.list(kind, namespace, selector), [], notes if kind != SETS else [])
        for selector in selectors(roots, workloads)
        for kind in kinds_below(workloads)
    ]
    below = [one for listing in await asyncio.gather(*lists) for one in listing]
    return grown(roots, found, [*workloads, *below], notes)


async def _allowed(asking: Awaitable[T], otherwise: T, notes: list[str]) -> T:
    """The answer, or a note of why there is none."""
    try:
        return await asking
    except ApiError as error:
        if error.status not in (403, 404):
            raise
        notes.append(error.message)
        return otherwise


# --- what to read -----------------------------------------------------------------------------------------------


def roots_of(found: Found) -> Roots | None:
    """The workloads' names, from the policy of the latest run, or from what a Canary says; None where nothing does."""
    program, namespace = found.program, found.ref.namespace
    target = program.target if program is not None else _named_target(found.manifest)
    if target is None:
        return None
    try:
        ref = ref_of_workload(target, namespace)
    except WorkloadError:
        return None
    if is_knative(ref):
        return Roots(target, {"canary": ref})
    names: dict[Role, str] = {"primary": ref.name + PRIMARY, "canary": ref.name, "baseline": ref.name + BASELINE}
    return Roots(target, {role: ref._replace(name=name) for role, name in names.items()})


def _named_target(manifest: Manifest) -> WorkloadRef | None:
    named = mapping(mapping(manifest.get("spec")).get("targetRef"))
    kind, name = text(named.get("kind")), text(named.get("name"))
    return WorkloadRef(kind, name, text(named.get("apiVersion"))) if kind and name else None


def is_knative(ref: Ref) -> bool:
    """Whether it is a Knative service, whose pods are those of its revisions."""
    return ref.api_version.partition("/")[0] == KNATIVE


def kinds_below(workloads: Sequence[Manifest]) -> list[tuple[str, str]]:
    """The kinds of object that stand under these."""
    has_sets = any(one["kind"] == "Deployment" for one in workloads)
    return [*([SETS] if has_sets else []), PODS]


def selectors(roots: Roots, workloads: Sequence[Manifest]) -> list[str]:
    """Label selectors of the pods of all workloads, also of those that are still to come: as few as can be."""
    wanted: list[Mapping[str, str]] = []
    for role, ref in roots.refs.items():
        there = next((one for one in workloads if one["metadata"]["name"] == ref.name), None)
        labels = labels_of(there) if there is not None else _expected(role, roots, workloads)
        if labels and labels not in wanted:
            wanted.append(labels)
    return [_merged(wanted)] if _alike(wanted) else [_written(labels) for labels in wanted]


def labels_of(workload: Manifest) -> Mapping[str, str]:
    """The labels by which a workload knows its pods."""
    if workload["apiVersion"].partition("/")[0] == KNATIVE:
        return {_KNATIVE_SERVICE: workload["metadata"]["name"]}
    if workload["apiVersion"] == "v1":
        return {}  # a Service has no pods of its own
    selector = mapping(mapping(workload.get("spec")).get("selector"))
    return {key: value for key, value in mapping(selector.get("matchLabels")).items() if isinstance(value, str)}


def _expected(role: Role, roots: Roots, workloads: Sequence[Manifest]) -> Mapping[str, str]:
    """The labels of a workload that is still to be made, from the target's."""
    name = roots.refs["canary"].name
    target = next((one for one in workloads if one["metadata"]["name"] == name), None)
    labels = labels_of(target) if target is not None else {}
    key = next((key for key in (*SELECTOR_LABELS, *labels) if key in labels), None)
    if key is None or role == "canary":
        return {}
    return {**labels, key: labels[key] + (PRIMARY if role == "primary" else BASELINE)}


def _alike(wanted: Sequence[Mapping[str, str]]) -> bool:
    """Whether they differ in the value of one label only."""
    return len(wanted) > 1 and all(one.keys() == wanted[0].keys() for one in wanted) and len(_different(wanted)) == 1


def _different(wanted: Sequence[Mapping[str, str]]) -> list[str]:
    return [key for key in wanted[0] if len({one[key] for one in wanted}) > 1]


def _merged(wanted: Sequence[Mapping[str, str]]) -> str:
    (key,) = _different(wanted)
    rest = {name: value for name, value in wanted[0].items() if name != key}
    together = f"{key} in ({','.join(sorted({one[key] for one in wanted}))})"
    return ",".join(filter(None, (_written(rest), together)))


def _written(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


# --- growing it from what was read ------------------------------------------------------------------------------


def grown(roots: Roots, found: Found, objects: Iterable[Manifest], notes: Sequence[str] = ()) -> Tree:
    """The tree of these objects: workloads, ReplicaSets and pods, in any order. Others are left out. Pure."""
    by_name: dict[tuple[str, str], Manifest] = {}
    sets, pods = [], []
    for one in objects:
        match one.get("kind"):
            case "Pod":
                pods.append(one)
            case "ReplicaSet":
                sets.append(one)
            case kind:
                by_name[text(kind), text(mapping(one.get("metadata")).get("name"))] = one
    made = []
    for role, ref in roots.refs.items():
        manifest = by_name.get((ref.kind, ref.name))
        if manifest is not None and (role == "canary" or _belongs(role, manifest)):
            made.append(_workload(role, manifest, found, sets, pods))
    return Tree(tuple(made), tuple(dict.fromkeys(notes)))


def _belongs(role: Role, manifest: Manifest) -> bool:
    """A baseline is the rollout's own. A primary may be one of Flagger's that was taken over."""
    return role == "primary" or is_ours(manifest)


def _workload(
    role: Role, manifest: Manifest, found: Found, sets: Sequence[Manifest], pods: Sequence[Manifest]
) -> Workload:
    metadata, status = mapping(manifest["metadata"]), mapping(manifest.get("status"))
    own = [pod for pod in pods if selects({"matchLabels": labels_of(manifest)}, _labels(pod))]
    if not labels_of(manifest):
        own = []
    return Workload(
        role=role,
        kind=manifest["kind"],
        name=text(metadata.get("name")),
        revision=_revision(role, metadata, found),
        images=_images(manifest),
        wanted=_wanted(manifest),
        ready=_count(status, "readyReplicas", "numberReady"),
        created=instant(metadata.get("creationTimestamp")),
        sets=tuple(_sets(manifest, sets, own)),
    )


def _revision(role: Role, metadata: Mapping[str, object], found: Found) -> str:
    """What it runs: a primary and a baseline say so; the canary's is that of the run."""
    if role == "canary":
        return found.shown.revision
    return text(mapping(metadata.get("annotations")).get(REVISION)) or found.shown.primary


def _wanted(manifest: Manifest) -> int | None:
    if manifest["kind"] == "DaemonSet":
        return _count(mapping(manifest.get("status")), "desiredNumberScheduled")
    return _count(mapping(manifest.get("spec")), "replicas")


def _count(holder: Mapping[str, object], *names: str) -> int | None:
    """A number that is left out where it is none is 0 if its neighbours are there."""
    for name in names:
        if name in holder:
            return whole(holder[name])
    return 0 if "replicas" in holder or "currentNumberScheduled" in holder else None


def _images(manifest: Manifest) -> tuple[str, ...]:
    template = mapping(mapping(mapping(manifest.get("spec")).get("template")).get("spec"))
    return tuple(filter(None, (text(mapping(one).get("image")) for one in items(template.get("containers")))))


def _sets(workload: Manifest, sets: Sequence[Manifest], pods: Sequence[Manifest]) -> Iterator[PodSet]:
    """The newest first; of those that are there without a pod and ask for none, only the newest."""
    uid = mapping(workload["metadata"]).get("uid")
    own = {mapping(one["metadata"]).get("uid"): one for one in sets if _owner(one) == uid and uid}
    gathered: dict[tuple[str, str], list[Manifest]] = {}
    for pod in pods:
        holder = own.get(_owner(pod))
        key = ("ReplicaSet", text(mapping(holder["metadata"]).get("name"))) if holder else _held_by(pod)
        gathered.setdefault(key, []).append(pod)
    named = {text(mapping(one["metadata"]).get("name")): one for one in own.values()}
    annotations = mapping(mapping(workload["metadata"]).get("annotations"))
    primary = next((text(annotations[key]) for key in _KNATIVES_PRIMARY if key in annotations), "")
    for name in named:
        gathered.setdefault(("ReplicaSet", name), [])
    ordered = sorted(gathered, key=lambda key: _age(named.get(key[1]), gathered[key]), reverse=True)
    for place, key in enumerate(ordered):
        holder = named.get(key[1]) if key[0] == "ReplicaSet" else None
        wanted = _count(mapping(holder.get("spec")), "replicas") if holder is not None else None
        if place == 0 or wanted or gathered[key]:
            made = _set(key, holder, wanted, gathered[key], newest=place == 0)
            yield made._replace(is_primary=key == ("Revision", primary))


def _set(
    key: tuple[str, str], holder: Manifest | None, wanted: int | None, pods: Sequence[Manifest], *, newest: bool
) -> PodSet:
    shown = sorted((pod_of(pod) for pod in pods), key=lambda pod: (pod.is_ready, pod.leaving, pod.name))
    images = _images(holder) if holder is not None else _pod_images(pods)
    return PodSet(*key, wanted, _age(holder, pods) or None, images, newest, tuple(shown))


def _pod_images(pods: Sequence[Manifest]) -> tuple[str, ...]:
    return _images({"spec": {"template": pods[0]}}) if pods else ()


def _age(holder: Manifest | None, pods: Sequence[Manifest]) -> Instant:
    """When it was made: it, or its youngest pod."""
    made = [instant(mapping(one["metadata"]).get("creationTimestamp")) or 0 for one in pods]
    if holder is not None:
        return instant(mapping(holder["metadata"]).get("creationTimestamp")) or 0
    return max(made, default=0)


def _held_by(pod: Manifest) -> tuple[str, str]:
    """The ReplicaSet that a pod says it is of, or what tells its template from others."""
    labels = _labels(pod)
    for one in items(mapping(pod["metadata"]).get("ownerReferences")):
        if mapping(one).get("kind") == "ReplicaSet" and _REVISIONS[0] in labels:
            return "ReplicaSet", text(mapping(one).get("name"))
    return "Revision", next((labels[key] for key in reversed(_REVISIONS) if key in labels), "")


def _owner(manifest: Manifest) -> object:
    """The UID of what controls it."""
    references = map(mapping, items(mapping(manifest["metadata"]).get("ownerReferences")))
    return next((one.get("uid") for one in references if one.get("controller") is True), None)


def _labels(manifest: Manifest) -> Mapping[str, str]:
    labels: Mapping[str, str] = mapping(mapping(manifest["metadata"]).get("labels"))
    return labels
