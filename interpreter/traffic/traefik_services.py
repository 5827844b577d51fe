"""The TraefikServices of a routing: who answers, who gets a copy, and who is given a cookie.

The one of the apex Service's name, as Flagger writes it, is a choice by weight; the canary stands in it once it has
any. Each arm stands for a Service, or for a further TraefikService around it:

    APEX-mirrored      what the primary answers is copied to the canary
    PRIMARY-sticky     a choice of one, whose answers give the primary's cookie
    CANARY-sticky      the same for the canary

A choice by weight that is sticky gives a cookie for whoever was chosen; so a choice of one gives it for that one only.
Traefik chooses the cookie's value. So that cookies of an earlier run hold nobody, the name has the run's session in it.

Facts: Traefik v3.7, `pkg/provider/kubernetes/crd/kubernetes_http.go`, `pkg/server/service/loadbalancer/{wrr,mirror}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from interpreter.desired import Routing
from interpreter.objects import Objects
from interpreter.traffic.cookies import Binding, bindings
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.reading import copied, scaled_parts, share

Backend = dict[str, Any]
Specs = dict[str, dict[str, Any]]

NEW, OLD = "traefik.io/v1alpha1", "traefik.containo.us/v1alpha1"
KIND = "TraefikService"


class Names(NamedTuple):
    """Those beside the apex Service's."""

    mirrored: str
    primary: str
    canary: str


def names(site: Site) -> Names:
    return Names(f"{site.apex}-mirrored", f"{site.primary}-sticky", f"{site.canary}-sticky")


class Arms(NamedTuple):
    """Where primary and canary are: entries of a list of services, without weights. `held` is where a client is who
    has the primary's cookie already."""

    primary: Backend
    canary: Backend
    held: Backend


def cookie_name(site: Site, binding: Binding) -> str:
    return f"{binding.name}-{site.session}" if site.session else binding.name


def services(site: Site, backend: Backend, routing: Routing) -> tuple[Specs, Arms]:
    """The specs of all TraefikServices by name, and the arms in them. `backend` is where the apex Service is, without a
    name. Raises `TrafficError` for a mirror that cannot be had."""
    made: Specs = {}
    cookies, called = bindings(site, routing), names(site)
    primary, canary = _service(site.primary, backend), _service(site.canary, backend)
    if routing.mirror > 0:
        made[called.mirrored] = _mirroring(primary, canary, routing.mirror)
        primary = _named(called.mirrored)
    held = primary
    if cookies.primary is not None:
        made[called.primary] = _sticky(site, primary, cookies.primary)
        primary = _named(called.primary)
    if cookies.canary is not None:
        made[called.canary] = _sticky(site, canary, cookies.canary)
        canary = _named(called.canary)
    arms = Arms(primary, canary, held)
    total, weight, baseline = scaled_parts(routing.weight, site.baseline_part(routing))
    parts = [(primary, total - weight - baseline), (canary, weight), (_service(site.baseline, backend), baseline)]
    chosen = [{**arm, "weight": part} for arm, part in parts if part or arm is primary]
    return {**made, site.apex: {"weighted": {"services": chosen}}}, arms


def is_split(site: Site, spec: Mapping[str, Any]) -> bool:
    """Whether a TraefikService leads to an arm, as only those of our making do."""
    ours = {*site.arms, *names(site)}
    return any(entry.get("name") in ours for entry in _entries(spec))


def read_services(site: Site, api_version: str, existing: Objects) -> Routing | None:
    """What the choice by weight amounts to, and the mirror in it; None if it leads to what is not there."""
    called, arms = names(site), {site.canary: 0, site.primary: 0, site.baseline_service: 0}
    mirror = 0.0
    for entry, weight in _leaves(site, api_version, existing, site.apex):
        name = str(entry.get("name"))
        if entry.get("kind") == KIND:
            return None
        if name in arms:
            arms[name] += weight
    ref = site.ref(api_version, KIND, called.mirrored)
    if ref in existing:
        mirrors = (existing[ref].get("spec") or {}).get("mirroring", {}).get("mirrors") or ()
        mirror = sum(float(one.get("percent") or 0) for one in mirrors if one.get("name") == site.canary)
    total = sum(arms.values())
    return Routing(share(arms[site.canary], total), mirror) if total else None


def _leaves(
    site: Site, api_version: str, existing: Objects, name: str, weight: int = 0
) -> Iterator[tuple[Mapping[str, Any], int]]:
    """The entries that a TraefikService of ours comes down to; those that are TraefikServices are not there."""
    spec = existing[site.ref(api_version, KIND, name)].get("spec") or {}
    for entry in _entries(spec):
        part = weight or int(entry.get("weight", 1))
        inner = str(entry.get("name"))
        if inner in names(site) and site.ref(api_version, KIND, inner) in existing:
            yield from _leaves(site, api_version, existing, inner, part)
        else:
            yield entry, part


def _entries(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    mirroring = spec.get("mirroring")
    return [*((spec.get("weighted") or {}).get("services") or ()), *([mirroring] if mirroring else [])]


def _service(name: str, backend: Backend) -> Backend:
    return {**copied(backend), "name": name}


def _named(name: str) -> Backend:
    return {"name": name, "kind": KIND}


def _mirroring(primary: Backend, canary: Backend, percent: float) -> dict[str, Any]:
    if not float(percent).is_integer():
        raise TrafficError(f"Traefik mirrors whole percents only, and not {percent:g}%")
    return {"mirroring": {**primary, "mirrors": [{**canary, "percent": int(percent)}]}}


def _sticky(site: Site, arm: Backend, binding: Binding) -> dict[str, Any]:
    return {"weighted": {"services": [{**arm, "weight": 1}], "sticky": {"cookie": _cookie(site, binding)}}}


def _cookie(site: Site, binding: Binding) -> dict[str, Any]:
    """The attributes of the `Set-Cookie` as Traefik has them. Raises `TrafficError` for one that it has not."""
    _, *parts = binding.header.split("; ")
    said = {key: value for key, _, value in (part.partition("=") for part in parts)}
    if "Partitioned" in said:
        raise TrafficError("Traefik gives no partitioned cookies: take `partitioned` away from `sticky`")
    return {
        "name": cookie_name(site, binding),
        "path": said["Path"],
        "maxAge": int(said["Max-Age"]),
        **({"domain": said["Domain"]} if "Domain" in said else {}),
        "httpOnly": "HttpOnly" in said,
        "sameSite": said["SameSite"].lower(),
        "secure": "Secure" in said,
    }
