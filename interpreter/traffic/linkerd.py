"""Linkerd: an HTTPRoute whose parent is the apex Service, which meshed clients go by.

It is Linkerd's own form of the Gateway API's HTTPRoute (policy.linkerd.io), in the newest version that is served; with
`api v1` the Gateway API's; with `api smi` the TrafficSplit that Linkerd's extension for SMI reads, as Flagger wrote it.
The apex Service keeps its endpoints, and clients without a proxy get those. Rules, weights, matches and cookies are
those of the Gateway API (`gateway_api_split`), but that

- Linkerd's form holds fewer matches in a rule, and gives rules no names;
- headers of responses are changed by filters on backends, since Linkerd's form has none on rules; what a response has
  is so told by the backend that gave it, as with cookies;
- retries are told by annotations, which hold for the whole route and override those of the Service.

Without the option `route` the HTTPRoute has the apex Service's name and is ours from top to bottom. With `route` the
user keeps one, and only where one of its rules leads is ours. Sources: Linkerd's reference of HTTPRoutes and retries,
and how its policy controller reads them (edge-26.8.3).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from interpreter.desired import Routing
from interpreter.objects import Change, Manifest, Objects, Ref
from interpreter.traffic import gateway_api_users_route, smi_split
from interpreter.traffic.gateway_api_crd import GROUP, Installed
from interpreter.traffic.gateway_api_matches import RouteKind
from interpreter.traffic.gateway_api_rule import base_rule
from interpreter.traffic.gateway_api_split import is_split, read_rules, same, split
from interpreter.traffic.options import Options, duration_text
from interpreter.traffic.ownership import is_ours, manifest, put, put_back_without
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.reading import note, trusted

POLICY = "policy.linkerd.io"
VERSIONS = ("v1beta3", "v1beta2")
"""Of Linkerd's own form, the newest first."""
DEFINITION = Ref("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", f"httproutes.{POLICY}")
SMI = "smi"
SPLIT = "v1alpha1"
"""The version of a TrafficSplit that Flagger writes for Linkerd."""
APIS = (*VERSIONS, "v1", SMI)

_MOST_MATCHES = 8
_RESPONSE = "ResponseHeaderModifier"
_KIND: RouteKind = "HTTPRoute"
_CONDITION = re.compile(r"5xx|gateway-error|[1-5]\d\d(-[1-5]\d\d)?")


class Linkerd:
    """The provider `linkerd`."""

    name = "linkerd"

    def refs(self, site: Site) -> tuple[Ref, ...]:
        said = _said(site)
        if said == SMI:
            return smi_split.refs(site, SPLIT)
        if said:
            return (_ref(site, said),)
        return (*(_ref(site, version) for version in VERSIONS), DEFINITION)

    def render(self, site: Site, routing: Routing, existing: Objects) -> tuple[Change, ...]:
        if _said(site) == SMI:
            return smi_split.render(site, SPLIT, routing, existing)
        form = _form(site, existing)
        if Options(site.program).route:
            return gateway_api_users_route.changes(_KIND, site, form.ref, routing, existing, form.installed)
        wanted = _route(site, form, routing)
        live = existing.get(form.ref)
        if live is not None and not is_ours(live) and same(wanted["spec"], live["spec"]):
            wanted["spec"] = live["spec"]  # the API server has filled in defaults, which are no reason to write again
        note(wanted, site.apex, routing)
        return tuple(put(site, wanted, existing, partial(is_split, site)))

    def read(self, site: Site, existing: Objects) -> Routing | None:
        if _said(site) == SMI:
            return smi_split.read(site, SPLIT, existing)
        form = _form(site, existing)
        live = existing.get(form.ref)
        if live is None:
            return None
        if Options(site.program).route:
            return gateway_api_users_route.read(_KIND, site, live, form.installed)
        rules: Sequence[Mapping[str, Any]] = live.get("spec", {}).get("rules") or ()
        found = trusted(live, site, lambda each, routing: same(_rules(each, form, routing), rules))
        return found or read_rules(site, rules)

    def release(self, site: Site, existing: Objects) -> tuple[Change, ...]:
        if _said(site) == SMI:
            return smi_split.release(site, SPLIT, existing)
        form = _form(site, existing)
        if Options(site.program).route:
            return gateway_api_users_route.released(site, existing.get(form.ref))
        return tuple(put_back_without(site, _route(site, form, Routing()), existing, partial(is_split, site)))


class _Form(NamedTuple):
    """The object that is written, and what can be said in it."""

    ref: Ref
    installed: Installed

    @property
    def is_linkerds(self) -> bool:
        return self.ref.api_version.startswith(POLICY)


