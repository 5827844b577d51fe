"""Who may act: the holder of a Lease (`coordination.k8s.io/v1`), and nobody else.

The holder renews it every `retry` seconds, each time by a PUT that fails if anybody else has written. Whoever wants it
waits until it has seen no change for the whole of the lease's own duration, by its own clock: nobody's clock is
compared with anybody else's. The holder gives up once `renew_deadline` seconds have passed since it *began* its last
renewal that succeeded, which is before anybody else may take over. So two never hold it at once, however long a process
was stopped or cut off; `held` says no by the clock alone, and every write asks it (`Api.gated`).

The guard of the last resort is another one: the state of a rollout is written with its resourceVersion. A write of ours
that was on its way when the lease ran out cannot undo a step of the next leader.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import structlog

from interpreter.cluster.api import Api, ApiError, Conflict
from interpreter.objects import Manifest, Ref

API_VERSION = "coordination.k8s.io/v1"

Callback = Callable[[], Awaitable[None]]

log = structlog.get_logger(__name__)


class Leader:
    """One candidate for one Lease. Times are seconds. `identity` must be unique to the process."""

    def __init__(
        self,
        api: Api,
        namespace: str,
        name: str,
        identity: str,
        duration: float = 15,
        renew_deadline: float = 10,
        retry: float = 2,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not 0 < retry < renew_deadline < duration:
            raise ValueError("a lease needs retry < renew_deadline < duration")
        self._api = api.gated(None)
        self._ref = Ref(API_VERSION, "Lease", namespace, name)
        self.identity = identity
        self._duration = duration
        self._renew_deadline = renew_deadline
        self._retry = retry
        self._clock = clock
        self._lease: Manifest | None = None
        self._version = ""
        self._seen_at = clock()
        self._renewed_at: float | None = None
        self.holder = ""
        """Who holds it, as last seen."""

    def held(self) -> bool:
        """Whether we may write."""
        return self._renewed_at is not None and self._clock() < self._renewed_at + self._renew_deadline

    async def run(self, on_started: Callback, on_lost: Callback) -> None:
        """Stand for election for ever. `on_started` is run when we have the lease, and cancelled when we lose it; then
        `on_lost` is awaited, and we stand again. When cancelled: the same, and the lease is given back."""
        while True:
            await self._acquire()
            log.info("this replica leads now", lease=str(self._ref), identity=self.identity)
            started = asyncio.ensure_future(on_started())
            try:
                await self._keep(started)
            finally:
                await self._stop(started)
                await on_lost()
                await self._release()
            log.warning("this replica leads no more", lease=str(self._ref), holder=self.holder)

    async def try_once(self) -> bool:
        """One try to get or renew it. Whether we have it now. Never raises but when cancelled."""
        begun = self._clock()
        try:
            async with asyncio.timeout(self._left() or self._renew_deadline):  # never past the time to give up
                if not await self._claim():
                    return False
        except Conflict:
            self._lease = None  # somebody else wrote: look before the next try
            return False
        except (ApiError, TimeoutError) as error:
            log.warning("the lease cannot be written", lease=str(self._ref), why=str(error) or "no answer in time")
            self._lease = None
            return False
        self._renewed_at = begun
        return True

    async def _acquire(self) -> None:
        self._renewed_at = None
        while True:
            if await self.try_once():
                return
            await asyncio.sleep(self._retry)

    async def _keep(self, started: asyncio.Future[None]) -> None:
        """Renew until it is lost. A callback that fails ends it too, with its error."""
        while self.held():
            rest = min(self._retry, self._left())
            if started.done():
                started.result()
                await asyncio.sleep(rest)
            else:
                await asyncio.wait({started}, timeout=rest)
            if not await self.try_once() and self.holder != self.identity:
                break
        self._renewed_at = None

    async def _stop(self, started: asyncio.Future[None]) -> None:
        started.cancel()
        await asyncio.wait({started})
        if not started.cancelled() and (error := started.exception()) is not None:
            log.warning("what the leader ran has failed", why=str(error))

    async def _claim(self) -> bool:
        """Write the lease, if it is ours to write."""
        lease = self._lease if self.held() and self._lease is not None else await self._look()
        if lease is None:
            self._note(await self._api.create(self._record(None)))
            return True
        if not self._is_free(lease):
            return False
        self._note(await self._api.replace(self._record(lease)))
        return True

    async def _look(self) -> Manifest | None:
        lease = await self._api.get(self._ref)
        if lease is not None:
            self._note(lease)
        return lease

    def _note(self, lease: Manifest) -> None:
        """Remember it, and since when it has been as it is."""
        version = lease["metadata"]["resourceVersion"]
        if version != self._version:
            self._seen_at = self._clock()
        self._version = version
        self._lease = lease
        self.holder = str(lease.get("spec", {}).get("holderIdentity") or "")

    def _is_free(self, lease: Manifest) -> bool:
        """Ours, nobody's, or not renewed for as long as its holder promised to."""
        if self.held() and self.holder == self.identity:
            return True
        promised = float(lease.get("spec", {}).get("leaseDurationSeconds") or 0)
        return not self.holder or self._clock() >= self._seen_at + max(promised, self._duration)

    def _record(self, lease: Manifest | None) -> Manifest:
        now = _micro_time()
        spec: dict[str, Any] = dict((lease or {}).get("spec") or {})
        if not self.held():
            transitions = int(spec.get("leaseTransitions") or 0) + (lease is not None)
            spec |= {"acquireTime": now, "leaseTransitions": transitions}
        spec |= {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": math.ceil(self._duration),
            "renewTime": now,
        }
        metadata = dict(lease["metadata"]) if lease else {"namespace": self._ref.namespace, "name": self._ref.name}
        return {"apiVersion": API_VERSION, "kind": "Lease", "metadata": metadata, "spec": spec}

    def _left(self) -> float:
        """Seconds for which we hold it still; 0 if we do not."""
        if self._renewed_at is None:
            return 0.0
        return max(0.0, self._renewed_at + self._renew_deadline - self._clock())

    async def _release(self) -> None:
        """Give it back, so that the next need not wait. Only if nobody can have taken it: the PUT is guarded."""
        lease, self._renewed_at = self._lease, None
        if lease is None or self.holder != self.identity:
            return
        spec = {**lease["spec"], "holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _micro_time()}
        with contextlib.suppress(ApiError, TimeoutError):
            async with asyncio.timeout(self._retry):
                self._note(await self._api.replace({**lease, "spec": spec}))


def _micro_time() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
