"""AWS App Mesh: a VirtualRouter with weights behind a VirtualService, and a VirtualNode for each arm.

A VirtualNode is the pods of an arm, reached by the arm's Service. The VirtualService of the apex Service's name leads
to the router of that name, and a second pair, named after the canary's Service, to the canary alone. Objects of these
names that were there before are taken over, and given back on release.

AWS' controller writes the mesh (`meshRef`, by the namespace's labels) and a name (`awsName`) into each object, and lets
neither be changed: both are left alone. Only `appmesh.k8s.aws/v1beta2` exists in clusters of today.

With `hosts` the VirtualService has the annotations of the gateway that Flagger's users know. What Flagger wrote for
v1beta2 has the same names, so the objects of a Canary are gone on with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from interpreter.desired import Routing
from interpreter.objects import Change, Objects, Ref
from interpreter.traffic.appmesh_routes import (
    Route,
    canary_routes,
    is_split,
    listener_timeout,
    protocol,
    read_routes,
    routes,
)
from interpreter.traffic.options import Options, duration_text
from interpreter.traffic.ownership import is_ours, manifest, put, put_back_without
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.reading import note, trusted

API_VERSION = "appmesh.k8s.aws/v1beta2"
VERSION = "v1beta2"

GATEWAY = "gateway.appmesh.k8s.aws"
_NODE, _ROUTER, _SERVICE = "VirtualNode", "VirtualRouter", "VirtualService"
_CONTROLLERS = ("awsName", "meshRef")
_ARN = "arn:aws"


class AppMesh:
    """The provider `appmesh`."""

    name = "appmesh"

    def refs(self, site: Site) -> tuple[Ref, ...]:
        pairs = [_ref(site, kind, name) for name in (site.apex, site.canary) for kind in (_SERVICE, _ROUTER)]
        return (*pairs, *(_ref(site, _NODE, arm) for arm in site.arms))

    def render(self, site: Site, routing: Routing, existing: Objects) -> tuple[Change, ...]:
        """A VirtualNode is there before anything leads to it, and goes after nothing does."""
        _only_current(site)
        changes: list[Change] = []
        baseline = [site.baseline] if site.baseline_part(routing) else []
        for arm in (site.primary, site.canary, *baseline):
            changes += _put(site, _ref(site, _NODE, arm), _node(site, arm), existing)
        changes += _put(site, _ref(site, _ROUTER, site.apex), _router(site, routes(site, routing)), existing, routing)
        changes += _put(site, _ref(site, _ROUTER, site.canary), _router(site, canary_routes(site)), existing)
        for name in (site.apex, site.canary):
            changes += _put(site, _ref(site, _SERVICE, name), _service(name), existing)
        return (*changes, *([] if baseline else _without(site, _ref(site, _NODE, site.baseline_service), existing)))

    def read(self, site: Site, existing: Objects) -> Routing | None:
        needed = {*self.refs(site)} - {_ref(site, _NODE, site.baseline_service)}
        if not needed <= existing.keys():
            return None
        live = existing[_ref(site, _ROUTER, site.apex)]
        found = (live.get("spec") or {}).get("routes") or ()
        return trusted(live, site, lambda each, routing: routes(each, routing) == found) or read_routes(site, found)

    def release(self, site: Site, existing: Objects) -> tuple[Change, ...]:
        """What leads elsewhere goes before what it leads to."""
        return tuple(change for ref in self.refs(site) for change in _without(site, ref, existing))


def _ref(site: Site, kind: str, name: str) -> Ref:
    return site.ref(API_VERSION, kind, name)


def _only_current(site: Site) -> None:
    api = Options(site.program).api
    if api not in ("", VERSION):
        raise TrafficError(
            f"traffic appmesh: `api` is `{api}`, which API servers do not take any more since Kubernetes 1.22; write "
            f"`api {VERSION}`, or nothing, and have AWS' controller in a version of today"
        )


def _put(
    site: Site, ref: Ref, spec: Mapping[str, Any], existing: Objects, routing: Routing | None = None
) -> list[Change]:
    live = existing.get(ref)
    kept: Mapping[str, Any] = {} if live is None or is_ours(live) else live.get("spec") or {}
    wanted = manifest(site, ref, {**spec, **{key: kept[key] for key in _CONTROLLERS if key in kept}})
    if said := _said(site, ref):
        wanted["metadata"]["annotations"] = dict(said)
    if routing is not None:
        note(wanted, site.apex, routing)
    return put(site, wanted, existing, partial(_is_made, site, ref))


def _without(site: Site, ref: Ref, existing: Objects) -> list[Change]:
    wanted = manifest(site, ref, {})
    wanted["metadata"]["annotations"] = _said(site, ref)
    return put_back_without(site, wanted, existing, partial(_is_made, site, ref))


def _is_made(site: Site, ref: Ref, spec: Mapping[str, Any]) -> bool:
    """Whether a spec is one that we made, whatever AWS' controller added."""
    match ref.kind:
        case "VirtualRouter":
            return is_split(site, spec.get("routes") or ())
        case "VirtualNode":
            return _covered(_node(site, ref.name), spec)
        case _:
            return _covered(_service(ref.name), spec)


