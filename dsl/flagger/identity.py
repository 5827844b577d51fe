"""Who an object is: its kind, its version, its name and namespace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dsl.flagger.problems import Problems

API_VERSION = "flagger.app/v1beta1"


def read_identity(
    manifest: Mapping[str, Any], kind: str, problems: Problems, versions: tuple[str, ...] = (API_VERSION,)
) -> tuple[str, str] | None:
    """Name and namespace (`default` if not said) of an object of that kind."""
    version, metadata = manifest.get("apiVersion"), manifest.get("metadata")
    if manifest.get("kind") != kind:
        problems.error("kind", f"is not {kind}")
        return None
    if version not in versions:
        said = f"is `{version}`" if isinstance(version, str) else "is not there"
        old = ", `analysis` for `canaryAnalysis`, and `thresholdRange` for a metric's `threshold`"
        help = f"write `apiVersion: {API_VERSION}`" + (old if version == "flagger.app/v1alpha3" else "")
        problems.error("apiVersion", f"{said}, and {API_VERSION} is read", help)
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    namespace = metadata.get("namespace") if isinstance(metadata, Mapping) else None
    if not isinstance(name, str) or not _is_name(name):
        problems.error("metadata.name", "is required, and is not there" if not name else "is no name of an object")
        return None
    if namespace is not None and (not isinstance(namespace, str) or not _is_name(namespace)):
        problems.error("metadata.namespace", "is no name of a namespace")
        return None
    return name, namespace or "default"


def _is_name(text: str) -> bool:
    """Whether it could name an object: what an API server lets through, or a little more."""
    return 0 < len(text) <= 253 and all(sign.isascii() and (sign.isalnum() or sign in "-.") for sign in text)
