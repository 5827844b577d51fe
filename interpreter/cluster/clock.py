"""Time as rollouts have it. It is the wall's, unless a test makes it run faster to see a long life to its end.

A metric is asked as of a moment, and its server knows the wall's time only: `on_the_wall` brings one there.
"""

from __future__ import annotations

import time

from interpreter.desired import Instant


class Clock:
    """Milliseconds since the epoch, from the moment of making on `speed` times as fast as the wall's."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self._began = time.time_ns() // 1_000_000

    def now(self) -> Instant:
        """Now."""
        return self._began + int((time.time_ns() // 1_000_000 - self._began) * self.speed)

    def seconds_until(self, moment: Instant) -> float:
        """How long to sleep until then; nothing for what has passed."""
        return max(0.0, (moment - self.now()) / 1000 / self.speed)

    def on_the_wall(self, moment: Instant) -> Instant:
        """What the wall's clock says at that moment."""
        return self._began + int((moment - self._began) / self.speed)
