"""Kuma: a MeshHTTPRoute, or with `api "TrafficRoute"` the TrafficRoute that older versions of Kuma have.

A MeshHTTPRoute stands in the rollout's namespace, and is about the MeshService that Kuma makes of the apex Service. One
that leads to a MeshService of its own namespace is a producer's: it holds for every client in the mesh. That needs a
mesh whose `meshServices.mode` makes MeshServices, so the Mesh is read.

A TrafficRoute has no namespace, and no owner can be named on it: `release` is what removes it. It is called
`APEX.NAMESPACE`, since two rollouts may have Services of one name. A controller that looks after one namespace cannot
see a Mesh, which has none either, and is told so.

Sources: Kuma's MeshHTTPRoute (precedence, merging, producer policies), its TrafficRoute, and its Mesh.
"""

from __future__ import annotations

from functools import partial
from types import ModuleType

from interpreter.desired import Routing
from interpreter.objects import Change, Manifest, Objects, Ref
from interpreter.traffic import kuma_http_route, kuma_traffic_route
from interpreter.traffic.options import Options
from interpreter.traffic.ownership import is_ours, manifest, put, put_back
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.reading import note, trusted

API_VERSION = "kuma.io/v1alpha1"
HTTP_ROUTE, TRAFFIC_ROUTE = "MeshHTTPRoute", "TrafficRoute"
MESH = "kuma.io/mesh"

_NO_MESH_SERVICES = ("", "Disabled")


class Kuma:
    """The provider `kuma`."""

    name = "kuma"

    def refs(self, site: Site) -> tuple[Ref, ...]:
        return (_route_ref(site), _mesh_ref(site), site.ref("v1", "Service", site.apex))

    def render(self, site: Site, routing: Routing, existing: Objects) -> tuple[Change, ...]:
        _demand_mesh(site, existing)
        wanted = _wanted(site, routing, existing)
        live = existing.get(_route_ref(site))
        if live is not None and not is_ours(live) and _module(site).same(wanted["spec"], live.get("spec") or {}):
            wanted["spec"] = live["spec"]  # the API server has filled in defaults, which are no reason to write again
        note(wanted, site.apex, routing)
        return tuple(put(site, wanted, existing, partial(_module(site).is_split, site)))

    def read(self, site: Site, existing: Objects) -> Routing | None:
        live = existing.get(_route_ref(site))
        if live is None:
            return None
        spec = live.get("spec") or {}
        same = _module(site).same
        try:
            found = trusted(live, site, lambda each, routing: same(_wanted(each, routing, existing)["spec"], spec))
            read: Routing | None = found or _module(site).read(site, spec)
        except (AttributeError, KeyError, TypeError, ValueError):  # the spec of a TrafficRoute may be anything
            return None
        return read

    def release(self, site: Site, existing: Objects) -> tuple[Change, ...]:
        return tuple(put_back(site, _route_ref(site), existing, partial(_module(site).is_split, site)))


def _is_traffic_route(site: Site) -> bool:
    api = Options(site.program).api or HTTP_ROUTE
    if api not in (HTTP_ROUTE, TRAFFIC_ROUTE):
        raise TrafficError(f"traffic kuma: the option `api` is `{api}`; write {HTTP_ROUTE} or {TRAFFIC_ROUTE}")
    return api == TRAFFIC_ROUTE


def _route_ref(site: Site) -> Ref:
    if _is_traffic_route(site):
        return Ref(API_VERSION, TRAFFIC_ROUTE, "", f"{site.apex}.{site.namespace}")
    return site.ref(API_VERSION, HTTP_ROUTE, site.apex)


def _mesh(site: Site) -> str:
    return Options(site.program).mesh or site.annotations.get(MESH, "default")


def _mesh_ref(site: Site) -> Ref:
    return Ref(API_VERSION, "Mesh", "", _mesh(site))


def _demand_mesh(site: Site, existing: Objects) -> None:
    mesh = existing.get(_mesh_ref(site))
    if mesh is None:
        raise TrafficError(
            f"the Mesh `{_mesh(site)}` does not exist, or cannot be seen from here: name the workload's by `mesh`; a "
            "controller that looks after one namespace only sees no Mesh, and cannot use `traffic kuma`"
        )
    mode = ((mesh.get("spec") or {}).get("meshServices") or {}).get("mode", "")
    if mode in _NO_MESH_SERVICES and not _is_traffic_route(site):
        raise TrafficError(
            f"the Mesh `{_mesh(site)}` has no MeshServices, which a {HTTP_ROUTE} leads to: set its "
            f'`spec.meshServices.mode` to Exclusive, or write `api "{TRAFFIC_ROUTE}"`'
        )


def _wanted(site: Site, routing: Routing, existing: Objects) -> Manifest:
    if _is_traffic_route(site):
        return {
            "apiVersion": API_VERSION,
            "kind": TRAFFIC_ROUTE,
            "mesh": _mesh(site),
            "metadata": {
                "name": _route_ref(site).name,
                "labels": manifest(site, _route_ref(site), {})["metadata"]["labels"],
            },
            "spec": kuma_traffic_route.spec(site, routing),
        }
    made = manifest(site, _route_ref(site), kuma_http_route.spec(site, routing, _section(site, existing)))
    made["metadata"]["labels"][MESH] = _mesh(site)
    return made


def _section(site: Site, existing: Objects) -> str:
    """What the port of the apex Service is called; a MeshService calls one without a name by its number."""
    service = existing.get(site.ref("v1", "Service", site.apex), {})
    ports = (service.get("spec") or {}).get("ports") or ()
    names = [port.get("name") or str(site.port) for port in ports if port.get("port") == site.port]
    return str(names[0]) if names else site.program.service.port_name or "http"


def _module(site: Site) -> ModuleType:
    return kuma_traffic_route if _is_traffic_route(site) else kuma_http_route
