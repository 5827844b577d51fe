"""The controllers of a cluster: their Deployments, and what their arguments say."""

from __future__ import annotations

from typing import Any, NamedTuple

from interpreter.cluster.api import Api
from interpreter.objects import Manifest

DEPLOYMENT = ("apps/v1", "Deployment")
LABEL = "app.kubernetes.io/part-of=rollway"


class Controller(NamedTuple):
    """A Deployment that runs `rollway controller`."""

    manifest: Manifest

    @property
    def namespace(self) -> str:
        return str(self.manifest["metadata"]["namespace"])

    @property
    def name(self) -> str:
        return str(self.manifest["metadata"]["name"])

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def pod(self) -> dict[str, Any]:
        """The spec of its pods."""
        return dict(self.manifest["spec"]["template"]["spec"])

    @property
    def account(self) -> str:
        """Its ServiceAccount."""
        return str(self.pod.get("serviceAccountName") or "default")

    @property
    def image(self) -> str:
        return str(self._container["image"])

    @property
    def _container(self) -> dict[str, Any]:
        return next(one for one in self.pod["containers"] if is_controller(one))

    def says(self, flag: str) -> bool:
        """Whether this stands among its arguments."""
        return any(word == flag or word.startswith(f"{flag}=") for word in self._container.get("args") or ())

    def value(self, flag: str) -> str | None:
        """What stands behind `--flag`, or None."""
        words = list(self._container.get("args") or ())
        for place, word in enumerate(words):
            if word.startswith(f"{flag}="):
                return str(word.partition("=")[2])
            if word == flag and place + 1 < len(words):
                return str(words[place + 1])
        return None

    @property
    def watched(self) -> str | None:
        """The one namespace that it looks after; None for all."""
        return self.value("--namespace")

    @property
    def flagger(self) -> bool:
        """Whether it carries out Canaries."""
        return not self.says("--no-flagger")


def is_controller(container: dict[str, Any]) -> bool:
    """Whether a container runs `rollway controller`."""
    return "controller" in [*(container.get("command") or ()), *(container.get("args") or ())][:2]


async def controllers(api: Api, namespace: str | None) -> list[Controller]:
    """All of a namespace, or of the cluster. Raises `ApiError`."""
    found = await api.list(DEPLOYMENT, namespace, LABEL)
    return [
        Controller(one) for one in found if any(map(is_controller, one["spec"]["template"]["spec"].get("containers")))
    ]
