"""Whom a rollout belongs to: a `Rollout` of ours, or a Flagger `Canary`. One view of both."""

from __future__ import annotations

from typing import Any, NamedTuple

from interpreter.cluster import names
from interpreter.objects import Manifest, Ref, ref_of

ROLLOUT, CANARY = "Rollout", "Canary"
API_VERSIONS = {ROLLOUT: names.API_VERSION, CANARY: names.FLAGGER_API_VERSION}


class Owner(NamedTuple):
    """An object that a person wrote and that asks for rollouts."""

    manifest: Manifest

    @property
    def ref(self) -> Ref:
        return ref_of(self.manifest)

    @property
    def kind(self) -> str:
        """`Rollout` or `Canary`."""
        return str(self.manifest["kind"])

    @property
    def name(self) -> str:
        return str(self.manifest["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.manifest["metadata"]["namespace"])

    @property
    def uid(self) -> str:
        return str(self.manifest["metadata"]["uid"])

    @property
    def generation(self) -> int:
        """How often its spec has changed."""
        return int(self.manifest["metadata"].get("generation", 0))

    @property
    def annotations(self) -> dict[str, str]:
        return dict(self.manifest["metadata"].get("annotations") or {})

    @property
    def finalizers(self) -> list[str]:
        return list(self.manifest["metadata"].get("finalizers") or [])

    @property
    def spec(self) -> dict[str, Any]:
        return dict(self.manifest.get("spec") or {})

    @property
    def status(self) -> dict[str, Any]:
        return dict(self.manifest.get("status") or {})

    @property
    def suspended(self) -> bool:
        return bool(self.spec.get("suspend", False))

    @property
    def deleted(self) -> bool:
        """Whether it waits for its finalizers."""
        return "deletionTimestamp" in self.manifest["metadata"]
