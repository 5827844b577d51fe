"""How much of the traffic a routing puts at risk, and which of two routings risks less. Pure."""

from __future__ import annotations

from dataclasses import replace

from interpreter.desired import Routing

HOME = Routing()
"""All traffic on the primary, nothing mirrored."""


def reduced(seen: Routing, wanted: Routing) -> Routing:
    """The routing that takes from `seen` all that `wanted` takes away and adds nothing that `wanted` adds.

    Applying it can only lower exposure, so that it may be applied before the state is written. Each part is judged by
    itself: the lower weight, the lower mirror share, matches and stickiness only as far as both have the same.
    """
    return replace(
        seen,
        weight=min(seen.weight, wanted.weight),
        mirror=min(seen.mirror, wanted.mirror),
        matches=seen.matches if seen.matches == wanted.matches else (),
        sticky=seen.sticky if seen.sticky == wanted.sticky else None,
    )
