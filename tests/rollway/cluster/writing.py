"""Writes objects as the interpreter does, to a real API server."""

from __future__ import annotations

from typing import Any

from interpreter.objects import Manifest
from tests.controlplane.api import Api

_PLURALS = {"Rollout": "rollouts", "Canary": "canaries", "RolloutRun": "rolloutruns", "Deployment": "deployments"}


def path(manifest: Manifest, *, collection: bool = False) -> str:
    """Where an object is."""
    metadata = manifest["metadata"]
    parts = f"/apis/{manifest['apiVersion']}/namespaces/{metadata['namespace']}/{_PLURALS[manifest['kind']]}"
    return parts if collection else f"{parts}/{metadata['name']}"


def write(api: Api, manifest: Manifest) -> Manifest:
    """Make an object and give it its status; as it then is, with its uid."""
    bare = {key: value for key, value in manifest.items() if key != "status"}
    bare["metadata"] = {key: value for key, value in manifest["metadata"].items() if key != "uid"}
    made: Manifest = api.call("POST", path(manifest, collection=True), bare)
    if "status" in manifest:
        made = status(api, made, **manifest["status"])
    return made


def status(api: Api, manifest: Manifest, **fields: Any) -> Manifest:
    """Change the status of an object."""
    changed: Manifest = api.merge(f"{path(manifest)}/status", {"status": fields})
    return changed


def take(api: Api, manifest: Manifest, verb: str) -> Manifest:
    """Take an annotation off, as the interpreter does with one that it has acted on."""
    changed: Manifest = api.merge(path(manifest), {"metadata": {"annotations": {f"rollway.dev/{verb}": None}}})
    return changed
