"""The ports of the Services of a rollout: those that the policy states, and those that the pods have.

Source of the rules: peers.md §3.1. Unlike Flagger's, a port found by discovery keeps its protocol, and a user's own
Service keeps what the policy says nothing of.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

from dsl.ir import Program
from interpreter.objects import Manifest

SIDECARS = frozenset({"istio-proxy", "envoy", "linkerd-proxy"})
"""Containers that a mesh puts into pods; their ports are not the application's."""

DEFAULT_PORT = 80
"""Of a Service for which neither policy, nor Service, nor pods say one."""
DEFAULT_NAME = "http"


class PodPort(NamedTuple):
    """A port that a container declares."""

    name: str
    number: int
    protocol: str
    named: bool


def pod_ports(target: Manifest) -> tuple[PodPort, ...]:
    """The ports of a target's containers but for sidecars, as a Service would name them."""
    template = target.get("spec", {}).get("template") or {}
    return tuple(_declared(template.get("spec") or {}))


def _declared(spec: dict[str, Any]) -> Iterator[PodPort]:
    for container in spec.get("containers") or ():
        of = container.get("name", "app")  # Knative's may do without one
        if of in SIDECARS:
            continue
        for index, port in enumerate(container.get("ports") or ()):
            protocol = port.get("protocol", "TCP")
            name = port.get("name") or f"{protocol.lower()}-{of}-{index}"
            yield PodPort(name[:63].rstrip("-"), port["containerPort"], protocol, "name" in port)


def service_port(program: Program, target: Manifest | None, apex: Manifest | None) -> int:
    """The port that requests come to: the policy's, else the first of the user's own Service, else the pods' first."""
    if program.service.port is not None:
        return program.service.port
    for port in _live(apex):
        return int(port["port"])
    for found in pod_ports(target) if target is not None else ():
        return found.number
    return DEFAULT_PORT


def main_port(program: Program, target: Manifest, apex: Manifest | None) -> dict[str, Any]:
    """The port that the policy speaks of, as it stands in a Service. `apex` is the user's own Service if there is one:
    what the policy does not say stays as it is there."""
    service = program.service
    number = service_port(program, target, apex)
    made = _existing(apex, number)
    if service.target_port is not None or "targetPort" not in made:
        made["targetPort"] = number if service.target_port is None else service.target_port
    if service.port_name is not None or "name" not in made:
        taken = {port.get("name") for port in _live(apex)}
        made["name"] = service.port_name or (DEFAULT_NAME if DEFAULT_NAME not in taken else f"{DEFAULT_NAME}-{number}")
    if service.app_protocol is not None:
        made["appProtocol"] = service.app_protocol
    return made


def further_ports(program: Program, target: Manifest, main: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """With port discovery, the other ports of the pods, each once, as they stand in a Service."""
    if not program.service.port_discovery:
        return ()
    made: list[dict[str, Any]] = []
    numbers, names = {(main["port"], main["protocol"])}, {main["name"]}
    for port in pod_ports(target):
        reached = main["targetPort"] in (port.number, port.name) and port.protocol == main["protocol"]
        if reached or (port.number, port.protocol) in numbers or port.name in names:
            continue
        numbers.add((port.number, port.protocol))
        names.add(port.name)
        aim = port.name if port.named else port.number
        made.append({"name": port.name, "port": port.number, "targetPort": aim, "protocol": port.protocol})
    return tuple(made)


def ports(program: Program, target: Manifest, apex: Manifest | None) -> list[dict[str, Any]]:
    """All ports of the Services. Of a user's own, those that the policy does not state stay as they are, where they
    are; what is found by discovery is only added."""
    main = main_port(program, target, apex)
    made = [main if _key(port) == _key(main) else copy.deepcopy(port) for port in _live(apex)]
    taken, names = {_key(port) for port in made}, {port.get("name") for port in made}
    for port in (main, *further_ports(program, target, main)):
        if _key(port) not in taken and (port is main or port["name"] not in names):
            made.append(port)
    for port in made if len(made) > 1 else ():  # a Service's only port may do without a name
        port.setdefault("name", f"port-{port['port']}")
    return made


def _live(apex: Manifest | None) -> list[dict[str, Any]]:
    return ((apex or {}).get("spec") or {}).get("ports") or []


def _key(port: dict[str, Any]) -> tuple[int, str]:
    """What a Service can have but once."""
    return port["port"], port.get("protocol", "TCP")


def _existing(apex: Manifest | None, number: int) -> dict[str, Any]:
    for port in _live(apex):
        if port["port"] == number and port.get("protocol", "TCP") == "TCP":
            return {"protocol": "TCP", **copy.deepcopy(port)}
    return {"port": number, "protocol": "TCP"}
