"""The HTTPRouteGroup of the Service Mesh Interface: for which requests a TrafficSplit is.

From v1alpha3 on a TrafficSplit may name a group of matches, alternatives that each test headers with regular
expressions; a cookie is tested in the `cookie` header. A match can test a header once. Nothing tests a query.

A match's headers are a map in the text of the specification and in NGINX Service Mesh's v1alpha3, and a list of maps in
the definitions that come with SMI and OSM. The installed definition says which; where it was not given, v1alpha3 is
taken to be the first and v1alpha4 the second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dsl.ir import MatchTest
from interpreter.objects import Change, Manifest, Objects, Ref
from interpreter.traffic.ownership import manifest, put, put_back
from interpreter.traffic.patterns import cookie_pattern, value_pattern
from interpreter.traffic.provider import Site, TrafficError

GROUP = "specs.smi-spec.io"
KIND = "HTTPRouteGroup"
VERSIONS = ("v1alpha4", "v1alpha3")
"""Those in which a TrafficSplit can name a group."""

_NAMED = "canary-"
"""What the names of our matches begin with."""

Matches = tuple[tuple[MatchTest, ...], ...]

DEFINITION = Ref("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", f"httproutegroups.{GROUP}")


def refs(site: Site, version: str) -> tuple[Ref, ...]:
    """The group and its definition; nothing in a version without matches."""
    return (_ref(site, version), DEFINITION) if version in VERSIONS else ()


def reference(site: Site) -> Manifest:
    """How a TrafficSplit names the group."""
    return {"kind": KIND, "name": _name(site)}


def made(site: Site, version: str, matches: Matches, existing: Objects) -> list[Change]:
    """What must be done for the group to hold these. Raises `TrafficError`."""
    if version not in VERSIONS:
        raise TrafficError(
            f"a TrafficSplit in {version} cannot look into requests: say `api v1alpha4` or `api v1alpha3` if the mesh "
            "serves it, or choose another traffic provider"
        )
    wanted = manifest(site, _ref(site, version), _spec(version, matches, existing))
    return put(site, wanted, existing, _is_made)


def unmade(site: Site, version: str, existing: Objects) -> list[Change]:
    """What must be done for the group to be gone."""
    return put_back(site, _ref(site, version), existing, _is_made) if version in VERSIONS else []


def holds(site: Site, version: str, matches: Matches, existing: Objects) -> bool:
    """Whether the group is there and has these."""
    live = existing.get(_ref(site, version), {})
    return version in VERSIONS and live.get("spec") == _spec(version, matches, existing)


def read(site: Site, version: str, existing: Objects) -> Matches:
    """What the group tests, as far as the language has words for it. A match that tests no header is for every
    request: to think more of the canary's share than is so is the safe mistake."""
    live = existing.get(_ref(site, version), {})
    alternatives: Sequence[Mapping[str, Any]] = (live.get("spec") or {}).get("matches") or ({},)
    return tuple(tuple(_tests(match.get("headers") or ())) for match in alternatives)


def _name(site: Site) -> str:
    return f"{site.apex}-canary"


def _ref(site: Site, version: str) -> Ref:
    return site.ref(f"{GROUP}/{version}", KIND, _name(site))


def _spec(version: str, matches: Matches, existing: Objects) -> Manifest:
    listed = _are_listed(version, existing)
    made: list[Manifest] = []
    for number, tests in enumerate(matches, start=1):
        headers = _headers(tests)
        shaped = [{name: pattern} for name, pattern in headers.items()] if listed else headers
        made.append({"name": f"{_NAMED}{number}", "headers": shaped})
    return {"matches": made}


def _is_made(spec: Mapping[str, Any]) -> bool:
    matches = spec.get("matches") or ()
    return bool(matches) and all(str(match.get("name")).startswith(_NAMED) for match in matches)


def _headers(tests: Sequence[MatchTest]) -> dict[str, str]:
    found: dict[str, str] = {}
    cookies = list(dict.fromkeys(test for test in tests if test.kind == "cookie"))
    pairs = [(test.key.lower(), value_pattern(test)) for test in tests if test.kind == "header"]
    pairs += [("cookie", cookie_pattern(cookies))] if cookies else []
    for name, pattern in pairs:
        if found.setdefault(name, pattern) != pattern:
            raise TrafficError(
                f"two tests on the header `{name}` in one alternative cannot be had in one match of an {KIND}; write "
                "one regular expression"
            )
    queries = [test.key for test in tests if test.kind == "query"]
    if queries:
        raise TrafficError(f"an {KIND} cannot test the query parameter `{queries[0]}`; test a header")
    return found


def _tests(headers: Any) -> list[MatchTest]:
    maps = [headers] if isinstance(headers, Mapping) else headers
    return [
        MatchTest("header", name, "=~", f"^(?:{pattern})$") for each in maps for name, pattern in dict(each).items()
    ]


def _are_listed(version: str, existing: Objects) -> bool:
    """Whether the headers of a match are a list of maps."""
    definition = existing.get(DEFINITION, {})
    for one in definition.get("spec", {}).get("versions", ()):
        if one.get("name") == version:
            at: Any = one.get("schema", {}).get("openAPIV3Schema", {})
            for key in ("spec", "matches", "", "headers"):
                at = at.get("properties", {}).get(key, {}) if key else at.get("items", {})
            if at.get("type"):
                return bool(at["type"] == "array")
    return version == VERSIONS[0]
