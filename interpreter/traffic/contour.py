"""Contour: an HTTPProxy with weights.

Without the option `route` it has the apex Service's name, as Flagger's has, and is ours from top to bottom; one of that
name that was there before is taken over, and given back on release. It is part of no virtual host until a root
HTTPProxy of the user's includes it, unless the option `hosts` gives it one of its own. With `route` the user keeps an
HTTPProxy, and only where its routes lead is ours (`contour_users_route`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from interpreter.desired import Routing
from interpreter.objects import Change, Manifest, Objects, Ref
from interpreter.traffic import contour_users_route
from interpreter.traffic.contour_conditions import Condition, path_of, user_conditions
from interpreter.traffic.contour_routes import Route, is_split, read_routes, split
from interpreter.traffic.options import Cors, HeaderEdits, Options, Retries, duration_text
from interpreter.traffic.ownership import is_ours, manifest, put, put_back
from interpreter.traffic.patterns import escaped
from interpreter.traffic.provider import Site, TrafficError
from interpreter.traffic.reading import covers, note, trusted

API_VERSION = "projectcontour.io/v1"
_PROTOCOLS = {"grpc": "h2c", "http2": "h2c", "https": "tls"}
"""What Contour speaks to pods, by the protocol of the application; to others it speaks HTTP/1.1."""


class Contour:
    """The provider `contour`."""

    name = "contour"

    def refs(self, site: Site) -> tuple[Ref, ...]:
        return (_ref(site),)

    def render(self, site: Site, routing: Routing, existing: Objects) -> tuple[Change, ...]:
        if Options(site.program).route:
            return tuple(contour_users_route.changes(site, _ref(site), routing, existing))
        _forbid_root(site, existing.get(_ref(site)))
        proxy = manifest(site, _ref(site), _spec(site, routing))
        note(proxy, site.apex, routing)
        return tuple(put(site, proxy, existing, partial(_is_split, site)))

    def read(self, site: Site, existing: Objects) -> Routing | None:
        live = existing.get(_ref(site))
        if live is None:
            return None
        if Options(site.program).route:
            return contour_users_route.read(site, live)
        routes = _routes(live.get("spec") or {})
        found = trusted(live, site, lambda each, routing: covers(_spec(each, routing)["routes"], routes))
        return found or read_routes(site, routes)

    def release(self, site: Site, existing: Objects) -> tuple[Change, ...]:
        if Options(site.program).route:
            return tuple(contour_users_route.released(site, existing.get(_ref(site))))
        return tuple(put_back(site, _ref(site), existing, partial(_is_split, site)))


def _ref(site: Site) -> Ref:
    return site.ref(API_VERSION, "HTTPProxy", Options(site.program).route or site.apex)


def _forbid_root(site: Site, live: Manifest | None) -> None:
    """A virtual host of the user's, with its certificate, must not go lost."""
    if live is None or is_ours(live) or Options(site.program).hosts or "virtualhost" not in (live.get("spec") or {}):
        return
    raise TrafficError(
        f"{_ref(site)} is a root HTTPProxy of yours: write `route {site.apex}`, so that only its routes are split, or "
        "give it another name and have it include this one"
    )


def _spec(site: Site, routing: Routing) -> dict[str, Any]:
    options = Options(site.program)
    bases = _bases(site, options)
    spec: dict[str, Any] = {"ingressClassName": options.ingress_class} if options.ingress_class else {}
    return {
        **spec,
        **_virtual_host(options),
        "routes": [route for base in bases for route in split(site, base, routing)],
    }


def _virtual_host(options: Options) -> dict[str, Any]:
    cors = options.cors
    if len(options.hosts) > 1:
        raise TrafficError(
            "an HTTPProxy has one host name: take `hosts` away, and include it from root HTTPProxies of your own"
        )
    if options.hosts:
        return {"virtualhost": {"fqdn": options.hosts[0], **({"corsPolicy": _cors(cors)} if cors else {})}}
    if cors is not None:
        raise TrafficError(
            "Contour has a cross-origin policy for a virtual host only: say `hosts`, or take `cors` away"
        )
    return {}


def _cors(cors: Cors) -> dict[str, Any]:
    if not cors.allow_origins or not cors.allow_methods:
        raise TrafficError("Contour wants both `allow_origins` and `allow_methods` in `cors`")
    made = _present(
        allowOrigin=[_origin(test) for test in cors.allow_origins],
        allowMethods=list(cors.allow_methods),
        allowHeaders=list(cors.allow_headers),
        exposeHeaders=list(cors.expose_headers),
        maxAge=None if cors.max_age_ms is None else duration_text(cors.max_age_ms),
    )
    return made if cors.allow_credentials is None else {**made, "allowCredentials": cors.allow_credentials}


