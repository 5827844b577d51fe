"""Which kind of workload a policy names, and what its objects are called."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dsl.capabilities import Asked, unfit
from dsl.ir import Program, ScaleOp, WorkloadRef
from interpreter.objects import Manifest, Ref
from interpreter.workloads.custom import custom_kind
from interpreter.workloads.daemonset import DaemonSetKind
from interpreter.workloads.deployment import DeploymentKind
from interpreter.workloads.kind import WorkloadError, WorkloadKind
from interpreter.workloads.knative import API as KNATIVE
from interpreter.workloads.knative import KnativeKind
from interpreter.workloads.metadata import PLAIN, Naming
from interpreter.workloads.scalers import API_VERSIONS as SCALERS
from interpreter.workloads.service import ServiceKind
from interpreter.workloads.statefulset import StatefulSetKind

BUILT_IN: Mapping[str, tuple[str, Callable[[Naming], WorkloadKind]]] = {
    "deployment": ("apps/v1", DeploymentKind),
    "daemonset": ("apps/v1", DaemonSetKind),
    "statefulset": ("apps/v1", StatefulSetKind),
    "service": ("v1", ServiceKind),
}
"""By the kind in lower case: the API version, and what knows the kind."""


def kind_of(ref: WorkloadRef, crd: Manifest | None = None, naming: Naming = PLAIN) -> WorkloadKind:
    """What knows this target. `crd` is the CustomResourceDefinition of one that is not built in.

    Raises WorkloadError for a kind that cannot be rolled out.
    """
    group = ref.api_version.partition("/")[0]
    if group == KNATIVE and ref.kind == "Service":
        return KnativeKind(naming)
    known = BUILT_IN.get(ref.kind.lower())
    if known is not None and group in ("", known[0].partition("/")[0]):
        return known[1](naming)
    if crd is None:
        raise WorkloadError(
            f"the cluster does not know the kind `{api_version_of(ref)}` {ref.kind} of the target `{ref.name}`; "
            "install its definition, or correct the target"
        )
    return custom_kind(crd, ref.api_version, naming)


def misfit(program: Program) -> str:
    """Why the target, or what is done with it, does not suit the traffic provider, and what to do; empty if it does."""
    scales = any(isinstance(one, ScaleOp) for one in program.code)
    asked = Asked(program.target.kind, program.target.api_version, program.scaler is not None, scales)
    return ": ".join(filter(None, unfit(program.traffic.provider, asked)))


def api_version_of(ref: WorkloadRef) -> str:
    """The API version by which objects of this kind are read and written: for a kind that is known here, the one that
    is known, whatever older one is named. Raises WorkloadError for a kind that says none and is not known."""
    known = BUILT_IN.get(ref.kind.lower())
    group = ref.api_version.partition("/")[0]
    if known is not None and group in ("", known[0].partition("/")[0]):
        return known[0]
    scaler = SCALERS.get(ref.kind)
    if scaler is not None and group in ("", scaler.partition("/")[0]):
        return scaler
    if not ref.api_version:
        raise WorkloadError(
            f"`{ref.kind}` is no kind that rollway knows by itself; name it with its API version, as in "
            f"`apps.example.com/v1/{ref.kind}/{ref.name}`"
        )
    return ref.api_version


def ref_of_workload(ref: WorkloadRef, namespace: str) -> Ref:
    """The object that a policy names. Raises WorkloadError."""
    return Ref(api_version_of(ref), ref.kind, namespace, ref.name)
