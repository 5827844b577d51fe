"""Kayenta's judge, value for value as its own tests have it."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest

from interpreter.analysis.kayenta import (
    Classified,
    Group,
    Label,
    Rules,
    classify,
    cles,
    mean_ratio,
    percentile,
    score,
    within_fences,
)

RULES = Rules(tolerance=0.10, confidence=0.95)
HIGHER, LOWER = (20, 22, 21, 25, 30), (1, 2.2, 1.1, 2.5, 3)
STEADY = (54.9, 54.5, 55.1, 55.6, 57.4)
ONES, TENS, ZEROS = (1.0,) * 5, (10.0,) * 5, (0.0,) * 5


@pytest.mark.parametrize(
    ("x", "y", "rules", "label", "critical"),
    [
        (HIGHER, LOWER, RULES, Label.HIGH, False),
        (
            HIGHER,
            LOWER,
            RULES._replace(allowed_increase=5, critical_increase=13, critical=True),
            Label.HIGH,
            False,
        ),
        (HIGHER, LOWER, RULES._replace(allowed_increase=13), Label.PASS, False),
        (HIGHER, LOWER, RULES._replace(critical=True), Label.HIGH, True),
        (HIGHER, LOWER, RULES._replace(direction="decrease"), Label.PASS, False),
        ((2, 2, 2, 2, 3), (10, 20.2, 10.1, 20.5, 30), RULES._replace(critical=True), Label.LOW, True),
        ((10, 12.2, 10.1, 12.5, 23), HIGHER, RULES._replace(allowed_decrease=0.5), Label.PASS, False),
        ((1, 1, 1, 1, 10), ONES, RULES, Label.PASS, False),
        ((0, 1, 1, 1, 1), ONES, RULES._replace(direction="decrease"), Label.PASS, False),
        (TENS, ONES, RULES, Label.HIGH, False),
        (TENS, ZEROS, RULES, Label.HIGH, False),
        (STEADY, ZEROS, RULES, Label.HIGH, False),
        (ZEROS, STEADY, RULES, Label.LOW, False),
        ((1, 1, 1), (1, 1), RULES, Label.PASS, False),
        ((), (1, 2, 3, 4, 5), RULES, Label.NO_DATA, False),
        ((), (1, 2, 3, 4, 5), RULES._replace(critical=True), Label.NO_DATA, True),
        ((), (1, 2, 3, 4, 5), RULES._replace(must_have_data=True), Label.NO_DATA_FAILS, False),
        ((), (1, 2, 3, 4, 5), RULES._replace(nan="replace"), Label.PASS, False),
        ((math.nan,) * 3, (1, 2, 3), RULES, Label.NO_DATA, False),
    ],
)
def test_classification(x: Sequence[float], y: Sequence[float], rules: Rules, label: Label, critical: bool) -> None:
    result = classify(x, y, rules)
    assert (result.label, result.critical) == (label, critical)


def test_effect_sizes() -> None:
    assert classify(HIGHER, LOWER, RULES).effect == pytest.approx(12.0408, abs=1e-4)
    assert math.isnan(classify(STEADY, ZEROS, RULES).effect)
    assert math.isnan(mean_ratio(ONES, ZEROS))
    assert cles(HIGHER, HIGHER) == 0.5
    assert cles(HIGHER, LOWER) == 1


def test_identical_series_pass_unseen() -> None:
    result = classify(HIGHER, tuple(reversed(HIGHER)), RULES)
    assert result.label is Label.PASS
    assert math.isnan(result.effect)


def test_the_other_effect_measure() -> None:
    rules = RULES._replace(effect="cles", allowed_increase=0.9)
    assert classify(HIGHER, LOWER, rules).label is Label.HIGH
    assert classify((3, 4, 5, 6, 30), (1, 2, 3.5, 4.5, 3), rules).label is Label.PASS


def test_nan_as_zero() -> None:
    with_gaps = (math.nan, *TENS)
    assert classify(with_gaps, (0.0, *TENS), RULES._replace(nan="replace")).label is Label.PASS
    assert classify(with_gaps, TENS, RULES).label is Label.PASS


def test_one_wild_point_does_not_hide_the_rest() -> None:
    y = [10 + index / 10 for index in range(20)]
    x = [value + 0.2 for value in y[:19]] + [1e6]
    assert percentile(within_fences(x, 3.0), 1.0) < 1e6
    assert within_fences(y, 3.0) == y


def test_percentiles_and_fences() -> None:
    halves = [index / 2 for index in range(8)]
    assert percentile(halves, 0.05) == pytest.approx(0.175)
    assert percentile(halves, 0.5) == 1.75
    assert within_fences([21, 23, 24, 25, 50, 29, 23, 21], 1.5) == [21, 23, 24, 25, 29, 23, 21]
    assert within_fences([1, 1, 1, 5, -1, -1, -1, -5], 1.5) == [1, 1, 1, -1, -1, -1]


RESISTIVITY = (
    95.1772, 95.1567, 95.1937, 95.1959, 95.1442, 95.0610, 95.1591, 95.1195, 95.1772, 95.0925, 95.1990, 95.1682,
)  # fmt: skip
"""Of NIST's handbook of statistics, 7.2.6.2, on percentiles."""
NINETY = (
    30, 171, 184, 201, 212, 250, 265, 270, 272, 289, 305, 306, 322, 322, 336, 346, 351, 370, 390, 404, 409, 411, 436,
    437, 439, 441, 444, 448, 451, 453, 470, 480, 482, 487, 494, 495, 499, 503, 514, 521, 522, 527, 548, 550, 559, 560,
    570, 572, 574, 578, 585, 592, 592, 607, 616, 618, 621, 629, 637, 638, 640, 656, 668, 707, 709, 719, 737, 739, 752,
    758, 766, 792, 792, 794, 802, 818, 830, 832, 843, 858, 860, 869, 918, 925, 953, 991, 1000, 1005, 1068, 1441,
)  # fmt: skip
"""Of the same, 7.1.6, on outliers: the last is the only one."""


