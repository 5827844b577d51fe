"""Published boundary values, to the digits given."""

from __future__ import annotations

import numpy as np
import pytest

from tests.simulation import boundaries, peers
from tests.simulation.boundaries import Mixture

NEAR = 1e-5


def test_the_scale_of_the_prior() -> None:
    assert boundaries.scale(100) == pytest.approx(12.60056, abs=NEAR)


@pytest.mark.parametrize(
    ("mixture", "log_m", "bound", "most"),
    [
        (boundaries.normal(100), -0.6510052, 30.35209, float("inf")),
        (boundaries.normal(100, one_sided=True), -0.06502391, 27.66071, float("inf")),
        (boundaries.gamma_exponential(100, 2), -0.2490165, 33.02017, float("inf")),
        (boundaries.gamma_poisson(100, 2), -0.06991219, 30.1949, float("inf")),
        (boundaries.beta_binomial(100, 0.2, 0.8), -0.6941012, 31.4308, 500.0),
        (boundaries.beta_binomial(100, 0.2, 0.8, one_sided=True), -0.07134019, 28.41238, 500.0),
    ],
)
def test_mixtures_and_their_bounds(mixture: Mixture, log_m: float, bound: float, most: float) -> None:
    assert mixture(10, 100) == pytest.approx(log_m, abs=1e-6)
    assert boundaries.bound(mixture, 100, 0.05, most) == pytest.approx(bound, abs=NEAR)


@pytest.mark.parametrize(("c", "expected"), [(3, 64.48755), (-1, 28.99389)])
def test_stitching(c: float, expected: float) -> None:
    assert boundaries.stitched(100, 0.05, 10, c) == pytest.approx(expected, abs=NEAR)


@pytest.mark.parametrize(("p", "expected"), [(0.5, 68.62803), (0.9, 43.72119), (0.1, 59.96521)])
def test_double_stitching(p: float, expected: float) -> None:
    assert boundaries.double_stitched(p, 1000, 0.05, 100) == pytest.approx(expected, abs=NEAR)


@pytest.mark.parametrize(
    ("p", "shift", "expected"),
    [(0.5, 70, 0.814704), (0.5, 85, 0.0838055), (0.5, 100, 0.0054947), (0.9, 55, 0.0340463)],
)
def test_quantiles_of_two_arms(p: float, shift: int, expected: float) -> None:
    found = boundaries.quantile_p_value(p, range(1, 1001), range(1 + shift, 1001 + shift), 100)
    assert found == pytest.approx(expected, abs=NEAR)


def test_the_band_around_a_distribution() -> None:
    assert peers.band_constant(0.05) == pytest.approx(8.12272, abs=NEAR)
    assert peers.band_width(np.array([1000.0]), 0.05) == pytest.approx(0.08204769, abs=2e-7)
    assert peers.band_width(np.array([99.0]), 0.05) == 1
