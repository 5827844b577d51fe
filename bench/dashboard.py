"""What a viewer of the dashboard's list costs the server, with a thousand rollouts: sort, filter, and render a page."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from statistics import median

from bench.figure import Figure, show

ROLLOUTS = 1000
ROUNDS = 30
_PHASES = ("Succeeded", "Progressing", "Failed", "WaitingPromotion", "Initialized")


def figures() -> Iterator[Figure]:
    from rollway.cluster.shown import Shown, shown
    from rollway.dashboard import rendering
    from rollway.dashboard.glance import Query, glance

    def one(number: int) -> Shown:
        name = f"service-{number:04}"
        step = {"index": 3, "text": "ramp 10% to 50% by 20%", "since": "2026-11-23T10:05:00Z"}
        status = {"phase": _PHASES[number % len(_PHASES)], "revision": "ff87463d6c", "weight": 30, "step": step}
        metadata = {"name": name, "namespace": "shop", "uid": f"u{number}"}
        return shown({"kind": "Rollout", "metadata": metadata, "spec": {}, "status": status})

    every = [one(number) for number in range(ROLLOUTS)]
    template = rendering.environment().get_template("glance.html")
    frame = {"again": False, "csrf": "", "local": False, "person": "ann", "read_only": False, "seen": "", "stream": ""}
    rest = {"address": lambda **_: "/", "troubles": [], "namespace": None}

    def page() -> str:
        return template.render(glance=glance(every, Query()), **frame, **rest)

    size = len(page().encode())
    times = []
    for _ in range(ROUNDS):
        began = time.process_time()
        page()
        times.append(1000 * (time.process_time() - began))
    yield Figure(f"dashboard, a page of {ROLLOUTS} rollouts, median", median(times), "ms", limit=60)
    yield Figure(f"dashboard, size of that page of {ROLLOUTS}", size / 1000, "kB", limit=120)


if __name__ == "__main__":
    sys.exit(0 if show(figures()) else 1)
