"""The set-ups of the AWS Load Balancer Controller."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dsl.capabilities import PROVIDERS
from tests.interpreter.traffic import rigs as common

if TYPE_CHECKING:
    from tests.interpreter.traffic.rigs import Rig

_INGRESS = "networking.k8s.io/v1"
_PREFIX = "alb.ingress.kubernetes.io"
_ANNOTATIONS = {f"{_PREFIX}/scheme": "internet-facing", f"{_PREFIX}/target-type": "ip"}


def _alb(namespace: str) -> Rig:
    """Paths with ports, beside paths of others."""
    users = common.manifest(namespace, _INGRESS, "Ingress", "shop", common.INGRESS, annotations=_ANNOTATIONS)
    return common.Rig(common.site(namespace, "alb", {"ingress": "shop"}), PROVIDERS["alb"], (users,))


def _alb_annotated(namespace: str) -> Rig:
    """An action, a condition and a transform of the user's on the apex, and other actions, under another prefix."""
    prefix = "elb.example.com"
    group = {"serviceName": "podinfo", "servicePort": 9898}
    annotations = {
        f"{prefix}/actions.podinfo": f'{{"type":"forward","forwardConfig":{{"targetGroups":[{_json(group)}]}}}}',
        f"{prefix}/transforms.podinfo": "[]",
        f"{prefix}/actions.health": '{"type":"fixed-response","fixedResponseConfig":{"statusCode":"200"}}',
    }
    named = {"name": "use-annotation"}
    spec = {
        "ingressClassName": "alb",
        "rules": [
            {
                "http": {
                    "paths": [
                        _path("health", "/healthz", named, "Exact"),
                        _path("podinfo", "/*", named, "ImplementationSpecific"),
                    ]
                }
            }
        ],
    }
    users = common.manifest(namespace, _INGRESS, "Ingress", "shop", spec, annotations=annotations)
    place = common.site(namespace, "alb", {"ingress": "shop", "annotation_prefix": prefix})
    return common.Rig(place, PROVIDERS["alb"], (users,), goldens=common.FEW, edits=False)


def _json(group: Mapping[str, Any]) -> str:
    return str(dict(group)).replace("'", '"')


def _path(service: str, path: str, port: dict[str, Any], how: str) -> dict[str, Any]:
    return {"path": path, "pathType": how, "backend": {"service": {"name": service, "port": port}}}


ALB_RIGS: Mapping[str, Callable[[str], Rig]] = {
    "alb": _alb,
    "alb-annotated": _alb_annotated,
    "alb-baseline": lambda namespace: common.with_baseline(_alb(namespace)),
}
