"""A route that the user keeps and the policy names: what is the same for every data plane.

Ours in it is a stretch of rules, one after another: those for matches and cookie holders, and last the user's own rule,
leading to primary and canary. What the rule was before is kept in `ORIGINAL`, and put back on release.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from interpreter.objects import Change, Manifest, Objects, Ref
from interpreter.traffic.ownership import edit, forget
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.reading import copied


class Place(Protocol):
    """Where the rule stands in one route."""

    def original(self) -> dict[str, Any]:
        """The user's rule as it was, with what they changed in it meanwhile."""

    def fill(self, after: Manifest, rules: Sequence[dict[str, Any]]) -> None:
        """Put these rules where ours stand."""


def named(site: Site, ref: Ref, existing: Objects, users: Sequence[str]) -> Manifest:
    """The route that the option `route` names. `users` are the options that are the user's to say in it. Raises
    `TrafficError` if it does not exist, or the policy says one of those."""
    live = existing.get(ref)
    if live is None:
        raise TrafficError(f"{ref}, which `route` names, does not exist: make it, or take `route` away")
    doubled = [option for option in users if option in site.program.traffic.options]
    if doubled:
        raise TrafficError(f"with `route`, the option `{doubled[0]}` has no effect: say it in {ref} itself")
    return live


def released(site: Site, live: Manifest | None, find: Callable[[Site, Manifest], Place]) -> list[Change]:
    """The `Edit` that puts the rule back."""
    if live is None:
        return []
    after = copied(live)
    try:
        place = find(site, live)
    except TrafficError:
        pass  # the user took the rule away: nothing of ours is left but the annotations
    else:
        place.fill(after, [place.original()])
    forget(after, site.apex)
    return edit(live, after)


def first_of(rules: Sequence[dict[str, Any]], at: int, names: Sequence[str]) -> int:
    """Where the stretch begins whose last rule stands at `at`, in a route whose rules of ours have names of ours."""
    while at > 0 and rules[at - 1].get("name") in names:
        at -= 1
    return at


def index_of(
    where: str,
    noun: str,
    rules: Sequence[dict[str, Any]],
    rule: str,
    names: Sequence[str],
    leads: Callable[[dict[str, Any]], bool],
    apex: str,
) -> int:
    """Where the user's own rule stands: the one of this name, or without one the only one that leads to the apex
    Service. `noun` is what the data plane calls rules. Raises `TrafficError`."""
    own = [(at, each) for at, each in enumerate(rules) if each.get("name") not in names]
    if rule:
        found = [at for at, each in own if each.get("name") == rule]
        what, cure = f"{noun} named `{rule}`", "name one so, or correct `rule`"
    else:
        found = [at for at, each in own if leads(each)]
        what, cure = f"{noun} that lead to the Service `{apex}`", "name one by `rule`"
    if len(found) != 1:
        raise TrafficError(f"{where} has {len(found) or 'no'} {what}: {cure}")
    return found[0]
