"""No data plane at all: a Service of both sides, and as many pods on either as the weight asks for.

What a Service leads to is all that decides at 0% (the primary's pods) and at 100% (the canary's). In between it leads
to both, by the labels that they have in common, and the weight is the canary's part of the pods
(`interpreter.workloads.ratio`).

Traffic is raised so: the canary is scaled, out of sight or beside the pods it has; when its pods are ready the Service
leads to both; and then the primary gives up pods that canaries stand in for. So nothing is raised but by a pod that
becomes ready, there are never fewer ready pods than there were, and no moment gives the canary more than the nearest
that can be had. It is lowered at once: the canary loses pods, and at 0% the Service leads away from it before anything
else is done, needing no pod and no metric. The pods of the primary that make up for them come after.

Here only the canary's number and the Service are written. The primary's, which is part of what is applied of it, is
kept by `interpreter.cluster.counting`, out of the same sums.

The weight is noted on the Service when it is reached: when either side has its number and these are ready. From then on
it is what holds, as far as anybody has been told; a pod that fails later is no other weight. Where either number is
another, the weight is read off the pods that are ready.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from interpreter.desired import Routing
from interpreter.objects import Change, Edit, Manifest, Objects, Ref
from interpreter.traffic.ownership import edit
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.reading import copied, note, noted, unnote
from interpreter.workloads.leads import Leads, in_common, led, pod_labels, selecting, strangers
from interpreter.workloads.metadata import PRIMARY
from interpreter.workloads.ratio import KINDS, Counts, asked, counts, ready, total

NAME = "replicas"
_HOME = Routing()
_LEAST, _MOST = 0.01, 99.99


class Replicas:
    """The provider `replicas`."""

    name = NAME

    def refs(self, site: Site) -> tuple[Ref, ...]:
        return _apex(site), _target(site), _primary(site)

    def render(self, site: Site, routing: Routing, existing: Objects) -> tuple[Change, ...]:
        if routing != Routing(routing.weight):
            raise TrafficError(
                "traffic replicas gives the canary a share of all requests, by counting pods, and nothing else: take "
                "the mirror, the match or `sticky` out, or take a traffic provider that has it"
            )
        apex = existing.get(_apex(site))
        if apex is None:
            raise TrafficError(f"{_apex(site)} does not exist, so no traffic can be sent anywhere: make it first")
        if routing.weight <= 0:
            return tuple(_leading(site, apex, Leads.PRIMARY, {}))
        place = _place(site, existing, apex)
        wanted = counts(total(place.primary), routing.weight, whole=site.whole)
        changes = _scaled(place.target, wanted.canary)
        if routing.weight >= 100:
            leads = Leads.TARGET if _enough(place.target, wanted.canary, site.program.ready_canary) else place.leads
            return (*changes, *_leading(site, apex, leads, _common(site, place) if leads is Leads.BOTH else {}))
        common = _common(site, place)
        leads = Leads.BOTH if place.leads is Leads.TARGET or _serves(site, place, wanted) else place.leads
        reached = leads is Leads.BOTH and _reached(site, place, wanted)
        return (*changes, *_leading(site, apex, leads, common, routing if reached else None))

    def read(self, site: Site, existing: Objects) -> Routing | None:
        apex, target, primary = (existing.get(ref) for ref in self.refs(site))
        leads = led(apex, (site.label, site.workload), target, primary) if apex is not None else None
        match leads:
            case Leads.PRIMARY:
                return _HOME
            case Leads.TARGET:
                return Routing(weight=100.0)
            case Leads.BOTH if apex is not None and target is not None and primary is not None:
                return Routing(weight=_weight(site, apex, target, primary))
        return None

    def release(self, site: Site, existing: Objects) -> tuple[Change, ...]:
        """Only the note is ours to take off: who keeps the Services and the workloads puts those back."""
        apex = existing.get(_apex(site))
        if apex is None:
            return ()
        after = copied(apex)
        unnote(after, site.apex)
        return tuple(edit(apex, after))


class _Place(NamedTuple):
    apex: Manifest
    target: Manifest
    primary: Manifest
    leads: Leads


def _apex(site: Site) -> Ref:
    return site.ref("v1", "Service", site.apex)


def _target(site: Site) -> Ref:
    return site.ref("apps/v1", site.program.target.kind, site.program.target.name)


def _primary(site: Site) -> Ref:
    return site.ref("apps/v1", site.program.target.kind, site.program.target.name + PRIMARY)


def _place(site: Site, existing: Objects, apex: Manifest) -> _Place:
    """Everything that counts; a Service that leads to neither side is taken to lead to the primary."""
    kind = site.program.target.kind
    if kind not in KINDS:
        raise TrafficError(f"traffic replicas counts the pods of a Deployment or a StatefulSet, and not of a {kind}")
    target, primary = existing.get(_target(site)), existing.get(_primary(site))
    if target is None or primary is None:
        missing = _target(site) if target is None else _primary(site)
        raise TrafficError(f"{missing} does not exist, so its pods cannot be counted")
    if site.scalers:
        raise TrafficError(
            f"traffic replicas: the HorizontalPodAutoscaler `{site.scalers[0]}` changes the number of pods by which "
            "traffic is split; delete it, or take another traffic provider"
        )
    leads = led(apex, (site.label, site.workload), target, primary) or Leads.PRIMARY
    return _Place(apex, target, primary, leads)


def _common(site: Site, place: _Place) -> dict[str, str]:
    """By what both are selected. Raises `TrafficError` where that finds others too, or nothing."""
    label = (site.label, site.workload)
    common = in_common(place.apex, label, place.target, place.primary)
    if not common:
        raise TrafficError(f"traffic replicas: {_nothing_in_common(site, place)}")
    found = strangers(common, site.neighbours)
    if found:
        raise TrafficError(
            f"traffic replicas: the labels that canary and primary have in common ({_words(common)}) are those of the "
            f"pods of {' and '.join(found[:3])} too, which would get a part of the traffic; {_label_them(site)}"
        )
    return common


def _nothing_in_common(site: Site, place: _Place) -> str:
    theirs = pod_labels(place.primary)
    only = {key: value for key, value in pod_labels(place.target).items() if key != site.label and key not in theirs}
    if not only:
        return (
            f"the pods of canary and primary have no label in common, since `{site.label}` tells them apart, so that "
            f"no Service can lead to both; {_label_them(site)}"
        )
    return (
        f"the pods of {_target(site)} have labels ({_words(only)}) that those of {_primary(site)} have not, and none "
        f"in common; give those one of them too, once, in `spec.template` (`kubectl edit`): they are rolled for it"
    )


def _label_them(site: Site) -> str:
    what = f"give the pods of {_target(site)} a label that no others have"
    return f"{what}, as `example.com/service: {site.apex}`, in `spec.template`"


def _words(labels: Mapping[str, str]) -> str:
    return ", ".join(f"`{key}: {value}`" for key, value in sorted(labels.items()))


def _scaled(target: Manifest, number: int) -> list[Change]:
    if asked(target) == number:
        return []
    after = copied(target)
    after["spec"]["replicas"] = number
    return [Edit(target, after)]


def _leading(
    site: Site, apex: Manifest, leads: Leads, common: dict[str, str], reached: Routing | None = None
) -> list[Change]:
    """The Service so, with the weight noted that is reached; one that is no longer asked for is noted no more, but
    stays while the next one comes about."""
    after = copied(apex)
    after["spec"]["selector"] = selecting(apex, (site.label, site.workload), leads, common)
    if reached is not None:
        note(after, site.apex, reached)
    elif leads is not Leads.BOTH:
        unnote(after, site.apex)
    return edit(apex, after)


def _serves(site: Site, place: _Place, wanted: Counts) -> bool:
    """Whether the canary has its number of pods, all ready, and none over."""
    return asked(place.target) == wanted.canary and _enough(place.target, wanted.canary, site.program.ready_canary)


def _reached(site: Site, place: _Place, wanted: Counts) -> bool:
    return (
        _serves(site, place, wanted)
        and asked(place.primary) == wanted.primary
        and _enough(place.primary, wanted.primary, site.program.ready_primary)
    )


def _enough(workload: Manifest, number: int, share: float) -> bool:
    """Whether so many pods are ready, as far as the policy asks for all of them, and no more."""
    return number * share <= ready(workload) * 100 <= number * 100


def _weight(site: Site, apex: Manifest, target: Manifest, primary: Manifest) -> float:
    held, whole = noted(apex, site.apex), total(primary)
    if held is not None and 0 < held.weight < 100:
        told = counts(whole, held.weight)
        if asked(target) == told.canary and asked(primary) in (told.primary, whole):
            return held.weight
    return min(_MOST, max(_LEAST, Counts(ready(primary), ready(target)).share))
