"""Protects that the intervals are Kayenta's own, on the samples of its own tests, and that the p value is SciPy's.

Kayenta's samples are not copied here: two and a half thousand numbers in a source file of another project. With the
environment variable `KAYENTA` set to a checkout of github.com/spinnaker/kayenta they are read from there, and compared
with what that project, and R, say of them. Samples of our own, of the same sizes and kinds, are compared always.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable
from pathlib import Path
from statistics import NormalDist
from typing import NamedTuple

import pytest
from scipy import stats

from interpreter.analysis.mann_whitney import shift, statistic

SUITE = "kayenta-mannwhitney/src/test/scala/com/netflix/kayenta/mannwhitney/MannWhitneySuite.scala"
CHECKOUT = os.environ.get("KAYENTA", "")
published = pytest.mark.skipif(not CHECKOUT, reason="KAYENTA names no checkout of Kayenta")

Sample = tuple[float, ...]


class Published(NamedTuple):
    """A pair of samples by its place in Kayenta's file, whose arrays come in pairs (x first, unless `turned`), and what
    is said of it: interval and estimate to these tolerances, SciPy's U and p."""

    place: int
    sizes: tuple[int, int]
    confidence: float
    low: float
    high: float
    estimate: float
    estimate_within: float
    u: float
    p: float
    turned: bool = False


CASES = {
    "850 near-constant": Published(
        2, (850, 850), 0.98,
        -1.4808028936386108e-5, 1.808255910873413e-5, 1.808255910873413e-5, 1e-6, 348869, 0.21891569688556367,
    ),
    "90, as R has it": Published(
        3, (90, 90), 0.95,
        -0.500002521696696, -3.486287505871302e-5, -0.499997108746, 1e-6, 3344, 0.040972234992844116, turned=True,
    ),
    "180, as R has it": Published(
        4, (180, 180), 0.98,
        -0.4999173250549087, -6.912685789769486e-6, -2.4019e-7, 1e-6, 13337.5, 0.00262485283675649,
    ),
    "210 zero-heavy": Published(
        5, (210, 210), 0.95,
        3.521755377702165e-5, 2.02456461662334e-5, 2.6279243045155653e-5, 1e-6, 27139, 2.833448233359799e-9,
    ),
}  # fmt: skip
FROM_R = {"90, as R has it": -0.4999393907180323, "180, as R has it": -3.45044082729315e-5}
"""R's estimates, which are without the continuity correction; they are met to 1e-4."""


def samples(place: int, *, turned: bool = False) -> tuple[Sample, Sample]:
    """The `place`-th pair of arrays in Kayenta's file."""
    text = (Path(CHECKOUT) / SUITE).read_text(encoding="utf-8")
    arrays = [tuple(map(float, found.split(","))) for found in re.findall(r"Array\(([^)]*)\)", text)]
    first, second = arrays[2 * place], arrays[2 * place + 1]
    return (second, first) if turned else (first, second)


@published
@pytest.mark.parametrize("name", CASES)
def test_intervals_are_those_that_were_published(name: str) -> None:
    case = CASES[name]
    x, y = samples(case.place, turned=case.turned)
    assert (len(x), len(y)) == case.sizes
    found = shift(x, y, case.confidence)
    assert found.low == pytest.approx(case.low, abs=1e-6)
    assert found.high == pytest.approx(case.high, abs=1e-6)
    assert found.estimate == pytest.approx(case.estimate, abs=case.estimate_within)
    assert found.estimate == pytest.approx(FROM_R.get(name, case.estimate), abs=1e-4)


@published
@pytest.mark.parametrize("name", CASES)
def test_p_values_are_those_that_were_published(name: str) -> None:
    case = CASES[name]
    x, y = samples(case.place, turned=case.turned)
    u, p = scipys(x, y)
    assert u == case.u
    assert p == pytest.approx(case.p, rel=1e-12)
    assert ours(x, y) == pytest.approx(case.p, rel=1e-12)


@published
def test_values_on_the_way_to_an_interval() -> None:
    x, y = samples(5)
    left, right, z = min(x) - max(y), max(x) - min(y), NormalDist().inv_cdf(0.975)
    compared = sorted(y)
    assert (left, right) == pytest.approx((-3.125, 5.555555555555557))
    assert z == pytest.approx(1.9599639845400536, abs=1e-12)
    found = [statistic(x, compared, mu, end) for mu, end in ((left, z), (right, z), (left, -z), (right, -z))]
    expected = [17.090968923762254, -20.997687930433106, 21.01089689284236, -17.077759961353]
    assert found == pytest.approx(expected, abs=1e-9)
    x, y = samples(0)
    assert statistic(x, sorted(y), 0, 0) == pytest.approx(-1.229416, abs=1e-6)
    assert statistic(x, sorted(y), 5, 0) == pytest.approx(-35.80606, abs=1e-5)


def test_the_quantile_of_the_judges_confidence() -> None:
    assert NormalDist().inv_cdf(0.99) == pytest.approx(2.326348, abs=1e-6)


# --- samples of our own -----------------------------------------------------------------------------------------


def scipys(x: Sample, y: Sample) -> tuple[float, float]:
    found = stats.mannwhitneyu(x, y, alternative="two-sided", method="asymptotic", use_continuity=True)
    return float(found.statistic), float(found.pvalue)


def ours(x: Sample, y: Sample) -> float:
    """Twice the normal tail beyond the statistic, which SciPy's function has to more digits than a difference."""
    return 2 * float(stats.norm.sf(abs(statistic(x, sorted(y), 0, 0))))


def _near_constant(rnd: random.Random) -> float:
    return round(1 / 30 + rnd.gauss(0, 3e-6), 7)


def _zero_heavy(rnd: random.Random) -> float:
    return 0.0 if rnd.random() < 0.8 else round(rnd.expovariate(1), 2)


def _whole(rnd: random.Random) -> float:
    return float(rnd.randint(0, 6))


def _smooth(rnd: random.Random) -> float:
    return rnd.lognormvariate(0, 1)


@pytest.mark.parametrize("draw", [_near_constant, _zero_heavy, _whole, _smooth])
@pytest.mark.parametrize(("m", "n"), [(5, 5), (8, 3), (64, 64), (90, 90), (210, 180)])
def test_the_p_value_is_scipys(draw: Callable[[random.Random], float], m: int, n: int) -> None:
    rnd = random.Random(m * n)
    x, y = (tuple(draw(rnd) for _ in range(size)) for size in (m, n))
    y = (*y[:-1], 7.25)  # never all alike
    _, p = scipys(x, y)
    assert ours(x, y) == pytest.approx(p, rel=1e-12)
