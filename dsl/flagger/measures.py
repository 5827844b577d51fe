"""`analysis.metrics`: what is asked, and which answers will do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dsl.flagger.model import DURATION, SUCCESS_RATE, Metric, Reference
from dsl.flagger.problems import Problems

_WINDOW_MS = 60_000


def read_metric(item: Mapping[str, Any], path: str, namespace: str, problems: Problems) -> Metric | None:
    """One entry, which stands at `path`; None, with the reason, if nothing could be asked."""
    template, query, name = item.get("templateRef"), item.get("query", ""), item["name"]
    builtin = template is None and not query
    if builtin and name not in (SUCCESS_RATE, DURATION):
        problems.error(
            f"{path}.templateRef",
            f"is not there: `{name}` is no built-in metric ({SUCCESS_RATE}, {DURATION}) and has no query",
            "add `templateRef` with the name of a MetricTemplate",
        )
        return None
    low, high = _bounds(item, path, name, problems)
    reference = None
    if template is not None:
        reference = Reference("MetricTemplate", template["name"], "", template.get("namespace") or namespace)
        if query:
            problems.warn(f"{path}.query", "is passed over, for there is a `templateRef`")
            query = ""
        if "interval" not in item:
            problems.warn(f"{path}.interval", "is not there: 1m is taken (Flagger would put in nothing)")
    window = item.get("interval") or _WINDOW_MS
    return Metric(name, window, low, high, path, query, reference, item.get("templateVariables", {}))


def _bounds(item: Mapping[str, Any], path: str, name: str, problems: Problems) -> tuple[float | None, float | None]:
    bounds = item.get("thresholdRange")
    floor = name == SUCCESS_RATE
    if bounds is None:
        if "threshold" not in item:
            _no_bounds(path, name, problems)
        value = item.get("threshold", 0.0)
        low, high = (value, None) if floor else (None, value)
        where = f"{path}.threshold"
    else:
        low, high, where = bounds.get("min"), bounds.get("max"), f"{path}.thresholdRange"
        if low is None and high is None:
            problems.error(where, "has neither `min` nor `max`", "write one of them")
    if low is not None and high is not None and low > high:
        problems.error(where, f"has a `min` of {low:g} above its `max` of {high:g}", "swap the two")
    builtin = item.get("templateRef") is None and not item.get("query")
    if builtin and (bounds is not None or "threshold" in item):
        _possible(low, high, where, name, problems)
    return low, high


def _no_bounds(path: str, name: str, problems: Problems) -> None:
    path = f"{path}.thresholdRange"
    if name == DURATION:
        problems.error(path, "is not there, and no answer takes 0 ms", "write `thresholdRange: {max: 500}`")
    elif name == SUCCESS_RATE:
        problems.warn(path, "is not there: any success rate will do", "write `thresholdRange: {min: 99}`")
    else:
        problems.warn(
            path, "is not there: 0 is the most, as it is for Flagger", "write `thresholdRange: {max: 0}` to say so"
        )


def _possible(low: float | None, high: float | None, path: str, name: str, problems: Problems) -> None:
    """Bounds that no value can keep."""
    if name == SUCCESS_RATE and ((low or 0) > 100 or (high is not None and high < 0)):
        problems.error(path, "can be met by no success rate, for that is in percent, from 0 to 100")
    if name == DURATION and high is not None and high < 1:
        problems.error(
            path,
            f"allows {high:g} ms: durations are in whole milliseconds",
            f"write {high * 1000:g} for {high:g} s",
        )
    elif name == DURATION and any(bound is not None and bound % 1 for bound in (low, high)):
        problems.warn(path, "is taken in whole milliseconds: what is behind the point is dropped")
