"""How often somebody may try: so many times at once, and so many a minute after that. Pure, but for the clock."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable


class Tries:
    """A bucket for each address: `burst` tries, filled again at `per_minute`. The `most` addresses that were seen last
    are known; one that has been forgotten begins anew, so `most` is large."""

    def __init__(
        self, burst: int, per_minute: float, most: int = 10_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._burst = float(burst)
        self._rate = per_minute / 60.0
        self._most = most
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """Seconds until the next try is allowed; 0 if it is now."""
        left = self._now(address)
        return 0.0 if left >= 1.0 else (1.0 - left) / self._rate

    def take(self, address: str) -> None:
        """One try has been made."""
        self._left[address] = (max(0.0, self._now(address) - 1.0), self._clock())
        self._left.move_to_end(address)
        while len(self._left) > self._most:
            self._left.popitem(last=False)

    def _now(self, address: str) -> float:
        left, at = self._left.get(address, (self._burst, 0.0))
        return min(self._burst, left + max(0.0, self._clock() - at) * self._rate)
