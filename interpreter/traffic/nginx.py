"""ingress-nginx: a canary Ingress beside the user's.

ingress-nginx takes an Ingress with the annotation `canary` for the alternative of the one that has the same hosts and
paths, and decides by header, then by cookie, then by weight. There can be one header, one cookie and one such Ingress.
A cookie has to have the value `always` (and one with the value `never` keeps its client from being picked by weight).

On a canary it passes over all annotations but its own, those that say how endpoints are chosen, and those of session
affinity; these are copied. A value that its validation would refuse is written as an expression in which such
characters are escaped, or refused here: there it would be taken for no value at all.

Facts: ingress-nginx' documentation of annotations; `annotations/canary/main.go`, `annotations/parser/validators.go` and
`balancer.lua` of v1.10.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from dsl.ir import MatchTest
from interpreter.desired import Routing
from interpreter.objects import Apply, Change, Delete, Manifest, Objects, Ref
from interpreter.traffic.ingress_copy import beside, our_ref, users_ingress, users_ref
from interpreter.traffic.options import Options
from interpreter.traffic.patterns import escaped
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.reading import covers, note, share, trusted, whole_parts

PREFIX = "nginx.ingress.kubernetes.io"
ALWAYS = "always"

_COPIED = re.compile(r"load-balance|upstream-hash-by.*|affinity.*|session-cookie-.*|service-upstream")
_PLAIN = re.compile(r"[-._~a-zA-Z0-9/:]*")
_SPACED = re.compile(r"[-._~a-zA-Z0-9/: ]*")
_IN_PATTERN = re.compile(r"[-._~a-zA-Z0-9/:^$\[\](){}*+?|&=\\]")
_SCALES = (100, 1_000, 10_000)


class Nginx:
    """The provider `nginx`."""

    name = "nginx"

    def refs(self, site: Site) -> tuple[Ref, ...]:
        return (users_ref(site), our_ref(site))

    def render(self, site: Site, routing: Routing, existing: Objects) -> tuple[Change, ...]:
        made = _canary(site, routing, users_ingress(site, existing))
        note(made, site.apex, routing)
        return (Apply(made),)

    def read(self, site: Site, existing: Objects) -> Routing | None:
        live, users = existing.get(our_ref(site)), existing.get(users_ref(site))
        if live is None or users is None:
            return None
        found = trusted(live, site, lambda each, routing: _is(each, _canary(each, routing, users), live))
        return found or _read(_said(site, live))

    def release(self, site: Site, existing: Objects) -> tuple[Change, ...]:
        return (Delete(our_ref(site)),) if our_ref(site) in existing else ()


def _canary(site: Site, routing: Routing, users: Manifest) -> Manifest:
    prefix = _prefix(site)
    said = {key: value for key, value in _said(site, users).items() if _COPIED.fullmatch(key)}
    ours = {"canary": "true", **_weight(routing.weight), **_matches(routing)}
    annotations = {f"{prefix}/{key}": value for key, value in {**said, **ours}.items()}
    return beside(site, users, our_ref(site), [site.canary], annotations)


def _prefix(site: Site) -> str:
    return Options(site.program).annotation_prefix or PREFIX


def _said(site: Site, ingress: Mapping[str, Any]) -> dict[str, str]:
    """The annotations for ingress-nginx, without their prefix."""
    prefix = f"{_prefix(site)}/"
    annotations: Mapping[str, str] = ingress["metadata"].get("annotations") or {}
    return {key.removeprefix(prefix): value for key, value in annotations.items() if key.startswith(prefix)}


def _is(site: Site, wanted: Manifest, live: Manifest) -> bool:
    """Whether the live Ingress routes as the wanted one."""
    keys = {key for ingress in (wanted, live) for key in _said(site, ingress) if key.startswith("canary")}
    says = [{key: _said(site, ingress).get(key) for key in keys} for ingress in (wanted, live)]
    return says[0] == says[1] and covers(wanted["spec"], live.get("spec"))


# --- writing --------------------------------------------------------------------------------------------------------


def _weight(percent: float) -> dict[str, str]:
    for total in _SCALES:
        part = whole_parts(percent, total)
        if abs(part - percent / 100 * total) < 1e-6:
            break
    scale = {} if total == _SCALES[0] else {"canary-weight-total": str(total)}
    return {"canary-weight": str(part), **scale}


def _matches(routing: Routing) -> dict[str, str]:
    if routing.mirror > 0 or routing.sticky is not None:
        what = "copy requests to the canary" if routing.mirror > 0 else "keep clients with the canary by a cookie"
        raise TrafficError(f"ingress-nginx cannot {what}: take the step away, or use another traffic provider")
    if any(len(tests) != 1 for tests in routing.matches):
        raise TrafficError("ingress-nginx cannot test two things of one request together: write one test, or use `or`")
    tests = [tests[0] for tests in routing.matches]
    return {**_header(_one("header", tests)), **_cookie(_one("cookie", tests)), **_query(_one("query", tests))}


def _one(kind: str, tests: Sequence[MatchTest]) -> MatchTest | None:
    found = [test for test in tests if test.kind == kind]
    if len(found) > 1:
        raise TrafficError(
            f"ingress-nginx tests one {kind}, and there are {len(found)}: put them into one regular expression on one "
            f"{kind}"
        )
    return found[0] if found else None


def _header(test: MatchTest | None) -> dict[str, str]:
    if test is None:
        return {}
    named = {"canary-by-header": _name(test)}
    if test.op == "==" and test.value and _SPACED.fullmatch(test.value):
        return {**named, "canary-by-header-value": test.value}
    pattern = {
        "==": f"^{escaped(test.value)}$",
        "^=": f"^{escaped(test.value)}",
        "=~": test.value,
        "exists": ".*",
    }[test.op]
    return {**named, "canary-by-header-pattern": _valid(pattern, test)}


def _cookie(test: MatchTest | None) -> dict[str, str]:
    if test is None:
        return {}
    if (test.op, test.value) != ("==", ALWAYS):
        raise TrafficError(
            f"ingress-nginx tests the cookie `{test.key}` for the value `{ALWAYS}` and no other: "
            f'write cookie "{test.key}" == "{ALWAYS}"'
        )
    return {"canary-by-cookie": _name(test)}


def _query(test: MatchTest | None) -> dict[str, str]:
    if test is not None:
        raise TrafficError(f"ingress-nginx cannot test the query parameter `{test.key}`: test a header")
    return {}


def _name(test: MatchTest) -> str:
    if not _PLAIN.fullmatch(test.key):
        raise TrafficError(f"ingress-nginx does not take `{test.key}` for the name of a {test.kind}: use another name")
    return test.key


def _valid(pattern: str, test: MatchTest) -> str:
    """The expression in the characters that the validation lets pass; others as `\\x2c`, which means the same wherever
    they stand for themselves."""
    made, place = "", 0
    while place < len(pattern):
        quoted = pattern[place] == "\\" and place + 1 < len(pattern)
        char = pattern[place + quoted]
        if _IN_PATTERN.fullmatch(char):
            made += pattern[place : place + 1 + quoted]
        elif _is_syntax(pattern, place):
            raise TrafficError(
                f'ingress-nginx does not take `{char}` in header "{test.key}" =~ "{test.value}", where it is not a '
                "character to be found: write the expression without it (`aaa*` for `a{2,}`)"
            )
        else:
            made += _as_bytes(char)
        place += 1 + quoted
    return made


def _as_bytes(char: str) -> str:
    written = "".join(f"\\x{byte:02x}" for byte in char.encode())
    return written if char.isascii() else f"(?:{written})"


def _is_syntax(pattern: str, place: int) -> bool:
    """Whether the character is part of the expression's grammar: the comma of `{2,3}`, a name in `(?P<name>`, a
    character of several bytes in a class."""
    in_count = re.search(r"\{\d+$", pattern[:place]) is not None
    in_group = re.search(r"\(\?P?<?\w*$", pattern[:place]) is not None
    return in_count or in_group or (not pattern[place].isascii() and "[" in pattern[:place])


# --- reading --------------------------------------------------------------------------------------------------------


def _read(said: Mapping[str, str]) -> Routing | None:
    """What the annotations amount to; None if they do not make a canary."""
    if said.get("canary") != "true":
        return None
    try:
        weight = share(int(said.get("canary-weight", "0")), max(100, int(said.get("canary-weight-total", "100"))))
    except ValueError:
        return None
    found: list[MatchTest] = []
    if header := said.get("canary-by-header"):
        value, pattern = said.get("canary-by-header-value"), said.get("canary-by-header-pattern")
        by_value = MatchTest("header", header, "==", value or ALWAYS)
        found.append(by_value if value or not pattern else MatchTest("header", header, "=~", pattern))
    if cookie := said.get("canary-by-cookie"):
        found.append(MatchTest("cookie", cookie, "==", ALWAYS))
    return Routing(weight=min(100.0, weight), matches=tuple((test,) for test in found))