def _origin(test: Mapping[str, str]) -> str:
    """Contour takes what is no plain origin for an expression."""
    match dict(test):
        case {"exact": origin} | {"regex": origin}:
            return origin
        case {"prefix": origin}:
            return f"^{escaped(origin)}.*$"
        case _:
            raise TrafficError(f"`allow_origins` has {dict(test)!r}; write one of exact, prefix and regex with a text")


def _bases(site: Site, options: Options) -> list[Route]:
    """What every request of the service's gets: a route for each entry of `match`, as if there were no canary."""
    entry = {"name": site.apex, "port": options.port or site.port}
    protocol = _PROTOCOLS.get((site.program.service.app_protocol or "").lower())
    service = {**entry, "protocol": protocol} if protocol else entry
    common = _common(options)
    matches = [user_conditions(each) for each in options.match] or [user_conditions({})]
    rewritten = [each for found in matches for each in _rewritten(found, options)]
    return [{"conditions": found, **common, **rewrite, "services": [service]} for found, rewrite in rewritten]


def _common(options: Options) -> Route:
    headers = options.headers
    request = _edits(headers.request, "request")
    if options.rewrite is not None and options.rewrite.authority:
        request["set"] = [*request.get("set", ()), {"name": "Host", "value": options.rewrite.authority}]
    return _present(
        timeoutPolicy={} if options.timeout_ms is None else {"response": duration_text(options.timeout_ms)},
        retryPolicy=_retries(options.retries),
        requestHeadersPolicy=request,
        responseHeadersPolicy=_edits(headers.response, "response"),
    )


def _rewritten(found: list[Condition], options: Options) -> list[tuple[list[Condition], Route]]:
    """The conditions, and what becomes of the path. `/a` and `/a/` are rewritten apart, so that neither a slash more
    nor one less is left: Contour does that by itself only where a prefix has a single route."""
    if options.rewrite is None or not options.rewrite.uri:
        return [(found, {})]
    prefix = path_of(found).get("prefix")
    if prefix is None:
        raise TrafficError("Contour rewrites prefixes only: with `rewrite`, have `match` test the prefix of the uri")
    *others, _ = found
    to = options.rewrite.uri.rstrip("/")
    inner = ([*others, {"prefix": f"{prefix.rstrip('/')}/"}], _replaced(f"{to}/"))
    return [inner] if prefix.endswith("/") else [([*others, {"prefix": prefix}], _replaced(to or "/")), inner]


def _replaced(to: str) -> Route:
    return {"pathRewritePolicy": {"replacePrefix": [{"replacement": to}]}}


def _retries(retries: Retries | None) -> dict[str, Any]:
    """Contour takes no attempts at all for one; a route without a policy has none."""
    if retries is None or retries.attempts == 0:
        return {}
    if retries.backoff_ms is not None:
        raise TrafficError("Contour has no say in how long Envoy waits before it tries again: take `backoff` away")
    said = [word.strip() for word in retries.retry_on.split(",") if word.strip()]
    codes = [int(word) for word in said if word.isdigit()]
    reasons = [word for word in said if not word.isdigit()]
    if codes and "retriable-status-codes" not in reasons:
        reasons.append("retriable-status-codes")
    return {
        "count": 1 if retries.attempts is None else retries.attempts,
        **_present(
            perTryTimeout="" if retries.per_try_timeout_ms is None else duration_text(retries.per_try_timeout_ms),
            retryOn=reasons,
            retriableStatusCodes=codes,
        ),
    }


def _edits(edits: HeaderEdits, where: str) -> dict[str, Any]:
    if edits.add:
        raise TrafficError(
            f"Contour sets headers and cannot add to them: write `headers.{where}.set` instead of `add`, if a value "
            "that is there already may go"
        )
    return _present(
        set=[{"name": name, "value": value} for name, value in edits.set.items()], remove=list(edits.remove)
    )


def _present(**parts: Any) -> dict[str, Any]:
    return {key: part for key, part in parts.items() if part}


def _is_split(site: Site, spec: Mapping[str, Any]) -> bool:
    return any(is_split(site, route) for route in _routes(spec))


def _routes(spec: Mapping[str, Any]) -> list[Route]:
    return spec.get("routes") or []
