"""The API, under `/api/v1/`: what there is, and what is decided. Every call shows a bearer token, or a session."""

from __future__ import annotations

from typing import Any, Protocol

from aiohttp import web

from interpreter.cluster.api import Api
from interpreter.objects import Ref


class Views(Protocol):
    """What a rollout looks like, as data."""

    async def listed(self, api: Api, namespace: str | None) -> list[dict[str, Any]]:
        """All rollouts, of one namespace or of all."""
        ...

    async def one(self, api: Api, owner: Ref) -> dict[str, Any] | None:
        """One rollout; None if there is none."""
        ...

    async def runs(self, api: Api, owner: Ref) -> list[dict[str, Any]] | None:
        """Its runs, newest first; None if there is no such rollout."""
        ...


def add_api(app: web.Application) -> None:
    """Add the routes."""
    del app
