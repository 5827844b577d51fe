"""What a Canary says of its data plane and its Services, as the `traffic` and `service` blocks of a rollout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dsl.flagger.model import Canary
from dsl.flagger.problems import Problems
from dsl.flagger.writing import block, duration, mapping, short, value, word

_SNAKE = {
    "perTryTimeout": "per_try_timeout",
    "retryOn": "retry_on",
    "allowOrigin": "allow_origin",
    "allowOrigins": "allow_origins",
    "allowMethods": "allow_methods",
    "allowHeaders": "allow_headers",
    "exposeHeaders": "expose_headers",
    "allowCredentials": "allow_credentials",
    "maxAge": "max_age",
    "sectionName": "section_name",
}
_TIMES = frozenset({"perTryTimeout", "maxAge"})
_OPTIONS = {
    "hosts": "hosts",
    "gateways": "gateways",
    "gateway_refs": "gatewayRefs",
    "delegation": "delegation",
    "match": "match",
    "rewrite": "rewrite",
    "timeout": "timeout",
    "backend_timeout": "backendTimeout",
    "retries": "retries",
    "headers": "headers",
    "cors": "corsPolicy",
    "mirror_to": "mirror",
    "traffic_policy": "trafficPolicy",
    "backends": "backends",
}
"""Options of the language, and the fields of `spec.service` that they come from."""


def traffic_text(canary: Canary, problems: Problems) -> str:
    """`traffic PROVIDER { … }`; what the provider has no use for is left out, with a warning."""
    lines = list(_options(canary, problems))
    head = f"traffic {canary.plane.provider}"
    return (short if len(lines) == 1 else block)(head, lines) if lines else head


def _options(canary: Canary, problems: Problems) -> Iterator[str]:
    takes = canary.plane.can.takes
    if canary.plane.api and "api" in takes:
        yield f"api {word(canary.plane.api)}"
    for option, name in (("ingress", canary.ingress), ("route", canary.route), ("upstream", canary.upstream)):
        if name and option in takes:
            yield f"{option} {word(name)}"
        elif name:
            _unused(f"spec.{option}Ref", canary, problems)
    if canary.mesh and "mesh" in takes:
        yield f"mesh {word(canary.mesh)}"
    for option, field in _OPTIONS.items():
        said = canary.service.get(field)
        if said in (None, False, [], {}):
            continue
        if option in takes:
            yield f"{option} {_written(field, said)}"
        else:
            _unused(f"spec.service.{field}", canary, problems)


def _unused(path: str, canary: Canary, problems: Problems) -> None:
    problems.warn(path, f"means nothing to the provider `{canary.plane.flagger}`, and is left out")


def _written(field: str, said: Any) -> str:
    match field:
        case "timeout" | "backendTimeout":
            return duration(said)
        case "retries" | "corsPolicy":
            return _renamed(said)
        case "gatewayRefs":
            return f"[{', '.join(map(_renamed, said))}]"
        case "mirror":
            return f"[{', '.join(_renamed(each['backendRef']) for each in said)}]"
        case _:
            return value(said)


def _renamed(data: Mapping[str, Any]) -> str:
    """A map whose keys are the language's own."""
    return mapping(
        {_SNAKE.get(key, key): duration(item) if key in _TIMES else value(item) for key, item in data.items()}
    )


# --- Services ---------------------------------------------------------------------------------------------------


def service_text(canary: Canary) -> str:
    """`service { … }`, empty where there is nothing to say."""
    lines = list(_settings(canary))
    if not lines:
        return ""
    return (short if len(lines) <= 3 and sum(map(len, lines)) < 60 else block)("service", lines)


def _settings(canary: Canary) -> Iterator[str]:
    service = canary.service
    if service.get("name", canary.target.name) != canary.target.name:
        yield f"name {word(service['name'])}"
    if "port" in service:
        yield f"port {service['port']}"
    if "targetPort" in service:
        port = service["targetPort"]
        yield f"target_port {port if isinstance(port, int) else word(port)}"
    for setting, name in (("port_name", "portName"), ("app_protocol", "appProtocol")):
        if service.get(name):
            yield f"{setting} {word(service[name])}"
    for setting, name in (("port_discovery", "portDiscovery"), ("headless", "headless")):
        if service.get(name):
            yield f"{setting} true"
    if service.get("trafficDistribution"):
        yield f"traffic_distribution {word(service['trafficDistribution'])}"
    for arm in ("apex", "primary", "canary"):
        if service.get(arm):
            yield f"{arm} {value(service[arm])}"
    if service.get("unmanagedMetadata"):
        yield f"unmanaged_metadata {value(service['unmanagedMetadata'])}"
