"""What a route of a RouteTable does to requests and responses beside routing them: Gloo's `options`.

Durations are seconds with a fraction, which is the one spelling that every version of Gloo reads. A retry without a
condition would never happen in Envoy, so there is one if the user says none.
"""

from __future__ import annotations

from typing import Any

from interpreter.traffic.options import Cors, HeaderEdits, Options, Retries, Rewrite
from interpreter.traffic.patterns import escaped

RETRY_ON = "gateway-error,connect-failure,refused-stream"
"""When to try again, if the user does not say."""

_WHOLE_PATH = "^/.*$"


def route_options(options: Options) -> dict[str, Any]:
    """Gloo's options of a route, from those of the `traffic` block. Raises `TrafficError` for wrong values."""
    made = {
        "timeout": None if options.timeout_ms is None else seconds(options.timeout_ms),
        "retries": _retries(options.retries),
        **_rewrite(options.rewrite),
        "cors": _cors(options.cors),
        "headerManipulation": {
            **_edits("request", options.headers.request),
            **_edits("response", options.headers.response),
        },
    }
    return {key: value for key, value in made.items() if value}


def seconds(milliseconds: int) -> str:
    """`15s`, `1.5s`, `0.025s`."""
    whole, rest = divmod(milliseconds, 1000)
    return f"{whole}.{rest:03}".rstrip("0").rstrip(".") + "s"


def _retries(retries: Retries | None) -> dict[str, Any]:
    """Gloo takes none to mean one: no retries at all is no policy."""
    if retries is None or retries.attempts == 0:
        return {}
    made: dict[str, Any] = {"retryOn": retries.retry_on or RETRY_ON}
    if retries.attempts is not None:
        made["numRetries"] = retries.attempts
    if retries.per_try_timeout_ms is not None:
        made["perTryTimeout"] = seconds(retries.per_try_timeout_ms)
    if retries.backoff_ms is not None:
        made["retryBackOff"] = {"baseInterval": seconds(retries.backoff_ms)}
    return made


def _rewrite(rewrite: Rewrite | None) -> dict[str, Any]:
    if rewrite is None:
        return {}
    made: dict[str, Any] = {"hostRewrite": rewrite.authority}
    if rewrite.type == "ReplacePrefixMatch":
        made["prefixRewrite"] = rewrite.uri
    elif rewrite.uri:
        substitution = rewrite.uri.replace("\\", "\\\\")
        made["regexRewrite"] = {"pattern": {"regex": _WHOLE_PATH}, "substitution": substitution}
    return made


def _cors(cors: Cors | None) -> dict[str, Any]:
    if cors is None:
        return {}
    patterns = [
        origin["regex"] if "regex" in origin else f"{escaped(origin['prefix'])}.*"
        for origin in cors.allow_origins
        if "exact" not in origin
    ]
    made = {
        "allowOrigin": [origin["exact"] for origin in cors.allow_origins if "exact" in origin],
        "allowOriginRegex": patterns,
        "allowMethods": list(cors.allow_methods),
        "allowHeaders": list(cors.allow_headers),
        "exposeHeaders": list(cors.expose_headers),
        "maxAge": "" if cors.max_age_ms is None else str(cors.max_age_ms // 1000),
        "allowCredentials": cors.allow_credentials,
    }
    return {key: value for key, value in made.items() if value not in (None, [], "")}


def _edits(which: str, edits: HeaderEdits) -> dict[str, Any]:
    added = [
        {"header": {"key": key, "value": value}, "append": append}
        for values, append in ((edits.add, True), (edits.set, False))
        for key, value in values.items()
    ]
    made: dict[str, Any] = {f"{which}HeadersToAdd": added, f"{which}HeadersToRemove": list(edits.remove)}
    return {key: value for key, value in made.items() if value}