def _said(site: Site) -> str:
    said = Options(site.program).api
    if said and said not in APIS:
        raise TrafficError(f"traffic linkerd: the option `api` is `{said}`; write one of {', '.join(APIS)}")
    return said


def _ref(site: Site, version: str) -> Ref:
    group = POLICY if version in VERSIONS else GROUP
    return site.ref(f"{group}/{version}", _KIND, Options(site.program).route or site.apex)


def _form(site: Site, existing: Objects) -> _Form:
    """Raises `TrafficError` for what the form cannot say."""
    version = _said(site) or _served(site, existing)
    options = Options(site.program)
    if version not in VERSIONS:
        return _Form(_ref(site, version), Installed(None, version))
    if options.rule:
        raise TrafficError(
            "traffic linkerd: rules of Linkerd's own HTTPRoutes have no names: take `rule` away, and have but one rule "
            f"that leads to `{site.apex}`, or keep a route of the Gateway API's and say `api v1`"
        )
    if version == VERSIONS[1] and options.timeout_ms is not None:
        raise TrafficError(
            f"traffic linkerd: `timeout` needs {VERSIONS[0]} of Linkerd's HTTPRoutes, and {version} is written: "
            "install Linkerd 2.13 or later, or take `timeout` away"
        )
    return _Form(_ref(site, version), Installed(None, version, _MOST_MATCHES))


def _served(site: Site, existing: Objects) -> str:
    """The newest version that is served. Where the definition cannot be seen, an object that is there tells; if there
    is none, it is the newest."""
    versions = existing.get(DEFINITION, {}).get("spec", {}).get("versions") or ()
    served = {each.get("name") for each in versions if each.get("served")}
    known = [version for version in VERSIONS if version in served]
    there = [version for version in VERSIONS if _ref(site, version) in existing]
    return (known or there or VERSIONS)[0]


def _route(site: Site, form: _Form, routing: Routing) -> Manifest:
    parent = {"group": "core", "kind": "Service", "name": site.apex, "port": site.port}
    spec: Manifest = {"parentRefs": [parent]}
    hosts = Options(site.program).hosts
    if hosts:
        spec["hostnames"] = list(hosts)
    made = manifest(site, form.ref, {**spec, "rules": _rules(site, form, routing)})
    retries = _retries(site)
    if retries:
        made["metadata"]["annotations"] = retries
    return made


def _rules(site: Site, form: _Form, routing: Routing) -> list[Manifest]:
    return split(_KIND, site, _base(site, form), routing, form.installed)


def _base(site: Site, form: _Form) -> Manifest:
    """The rule before it is split."""
    traffic = site.program.traffic
    options = {key: value for key, value in traffic.options.items() if key != "retries"}
    bare = replace(site, program=replace(site.program, traffic=replace(traffic, options=options)))
    rule = base_rule(_KIND, bare, form.installed)
    most = form.installed.most_matches
    if len(rule["matches"]) > most:
        raise TrafficError(
            f"traffic linkerd: `match` has {len(rule['matches'])} entries, and a rule of {form.ref.api_version} holds "
            f"{most}: write fewer, or say `api v1`"
        )
    filters = rule.pop("filters", [])
    kept = [each for each in filters if each["type"] != _RESPONSE]
    moved = [each for each in filters if each["type"] == _RESPONSE]
    if kept:
        rule["filters"] = kept
    if moved:
        rule["backendRefs"][0]["filters"] = moved
    return rule


def _retries(site: Site) -> dict[str, str]:
    """The annotations for the option `retries`."""
    retries = Options(site.program).retries
    if retries is None:
        return {}
    if retries.backoff_ms is not None:
        raise TrafficError("traffic linkerd: Linkerd chooses when to try again: take `backoff` out of `retries`")
    words = [word for word in re.split(r"[,\s]+", retries.retry_on) if word] or ["5xx"]
    strange = [word for word in words if not _CONDITION.fullmatch(word)]
    if strange:
        raise TrafficError(
            f"traffic linkerd: `retries.retry_on` has `{strange[0]}`; write `5xx`, `gateway-error`, a status code, or "
            "a range of them such as `502-504`"
        )
    made = {"retry.linkerd.io/http": ",".join(words)}
    if retries.attempts is not None:
        made["retry.linkerd.io/limit"] = str(retries.attempts)
    if retries.per_try_timeout_ms is not None:
        made["retry.linkerd.io/timeout"] = duration_text(retries.per_try_timeout_ms)
    return made
