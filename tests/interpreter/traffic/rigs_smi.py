"""The set-ups for the Service Mesh Interface, whoever serves it. All its definitions are of one and the same kind, so
all but one are installed alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from dsl.capabilities import row_of
from tests.interpreter.traffic import rigs as common

if TYPE_CHECKING:
    from tests.interpreter.traffic.rigs import Rig

SERVED = {
    "v1alpha1": ("smi/linkerd-smi_trafficsplits.yaml",),
    "v1alpha2": ("smi/linkerd-smi_trafficsplits.yaml",),
    "v1alpha2 of OSM": ("smi/osm_trafficsplits.yaml",),
    "v1alpha3": ("smi/nginx-service-mesh_trafficsplits.yaml", "smi/nginx-service-mesh_httproutegroups.yaml"),
    "v1alpha4": ("smi/smi-sdk-go_trafficsplits.yaml", "smi/smi-sdk-go_httproutegroups.yaml"),
}


def _rig(namespace: str, provider: str, version: str, options: Mapping[str, object], **more: object) -> Rig:
    definitions = SERVED[version]
    alone = definitions != SERVED["v1alpha1"]
    row = row_of(provider, options)
    assert row is not None
    place = common.site(namespace, provider, options)
    return common.Rig(place, row, definitions=definitions, alone=alone, **more)  # type: ignore[arg-type]


def _smi(namespace: str) -> Rig:
    """The version is not said."""
    return _rig(namespace, "smi", "v1alpha2", {})


def _smi_v1alpha1(namespace: str) -> Rig:
    options = {"api": "v1alpha1", "hosts": ["podinfo.test"], "gateways": ["public", "mesh"]}
    return _rig(namespace, "smi", "v1alpha1", options, goldens=common.FEW)


def _smi_v1alpha3(namespace: str) -> Rig:
    goldens = (*common.FEW, "rollback-of-match", "two-cookies")
    return _rig(namespace, "smi", "v1alpha3", {"api": "v1alpha3"}, goldens=goldens)


def _smi_v1alpha4(namespace: str) -> Rig:
    goldens = (*common.FEW, "header-or-cookie", "two-cookies", "rollback-of-match")
    return _rig(namespace, "smi", "v1alpha4", {"api": "v1alpha4"}, goldens=goldens)


def _smi_taken_over(namespace: str) -> Rig:
    spec = {"service": "podinfo", "backends": [{"service": "podinfo-blue", "weight": 1}]}
    users = common.manifest(namespace, "split.smi-spec.io/v1alpha2", "TrafficSplit", "podinfo", spec)
    return _rig(namespace, "smi", "v1alpha2", {"api": "v1alpha2"}, given=(users,), goldens=common.FEW)


def _osm(namespace: str) -> Rig:
    return _rig(namespace, "osm", "v1alpha2 of OSM", {})


SMI_RIGS: Mapping[str, Callable[[str], Rig]] = {
    "smi": _smi,
    "smi-v1alpha1": _smi_v1alpha1,
    "smi-v1alpha3": _smi_v1alpha3,
    "smi-v1alpha4": _smi_v1alpha4,
    "smi-taken-over": _smi_taken_over,
    "osm": _osm,
    "smi-baseline": lambda namespace: common.with_baseline(_smi(namespace)),
    "osm-baseline": lambda namespace: common.with_baseline(_rig(namespace, "osm", "v1alpha2", {})),
}
