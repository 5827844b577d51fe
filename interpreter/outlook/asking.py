"""The primary's own traffic, asked from a Prometheus by the policy's own queries.

Each metric of events or of a histogram is asked once, for the primary, over one window that ends now. Latencies are
then known by bucket only; those of a slower canary are read off between the bounds.
"""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

from dsl.ir import Program
from interpreter.outlook.chances import SLOWER, Service, counted
from interpreter.outlook.traffic import Unusable
from interpreter.providers.metrics import Metrics
from interpreter.providers.registry import Providers
from interpreter.questions import Answer, ErrorAnswer, Events, Histogram, MetricQuestion, NoDataAnswer
from interpreter.simulator.crowd import Latencies, Requests, Source
from interpreter.simulator.draws import stretched


def seen(program: Program, server: str, window_ms: int) -> Service:
    """The service as its primary was. Raises `Unusable` where the server does not answer, or knows nothing of it."""
    names = counted(program)
    answers = asyncio.run(_asked(program, server, names, window_ms))
    healthy = {name: _source(name, answer, window_ms) for name, answer in answers.items()}
    if not healthy:
        raise Unusable("no check of this policy counts requests or latencies, so there is nothing to ask for")
    slower = {name: _slower(source) for name, source in healthy.items()}
    return Service(next(iter(healthy.values())).rate, healthy, slower)


async def _asked(program: Program, server: str, names: tuple[str, ...], window_ms: int) -> dict[str, Answer]:
    providers = Providers({"prometheus": {"server": server}})
    metrics = Metrics(program, providers)
    now = round(time.time() * 1000)
    try:
        asked = [metrics.answer(MetricQuestion(name, "primary", window_ms, now)) for name in names]
        return dict(zip(names, await asyncio.gather(*asked), strict=True))
    finally:
        await metrics.close()


def _source(name: str, answer: Answer, window_ms: int) -> Requests | Latencies:
    seconds = window_ms / 1000
    match answer:
        case Events(bad=bad, total=total) if total > 0:
            return Requests(total / seconds, min(1.0, max(0.0, bad / total)))
        case Histogram(buckets=buckets) if buckets[-1][1] > 0 and len(buckets) > 1:
            total = buckets[-1][1]
            most = 0.0
            cumulated = [0.0]
            for _, count in buckets:
                most = max(most, count)
                cumulated.append(min(most, total))
            shares = tuple((after - before) / total for before, after in pairwise(cumulated))
            return Latencies(total / seconds, tuple(bound for bound, _ in buckets[:-1]), shares)
        case ErrorAnswer(reason=reason):
            raise Unusable(f"the primary's traffic could not be asked for: {reason}")
        case NoDataAnswer(reason=reason):
            raise Unusable(f"{reason}: {_HELP}")
        case _:
            raise Unusable(f"{name}: the primary had no requests: {_HELP}")


_HELP = (
    "there is no traffic of the primary to reckon with; look further back with `--window`, or give `--rps` and "
    "`--errors`"
)


def _slower(source: Requests | Latencies) -> Source:
    if isinstance(source, Requests):
        return source
    return source._replace(shares=stretched(source.shares, source.bounds, SLOWER))
