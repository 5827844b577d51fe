"""The TrafficSplit of the Service Mesh Interface: what `smi`, `osm` and Linkerd's old form have in common.

A TrafficSplit names a root Service, which clients call, and backends with weights, whole numbers that need not sum to
any one figure: hundreds as a rule, thousands or ten thousands for a fraction. Backends without weight stay in it. It
has the apex Service's name and is ours from top to bottom; one of that name that was there before is taken over, and
given back on release. All versions of the API have this shape.

With `matches` a split is for some requests only, and the root Service answers the rest, which is the primary here
(`smi_matches`). A mesh may go by one split of a root Service and no more, so there is no split for some requests beside
one for the rest: while a match leads requests to the canary, the canary has no weight, or all of it.

Istio's adapter for SMI takes the gateways of a route from an annotation, as Flagger writes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from interpreter.desired import Routing
from interpreter.objects import Change, Manifest, Objects, Ref
from interpreter.traffic import smi_matches
from interpreter.traffic.options import Options
from interpreter.traffic.ownership import manifest, put, put_back_without
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.reading import note, scaled_parts, share, trusted

GROUP = "split.smi-spec.io"
GATEWAYS = "VirtualService.v1alpha3.networking.istio.io/spec.gateways"
"""Annotation: the names of gateways, with commas."""


def split_ref(site: Site, version: str) -> Ref:
    """The TrafficSplit in a version of the API."""
    return site.ref(f"{GROUP}/{version}", "TrafficSplit", site.apex)


def refs(site: Site, version: str) -> tuple[Ref, ...]:
    """The objects of a rollout whose version of the API is known."""
    return (split_ref(site, version), *smi_matches.refs(site, version))


def render(site: Site, version: str, routing: Routing, existing: Objects) -> tuple[Change, ...]:
    """A group of matches is there before the split names it, and goes after none does. Raises `TrafficError` for a
    match and a weight at once, and for matches in a version that has none."""
    split = _split(site, version, routing)
    note(split, site.apex, routing)
    changes = put(site, split, existing, partial(_is_split, site))
    if _matches(routing):
        return (*smi_matches.made(site, version, routing.matches, existing), *changes)
    return (*changes, *smi_matches.unmade(site, version, existing))


def read(site: Site, version: str, existing: Objects) -> Routing | None:
    """See `TrafficProvider.read`."""
    live = existing.get(split_ref(site, version))
    if live is None:
        return None
    return trusted(live, site, partial(_holds, version, live, existing)) or _read_spec(site, version, live, existing)


def release(site: Site, version: str, existing: Objects) -> tuple[Change, ...]:
    """See `TrafficProvider.release`."""
    changes = put_back_without(site, _split(site, version, Routing()), existing, partial(_is_split, site))
    return (*changes, *smi_matches.unmade(site, version, existing))


def _matches(routing: Routing) -> bool:
    """Whether matches say anything: with all the weight on the canary they lead nobody elsewhere."""
    return bool(routing.matches) and routing.weight < 100


def _split(site: Site, version: str, routing: Routing) -> Manifest:
    split = manifest(site, split_ref(site, version), _spec(site, routing))
    gateways = Options(site.program).gateways
    if gateways:
        split["metadata"]["annotations"] = {GATEWAYS: ",".join(gateways)}
    return split


def _spec(site: Site, routing: Routing) -> Manifest:
    spec: Manifest = {"service": (Options(site.program).hosts or (site.apex,))[0]}
    if not _matches(routing):
        total, canary, baseline = scaled_parts(routing.weight, site.baseline_part(routing))
        parts = (total - canary - baseline, canary, *([baseline] if baseline else []))
        return spec | {"backends": _backends(site, parts)}
    if routing.weight > 0:
        raise TrafficError(
            f"TrafficSplit `{site.namespace}/{site.apex}` cannot give the canary {routing.weight:g}% of the traffic "
            "and requests that match besides: end the match before the shift, or choose another traffic provider"
        )
    return spec | {"matches": [smi_matches.reference(site)], "backends": _backends(site, (0, 100))}


def _backends(site: Site, parts: Sequence[int]) -> list[Manifest]:
    return [{"service": name, "weight": part} for name, part in zip(site.arms, parts, strict=False)]


def _holds(version: str, live: Manifest, existing: Objects, site: Site, routing: Routing) -> bool:
    """Whether this routing is what the objects amount to."""
    if _spec(site, routing) != live.get("spec"):
        return False
    return not _matches(routing) or smi_matches.holds(site, version, routing.matches, existing)


def _read_spec(site: Site, version: str, live: Manifest, existing: Objects) -> Routing | None:
    """What the split says, without the note."""
    spec = live.get("spec") or {}
    if not _is_split(site, spec):
        return None
    weights = [_weight(spec, name) for name in site.arms]
    canary = share(weights[1], sum(weights))
    if not spec.get("matches") or canary == 0:
        return Routing(weight=canary)
    return Routing(matches=smi_matches.read(site, version, existing))


def _is_split(site: Site, spec: Mapping[str, Any]) -> bool:
    return any(backend.get("service") in site.arms for backend in spec.get("backends") or ())


def _weight(spec: Mapping[str, Any], service: str) -> float:
    return sum(_number(backend.get("weight", 0)) for backend in spec["backends"] if backend.get("service") == service)


def _number(weight: object) -> float:
    """A weight as v1alpha1 may have it too, a quantity such as `500m`; 0 for what is none."""
    text, scale = str(weight), 1.0
    if text.endswith("m"):
        text, scale = text[:-1], 0.001
    try:
        return max(0.0, float(text) * scale)
    except ValueError:
        return 0.0
