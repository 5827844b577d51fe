"""Knative Serving: shares of a Service's requests by Revision, in the `spec.traffic` of the user's own Service.

The primary is the Revision that is noted on the Service, the canary the one that Knative made last
(`interpreter.workloads.knative`). Both are named. Knative's `latestRevision` would lead to a further revision the
moment it is ready, before anybody has decided on it; it stands there with 0% while the canary gets nothing, so that
Knative keeps what it makes. What is not the primary's share is read as the canary's, whatever it leads to.

When the canary has become the primary the two are one, and all requests lead to it. A share of the canary is then but
a note, until it is taken back.

Percentages are whole. Targets with a tag stay, without a share.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interpreter.desired import Routing
from interpreter.objects import Change, Manifest, Objects, Ref
from interpreter.traffic.ownership import edit, forget, keep_original, original
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.reading import copied, note, noted, unnote, whole_parts
from interpreter.workloads.kind import REVISION
from interpreter.workloads.knative import (
    API_VERSION,
    FLAGGERS_PRIMARY,
    PRIMARY,
    alike,
    newest_revision,
    primary_revision,
    shared_out,
)

_HOME = Routing()


class Knative:
    """The provider `knative`."""

    name = "knative"

    def refs(self, site: Site) -> tuple[Ref, ...]:
        return (_service(site),)

    def render(self, site: Site, routing: Routing, existing: Objects) -> tuple[Change, ...]:
        if routing != Routing(routing.weight):
            raise TrafficError(
                "traffic knative gives the canary a share of all requests, and nothing else: take the mirror, the "
                "match or `sticky` out"
            )
        live = existing.get(_service(site))
        if live is None:
            raise TrafficError(f"{_service(site)} does not exist in {API_VERSION}, so no traffic can be split")
        primary, canary = primary_revision(live), newest_revision(live)
        if not primary:
            raise TrafficError(f"{_service(site)} has no primary yet: Knative has made no Revision of it that is ready")
        share = whole_parts(routing.weight, 100)
        return tuple(_led(site, live, routing if share else _HOME, _shares(primary, canary, share)))

    def read(self, site: Site, existing: Objects) -> Routing | None:
        live = existing.get(_service(site))
        primary = primary_revision(live) if live is not None else ""
        if live is None or not primary:
            return None
        rest = 100 - min(100, _of(live, primary))
        if rest == 0 and newest_revision(live) == primary:
            held = noted(live, site.apex)
            return _HOME if held is None else Routing(weight=held.weight)
        return Routing(weight=float(rest))

    def release(self, site: Site, existing: Objects) -> tuple[Change, ...]:
        live = existing.get(_service(site))
        if live is None:
            return ()
        after = copied(live)
        kept = original(live, site.apex)
        if kept is not None:
            after["spec"].pop("traffic", None)
            after["spec"] |= kept
        annotations = after["metadata"].get("annotations") or {}
        for key in (PRIMARY, REVISION):
            annotations.pop(key, None)
        forget(after, site.apex)
        return tuple(edit(live, after))


def _service(site: Site) -> Ref:
    return site.ref(API_VERSION, "Service", site.program.target.name)


def _shares(primary: str, canary: str, share: int) -> Mapping[str, int]:
    """Where the two are one it has everything: there is nothing to share."""
    if share == 0 or canary in ("", primary):
        return {primary: 100, "": 0}
    return {primary: 100 - share, canary: share}


def _led(site: Site, live: Manifest, routing: Routing, shares: Mapping[str, int]) -> list[Change]:
    after = copied(live)
    if original(live, site.apex) is None:
        keep_original(after, site.apex, _users(live))
    wanted = shared_out(live, shares)
    if not alike(_traffic(live), wanted):
        after["spec"]["traffic"] = wanted
    if routing == _HOME:
        unnote(after, site.apex)
    else:
        note(after, site.apex, routing)
    return edit(live, after)


def _users(live: Manifest) -> dict[str, Any]:
    """What is the user's of it: what Flagger has written is not, and nobody has noted what stood there before."""
    named = {each.get("revisionName", "") for each in _traffic(live) if not each.get("tag")}
    flaggers = (live["metadata"].get("annotations") or {}).get(FLAGGERS_PRIMARY)
    if "traffic" not in live["spec"] or (flaggers and named == {"", flaggers}):
        return {}
    return {"traffic": live["spec"]["traffic"]}


def _traffic(live: Manifest) -> list[dict[str, Any]]:
    return list(live["spec"].get("traffic") or ())


def _to(live: Manifest, target: Mapping[str, Any]) -> str:
    """The Revision that a target leads to: the latest that is ready, if it names none."""
    latest = (live.get("status") or {}).get("latestReadyRevisionName") or newest_revision(live)
    return str(target.get("revisionName") or latest)


def _of(live: Manifest, revision: str) -> int:
    """The percentage that leads to a Revision. Without any target all leads to the latest."""
    targets = _traffic(live) or [{"latestRevision": True, "percent": 100}]
    return sum(int(each.get("percent") or 0) for each in targets if _to(live, each) == revision)
