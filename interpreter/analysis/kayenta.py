"""Kayenta's judge, value for value: compare two series of one metric, and score a canary by many.

A metric is classified `high` or `low` if the confidence interval of its shift lies wholly beyond a tolerance, and the
effect is as large as was asked for. Tolerance and confidence have the values that Kayenta has built in. Groups of
metrics are scored by the share that passed, and a canary by the weighted groups.

Two things are known of it. Its promise holds for one look, not for one at every check. And on fewer than five points an
arm its interval shrinks to nothing, so that it flags one healthy series in ten: whoever calls it must have more.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from statistics import NormalDist
from typing import Literal, NamedTuple

from interpreter.analysis.mann_whitney import AllTied, shift

TOLERANCE = 0.25
CONFIDENCE = 0.98
FEWEST_POINTS = 5
ENOUGH_POINTS = 50


class Label(StrEnum):
    PASS = "pass"
    HIGH = "high"
    LOW = "low"
    NO_DATA = "no_data"
    NO_DATA_FAILS = "no_data_fails"
    ERROR = "error"


class Rules(NamedTuple):
    """What one metric is held to. Thresholds of None have the effect measure's default."""

    direction: Literal["increase", "decrease", "either"] = "either"
    nan: Literal["remove", "replace"] = "remove"
    outliers: Literal["keep", "remove"] = "keep"
    outlier_factor: float = 3.0
    effect: Literal["mean_ratio", "cles"] = "mean_ratio"
    allowed_increase: float | None = None
    allowed_decrease: float | None = None
    critical_increase: float | None = None
    critical_decrease: float | None = None
    critical: bool = False
    must_have_data: bool = False
    tolerance: float = TOLERANCE
    confidence: float = CONFIDENCE

    @property
    def default_effect(self) -> float:
        return 1.0 if self.effect == "mean_ratio" else 0.5


DEFAULTS = Rules()


class Classified(NamedTuple):
    """`effect` is NaN where it means nothing; `critical` says that this result alone condemns the canary."""

    label: Label
    effect: float = math.nan
    critical: bool = False
    reason: str = ""


# --- one metric -------------------------------------------------------------------------------------------------


def classify(experiment: Sequence[float], control: Sequence[float], rules: Rules = DEFAULTS) -> Classified:
    """One metric of the canary (`experiment`) against that of the other arm (`control`)."""
    x, y = (_cleaned(values, rules) for values in (experiment, control))
    if not x or not y:
        return _without_data(rules)
    if sorted(x) == sorted(y) or len(set(x) | set(y)) == 1:
        return Classified(Label.PASS)
    if len(set(x)) == len(set(y)) == 1:
        x, y = _spread(x), _spread(y)
    try:
        low, high, estimate = shift(x, y, rules.confidence)
    except AllTied as tied:
        return Classified(Label.ERROR, reason=str(tied))
    effect = mean_ratio(x, y) if rules.effect == "mean_ratio" else cles(x, y)
    margin = rules.tolerance * abs(estimate)
    return _decided(rules, effect, above=low > margin, below=high < -margin)


def _decided(rules: Rules, effect: float, *, above: bool, below: bool) -> Classified:
    def reaches(limit: float | None) -> bool:
        return not effect < (rules.default_effect if limit is None else limit)

    def falls_to(limit: float | None) -> bool:
        return not effect > (rules.default_effect if limit is None else limit)

    if above and rules.direction != "decrease" and reaches(rules.allowed_increase):
        return Classified(Label.HIGH, effect, rules.critical and reaches(rules.critical_increase))
    if below and rules.direction != "increase" and falls_to(rules.allowed_decrease):
        return Classified(Label.LOW, effect, rules.critical and falls_to(rules.critical_decrease))
    return Classified(Label.PASS, effect)


def _without_data(rules: Rules) -> Classified:
    if rules.nan == "replace":
        return Classified(Label.PASS)
    fails = rules.must_have_data and not rules.critical
    return Classified(Label.NO_DATA_FAILS if fails else Label.NO_DATA, critical=rules.critical, reason="no data")


