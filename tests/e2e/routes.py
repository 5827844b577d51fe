"""What the data plane really does, as against what it has been told: the canary's share by Skipper's own routes."""

from __future__ import annotations

import asyncio
import re
import time
from typing import NamedTuple

import httpx

from tests.e2e.manifests import APP, NAMESPACE

EVERY_S = 0.1
_OURS = re.compile(rf"^kube_{NAMESPACE}__{APP}_canary__\w*__{APP}_(primary|canary): (.*?)$", re.MULTILINE)
_SHARE = re.compile(r"\bTraffic\(([0-9.]+)\)")


class Period(NamedTuple):
    """While the canary had this share, in percent: every request within these times, and maybe some around."""

    weight: float
    since: float
    until: float


class Routes:
    """Asks for the routes again and again, from the start to the end of the block. `periods` are told in order."""

    def __init__(self, support: str) -> None:
        self.periods: list[Period] = []
        self._client = httpx.AsyncClient(base_url=support, trust_env=False, timeout=10)
        self._asking: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Routes:
        self._asking = asyncio.create_task(self._ask())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
        await self._client.aclose()

    @property
    def weight(self) -> float | None:
        """The latest."""
        return self.periods[-1].weight if self.periods else None

    async def _ask(self) -> None:
        while True:
            sent = time.monotonic()
            weight = share((await self._client.get("/routes")).raise_for_status().text)
            if self.weight == weight:
                self.periods[-1] = self.periods[-1]._replace(until=sent)
            else:
                now = time.monotonic()
                self.periods.append(Period(weight, now, now))
            await asyncio.sleep(EVERY_S)


def share(routes: str) -> float:
    """The canary's share in percent. The primary's route says its own; one that has no `Traffic` takes all that comes
    to it, and `False` none."""
    found = dict(_OURS.findall(routes))
    if "canary" not in found or "False()" in found["canary"]:
        return 0.0
    primary = _SHARE.search(found["primary"]) if "primary" in found else None
    return 100.0 if primary is None else round(100 * (1 - float(primary[1])), 2)
