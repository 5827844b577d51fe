"""What the controller may do: each right of the table of `interpreter.cluster.access`, asked of the API server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from interpreter.cluster.access import ADMISSION, ADMISSION_SECRET, JUDGE, LEASES, LINK_KEYS, Rule, rules
from interpreter.cluster.api import Api
from rollway.cluster.doctor.controllers import Controller
from rollway.cluster.doctor.finding import Area, Finding, Findings, Verdict
from rollway.cluster.doctor.usage import Usage
from rollway.terminal import plural

REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"

Placed = tuple[Rule, str]
"""A rule, and the namespace in which it is to hold; empty for everywhere."""


def wanted(one: Controller, used: Usage, asked: tuple[str, ...]) -> Iterator[Placed]:
    """What it needs for the providers in use and its own arguments."""
    traffic = tuple(dict.fromkeys((*used.traffic, *asked)))
    for rule in rules(traffic, flagger=one.flagger, metrics=used.metrics):
        if one.watched is None or not rule.cluster:
            yield rule, "" if rule.cluster else one.watched or ""
    if not one.says("--no-leader-election"):
        yield from ((rule, one.value("--lease-namespace") or one.namespace) for rule in LEASES)
    if one.says("--web"):
        yield from ((rule, "") for rule in JUDGE)
        if one.says("--external-url") and not one.says("--read-only"):
            yield from ((rule, one.namespace) for rule in LINK_KEYS)
    if one.says("--admission"):
        yield from ((rule, "") for rule in ADMISSION)
        if not one.says("--admission-certificates"):
            yield from ((rule, one.namespace) for rule in ADMISSION_SECRET)


async def permitted(api: Api, one: Controller, used: Usage, asked: tuple[str, ...]) -> Findings:
    """The rights that it lacks, rule by rule, or that it lacks none."""
    placed = list(wanted(one, used, asked))
    whose = f"the ServiceAccount {one.namespace}/{one.account}"
    lacks = await asyncio.gather(*(_lacks(api, one, rule, place) for rule, place in placed))
    rights = sum(len(rule.verbs) * len(rule.resources) for rule, _ in placed)
    names = ", ".join(dict.fromkeys((*used.traffic, *asked, *used.metrics))) or "no data plane"
    if not any(lacks):
        yield _finding(Verdict.OK, f"{whose} may do all that is needed ({plural(rights, 'right')}; {names})")
        return
    if sum(map(len, lacks)) == rights:
        yield _finding(Verdict.WRONG, f"{whose} may do nothing: no role is bound to it", _grant(one, used, asked))
        return
    for (rule, place), missing in zip(placed, lacks, strict=True):
        for what, verbs in missing_by_resource(missing):
            where = f" in {place}" if place else " in the whole cluster"
            said = f"{whose} may not {', '.join(verbs)} {what}{where}, which it needs {rule.why}"
            yield _finding(Verdict.WRONG, said, _grant(one, used, asked))


def missing_by_resource(missing: list[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    """(resource, verb) pairs gathered: each resource with its verbs."""
    for resource in dict.fromkeys(resource for resource, _ in missing):
        yield resource, [verb for one, verb in missing if one == resource]


async def _lacks(api: Api, one: Controller, rule: Rule, place: str) -> list[tuple[str, str]]:
    """The pairs of resource and verb that are not allowed."""
    pairs = [(resource, verb) for resource in rule.resources for verb in rule.verbs]
    answers = await asyncio.gather(*(_may(api, one, rule, place, *pair) for pair in pairs))
    return [(_title(rule, resource), verb) for (resource, verb), may in zip(pairs, answers, strict=True) if not may]


def _title(rule: Rule, resource: str) -> str:
    named = f" named {', '.join(rule.only)}" if rule.only else ""
    return f"{resource}{f'.{rule.group}' if rule.group else ''}{named}"


async def _may(api: Api, one: Controller, rule: Rule, place: str, resource: str, verb: str) -> bool:
    kind, _, subresource = resource.partition("/")
    attributes = {"group": rule.group, "resource": kind, "subresource": subresource, "verb": verb, "namespace": place}
    if rule.only:
        attributes["name"] = rule.only[0]
    spec = {
        "user": f"system:serviceaccount:{one.namespace}:{one.account}",
        "groups": ["system:serviceaccounts", f"system:serviceaccounts:{one.namespace}", "system:authenticated"],
        "resourceAttributes": {key: value for key, value in attributes.items() if value},
    }
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    return bool((await api.raw("POST", REVIEWS, None, body))["status"].get("allowed"))


def _grant(one: Controller, used: Usage, asked: tuple[str, ...]) -> str:
    words = ["rollway install", f"--namespace {one.namespace}"]
    words += [f"--watch-namespace {one.watched}"] if one.watched is not None else []
    words += [f"--provider {name}" for name in dict.fromkeys((*used.traffic, *asked))]
    words += [f"--metrics {name}" for name in used.metrics]
    words += [] if one.flagger else ["--no-flagger"]
    return f"grant it: {' '.join(words)}, with the other options of yours, | kubectl apply --server-side -f -"


def _finding(verdict: Verdict, what: str, do: str = "") -> Finding:
    return Finding(Area.PERMITTED, verdict, what, do)
