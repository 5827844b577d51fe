"""AWS Load Balancer Controller: weights and matches in annotations of the user's Ingress.

The controller makes a rule of every path of an Ingress. A path whose port is called `use-annotation` names no Service
but an action, which stands in the annotation `actions.NAME`, and what further conditions a request must fulfil stands
in `conditions.NAME`. So a path to the apex Service gets that port, and the action of the apex' name weighs the target
groups of primary, canary and baseline. Each alternative of a match is one more path right in front of it, of the same
host, path and type, whose action `APEX-match-N` leads to the canary: rules of equal paths keep the order of the
Ingress.

What stood there before (the ports, and an action of the user's under that name) is kept in `ORIGINAL`. A path that the
user writes with a port again is put right, and that port is then the original. Conditions and transforms that the user
has on the apex hold for the canary's paths too.

The load balancer can keep a client with the target group that it got, by a cookie of its own name; so a client stays
with whichever arm answered it, the primary included, and a weight is one of new clients. This is on only while both
arms get something: else it would hold clients with an arm that should have no more of them.

Facts: the controller's guide of annotations; its `pkg/ingress/{model_build_listener_rules,enhanced_backend_builder,
config_types}.go` (v3); the API reference of Elastic Load Balancing, `TargetGroupTuple` (weights of 0 to 999) and
`TargetGroupStickinessConfig` (1 s to 7 days).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from interpreter.desired import Routing
from interpreter.objects import Change, Manifest, Objects, Ref
from interpreter.traffic.alb_conditions import conditions
from interpreter.traffic.ingress_copy import Backend, is_apex, not_named, paths, users_ingress, users_ref
from interpreter.traffic.options import Options
from interpreter.traffic.ownership import edit, forget, keep_original, original
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.reading import canonical, copied, note, scaled_parts, share, trusted

PREFIX = "alb.ingress.kubernetes.io"
BY_ANNOTATION = {"name": "use-annotation"}
"""The port of a path that names an action."""

_SCALES = (100, 1_000)
_LONGEST_S = 7 * 24 * 3600
_LONGEST_KEY = 63
_DEFAULT = "default"


class Alb:
    """The provider `alb`."""

    name = "alb"

    def refs(self, site: Site) -> tuple[Ref, ...]:
        return (users_ref(site),)

    def render(self, site: Site, routing: Routing, existing: Objects) -> tuple[Change, ...]:
        if routing.mirror > 0:
            raise TrafficError("an Application Load Balancer cannot copy requests to the canary: take the step away")
        live = users_ingress(site, existing)
        before = _Form(site, live)
        after = _Form(site, copied(live))
        after.clear()
        if not any(True for _ in after.backends()):
            raise not_named(site, live)
        keep_original(after.ingress, site.apex, before.originals())
        for _, backend in after.backends():
            backend["service"]["port"] = dict(BY_ANNOTATION)
        after.say("actions", site.apex, _weighed(site, routing))
        after.match(routing)
        note(after.ingress, site.apex, routing)
        return tuple(edit(live, after.ingress))

    def read(self, site: Site, existing: Objects) -> Routing | None:
        live = existing.get(users_ref(site))
        if live is None:
            return None
        found = trusted(live, site, lambda each, routing: not self.render(each, routing, existing))
        return found or _read(_Form(site, live))

    def release(self, site: Site, existing: Objects) -> tuple[Change, ...]:
        live = existing.get(users_ref(site))
        if live is None:
            return ()
        was = _Form(site, live).originals()
        after = _Form(site, copied(live))
        after.clear()
        for place, backend in after.backends():
            backend["service"]["port"] = was["ports"].get(place, backend["service"].get("port"))
        if after.is_ours():
            after.write("actions", site.apex, was["action"])
        forget(after.ingress, site.apex)
        return tuple(edit(live, after.ingress))


class _Form:
    """What an Ingress has for one apex Service, to look at and to change."""

    def __init__(self, site: Site, ingress: Manifest) -> None:
        self.site, self.ingress = site, ingress
        self.prefix = Options(site.program).annotation_prefix or PREFIX

    def backends(self) -> Iterator[tuple[str, Backend]]:
        """Those that lead to the apex Service, each with its place: host, path and type."""
        spec = self.ingress.get("spec") or {}
        if is_apex(self.site, spec.get("defaultBackend") or {}):
            yield _DEFAULT, spec["defaultBackend"]
        for rule in spec.get("rules") or ():
            for path in (rule.get("http") or {}).get("paths") or ():
                if is_apex(self.site, path["backend"]):
                    yield f"{rule.get('host', '')} {path.get('path', '')} {path.get('pathType', '')}", path["backend"]

    def originals(self) -> dict[str, Any]:
        """The user's ports by place, and the user's action, null if there was none: what stands there now, and what was
        kept of what does not."""
        kept = original(self.ingress, self.site.apex) or {}
        ports = found if isinstance(found := kept.get("ports"), dict) else {}
        now = {place: backend["service"].get("port") for place, backend in self.backends()}
        before = {place: ports.get(place, port) if port == BY_ANNOTATION else port for place, port in now.items()}
        action = kept.get("action") if self.is_ours() else self.said("actions", self.site.apex)
        return {"ports": before, "action": action}

    def is_ours(self) -> bool:
        """Whether the action leads where only an action of ours does."""
        return bool(_weights(self.said("actions", self.site.apex)).keys() & set(self.site.arms))

    def match(self, routing: Routing) -> None:
        """Paths, actions and conditions of the alternatives."""
        if not routing.matches:
            return
        site, theirs = self.site, self._conditions()
        leading = paths(self.ingress, lambda backend: is_apex(site, backend))
        if any(place == _DEFAULT for place, _ in self.backends()):
            raise TrafficError(
                f"{users_ref(site)} leads to `{site.apex}` by its default backend, which cannot tell requests apart: "
                "write a path `/` to it instead"
            )
        for number, tests in enumerate(routing.matches):
            name = f"{site.apex}-match-{number}"
            self.say("actions", name, _forward([(site.canary, 1)], site.port))
            self.say("conditions", name, [*theirs, *conditions(tests, theirs, leading)])
            self.write("transforms", name, self.said("transforms", site.apex))
        for http in self._https():
            http["paths"] = [each for path in http["paths"] for each in (*self._copies(path, routing), path)]

    def clear(self) -> None:
        """Take off what is there for matches."""
        for http in self._https():
            http["paths"] = [path for path in http["paths"] if not self._is_match(path["backend"])]
        for part in ("actions", "conditions", "transforms"):
            stem = f"{self.prefix}/{part}."
            names = [key.removeprefix(stem) for key in self._annotations() if key.startswith(stem)]
            for name in filter(self._is_match_name, names):
                self.write(part, name, None)

    def has_match(self) -> bool:
        return any(self._is_match(path["backend"]) for http in self._https() for path in http["paths"])

    def said(self, part: str, name: str) -> str | None:
        return self._annotations().get(f"{self.prefix}/{part}.{name}")

    def say(self, part: str, name: str, value: Any) -> None:
        self.write(part, name, canonical(value))

    def write(self, part: str, name: str, text: str | None) -> None:
        """An annotation; None takes it off, and the map with the last one."""
        key = f"{part}.{name}"
        if text is not None and len(key) > _LONGEST_KEY:
            raise TrafficError(
                f"the annotation `{self.prefix}/{key}` would be longer than the {_LONGEST_KEY} characters that "
                f"Kubernetes allows: give the Service `{self.site.apex}` a shorter name"
            )
        annotations = self._annotations()
        annotations.pop(f"{self.prefix}/{key}", None)
        if text is not None:
            annotations[f"{self.prefix}/{key}"] = text
        if annotations:
            self.ingress["metadata"]["annotations"] = annotations
        else:
            self.ingress["metadata"].pop("annotations", None)

    def _annotations(self) -> dict[str, str]:
        return dict(self.ingress["metadata"].get("annotations") or {})

    def _https(self) -> list[dict[str, Any]]:
        """Those parts of the rules that have paths."""
        rules = (self.ingress.get("spec") or {}).get("rules") or ()
        return [http for rule in rules if (http := rule.get("http") or {}).get("paths")]

    def _is_match(self, backend: Mapping[str, Any]) -> bool:
        service = backend.get("service") or {}
        return self._is_match_name(str(service.get("name", ""))) and service.get("port") == BY_ANNOTATION

    def _is_match_name(self, name: str) -> bool:
        stem, _, number = name.rpartition("-")
        return stem == f"{self.site.apex}-match" and number.isdecimal()

    def _copies(self, path: Mapping[str, Any], routing: Routing) -> list[dict[str, Any]]:
        if not is_apex(self.site, path["backend"]):
            return []
        names = [f"{self.site.apex}-match-{number}" for number in range(len(routing.matches))]
        return [{**path, "backend": {"service": {"name": name, "port": dict(BY_ANNOTATION)}}} for name in names]

    def _conditions(self) -> list[Mapping[str, Any]]:
        """The user's own on the apex."""
        text = self.said("conditions", self.site.apex)
        try:
            found = [] if text is None else json.loads(text)
        except ValueError:
            found = None
        if isinstance(found, list) and all(isinstance(each, dict) for each in found):
            return found
        raise TrafficError(
            f"the annotation `{self.prefix}/conditions.{self.site.apex}` of {users_ref(self.site)} is no JSON list of "
            "conditions: put it right, for the canary's paths need the same"
        )


