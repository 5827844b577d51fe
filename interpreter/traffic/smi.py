"""The Service Mesh Interface: a TrafficSplit, in the version of the API that the option `api` says, or that the mesh
serves.

The installed definition says which versions are served; of several the newest is taken, all being one object. Where the
definition cannot be seen (a controller that is confined to a namespace may not read it), a TrafficSplit that is there
tells its version, and if there is none it is the one that most meshes serve. Requests can be matched only if `api` says
a version that has matches: what a policy may ask for is known before anything is installed.
"""

from __future__ import annotations

from collections.abc import Mapping

from interpreter.desired import Routing
from interpreter.objects import Change, Objects, Ref
from interpreter.traffic import smi_split
from interpreter.traffic.options import Options
from interpreter.traffic.provider import Site, TrafficError

VERSIONS = ("v1alpha4", "v1alpha3", "v1alpha2", "v1alpha1")
"""The newest first."""
USUAL = "v1alpha2"
DEFINITION = Ref("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", f"trafficsplits.{smi_split.GROUP}")


class Smi:
    """The provider `smi`."""

    name = "smi"

    def refs(self, site: Site) -> tuple[Ref, ...]:
        said = _said(site)
        if said:
            return smi_split.refs(site, said)
        return (*(smi_split.split_ref(site, version) for version in VERSIONS), DEFINITION)

    def render(self, site: Site, routing: Routing, existing: Objects) -> tuple[Change, ...]:
        if routing.matches and not _said(site):
            raise TrafficError(
                "traffic smi: requests can be matched only if `api` says a version that can: write `api v1alpha4` or "
                "`api v1alpha3`"
            )
        return smi_split.render(site, _version(site, existing), routing, existing)

    def read(self, site: Site, existing: Objects) -> Routing | None:
        return smi_split.read(site, _version(site, existing), existing)

    def release(self, site: Site, existing: Objects) -> tuple[Change, ...]:
        return smi_split.release(site, _version(site, existing), existing)


class Osm:
    """The provider `osm`: Open Service Mesh, which serves v1alpha2 of SMI, and goes by one split of a Service."""

    name = "osm"

    def refs(self, site: Site) -> tuple[Ref, ...]:
        return smi_split.refs(site, USUAL)

    def render(self, site: Site, routing: Routing, existing: Objects) -> tuple[Change, ...]:
        return smi_split.render(site, USUAL, routing, existing)

    def read(self, site: Site, existing: Objects) -> Routing | None:
        return smi_split.read(site, USUAL, existing)

    def release(self, site: Site, existing: Objects) -> tuple[Change, ...]:
        return smi_split.release(site, USUAL, existing)


def _said(site: Site) -> str:
    version = Options(site.program).api
    if version and version not in VERSIONS:
        raise TrafficError(f"traffic smi: the option `api` is `{version}`; write one of {', '.join(VERSIONS)}")
    return version


def _version(site: Site, existing: Objects) -> str:
    said = _said(site)
    if said:
        return said
    served = _served(existing.get(DEFINITION, {}))
    if served:
        return served[0]
    there = [version for version in VERSIONS if smi_split.split_ref(site, version) in existing]
    return there[0] if there else USUAL


def _served(definition: Mapping[str, object]) -> list[str]:
    """The versions that we know and the API server serves."""
    spec = definition.get("spec")
    versions = spec.get("versions", ()) if isinstance(spec, Mapping) else ()
    names = {each.get("name") for each in versions if each.get("served")}
    return [version for version in VERSIONS if version in names]
