"""A judgement: the metrics that Kayenta's judge has classified, their groups, one score.

| what it came to | the judgement |
| --- | --- |
| a critical metric did not pass | condemned: the rollout ends at once, whatever the others are |
| a metric could not be asked | an error |
| a metric has too few points | nobody can tell yet |
| a score of `pass` or more | holds |
| a score of `marginal` or more | nobody can tell: the traffic stays |
| a lower score | does not hold |

What is muted is classified and shown; none of the above goes by it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from dsl.ir import Judgement, Statistical
from interpreter.analysis import kayenta, show
from interpreter.analysis.evidence import Ruling
from interpreter.analysis.readings import Gap, Look, Missing, worst
from interpreter.analysis.series import LABELS, effect, rules_of

_MOST_TOLD = 4
"""So many metrics are named in a sentence; all of them are among the values."""


class Metric(NamedTuple):
    """A metric of a judgement: where its classification is found, and how it is called."""

    key: str
    name: str
    rules: kayenta.Rules
    muted: bool


class Group(NamedTuple):
    """Metrics that are scored together."""

    name: str
    metrics: tuple[Metric, ...]
    weight: float | None

    @property
    def scored(self) -> tuple[Metric, ...]:
        return tuple(metric for metric in self.metrics if not metric.muted)


class Card(NamedTuple):
    """A judgement, compiled. `key` is under what the checks find its ruling."""

    key: str
    groups: tuple[Group, ...]
    passing: float
    marginal: float

    @property
    def scored(self) -> Iterator[Metric]:
        return (metric for group in self.groups for metric in group.scored)


def card_of(judgement: Judgement, keys: dict[int, str]) -> Card:
    """A judgement of a Program; `keys` has the evidence's key of each of its tests, by identity."""
    groups = tuple(
        Group(group.name, tuple(_metric(test, keys[id(test)]) for test in group.tests), group.weight)
        for group in judgement.groups
    )
    return Card(f"judgement:{judgement!r}", groups, judgement.passing, judgement.marginal)


def _metric(test: Statistical, key: str) -> Metric:
    return Metric(key, test.metric, rules_of(test.params, test.options), test.options.get("muted") == "true")


def rule_judgement(card: Card, look: Look) -> Ruling:
    """What the judgement comes to, after each of its metrics has been ruled on."""
    known = {metric.key: look.classified[metric.key] for group in card.groups for metric in group.metrics}
    critical = [metric for metric in card.scored if _is_critical(known[metric.key])]
    unknown = [metric for metric in card.scored if isinstance(known[metric.key], Missing)]
    if unknown and not critical:
        missing = _unknown(unknown, known)
        return Ruling(missing, {}, missing.reason, _values(card, known, None))
    groups = {
        group.name: kayenta.Group(
            tuple(one for metric in group.scored for one in [known[metric.key]] if not isinstance(one, Missing)),
            group.weight,
        )
        for group in card.groups
        if group.scored
    }
    score = kayenta.score(groups, card.passing, card.marginal)
    words = _words(card, score, known, critical)
    values = _values(card, known, None if unknown else score)
    standing = None if unknown else (score.value, card.passing)
    match score.verdict:
        case "pass":
            return Ruling(True, {}, words, values, standing=standing)
        case "marginal":
            return Ruling(Missing(Gap.UNSURE, words), {}, words, values, standing=standing)
        case "fail":
            return Ruling(False, {}, words, values, condemns=bool(critical), standing=standing)


Known = dict[str, kayenta.Classified | Missing]


def _is_critical(result: kayenta.Classified | Missing) -> bool:
    return isinstance(result, kayenta.Classified) and result.critical and result.label is not kayenta.Label.PASS


# --- in words ---------------------------------------------------------------------------------------------------


def _unknown(metrics: list[Metric], known: Known) -> Missing:
    """Why it cannot be scored: what is the gravest, of all metrics of which that is so."""
    gaps = [(metric.name, gap) for metric in metrics for gap in [known[metric.key]] if isinstance(gap, Missing)]
    gravest = worst(*(gap for _, gap in gaps)).gap
    same: dict[str, list[str]] = {}
    for name, gap in gaps:
        if gap.gap is gravest:
            same.setdefault(gap.reason, []).append(f"`{name}`")
    if gravest is Gap.ERROR:
        return Missing(gravest, _some(list(same)))
    told = [f"{_some(names, ', ')} {'has' if len(names) == 1 else 'have'} {why}" for why, names in same.items()]
    return Missing(gravest, f"not scored yet: {_some(told)}")


def _some(told: list[str], between: str = "; ") -> str:
    more = len(told) - _MOST_TOLD
    return between.join([*told[:_MOST_TOLD], *([f"and {more} more"] if more > 0 else [])])


def _words(card: Card, score: kayenta.Score, known: Known, critical: list[Metric]) -> str:
    """What came of it, and which metrics made it so."""
    if critical:
        return f"a critical metric did not pass: {_some(list(_told(critical, known)))}"
    if score.zeroed is not None:
        silent = [metric for metric in card.scored if _label(known[metric.key]) is kayenta.Label.NO_DATA]
        told = _some([f"`{metric.name}`" for metric in silent], ", ")
        return f"the score is 0, for half of the metrics or more have no data: {told}"
    value = show.plain(score.value, 5)
    if score.verdict == "pass":
        return f"the score is {value}, and {show.plain(card.passing)} passes"
    if score.verdict == "marginal":
        mark = f"marginal: {show.plain(card.marginal)} or more, less than the {show.plain(card.passing)} that passes"
    else:
        mark = f"less than {show.plain(card.marginal)}"
    failing = [metric for metric in card.scored if _label(known[metric.key]) is not kayenta.Label.PASS]
    return f"the score is {value}, {mark}; {_some(list(_told(failing, known)))}"


def _label(result: kayenta.Classified | Missing) -> kayenta.Label | None:
    return None if isinstance(result, Missing) else result.label


def _told(metrics: list[Metric], known: Known) -> Iterator[str]:
    for metric in metrics:
        result = known[metric.key]
        if isinstance(result, kayenta.Classified):
            yield f"`{metric.name}`: {LABELS[result.label]}{effect(result, metric.rules)}"


def _values(card: Card, known: Known, score: kayenta.Score | None) -> tuple[tuple[str, str], ...]:
    """The score, that of each group with its weight, and each metric's classification, as far as they are known:
    the words name the scored ones that are not. A metric that is a group of its own is one value."""
    values: list[tuple[str, str]] = []
    if score is not None:
        values.append(("score", show.plain(score.value, 5)))
    weights = kayenta.weights({group.name: kayenta.Group((), group.weight) for group in card.groups if group.scored})
    for group in card.groups:
        weight = f" at weight {show.plain(weights[group.name])}" if score is not None and group.scored else ""
        own = [metric.name for metric in group.metrics] == [group.name]
        if weight and not own and score is not None:
            values.append((group.name, f"{show.plain(score.groups[group.name], 5)}{weight}"))
        for metric in group.metrics:
            result = known[metric.key]
            if metric.muted or isinstance(result, kayenta.Classified):
                values.append((metric.name, _value(metric, result) + (weight if own else "")))
    return tuple(values)


def _value(metric: Metric, result: kayenta.Classified | Missing) -> str:
    if isinstance(result, Missing):
        text = result.reason
    else:
        text = LABELS[result.label] + (" and critical" if result.critical else "")
    return f"{text} (muted)" if metric.muted else text