def _cleaned(values: Sequence[float], rules: Rules) -> list[float]:
    """Without what is no number, and without outliers, if so asked."""
    if rules.nan == "replace":
        kept = [0.0 if math.isnan(value) else value for value in values]
    else:
        kept = [value for value in values if not math.isnan(value)]
    return within_fences(kept, rules.outlier_factor) if rules.outliers == "remove" and kept else kept


def _spread(values: Sequence[float]) -> list[float]:
    """Constant series, shaken by a hundred-thousandth, for ranks to have something to work on. Kayenta draws from a
    normal distribution; its quantiles do the same, and the same each time."""
    value = values[0]
    if value == 0:
        return list(values)
    noise = NormalDist(value, abs(value) * 1e-5)
    return [noise.inv_cdf((index + 0.5) / len(values)) for index in range(len(values))]


# --- statistics -------------------------------------------------------------------------------------------------


def percentile(values: Sequence[float], share: float) -> float:
    """Linear between the two nearest (R's type 7)."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def within_fences(values: Sequence[float], factor: float) -> list[float]:
    """The values without outliers: those far outside the middle half that are also in the outermost hundredth."""
    first, third = percentile(values, 0.25), percentile(values, 0.75)
    reach = factor * (third - first)
    low, high = min(percentile(values, 0.01), first - reach), max(percentile(values, 0.99), third + reach)
    return [value for value in values if low <= value <= high]


def mean_ratio(x: Sequence[float], y: Sequence[float]) -> float:
    """How many times larger the mean of `x` is; NaN if either is zero."""
    top, bottom = math.fsum(x) / len(x), math.fsum(y) / len(y)
    return top / bottom if top and bottom else math.nan


def cles(x: Sequence[float], y: Sequence[float]) -> float:
    """The chance that a value of `x` is above one of `y`, ties half."""
    wins = sum((a > b) + 0.5 * (a == b) for a in x for b in y)
    return wins / (len(x) * len(y))


# --- many metrics -----------------------------------------------------------------------------------------------


class Group(NamedTuple):
    """Metrics that are scored together; without a weight a group shares what the others leave of 100."""

    results: tuple[Classified, ...]
    weight: float | None = None


class Score(NamedTuple):
    """Of the whole and of each group, 0 to 100. `zeroed` says why the whole has 0 whatever its groups have."""

    value: float
    verdict: Literal["pass", "marginal", "fail"]
    groups: Mapping[str, float]
    zeroed: Literal["critical", "silent"] | None = None


FAILING = (Label.HIGH, Label.LOW, Label.NO_DATA_FAILS)


def score(groups: Mapping[str, Group], pass_at: float = 95.0, marginal_at: float = 75.0) -> Score:
    """A canary's score, 0 to 100. Errors count in neither direction."""
    scores = {name: _group_score(group) for name, group in groups.items()}
    everything = [result for group in groups.values() for result in group.results]
    value = round(sum(weight / 100 * scores[name][1] for name, weight in weights(groups).items()), 2)
    zeroed = _zeroed(everything)
    if zeroed is not None:
        value = 0.0
    verdict: Literal["pass", "marginal", "fail"] = (
        "pass" if value >= pass_at else "marginal" if value >= marginal_at else "fail"
    )
    return Score(value, verdict, {name: own for name, (own, _) in scores.items()}, zeroed)


def _group_score(group: Group) -> tuple[float, float]:
    """The group's own score, and what counts for the whole: a group without any data does it no harm."""
    passed = sum(result.label is Label.PASS for result in group.results)
    counted = passed + sum(result.label in FAILING for result in group.results)
    if not counted:
        silent = all(result.label is Label.NO_DATA for result in group.results)
        return 0.0, 100.0 if silent else 0.0
    return 100 * passed / counted, 100 * passed / counted


def weights(groups: Mapping[str, Group]) -> dict[str, float]:
    """What each group weighs, of 100."""
    said = {name: group.weight for name, group in groups.items() if group.weight is not None}
    rest = len(groups) - len(said)
    share = (100 - sum(said.values())) / rest if rest else 0.0
    return {name: said.get(name, share) for name in groups}


def _zeroed(results: Sequence[Classified]) -> Literal["critical", "silent"] | None:
    if any(result.critical and result.label is not Label.PASS for result in results):
        return "critical"
    silent = sum(result.label is Label.NO_DATA for result in results)
    return "silent" if 2 * silent >= len(results) else None
