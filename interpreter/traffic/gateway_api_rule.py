"""The rule that a route of ours is made of, before it is split: the options of the `traffic` block as filters, time
limits and retries. It leads to the apex Service.

A GRPCRoute knows headers and mirrors only. Retries and CORS have come late to the Gateway API: whether the installed
version has them is asked of its definition.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from interpreter.objects import Manifest
from interpreter.traffic.gateway_api_crd import CORS, RETRY, Installed
from interpreter.traffic.gateway_api_matches import RouteKind, user_matches
from interpreter.traffic.options import Cors, HeaderEdits, Options, Retries, Rewrite, duration_text
from interpreter.traffic.provider import Site, TrafficError

_CORS_AGE = 5
"""Seconds; the default of the API, written out."""
_HTTP_ONLY = ("rewrite", "retries", "timeout", "backend_timeout", "cors")

_RETRY_CODES: Mapping[str, tuple[int, ...]] = {
    "5xx": (500, 501, 502, 503, 504),
    "gateway-error": (502, 503, 504),
    "retriable-4xx": (409,),
    "retriable-status-codes": (),
    "connect-failure": (),
    "refused-stream": (),
    "reset": (),
    "reset-before-request": (),
    "http3-post-connect-failure": (),
}
"""Envoy's words for when to try again, as status codes. Broken connections are tried again in any case."""


def base_rule(kind: RouteKind, site: Site, crd: Installed) -> Manifest:
    """Raises `TrafficError` for what a route of this kind, or of the installed version, does not know."""
    options = Options(site.program)
    if kind == "GRPCRoute":
        strange = [name for name in _HTTP_ONLY if name in site.program.traffic.options]
        if strange:
            raise TrafficError(f"traffic gateway_api: a GRPCRoute has no `{strange[0]}`; take the option away")
    backend = {"group": "", "kind": "Service", "name": site.apex, "port": options.port or site.port}
    rule: Manifest = {"matches": user_matches(kind, options.match), "backendRefs": [backend]}
    for key, part in (
        ("filters", _filters(site, options, crd)),
        ("timeouts", _timeouts(options)),
        ("retry", _retry(options.retries, crd)),
    ):
        if part:
            rule[key] = part
    return rule


def _filters(site: Site, options: Options, crd: Installed) -> list[Manifest]:
    filters = [
        _header_filter("RequestHeaderModifier", "requestHeaderModifier", options.headers.request),
        _header_filter("ResponseHeaderModifier", "responseHeaderModifier", options.headers.response),
        _rewrite(options.rewrite),
        _cors(options.cors, crd),
    ]
    mirrors = [_mirror(site, options, backend) for backend in options.mirror_to]
    return [each for each in filters if each] + mirrors


def _header_filter(kind: str, key: str, edits: HeaderEdits) -> Manifest:
    made: Manifest = {}
    for part, headers in (("add", edits.add), ("set", edits.set)):
        if headers:
            made[part] = [{"name": name, "value": value} for name, value in headers.items()]
    if edits.remove:
        made["remove"] = list(edits.remove)
    return {"type": kind, key: made} if made else {}


def _rewrite(rewrite: Rewrite | None) -> Manifest:
    made: Manifest = {}
    if rewrite is not None and rewrite.uri:
        key = "replacePrefixMatch" if rewrite.type == "ReplacePrefixMatch" else "replaceFullPath"
        made["path"] = {"type": rewrite.type, key: rewrite.uri}
    if rewrite is not None and rewrite.authority:
        made["hostname"] = rewrite.authority
    return {"type": "URLRewrite", "urlRewrite": made} if made else {}


def _cors(cors: Cors | None, crd: Installed) -> Manifest:
    if cors is None:
        return {}
    crd.demand(CORS, "traffic gateway_api: the option `cors`")
    lists = {
        "allowOrigins": [_origin(test) for test in cors.allow_origins],
        "allowMethods": list(cors.allow_methods),
        "allowHeaders": list(cors.allow_headers),
        "exposeHeaders": list(cors.expose_headers),
    }
    made: Manifest = {key: values for key, values in lists.items() if values}
    if cors.allow_credentials is not None:
        made["allowCredentials"] = cors.allow_credentials
    made["maxAge"] = _CORS_AGE if cors.max_age_ms is None else max(1, cors.max_age_ms // 1000)
    return {"type": "CORS", "cors": made}


def _origin(test: Mapping[str, str]) -> str:
    if set(test) != {"exact"}:
        raise TrafficError(
            f"traffic gateway_api: `cors.allow_origins` has {dict(test)}, and a route knows exact origins only; "
            "write each one out, or with a leading wildcard, as in `https://*.example.com`"
        )
    return test["exact"]


def _mirror(site: Site, options: Options, backend: Mapping[str, Any]) -> Manifest:
    if "name" not in backend:
        raise TrafficError("traffic gateway_api: an entry of `mirror_to` has no `name`; name the Service")
    named = {"group": "", "kind": "Service", **backend}
    if (named["group"], named["kind"]) == ("", "Service"):
        named.setdefault("port", options.port or site.port)
    return {"type": "RequestMirror", "requestMirror": {"backendRef": named}}


def _timeouts(options: Options) -> Manifest:
    """One try may take as long as `backend_timeout` says, else as long as the retries say."""
    tries = options.retries.per_try_timeout_ms if options.retries else None
    backend = tries if options.backend_timeout_ms is None else options.backend_timeout_ms
    limits = {"request": options.timeout_ms, "backendRequest": backend}
    return {key: duration_text(limit) for key, limit in limits.items() if limit is not None}


def _retry(retries: Retries | None, crd: Installed) -> Manifest:
    if retries is None:
        return {}
    crd.demand(RETRY, "traffic gateway_api: the option `retries`")
    made: Manifest = {}
    if retries.attempts is not None:
        made["attempts"] = retries.attempts
    if retries.backoff_ms is not None:
        made["backoff"] = duration_text(retries.backoff_ms)
    codes = sorted({code for word in re.split(r"[,\s]+", retries.retry_on) if word for code in _codes(word)})
    if codes:
        made["codes"] = codes
    return made


def _codes(word: str) -> tuple[int, ...]:
    if re.fullmatch(r"[45]\d\d", word):
        return (int(word),)
    if word not in _RETRY_CODES:
        raise TrafficError(
            f"traffic gateway_api: `retries.retry_on` has `{word}`, and a route tries again after status codes only; "
            f"write those, or one of {', '.join(_RETRY_CODES)}"
        )
    return _RETRY_CODES[word]
