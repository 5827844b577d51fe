"""The Services of a rollout: the apex `A`, which clients call, `A-primary` and `A-canary`.

`A` and `A-primary` select the primary's pods, `A-canary` the target's. Until the primary has been ready once, the apex
selects the target's pods, so that no request is lost while it comes up. Whom it may lead to, and by which labels, is in
`interpreter.workloads.leads`.

An apex that the user made stays the user's: only its selector and its ports are changed, what stood there is kept in an
annotation, and `release_services` puts it back. The user's Service is the model for ours too: its headlessness, and
what the policy leaves open of its ports, go over to them. A port of it that the policy says nothing of is left alone.

Where the target is a Service itself, there are no pods to tell apart. Its own spec is what a revision is made of:
`A-canary` is a copy of it as it is, `A-primary` one as it was when last promoted, and the apex is left alone.

A StatefulSet's governing Service, if it is not the apex, gets a copy for the primary's pods, which would have no DNS
names without.

A baseline has a Service `A-baseline`, and a governing one if the primary has. Both belong to its workload, and go when
that is removed.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from dsl.ir import Program
from interpreter.cluster.names import ORIGINAL
from interpreter.objects import Apply, Change, Edit, Manifest, Objects, Ref
from interpreter.workloads.derivation import MOST_LABEL
from interpreter.workloads.kind import WorkloadError
from interpreter.workloads.knative import API as KNATIVE
from interpreter.workloads.leads import Leads, selecting
from interpreter.workloads.metadata import BASELINE, PRIMARY, is_ours
from interpreter.workloads.ports import further_ports, main_port, pod_ports, ports

CANARY = "-canary"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

_GITOPS = {"kustomize.toolkit.fluxcd.io/reconcile": "disabled", "helm.toolkit.fluxcd.io/driftDetection": "disabled"}
"""Flux is to leave our Services alone even where it finds them in Git (peers.md §3.1)."""

_ALLOTTED = frozenset({"clusterIP", "clusterIPs", "healthCheckNodePort", "loadBalancerIP", "externalIPs"})
"""Fields of a Service that belong to that one Service."""


def service_names(program: Program) -> tuple[str, str, str]:
    """Apex, primary and canary."""
    apex = program.service.name
    return apex, apex + PRIMARY, apex + CANARY


def baseline_refs(program: Program, target: Manifest | None) -> tuple[Ref, ...]:
    """The Services of a baseline: its own first, and the governing one, if there is one of its own."""
    governing = _governing(program, target)
    names = [program.service.name + BASELINE, *([governing + BASELINE] if governing is not None else [])]
    return tuple(_ref(program, name) for name in names)


def service_refs(program: Program, target: Manifest | None) -> tuple[Ref, ...]:
    """Every Service that `services` reads or writes, whether it exists or not. Knative makes its own."""
    if program.target.api_version.partition("/")[0] == KNATIVE:
        return ()
    names = list(service_names(program))
    governing = _governing(program, target)
    if governing is not None:
        names += [governing, governing + PRIMARY]
    return tuple(_ref(program, name) for name in names)


def discovered_ports(program: Program, target: Manifest, apex: Manifest | None = None) -> tuple[tuple[str, int], ...]:
    """With port discovery, the ports beside the main one, by name. `apex` is the user's own Service, if any."""
    further = further_ports(program, target, main_port(program, target, apex))
    return tuple((each["name"], each["port"]) for each in further)


def services(
    program: Program,
    label: str,
    value: str,
    target: Manifest,
    existing: Objects,
    leads: Leads,
    common: Mapping[str, str] | None = None,
) -> tuple[Change, ...]:
    """What must be done for the Services to be as they should. `existing` has those of `service_refs` that exist.

    `label` and `value` as from `WorkloadKind.label`. `leads` says whose pods the apex selects: the target's until the
    primary has been ready once. It must not go back when the primary falters, since the target has no pods by then.
    `common` are the labels by which it selects both. Raises WorkloadError.
    """
    if target["apiVersion"].startswith(f"{KNATIVE}/"):
        return ()
    _check_names(program)
    if target["kind"] == "Service":
        return _of_service(program, target)
    apex, primary, canary = service_names(program)
    found = existing.get(_ref(program, apex))
    users = found if found is not None and not is_ours(found) else None
    wanted = ports(program, target, users)
    headless = bool(program.service.options.get("headless")) or _headless(users)
    rest = {"ports": wanted, **_settings(program, headless)}
    made = [
        _ours(program, "primary", primary, (label, value + PRIMARY), rest, existing),
        _ours(program, "canary", canary, (label, value), rest, existing),
    ]
    edits: list[Change] = []
    if users is None:
        ours = _ours(
            program, "apex", apex, (label, value + PRIMARY if leads is Leads.PRIMARY else value), rest, existing
        )
        if leads is Leads.BOTH:
            ours.manifest["spec"]["selector"] = dict(common or {})
        made.append(ours)
    else:
        edit = _theirs(users, (label, value), leads, common or {}, wanted)
        edits = [edit] if edit is not None else []
    return (*made, *edits, *_governing_copy(program, target, (label, value), existing))


