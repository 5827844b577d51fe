"""Affinity and spread of a primary: rules that speak of the target's pods are made to speak of the primary's.

A rule speaks of the target when its selector has the selector label with the target's value, as a match label or among
the values of an expression. Without the rewriting a primary would keep away from the canary instead of itself. A rule
for other namespaces only speaks of other pods, and stays as it is.
"""

from __future__ import annotations

import copy
from typing import Any

_WHEN = ("requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution")


def reschedule(spec: dict[str, Any], namespace: str, label: str, old: str, new: str) -> dict[str, Any]:
    """A pod spec whose affinity and topology spread speak of `new` where they spoke of `old`."""
    made = copy.deepcopy(spec)
    for constraint in made.get("topologySpreadConstraints") or ():
        _rewrite(constraint.get("labelSelector"), label, old, new)
    for kind in ("podAffinity", "podAntiAffinity"):
        rules = (made.get("affinity") or {}).get(kind) or {}
        for term in [term for when in _WHEN for term in rules.get(when) or ()]:
            inner = term.get("podAffinityTerm", term)  # a preferred term has a weight around it
            elsewhere = inner.get("namespaces")
            if not elsewhere or namespace in elsewhere:
                _rewrite(inner.get("labelSelector"), label, old, new)
    return made


def _rewrite(selector: dict[str, Any] | None, label: str, old: str, new: str) -> None:
    if not selector:
        return
    matches = selector.get("matchLabels") or {}
    if matches.get(label) == old:
        matches[label] = new
    for expression in selector.get("matchExpressions") or ():
        if expression.get("key") == label and expression.get("values"):
            expression["values"] = [new if value == old else value for value in expression["values"]]
