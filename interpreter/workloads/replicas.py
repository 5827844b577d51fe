"""How many replicas the canary gets."""

from __future__ import annotations

import math

from interpreter.desired import CanaryScale


def canary_replicas(
    scale: CanaryScale, primary_replicas: int, scaler_min: int | None, current: int, weight: float
) -> int:
    """How many canaries a scale comes to; at least 1 for every mode but `off`.

    `primary_replicas` is what the primary is asked to run. `scaler_min` is the least that the target's own autoscaler
    keeps up, None without one. `current` is what the target asks for by its own account, 0 if it was scaled to
    nothing: it is kept by `full`, since it is either the user's wish or the autoscaler's. (Not what an earlier `share`
    came to: that is nobody's wish, and for `full` would be too few.) `weight` is the canary's share of the traffic in
    percent. `share` and `traffic` round up.
    """
    match scale.mode:
        case "off":
            return 0
        case "full":
            wanted = current or scaler_min or primary_replicas
        case "share":
            wanted = _part(primary_replicas, scale.value)
        case "replicas":
            wanted = math.ceil(scale.value)
        case "traffic":
            wanted = _part(primary_replicas, weight)
    return max(1, wanted)


def _part(whole: int, percent: float) -> int:
    """Rounded up, but for what is only an error of binary fractions."""
    return math.ceil(round(whole * percent / 100, 6))
