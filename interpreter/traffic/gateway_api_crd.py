"""What the installed version of the Gateway API can say.

Fields have come with versions and channels of the Gateway API, and an API server drops, or refuses, those it does not
know. A mirror whose share was dropped would mirror everything. The installed CustomResourceDefinition says which
fields there are, and nothing else does so for certain. Where it was not given (not everybody may read it), the fields
are taken to be there: the server is asked to refuse what it does not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from dsl.ir import Program, RouteOp
from interpreter.objects import Manifest, Objects, Ref
from interpreter.traffic.gateway_api_matches import MOST_MATCHES, RouteKind
from interpreter.traffic.options import Options
from interpreter.traffic.provider import TrafficError

GROUP = "gateway.networking.k8s.io"
BUNDLE = f"{GROUP}/bundle-version"

MIRROR_SHARE = ("filters", "[]", "requestMirror", "fraction")
CORS = ("filters", "[]", "cors")
RETRY = ("retry",)


def crd_ref(kind: RouteKind) -> Ref:
    """The definition of a kind of route."""
    return Ref("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", f"{kind.lower()}s.{GROUP}")


def depends_on_version(program: Program) -> bool:
    """Whether this rollout uses any field that is not in every version: only then is the definition read."""
    options = Options(program)
    shares = any(isinstance(op, RouteOp) and 0 < (op.mirror or 0) < 100 for op in program.code)
    return shares or options.cors is not None or options.retries is not None


class Installed(NamedTuple):
    """The definition as far as known, and the version of it that is written. `most_matches` is how many matches a rule
    can have in it."""

    definition: Manifest | None
    version: str
    most_matches: int = MOST_MATCHES

    def demand(self, field: tuple[str, ...], what: str) -> None:
        """Raises `TrafficError` if a rule of a route has no such field. `what` says what it is needed for."""
        if self.definition is None or _has(self.definition, self.version, field):
            return
        metadata = self.definition["metadata"]
        bundle = (metadata.get("annotations") or {}).get(BUNDLE, "an unknown release")
        path = ".".join(field).replace(".[]", "[]")
        raise TrafficError(
            f"{what} needs `spec.rules[].{path}`, which the installed {metadata['name']} {self.version} ({bundle}) "
            "does not have; install a later release or the experimental channel of the Gateway API, or do without"
        )


def installed(kind: RouteKind, version: str, existing: Objects) -> Installed:
    """What is known of the definition."""
    return Installed(existing.get(crd_ref(kind)), version)


def _has(definition: Mapping[str, Any], name: str, field: tuple[str, ...]) -> bool:
    for version in definition.get("spec", {}).get("versions", ()):
        if version.get("name") == name:
            schema = version.get("schema", {}).get("openAPIV3Schema", {})
            return _within(schema, ("spec", "rules", "[]", *field))
    return False


def _within(schema: Mapping[str, Any], path: tuple[str, ...]) -> bool:
    for part in path:
        schema = schema.get("items", {}) if part == "[]" else schema.get("properties", {}).get(part, {})
    return bool(schema)
