"""Where the proxy can send requests: the ready processes of each arm, and how many requests each has in hand."""

from __future__ import annotations

import asyncio
from typing import Literal

from interpreter.desired import Role
from interpreter.local.metering import Subject


class Endpoint:
    """One process that answers requests. It is drained before it is stopped, so that no request is lost."""

    __slots__ = ("_idle", "host", "in_flight", "port", "revision", "role")

    def __init__(self, role: Role, revision: str, port: int, host: str = "127.0.0.1") -> None:
        self.role = role
        self.revision = revision
        self.host = host
        self.port = port
        self.in_flight = 0
        self._idle: asyncio.Event | None = None

    def enter(self) -> None:
        self.in_flight += 1

    def leave(self) -> None:
        self.in_flight -= 1
        if self.in_flight == 0 and self._idle is not None:
            self._idle.set()

    async def drained(self, seconds: float) -> bool:
        """Wait until no request is under way; False if some still are when the time is up."""
        if self.in_flight:
            self._idle = asyncio.Event()
            try:
                async with asyncio.timeout(seconds):
                    await self._idle.wait()
            except TimeoutError:
                return False
        return True


class Upstreams:
    """The ready endpoints by role. A baseline that is not there is stood in for by the primary."""

    def __init__(self) -> None:
        self._endpoints: dict[Role, tuple[Endpoint, ...]] = {}
        self._turn = 0
        self.revisions: dict[Role, str] = {}

    def put(self, role: Role, revision: str | None, endpoints: tuple[Endpoint, ...]) -> None:
        """From now on `role` has these endpoints; `revision` is what it is meant to run."""
        self._endpoints[role] = endpoints
        if revision is None:
            self.revisions.pop(role, None)
        else:
            self.revisions[role] = revision

    def has(self, role: Role) -> bool:
        return bool(self._endpoints.get(role))

    def pick(self, role: Role) -> Endpoint | None:
        """The next endpoint of `role`, in turn."""
        endpoints = self._endpoints.get(role, ())
        if not endpoints and role == "baseline":
            endpoints = self._endpoints.get("primary", ())
        if not endpoints:
            return None
        self._turn += 1
        return endpoints[self._turn % len(endpoints)]

    def absent(self, role: Role) -> Subject:
        """Who is to blame when `role` has nobody to answer."""
        return Subject(role, self.revisions.get(role, "none"))


ARMS: tuple[Literal["primary", "canary", "baseline"], ...] = ("primary", "canary", "baseline")
