"""The cookies by which clients stay with the arm that answered them.

While the canary has weight, its answers give the client a cookie with the session of this run, and who brings it back
goes to the canary. With the attribute `primary_cookie` the primary's answers give one too, for one interval of the
analysis: so a client that the primary answered does not change arms within a step, and is dealt anew in the next. When
the canary has no weight, or a new run has another session, the cookies that are still about hold nobody; with all the
weight on the canary those of the primary do not.

If nothing else is said a cookie is for the whole site, out of reach of scripts, and not sent along from other sites.
"""

from __future__ import annotations

from typing import NamedTuple

from dsl.ir import StickySpec
from interpreter.desired import Routing
from interpreter.traffic.provider import Site

_INTERVAL_MS = 60_000
"""Where there is no analysis whose interval could count."""


class Binding(NamedTuple):
    """A cookie: who brings `name` with `value` stays, and `header` is the `Set-Cookie` that gives it."""

    name: str
    value: str
    header: str


class Bindings(NamedTuple):
    """None where clients are not bound."""

    canary: Binding | None = None
    primary: Binding | None = None


def bindings(site: Site, routing: Routing) -> Bindings:
    """The cookies of a routing."""
    sticky = routing.sticky
    if sticky is None or routing.weight <= 0:
        return Bindings()
    canary = _binding(site, sticky, sticky.cookie, sticky.max_age_ms)
    name = sticky.attributes.get("primary_cookie")
    if not name or routing.weight >= 100:
        return Bindings(canary)
    analysis = site.program.analyses.get(site.program.analysis or "")
    age_ms = _INTERVAL_MS if analysis is None else analysis.every_ms
    return Bindings(canary, _binding(site, sticky, str(name), age_ms))


def _binding(site: Site, sticky: StickySpec, name: str, max_age_ms: int) -> Binding:
    said = sticky.attributes
    parts = [
        f"{name}={site.session}",
        f"Path={said.get('path', '/')}",
        f"Max-Age={max_age_ms // 1000}",
        *([f"Domain={said['domain']}"] if said.get("domain") else []),
        *(["HttpOnly"] if said.get("http_only", True) else []),
        f"SameSite={said.get('same_site', 'Lax')}",
        *(["Secure"] if said.get("secure") else []),
        *(["Partitioned"] if said.get("partitioned") else []),
    ]
    return Binding(name, site.session, "; ".join(parts))