def baseline_services(
    program: Program, label: str, value: str, target: Manifest, existing: Objects, workload: Manifest
) -> tuple[Change, ...]:
    """The Services of this baseline, like the primary's. `workload` is the baseline as the cluster has it; they are
    its own. Raises WorkloadError for a name that is too long."""
    found = existing.get(_ref(program, program.service.name))
    users = found if found is not None and not is_ours(found) else None
    headless = bool(program.service.options.get("headless")) or _headless(users)
    rest = {"ports": ports(program, target, users), **_settings(program, headless)}
    selector = (label, value + BASELINE)
    _check_length(program.service.name + BASELINE)
    made = [_ours(program, "primary", program.service.name + BASELINE, selector, rest, existing)]
    governing = _governing(program, target)
    if governing is not None:
        rest = _governing_rest(program, governing, target, existing)
        made.append(_ours(program, "governing", governing + BASELINE, selector, rest, existing))
    owner = {key: workload[key] for key in ("apiVersion", "kind")}
    owner |= {key: workload["metadata"][key] for key in ("name", "uid")}
    for each in made:
        each.manifest["metadata"]["ownerReferences"] = [owner]
    return tuple(made)


def release_services(
    program: Program, label: str, value: str, target: Manifest, existing: Objects
) -> tuple[Change, ...]:
    """Give the apex its own selector and ports back; one of ours selects the target again. Ours are removed with what
    owns them. Does nothing where there is nothing to put back."""
    found = existing.get(_ref(program, program.service.name))
    if found is None or target["kind"] == "Service":
        return ()
    after = copy.deepcopy(found)
    annotations = after["metadata"].get("annotations") or {}
    before = _parsed(annotations.pop(ORIGINAL, None))
    if not before and not (_points_at_primary(found, label, value) or _of_both(found, label)):
        return ()
    if not before:
        applied = (_parsed(annotations.get(LAST_APPLIED)) or {}).get("spec") or {}
        others = {} if _of_both(found, label) else found["spec"]["selector"]
        before = {"selector": applied.get("selector") or {**others, label: value}}
        before |= {"ports": applied["ports"]} if applied.get("ports") else {}
    after["spec"] |= _with_node_ports(before, found)
    return (Edit(found, after),) if after != found else ()


# --- ours -----------------------------------------------------------------------------------------------------------


def _ours(
    program: Program, role: str, name: str, selector: tuple[str, str], rest: Mapping[str, Any], existing: Objects
) -> Apply:
    found = existing.get(_ref(program, name))
    if found is not None and _headless(found) != (rest.get("clusterIP") == "None"):
        raise WorkloadError(
            f"Service `{name}` {'is' if _headless(found) else 'is not'} headless, and that cannot be changed; delete "
            f"`{name}`, and it is made anew, or change `headless` in the policy"
        )
    extra = program.service.options.get(role) or {}
    label, value = selector
    metadata = {
        "name": name,
        "namespace": program.namespace,
        "labels": {**_managed(program, "labels", extra), label: name},
        "annotations": {**_managed(program, "annotations", extra), **_GITOPS},
    }
    spec = {"type": "ClusterIP", "selector": {label: value}, **copy.deepcopy(dict(rest))}
    for port in spec["ports"]:
        port.pop("nodePort", None)
    return Apply({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})


def _managed(program: Program, part: str, extra: Mapping[str, Any]) -> dict[str, str]:
    """The labels or annotations that the policy wants, but for those that it leaves to others."""
    others = tuple((program.service.options.get("unmanaged_metadata") or {}).get(part) or ())
    return {key: value for key, value in (extra.get(part) or {}).items() if not (others and key.startswith(others))}


def _settings(program: Program, headless: bool) -> dict[str, Any]:
    near = program.service.options.get("traffic_distribution")
    return {**({"clusterIP": "None"} if headless else {}), **({"trafficDistribution": near} if near else {})}


def _governing(program: Program, target: Manifest | None) -> str | None:
    """The governing Service of a StatefulSet, if it is not the apex."""
    if target is None or target["kind"] != "StatefulSet":
        return None
    name = target["spec"].get("serviceName")
    return None if not name or name == program.service.name else str(name)


def _governing_copy(
    program: Program, target: Manifest, label: tuple[str, str], existing: Objects
) -> tuple[Change, ...]:
    governing = _governing(program, target)
    if governing is None:
        return ()
    rest = _governing_rest(program, governing, target, existing)
    return (_ours(program, "governing", governing + PRIMARY, (label[0], label[1] + PRIMARY), rest, existing),)


def _governing_rest(program: Program, governing: str, target: Manifest, existing: Objects) -> dict[str, Any]:
    model = (existing.get(_ref(program, governing)) or {}).get("spec") or {}
    listed = model.get("ports") or [
        {"name": each.name, "port": each.number, "protocol": each.protocol} for each in pod_ports(target)
    ]
    more = {"publishNotReadyAddresses": True} if model.get("publishNotReadyAddresses") else {}
    return {"ports": listed, "clusterIP": "None", **more}


