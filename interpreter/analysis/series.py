"""Statistical checks on plain numbers, one a check and arm: `not_worse` and `kayenta`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from interpreter.analysis import kayenta, show
from interpreter.analysis.evidence import (
    Moment,
    Ruling,
    State,
    Test,
    counted,
    number,
    numbers,
    overlapping,
    ruling,
    unseen,
    without_answer,
)
from interpreter.analysis.readings import Bounds, Gap, Look, Missing, Quantity, Truth, compare, worst
from interpreter.analysis.sequential import sign_evidence

KEPT_POINTS = 64
"""Points of an arm that Kayenta's judge looks back on: enough for it, and small enough to keep."""


def not_worse(test: Test, look: Look, moment: Moment, state: State) -> Ruling:
    """Is the canary worse than the other arm more often than not? By how much does not count; ties do not either."""
    canary, other = (read(look) for read in test.readers)
    up, down = compare(">", canary, other), compare("<", canary, other)
    if isinstance(up, Missing) or isinstance(down, Missing):
        return without_answer(test, state, worst(up, down))
    worse = down if test.check.options.get("better") == "higher" else up
    after = state
    if unseen(state, moment, test.check.window_ms):
        times, looks = number(state, "worse") + worse, number(state, "looks") + (up or down)
        after = counted(state, moment, sign_evidence(times, looks), worse=times, looks=looks)
    facts = f"worse in {number(after, 'worse'):.0f} of {show.count(number(after, 'looks'), 'check')}"
    return ruling(test, moment, state, after, facts)


def judged_by_kayenta(test: Test, look: Look, moment: Moment, state: State) -> Ruling:
    """Points are gathered, and judged all together once there are enough of them."""
    rules = rules_of(test.check.params, test.check.options)
    pair = [_point(read(look), rules) for read in test.readers]
    points = [item.low if isinstance(item, Bounds) else item for item in pair if not isinstance(item, Missing)]
    if len(points) < len(pair):
        return without_answer(test, state, _gap(worst(*pair), state, rules))
    after = state
    if unseen(state, moment, test.check.window_ms):
        canary, other = (
            [*numbers(state, name), float(f"{point:.6g}")][-KEPT_POINTS:]
            for name, point in zip(("canary", "other"), points, strict=True)
        )
        after = {"end": float(moment.at_ms), "canary": canary, "other": other}
    truth, words, critical = _classified(test, rules, numbers(after, "canary"), numbers(after, "other"))
    if overlapping(state, moment, test.check.window_ms):
        words = f"{words}; this window overlaps the last one and is not counted"
    shown = show.count(len(numbers(after, "canary")), "point")
    return Ruling(truth, after, words, ((f"{test.check.metric} compared", shown),), condemns=critical)


_NO_DATA = frozenset({Gap.PASS, Gap.SKIP, Gap.HOLD, Gap.FAIL})


def _point(item: Quantity, rules: kayenta.Rules) -> Quantity:
    """What an arm came to; with `nan: replace`, no data is 0. An error is no answer, and stays one."""
    replaced = rules.nan == "replace" and isinstance(item, Missing) and item.gap in _NO_DATA
    return 0.0 if replaced else item


def _gap(missing: Missing, state: State, rules: kayenta.Rules) -> Missing:
    """With `must_have_data`, no data at all is a failure, whatever the metric says of no data."""
    fails = rules.must_have_data and missing.gap in _NO_DATA and not numbers(state, "canary")
    return missing._replace(gap=Gap.FAIL) if fails else missing


def _classified(
    test: Test, rules: kayenta.Rules, canary: Sequence[float], other: Sequence[float]
) -> tuple[Truth, str, bool]:
    """Whether the canary passes, in words too, and whether this alone condemns it."""
    enough = max(kayenta.FEWEST_POINTS, int(test.check.params.get("min_points", kayenta.ENOUGH_POINTS)))
    if len(canary) < enough:
        reason = f"it takes {enough} points of each arm to judge"
        return Missing(Gap.UNSURE, reason), reason, False
    result = kayenta.classify(canary, other, rules)
    if result.label is kayenta.Label.ERROR:
        return Missing(Gap.UNSURE, result.reason), result.reason, False
    ratio = "" if math.isnan(result.effect) else f", {_effect(result.effect, rules)}"
    words = f"{result.label.value}{' and critical' if result.critical else ''}{ratio}"
    return result.label is kayenta.Label.PASS, words, result.critical


def _effect(effect: float, rules: kayenta.Rules) -> str:
    if rules.effect == "cles":
        return f"above the other arm in {show.plain(100 * effect)}% of pairs"
    return f"{show.plain(effect)} times the other arm's mean"


_DIRECTIONS: Mapping[str, Literal["increase", "decrease"]] = {"increase": "increase", "decrease": "decrease"}


def rules_of(params: Mapping[str, float], options: Mapping[str, str]) -> kayenta.Rules:
    """Kayenta's settings from the numbers and words of a check."""
    usual = kayenta.DEFAULTS
    return kayenta.Rules(
        direction=_DIRECTIONS.get(options.get("direction", ""), "either"),
        nan="replace" if options.get("nan") == "replace" else "remove",
        outliers="remove" if options.get("outliers") == "remove" else "keep",
        outlier_factor=params.get("outlier_factor", usual.outlier_factor),
        effect="cles" if options.get("effect") == "cles" else "mean_ratio",
        allowed_increase=params.get("allowed_increase"),
        allowed_decrease=params.get("allowed_decrease"),
        critical_increase=params.get("critical_increase"),
        critical_decrease=params.get("critical_decrease"),
        critical=options.get("critical") == "true",
        must_have_data=options.get("must_have_data") == "true",
        tolerance=params.get("tolerance", usual.tolerance),
        confidence=params.get("confidence", usual.confidence),
    )
