"""Plain Services: all or nothing.

There is nothing to split traffic with, so the canary is tested out of sight, by its own Service, and then promoted.
What can be had is all of the traffic on the canary: the apex Service selects the canary's pods instead of the
primary's. A failed promotion needs that, when the canary is the only healthy copy. The three Services themselves are
kept by `interpreter.workloads.services`, which must be told the same: whom the apex leads to.

Where the target is a Service itself, the apex is that Service, and its selector is the very thing that is released: it
is never touched, and says nothing of where traffic goes. Whoever wants the primary calls `A-primary`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interpreter.desired import Routing
from interpreter.objects import Change, Objects, Ref
from interpreter.traffic.ownership import edit
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.reading import copied

_ALL = Routing(weight=100.0)
_HOME = Routing()


class KubernetesServices:
    """The provider `kubernetes`."""

    name = "kubernetes"

    def refs(self, site: Site) -> tuple[Ref, ...]:
        return (_apex(site),)

    def render(self, site: Site, routing: Routing, existing: Objects) -> tuple[Change, ...]:
        if routing not in (_HOME, _ALL):
            raise TrafficError(
                "a Kubernetes Service gives all requests to primary or all to the canary: it has no weights between 0% "
                "and 100%, mirrors, matches or cookies; use another traffic provider, or test the canary out of sight"
            )
        live = existing.get(_apex(site))
        if live is None:
            raise TrafficError(f"{_apex(site)} does not exist, so no traffic can be sent anywhere: make it first")
        if _is_target(site):
            if routing == _HOME:
                return ()
            raise TrafficError(f"{_apex(site)} is the target itself: it cannot be led elsewhere; use another provider")
        after = copied(live)
        after["spec"]["selector"] = {**_others(site, live), site.label: _pods(site)[routing == _ALL]}
        return tuple(edit(live, after))

    def read(self, site: Site, existing: Objects) -> Routing | None:
        live = existing.get(_apex(site))
        if live is None:
            return None
        if _is_target(site):
            return _HOME
        selected = (live["spec"].get("selector") or {}).get(site.label, "")
        return dict(zip(_pods(site), (_HOME, _ALL), strict=True)).get(selected)

    def release(self, site: Site, existing: Objects) -> tuple[Change, ...]:  # noqa: ARG002 - as all providers have it
        """Nothing: who keeps the Services puts them back."""
        return ()


def _apex(site: Site) -> Ref:
    return site.ref("v1", "Service", site.apex)


def _is_target(site: Site) -> bool:
    target = site.program.target
    return target.kind.lower() == "service" and target.api_version in ("", "v1") and target.name == site.apex


def _pods(site: Site) -> tuple[str, str]:
    """The label's value on the primary's pods, and on the canary's."""
    return f"{site.workload}-primary", site.workload


def _others(site: Site, live: Mapping[str, Any]) -> dict[str, str]:
    """What else the Service selects by."""
    return {key: value for key, value in (live["spec"].get("selector") or {}).items() if key != site.label}