def _of_service(program: Program, target: Manifest) -> tuple[Change, ...]:
    if program.service.name != program.target.name:
        raise WorkloadError(
            f"the target is the Service `{program.target.name}`, and the policy calls its service "
            f"`{program.service.name}`; where a Service is the target, leave `name` out"
        )
    name = program.service.name + CANARY
    extra = program.service.options.get("canary") or {}
    return (Apply(service_copy(program, target["spec"], name, extra, {})),)


def service_copy(
    program: Program, spec: Mapping[str, Any], name: str, extra: Mapping[str, Any], annotations: Mapping[str, str]
) -> Manifest:
    """A Service like another: what was allotted to that one alone is left out, and a load balancer is not asked for."""
    made = {key: copy.deepcopy(value) for key, value in spec.items() if key not in _ALLOTTED and value is not None}
    if spec.get("clusterIP") == "None":
        made["clusterIP"] = "None"
    if made.get("type") in ("NodePort", "LoadBalancer"):
        made["type"] = "ClusterIP"
        for field in [key for key in made if key.startswith(("loadBalancer", "allocateLoad", "externalTraffic"))]:
            del made[field]
    for port in made.get("ports") or ():
        port.pop("nodePort", None)
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": program.namespace,
        "annotations": {**_managed(program, "annotations", extra), **_GITOPS, **annotations},
    }
    if labels := _managed(program, "labels", extra):
        metadata["labels"] = labels
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": made}


# --- theirs ---------------------------------------------------------------------------------------------------------


def _theirs(
    found: Manifest, label: tuple[str, str], leads: Leads, common: Mapping[str, str], wanted: list[dict[str, Any]]
) -> Edit | None:
    """The user's own apex with the selector and the ports that it should have; None if it has them."""
    key, value = label
    after = copy.deepcopy(found)
    spec = after["spec"]
    if spec.get("selector") is None:
        raise WorkloadError(
            f"Service `{found['metadata']['name']}` has no selector, so it cannot be pointed at the primary; give the "
            "policy's service another name, or let the Service select the target's pods"
        )
    changed = _points_at_primary(found, key, value) or ORIGINAL in (found["metadata"].get("annotations") or {})
    if leads is not Leads.TARGET or changed:
        spec["selector"] = selecting(found, label, leads, common)
    spec["ports"] = wanted
    if after == found:
        return None
    annotations = after["metadata"].setdefault("annotations", {})
    annotations.setdefault(ORIGINAL, json.dumps(_original(found, label), sort_keys=True))
    return Edit(found, after)


def _original(found: Manifest, label: tuple[str, str]) -> dict[str, Any]:
    """What to put back one day. A Service that Flagger has pointed at its primary is told by `kubectl`'s note, or else
    by pointing it at the target."""
    key, value = label
    spec = found["spec"]
    kept: dict[str, Any] = {"selector": spec["selector"], "ports": spec.get("ports") or []}
    if not _points_at_primary(found, key, value):
        return kept
    note = (_parsed((found["metadata"].get("annotations") or {}).get(LAST_APPLIED)) or {}).get("spec") or {}
    return {
        "selector": note.get("selector") or {**spec["selector"], key: value},
        "ports": note.get("ports") or kept["ports"],
    }


def _points_at_primary(service: Manifest, label: str, value: str) -> bool:
    return bool((service["spec"].get("selector") or {}).get(label) == value + PRIMARY)


def _of_both(service: Manifest, label: str) -> bool:
    """Whether one of ours leads to both sides: each of ours selects by the selector label otherwise."""
    return is_ours(service) and label not in (service["spec"].get("selector") or {})


def _with_node_ports(before: dict[str, Any], found: Manifest) -> dict[str, Any]:
    """A noted spec whose ports keep the node ports that they have been given since."""
    made: dict[str, Any] = {key: copy.deepcopy(before[key]) for key in ("selector", "ports") if key in before}
    given = {each["port"]: each["nodePort"] for each in found["spec"].get("ports") or () if "nodePort" in each}
    for port in made.get("ports") or ():
        if port["port"] in given:
            port.setdefault("nodePort", given[port["port"]])
    return made


def _parsed(text: str | None) -> dict[str, Any] | None:
    try:
        found = json.loads(text) if text else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


# --- checks ---------------------------------------------------------------------------------------------------------


def _check_names(program: Program) -> None:
    for name in service_names(program):
        _check_length(name)


def _check_length(name: str) -> None:
    if len(name) > MOST_LABEL:
        raise WorkloadError(
            f"the Service `{name}` cannot be made: names of Services have at most {MOST_LABEL} characters; give the "
            "policy's service a shorter name"
        )


def _headless(service: Manifest | None) -> bool:
    return service is not None and service["spec"].get("clusterIP") == "None"


def _ref(program: Program, name: str) -> Ref:
    return Ref("v1", "Service", program.namespace, name)
