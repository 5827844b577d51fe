"""The traffic that `rollway plan` reckons with: read from what was typed, or asked from a Prometheus.

A share is written with its sign (`0.2%`), a latency with its unit (`120ms`), so that nobody is off by a hundred or a
thousand without noticing.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from dsl.ir import Program
from interpreter.analysis import show
from interpreter.durations import duration, milliseconds
from interpreter.outlook.chances import Expected, Service, service

USUAL_MEDIAN = 0.1
USUAL_SPREAD = 3.2
"""How much the 99th percentile is of the median: that of a lognormal whose logarithm has a deviation of 0.5."""

USUAL_WINDOW_MS = 3_600_000
MOST_WINDOW_MS = 31 * 86_400_000
MOST_RPS = 1e7
MOST_RUNS = 1_000_000
LEAST_LATENCY, MOST_LATENCY = 0.0001, 600.0


class Unusable(ValueError):
    """What was asked for makes no sense, or the traffic could not be had. The message is for people."""


class Wanted(NamedTuple):
    """What the options ask for. Exactly one of `expected` and `prometheus` is set; `assumed` are the latencies that
    nobody gave."""

    expected: Expected | None
    assumed: str = ""
    prometheus: str | None = None
    window_ms: int = USUAL_WINDOW_MS
    runs: int | None = None


def wanted(
    rps: str | None,
    errors: str | None,
    latency: str | None,
    slow: str | None,
    prometheus: str | None,
    window: str | None,
    runs: str | None,
) -> Wanted:
    """The options as they were typed, understood. Raises `Unusable`."""
    number = None if runs is None else _runs(runs)
    if prometheus is not None:
        named = (("--rps", rps), ("--errors", errors), ("--latency", latency), ("--slow", slow))
        typed = ", ".join(f"`{name}`" for name, given in named if given is not None)
        if typed:
            raise Unusable(f"`--prometheus` asks for the traffic, and {typed} says what it is: give one or the other")
        if not prometheus.startswith(("http://", "https://")):
            raise Unusable("`--prometheus` is an address such as `http://localhost:9090`")
        long = USUAL_WINDOW_MS if window is None else _window(window)
        return Wanted(None, prometheus=prometheus, window_ms=long, runs=number)
    if window is not None:
        raise Unusable("`--window` says how far back `--prometheus` looks, which is not given")
    if rps is None or errors is None:
        needed = (("`--rps 50`", rps), ("`--errors 0.2%`", errors))
        missing = " and ".join(name for name, given in needed if given is None)
        raise Unusable(f"what the checks promise depends on the traffic: give {missing} too, or `--prometheus URL`")
    return _typed(rps, errors, latency, slow)._replace(runs=number)


def _typed(rps: str, errors: str, latency: str | None, slow: str | None) -> Wanted:
    p99 = None if slow is None else _latency("--slow", slow)
    usual = USUAL_MEDIAN if p99 is None else p99 / USUAL_SPREAD
    median = usual if latency is None else _latency("--latency", latency)
    p99 = median * USUAL_SPREAD if p99 is None else p99
    if p99 <= median:
        raise Unusable(
            f"`--slow` is the 99th percentile and must be above the median: {show.seconds(p99)} is not above "
            f"{show.seconds(median)}"
        )
    assumed = [name for name, given in (("`--latency`", latency), ("`--slow`", slow)) if given is None]
    return Wanted(
        Expected(_rps(rps), _share(errors), median, p99),
        f" (assumed: no {' nor '.join(assumed)} given)" if assumed else "",
    )


def _rps(text: str) -> float:
    rps = _number(text)
    if rps is None or not 0 < rps <= MOST_RPS:
        raise Unusable(f"`--rps` is how many requests a second the service gets, such as `50` or `0.2`; not `{text}`")
    return rps


def _share(text: str) -> float:
    share = _number(text[:-1]) if text.endswith("%") else None
    if share is None or not 0 <= share < 100:
        hint = f": do you mean `{text}%`?" if _number(text) is not None and not text.startswith("-") else ""
        raise Unusable(f"`--errors` is a share from 0% to less than 100%, such as `0.2%`; not `{text}`{hint}")
    return share / 100


def _latency(option: str, text: str) -> float:
    matched = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s)", text)
    seconds = 0.0 if matched is None else float(matched[1]) / (1000 if matched[2] == "ms" else 1)
    if not LEAST_LATENCY <= seconds <= MOST_LATENCY:
        raise Unusable(f"`{option}` is a time such as `120ms` or `1.5s`, from 0.1ms to 10m; not `{text}`")
    return seconds


def _window(text: str) -> int:
    length = milliseconds(text) if re.fullmatch(r"(\d+(ms|[dhms]))+", text) else 0
    if not 60_000 <= length <= MOST_WINDOW_MS:
        raise Unusable(f"`--window` is a time such as `1h` or `7d`, from 1m to 31d; not `{text}`")
    return length


def _runs(text: str) -> int:
    if not text.isdecimal() or not 10 <= int(text) <= MOST_RUNS:
        raise Unusable(f"`--runs` is a number of rollouts from 10 to a million; not `{text}`")
    return int(text)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


# --- the traffic of a rollout -----------------------------------------------------------------------------------


def traffic(program: Program, ask: Wanted) -> tuple[Service, str]:
    """The traffic of a rollout's service, and the same in words. Raises `Unusable` where it could not be had."""
    if ask.expected is not None:
        found = service(program, ask.expected)
        expected = ask.expected
        words = (
            f"{_a_second(expected.rps)}, {show.percent(expected.errors)} of them bad; latency "
            f"{show.seconds(expected.median)} (median), {show.seconds(expected.slow)} (p99){ask.assumed}"
        )
    else:
        from interpreter.outlook.asking import seen  # noqa: PLC0415 - loads clients

        found = seen(program, ask.prometheus or "", ask.window_ms)
        words = f"{_a_second(found.load)}, as the primary had in the last {duration(ask.window_ms)}"
    return found, words


def _a_second(rate: float) -> str:
    return f"{show.plain(rate)} request{'' if rate == 1 else 's'} a second"
