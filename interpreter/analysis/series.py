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
from interpreter.analysis.readings import Bounds, Gap, Look, Missing, Truth, compare, worst
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
    pair = [read(look) for read in test.readers]
    points = [item.low if isinstance(item, Bounds) else item for item in pair if not isinstance(item, Missing)]
    if len(points) < len(pair):
        return without_answer(test, state, worst(*pair))
    after = state
    if unseen(state, moment, test.check.window_ms):
        canary, other = (
            [*numbers(state, name), float(f"{point:.6g}")][-KEPT_POINTS:]
            for name, point in zip(("canary", "other"), points, strict=True)
        )
        after = {"end": float(moment.at_ms), "canary": canary, "other": other}
    truth, words = _classified(test, numbers(after, "canary"), numbers(after, "other"))
    if overlapping(state, moment, test.check.window_ms):
        words = f"{words}; this window overlaps the last one and is not counted"
    shown = show.count(len(numbers(after, "canary")), "point")
    return Ruling(truth, after, words, ((f"{test.check.metric} compared", shown),))


def _classified(test: Test, canary: Sequence[float], other: Sequence[float]) -> tuple[Truth, str]:
    enough = max(kayenta.FEWEST_POINTS, int(test.check.params.get("min_points", kayenta.ENOUGH_POINTS)))
    if len(canary) < enough:
        reason = f"it takes {enough} points of each arm to judge"
        return Missing(Gap.UNSURE, reason), reason
    result = kayenta.classify(canary, other, rules_of(test.check.options))
    if result.label is kayenta.Label.ERROR:
        return Missing(Gap.UNSURE, result.reason), result.reason
    ratio = "" if math.isnan(result.effect) else f", {show.plain(result.effect)} times the other arm's mean"
    words = f"{result.label.value}{' and critical' if result.critical else ''}{ratio}"
    return result.label is kayenta.Label.PASS, words


def rules_of(options: Mapping[str, str]) -> kayenta.Rules:
    """Kayenta's settings from the words of a check."""
    directions: dict[str, Literal["increase", "decrease"]] = {"increase": "increase", "decrease": "decrease"}
    return kayenta.Rules(
        direction=directions.get(options.get("direction", ""), "either"),
        critical=options.get("critical") == "true",
    )
