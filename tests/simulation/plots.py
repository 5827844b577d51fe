"""The plots of `docs/explanation/analysis.md`: `python -m tests.simulation.plots` draws them anew, the same each time.

Setup S throughout (`traffic`), with the product's kernels; a threshold is Flagger's common setting, a success rate of
99% with five failed checks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rollway.charts import Axis, Chart, Line, Mark, Threshold, draw
from tests.simulation.kernels import aborted, delays, rate_evidence
from tests.simulation.peers import fixed_line
from tests.simulation.traffic import RAMP, windows

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "plots"
ROLLOUTS = 2_000
SEED = 20_26
ALPHA = 0.01
RATES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
RISES = (0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05)


def false_aborts() -> Chart:
    """Healthy releases that are ended, by requests a second."""
    chance = np.random.default_rng(SEED)
    lines = []
    for share in (0.001, 0.005, 0.01):
        points = []
        for rps in RATES:
            seen = windows(chance, ROLLOUTS, primary=share, canary=share, rps=rps)
            points.append((float(rps), float(fixed_line(seen).any(axis=1).mean())))
        lines.append(Line(f"success_rate >= 99%, service fails {share:.1%}", points))
    points = []
    for rps in RATES:
        seen = windows(chance, ROLLOUTS, primary=0.005, canary=0.005, rps=rps)
        points.append((float(rps), aborted(rate_evidence(seen), ALPHA)))
    lines.append(Line("no_regression, service fails 0.5%", points))
    return Chart(
        "Healthy releases that are rolled back",
        "A threshold of 99% ends most healthy releases of a service that fails 0.5% at few requests a second; "
        "no_regression ends less than one in a hundred at any rate.",
        x=Axis("requests a second, log scale", kind="log"),
        y=Axis("share of healthy releases", unit="percent", low=0, high=1),
        series=tuple(lines),
    )


def evidence() -> Chart:
    """One healthy release and one bad one."""
    chance = np.random.default_rng(SEED + 1)
    cases = {"as good as the primary": 0.005, "fails one point more": 0.015}
    found = {
        name: rate_evidence(windows(chance, 1, primary=0.005, canary=canary, rps=10))[0]
        for name, canary in cases.items()
    }
    end = int((found["fails one point more"] >= -math.log(ALPHA)).argmax())
    return Chart(
        "Evidence of a regression, minute by minute",
        "The evidence of a healthy release stays below 1; that of a bad one passes 10, where traffic is not raised any "
        "further, and then 100, where the release is rolled back.",
        x=Axis("minutes since traffic began"),
        y=Axis("evidence, log scale", kind="log", low=0.01, high=10_000),
        series=tuple(
            Line(name, [(float(minute + 1), math.exp(log)) for minute, log in enumerate(logs)])
            for name, logs in found.items()
        ),
        thresholds=(Threshold(100, "rolled back"), Threshold(10, "traffic is not raised")),
        marks=(Mark(float(end + 1), f"minute {end + 1}, {RAMP[end]}% of the traffic"),),
    )


def detection() -> Chart:
    """The median delay in requests of the canary, by how much worse it is."""
    chance = np.random.default_rng(SEED + 2)
    lines = []
    for base in (0.001, 0.01, 0.05):
        points: list[tuple[float, float | None]] = []
        for rise in RISES:
            seen = windows(chance, ROLLOUTS, primary=base, canary=base + rise, rps=100)
            median = float(np.median(delays(rate_evidence(seen) >= -math.log(ALPHA), seen.canary_total)))
            points.append((100 * rise, median if math.isfinite(median) else None))
        lines.append(Line(f"the service usually fails {base:.1%}", points))
    return Chart(
        "Requests of the canary until a rise of failures is noticed",
        "The larger the rise beside what is usual, the fewer requests it takes: some 600 for a point on top of 0.1%, "
        "some 8,000 on top of 5%.",
        x=Axis("failures more than usual, in points, log scale", kind="log"),
        y=Axis("requests, median, log scale", kind="log"),
        series=tuple(lines),
    )


def plots() -> Iterator[tuple[str, str]]:
    """Each plot by the name of its file."""
    for name, chart in (("false-aborts", false_aborts()), ("evidence", evidence()), ("detection", detection())):
        yield f"{name}.svg", draw(chart) + "\n"


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in plots():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