def _weighed(site: Site, routing: Routing) -> dict[str, Any]:
    """The action of the apex."""
    total, canary, baseline = scaled_parts(routing.weight, site.baseline_part(routing), scales=_SCALES)
    weights = [(site.primary, total - canary - baseline), (site.canary, canary)]
    if site.baseline_part(routing) > 0:
        weights.append((site.baseline, baseline))
    action = _forward(weights, site.port)
    if routing.sticky is not None and 0 < canary < total:
        seconds = min(max(1, routing.sticky.max_age_ms // 1000), _LONGEST_S)
        action["forwardConfig"]["targetGroupStickinessConfig"] = {"enabled": True, "durationSeconds": seconds}
    return action


def _forward(weights: list[tuple[str, int]], port: int) -> dict[str, Any]:
    groups = [{"serviceName": name, "servicePort": port, "weight": weight} for name, weight in weights]
    return {"type": "forward", "forwardConfig": {"targetGroups": groups}}


def _weights(text: str | None) -> dict[str, int]:
    """Of an action, the Services and their weights; none if it is not one of that form."""
    try:
        groups = json.loads(text or "")["forwardConfig"]["targetGroups"]
        return {str(group["serviceName"]): int(group["weight"]) for group in groups}
    except (ValueError, KeyError, TypeError):
        return {}


def _read(form: _Form) -> Routing | None:
    """What the action amounts to, if requests get to it. Of matches it is seen that there are some, not which: that is
    told as one that fits every request, since to think more of the canary's share than is so is the safe mistake."""
    weights = _weights(form.said("actions", form.site.apex))
    asked = any(backend["service"].get("port") == BY_ANNOTATION for _, backend in form.backends())
    if form.site.canary not in weights or not asked:
        return None
    weight = share(weights[form.site.canary], sum(weights.values()))
    return Routing(weight=weight, matches=((),) if form.has_match() else ())