def _covered(made: Mapping[str, Any], spec: Mapping[str, Any]) -> bool:
    return {key: part for key, part in spec.items() if key not in _CONTROLLERS} == made


# --- specs ----------------------------------------------------------------------------------------------------------


def _node(site: Site, arm: str) -> dict[str, Any]:
    suffix = {site.primary: "-primary", site.canary: "", site.baseline_service: "-baseline"}[arm]
    timeout = listener_timeout(site)
    backends = [_backend(name) for name in Options(site.program).backends]
    return {
        "podSelector": {"matchLabels": {site.label: site.workload + suffix}},
        "listeners": [{**_listener(site), **({"timeout": timeout} if timeout else {})}],
        "serviceDiscovery": {"dns": {"hostname": f"{arm}.{site.namespace}"}},
        **({"backends": backends} if backends else {}),
    }


def _backend(name: str) -> dict[str, Any]:
    """A VirtualService that the workload calls: its ARN, `namespace/name`, or a name in the rollout's namespace."""
    if name.startswith(_ARN):
        return {"virtualService": {"virtualServiceARN": name}}
    namespace, _, short = name.rpartition("/")
    return {"virtualService": {"virtualServiceRef": {"name": short, **({"namespace": namespace} if namespace else {})}}}


def _router(site: Site, made: Sequence[Route]) -> dict[str, Any]:
    return {"listeners": [_listener(site)], "routes": list(made)}


def _service(name: str) -> dict[str, Any]:
    return {"provider": {"virtualRouter": {"virtualRouterRef": {"name": name}}}}


def _listener(site: Site) -> dict[str, Any]:
    """On the port that the container listens to, if it is said as a number, or else the Service's."""
    target = site.program.service.target_port
    port = Options(site.program).port or (target if isinstance(target, int) else site.port)
    return {"portMapping": {"port": port, "protocol": protocol(site)}}


def _said(site: Site, ref: Ref) -> dict[str, str]:
    """The annotations that an object has beside its spec."""
    return _gateway(site) if ref == _ref(site, _SERVICE, site.apex) else {}


def _gateway(site: Site) -> dict[str, str]:
    options = Options(site.program)
    if not options.hosts:
        return {}
    said = {f"{GATEWAY}/expose": "true", f"{GATEWAY}/domain": ",".join(options.hosts)}
    if options.timeout_ms is not None:
        said[f"{GATEWAY}/timeout"] = duration_text(options.timeout_ms)
    if options.retries is not None and options.retries.attempts:
        said[f"{GATEWAY}/retries"] = str(options.retries.attempts)
    return said
