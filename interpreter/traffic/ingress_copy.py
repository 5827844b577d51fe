"""A second Ingress beside the user's: for those of its paths that lead to the apex Service, and no others.

The user's Ingress is read and never written; requests go by it whenever ours says nothing. Ours has the same hosts,
paths, class and TLS. Of the annotations it has only what a provider asks for: an issuer of certificates, say, would
otherwise act twice on the same host. ExternalDNS looks at hosts without being asked by an annotation, so it is told to
leave ours alone; the user's Ingress has the names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from interpreter.objects import Manifest, Objects, Ref
from interpreter.traffic.options import Options
from interpreter.traffic.ownership import manifest
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.reading import copied

API_VERSION = "networking.k8s.io/v1"
CLASS = "kubernetes.io/ingress.class"
"""The annotation that `spec.ingressClassName` took the place of; some installations still go by it."""

NO_DNS = {
    f"{prefix}/ingress-hostname-source": "annotation-only"
    for prefix in ("external-dns.alpha.kubernetes.io", "external-dns.kubernetes.io")
}
"""For ExternalDNS, which changed its prefix with v0.22: hosts come from an annotation, and there is none."""

Backend = dict[str, Any]


def users_ref(site: Site) -> Ref:
    """The Ingress that the option `ingress` names. Raises `TrafficError` if it names none."""
    name = Options(site.program).ingress
    if not name:
        provider = site.program.traffic.provider
        raise TrafficError(f"traffic {provider}: name the Ingress whose traffic is split by the option `ingress`")
    return site.ref(API_VERSION, "Ingress", name)


def our_ref(site: Site, suffix: str = "canary") -> Ref:
    """The Ingress of ours, `NAME-canary`."""
    return site.ref(API_VERSION, "Ingress", f"{users_ref(site).name}-{suffix}")


def users_ingress(site: Site, existing: Objects) -> Manifest:
    """Raises `TrafficError` if it is not there."""
    ref = users_ref(site)
    if ref not in existing:
        raise TrafficError(f"{ref}, which `ingress` names, does not exist: make it, or name the one that there is")
    return existing[ref]


def beside(site: Site, users: Manifest, ref: Ref, services: Sequence[str], annotations: Mapping[str, str]) -> Manifest:
    """The Ingress `ref`: the user's paths to the apex Service, each once for every one of `services` in its place.

    A default backend can lead to one Service only: the last of them. Raises `TrafficError` if the user's Ingress does
    not name the apex Service at all.
    """
    spec: Manifest = {}
    given = users.get("spec") or {}
    ingress_class = Options(site.program).ingress_class or given.get("ingressClassName")
    old_class = (users["metadata"].get("annotations") or {}).get(CLASS)
    if ingress_class:
        spec["ingressClassName"] = ingress_class
    if given.get("tls"):
        spec["tls"] = copied({"tls": given["tls"]})["tls"]
    rules = [made for rule in given.get("rules") or () if (made := _rule(site, rule, services))]
    if rules:
        spec["rules"] = rules
    default = given.get("defaultBackend")
    if default and is_apex(site, default):
        spec["defaultBackend"] = _renamed(default, services[-1])
    if not rules and "defaultBackend" not in spec:
        raise not_named(site, users)
    made = manifest(site, ref, spec)
    kept = {} if old_class is None or ingress_class else {CLASS: old_class}
    made["metadata"]["annotations"] = {**kept, **NO_DNS, **annotations}
    return made


def is_apex(site: Site, backend: Mapping[str, Any]) -> bool:
    """Whether a backend is the apex Service."""
    return (backend.get("service") or {}).get("name") == site.apex


def paths(ingress: Mapping[str, Any], wanted: Callable[[Backend], bool]) -> list[tuple[str, Mapping[str, Any]]]:
    """Hosts and paths whose backend is wanted."""
    return [
        (rule.get("host", ""), path)
        for rule in (ingress.get("spec") or {}).get("rules") or ()
        for path in (rule.get("http") or {}).get("paths") or ()
        if wanted(path["backend"])
    ]


def shown(host: str, path: Mapping[str, Any]) -> str:
    """A host and path for people."""
    return f"`{host or '*'}{path.get('path') or '/'}`"


def _rule(site: Site, rule: Mapping[str, Any], services: Sequence[str]) -> Manifest:
    found = [path for path in (rule.get("http") or {}).get("paths") or () if is_apex(site, path["backend"])]
    doubled = [{**copied(path), "backend": _renamed(path["backend"], name)} for path in found for name in services]
    return {**copied({key: rule[key] for key in ("host",) if key in rule}), "http": {"paths": doubled}} if found else {}


def _renamed(backend: Mapping[str, Any], service: str) -> Backend:
    made = copied(backend)
    made["service"]["name"] = service
    return made


def not_named(site: Site, users: Manifest) -> TrafficError:
    """What to say of an Ingress that does not lead to the apex Service."""
    others = [
        f"{shown(host, path)} to {_service(path['backend'])}" for host, path in paths(users, lambda _backend: True)
    ]
    leads = f"leads {', '.join(others[:8])}{', …' if len(others) > 8 else ''}" if others else "has no paths"
    where = f"Ingress `{site.namespace}/{users['metadata']['name']}`"
    return TrafficError(
        f"{where} does not name the Service `{site.apex}`: it {leads}; lead a path to `{site.apex}`, or name another "
        "Ingress by `ingress`"
    )


def _service(backend: Mapping[str, Any]) -> str:
    name = (backend.get("service") or {}).get("name")
    return f"`{name}`" if name else "a resource"
