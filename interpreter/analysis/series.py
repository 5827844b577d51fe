"""Statistical checks on plain numbers, one a check and arm: `not_worse` and `kayenta`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from dsl.ir import Statistical
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
    """Points are gathered, and judged all together once there are enough of them.

    A check that stands alone goes by what its metric says of a window without data. A judgement has `classified`, which
    knows Kayenta's own rule for that: see `classification`.
    """
    rules = rules_of(test.check.params, test.check.options)
    pair = [_point(read(look), rules) for read in test.readers]
    points = [item.low if isinstance(item, Bounds) else item for item in pair if not isinstance(item, Missing)]
    gap = worst(*pair) if len(points) < len(pair) else None
    if gap is not None and gap.gap is Gap.ERROR:
        return without_answer(test, state, gap)._replace(classified=gap)
    after = state
    if unseen(state, moment, test.check.window_ms):
        after = _gathered(test, state, moment, points if gap is None else None)
    result = classification(test, rules, after)
    if gap is not None:
        return without_answer(test, after, _gap(gap, after, rules))._replace(classified=result)
    truth, words = _alone(result, rules)
    if overlapping(state, moment, test.check.window_ms):
        words = f"{words}; this window overlaps the last one and is not counted"
    shown = ((f"{test.check.metric} compared", show.count(len(numbers(after, "canary")), "point")),)
    return Ruling(truth, after, words, shown, condemns=_critical(result), classified=result)


def _gathered(test: Test, state: State, moment: Moment, points: Sequence[float] | None) -> State:
    """The evidence with one more window. Windows without data, in a row, are counted as `silent`; as many of them as
    it takes points to judge make all that was before forgotten."""
    end, silent = {"end": float(moment.at_ms)}, number(state, "silent") + 1
    canary, other = numbers(state, "canary"), numbers(state, "other")
    if points is not None:
        kept = [
            [*series, float(f"{point:.6g}")][-KEPT_POINTS:]
            for series, point in zip((canary, other), points, strict=True)
        ]
        return {**end, "canary": kept[0], "other": kept[1]}
    if silent >= enough_points(test.check):
        return {**end, "silent": silent}
    return {**end, "canary": canary, "other": other, "silent": silent}


def enough_points(check: Statistical) -> int:
    """How many points of each arm it takes to judge."""
    return max(kayenta.FEWEST_POINTS, int(check.params.get("min_points", kayenta.ENOUGH_POINTS)))


_NO_DATA = frozenset({Gap.PASS, Gap.SKIP, Gap.HOLD, Gap.FAIL})


def _point(item: Quantity, rules: kayenta.Rules) -> Quantity:
    """What an arm came to; with `nan: replace`, no data is 0. An error is no answer, and stays one."""
    replaced = rules.nan == "replace" and isinstance(item, Missing) and item.gap in _NO_DATA
    return 0.0 if replaced else item


def _gap(missing: Missing, state: State, rules: kayenta.Rules) -> Missing:
    """With `must_have_data`, no data at all is a failure, whatever the metric says of no data."""
    fails = rules.must_have_data and missing.gap in _NO_DATA and not numbers(state, "canary")
    return missing._replace(gap=Gap.FAIL) if fails else missing


def classification(test: Test, rules: kayenta.Rules, state: State) -> kayenta.Classified | Missing:
    """What Kayenta's judge makes of the evidence; `Missing` where it is too little to be asked.

    A metric has no data, in Kayenta's sense, when there was none for as many windows in a row as it takes points to
    judge. Before that, a few silent windows are a gap like any other, and more of them a reason to wait: what was
    gathered before says less and less of the revision.
    """
    needed, points, silent = enough_points(test.check), len(numbers(state, "canary")), number(state, "silent")
    if silent >= needed:
        return kayenta.classify((), (), rules)
    if points < needed:
        return Missing(Gap.UNSURE, f"{points} of {needed} points of each arm")
    if silent >= kayenta.FEWEST_POINTS:
        return Missing(Gap.UNSURE, f"no data in {show.count(silent, 'window')} in a row")
    return kayenta.classify(numbers(state, "canary"), numbers(state, "other"), rules)


def _alone(result: kayenta.Classified | Missing, rules: kayenta.Rules) -> tuple[Truth, str]:
    """What a check that stands alone makes of it, in words too."""
    if isinstance(result, Missing):
        return result, result.reason
    if result.label is kayenta.Label.ERROR or result.label is kayenta.Label.NO_DATA:
        return Missing(Gap.UNSURE, result.reason), result.reason
    words = f"{LABELS[result.label]}{' and critical' if result.critical else ''}"
    return result.label is kayenta.Label.PASS, "".join(filter(None, (words, effect(result, rules))))


def _critical(result: kayenta.Classified | Missing) -> bool:
    return isinstance(result, kayenta.Classified) and result.critical and result.label is not kayenta.Label.PASS


LABELS: Mapping[kayenta.Label, str] = {
    kayenta.Label.PASS: "pass",
    kayenta.Label.HIGH: "high",
    kayenta.Label.LOW: "low",
    kayenta.Label.NO_DATA: "no data",
    kayenta.Label.NO_DATA_FAILS: "no data, which fails",
    kayenta.Label.ERROR: "cannot be judged",
}
"""What people read."""


def effect(result: kayenta.Classified, rules: kayenta.Rules) -> str:
    """How large the difference is, behind a comma; nothing where that means nothing."""
    return "" if math.isnan(result.effect) else f", {_effect(result.effect, rules)}"


def _effect(size: float, rules: kayenta.Rules) -> str:
    if rules.effect == "cles":
        return f"above the other arm in {show.plain(100 * size)}% of pairs"
    return f"{show.plain(size)} times the other arm's mean"


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