def test_percentiles_and_outliers_of_the_handbook() -> None:
    assert percentile(RESISTIVITY, 0.9) == pytest.approx(95.19568, abs=1e-9)
    assert within_fences(NINETY, 1.5) == list(NINETY[:-1])
    assert percentile(range(10), 0.5) == 4.5


def test_healthy_series_are_rarely_flagged() -> None:
    rnd = random.Random(11)
    flagged = 0
    for _ in range(150):
        x, y = ([rnd.lognormvariate(0, 0.3) for _ in range(10)] for _ in range(2))
        flagged += classify(x, y).label is not Label.PASS
    assert flagged <= 3


PASSED, HIGH, LOW = Classified(Label.PASS), Classified(Label.HIGH), Classified(Label.LOW)
SILENT = Classified(Label.NO_DATA)
CRITICAL_HIGH, CRITICAL_SILENT = (
    Classified(Label.HIGH, critical=True),
    Classified(Label.NO_DATA, critical=True),
)


def groups(*each: tuple[float | None, tuple[Classified, ...]]) -> dict[str, Group]:
    return {f"group {index}": Group(results, weight) for index, (weight, results) in enumerate(each)}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (groups((None, (PASSED,))), 100),
        (groups((None, (HIGH,))), 0),
        (groups((None, (SILENT,))), 0),
        (groups((None, (PASSED, PASSED)), (None, (SILENT,))), 100),
        (groups((None, (PASSED, HIGH))), 50),
        (groups((None, (PASSED, HIGH, LOW))), 33.33),
        (groups((75, (PASSED, PASSED)), (25, (HIGH,))), 75),
        (groups((50, (PASSED, HIGH)), (50, (HIGH,))), 25),
        (groups((50, (PASSED, SILENT)), (50, (HIGH,))), 50),
        (groups((15, (HIGH, LOW, PASSED)), (85, (HIGH,))), 5.0),
        (groups((None, (PASSED, PASSED, CRITICAL_HIGH))), 0),
        (groups((None, (LOW, Classified(Label.PASS, critical=True)))), 50),
        (groups((None, (PASSED, PASSED, CRITICAL_SILENT))), 0),
    ],
)
def test_scores(given: dict[str, Group], expected: float) -> None:
    assert score(given).value == expected


def test_a_score_and_its_verdict() -> None:
    three_of_four = groups((None, (PASSED, PASSED, PASSED, HIGH)))
    assert score(three_of_four).verdict == "marginal"
    assert score(three_of_four, pass_at=75).verdict == "pass"
    assert score(three_of_four, marginal_at=76).verdict == "fail"
    assert score(three_of_four).groups == {"group 0": 75}


def test_why_the_whole_has_nothing_though_its_groups_have() -> None:
    assert score(groups((None, (PASSED, PASSED)), (None, (CRITICAL_HIGH,)))).zeroed == "critical"
    assert score(groups((None, (PASSED,)), (None, (SILENT,)))).zeroed == "silent"
    assert score(groups((None, (PASSED, PASSED)), (None, (SILENT,)))).zeroed is None
    assert score(groups((None, (HIGH,)))).zeroed is None


def test_a_group_that_had_only_silence_scores_nothing_of_its_own() -> None:
    assert score(groups((None, (PASSED, PASSED)), (None, (SILENT,)))).groups == {"group 0": 100, "group 1": 0}
