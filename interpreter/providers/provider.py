"""What a metric provider is, and what is done once around each of them.

A provider is one async function from a rendered query to a measurement. It raises `ProviderError` when it could not
ask, or could not use the answer; that there is no data is an answer like any other. `guarded` adds what every provider
needs: a limit of time for the whole, a few tries for what may pass, and waiting as long as the server asks for.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import NamedTuple, Protocol

from interpreter.masking import mask
from interpreter.state import Answer, ErrorAnswer, Instant, NoDataAnswer

TIMEOUT_S = 10.0
TRIES = 3
FIRST_DELAY_S = 0.25
LONGEST_WAIT_S = 5.0


class Trouble(StrEnum):
    """Why a provider gave no measurement. Only `transient` may pass by itself."""

    TRANSIENT = "transient"
    AUTH = "auth"
    BAD_QUERY = "bad_query"
    PARTIAL = "partial"


class ProviderError(Exception):
    """No measurement. The message is for people; `retry_after` is what the server asked for, in seconds."""

    def __init__(self, trouble: Trouble, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.trouble = trouble
        self.retry_after = retry_after


class RenderedQuery(NamedTuple):
    """A query with its variables put in, and when it is asked about.

    `headers` may hold credentials, `secret` is the data of the Secret that the metric names, by key: which keys count
    is each provider's own. `region` is for clouds that have them.
    """

    text: str
    at_ms: Instant
    window_ms: int
    server: str | None = None
    headers: Mapping[str, str] = {}
    insecure_skip_verify: bool = False
    secret: Mapping[str, str] = {}
    region: str = ""


class Sample(NamedTuple):
    """One number, with the labels that it came under."""

    labels: Mapping[str, str]
    value: float


class Measurement(NamedTuple):
    """All samples of an answer (none: no data) and what the server warned of."""

    samples: tuple[Sample, ...]
    warnings: tuple[str, ...] = ()


class Provider(Protocol):
    """One kind of metric server."""

    @property
    def name(self) -> str:
        """As the language calls it."""

    async def measure(self, query: RenderedQuery) -> Measurement:
        """Ask once. Raises `ProviderError`."""

    async def close(self) -> None:
        """Let go of connections."""


Measure = Callable[[RenderedQuery], Awaitable[Measurement]]


async def guarded(
    provider: Provider,
    query: RenderedQuery,
    *,
    timeout: float = TIMEOUT_S,  # noqa: ASYNC109 - for all tries together
    tries: int = TRIES,
    first_delay: float = FIRST_DELAY_S,
) -> Measurement:
    """Ask, again if that may help, within one limit of time. Raises `ProviderError`."""
    last: ProviderError | None = None
    try:
        async with asyncio.timeout(timeout):
            for number in range(1, tries + 1):
                try:
                    return await provider.measure(query)
                except ProviderError as error:
                    last = error
                if last.trouble is not Trouble.TRANSIENT or number == tries:
                    raise last
                await asyncio.sleep(_wait(last, number, first_delay))
    except TimeoutError:
        pass
    said = f"; before that: {last}" if last else ""
    raise ProviderError(Trouble.TRANSIENT, f"{provider.name} gave no answer within {timeout:g}s{said}")


def _wait(error: ProviderError, number: int, first_delay: float) -> float:
    if error.retry_after is not None:
        return max(0.0, error.retry_after)
    return float(min(LONGEST_WAIT_S, first_delay * 2 ** (number - 1)) * random.uniform(0.5, 1.0))


def error_answer(metric: str, error: ProviderError) -> ErrorAnswer:
    """The error as the machine and people see it."""
    return ErrorAnswer(mask(f"{metric}: {error} ({error.trouble})"))


def nothing(metric: str) -> NoDataAnswer:
    return NoDataAnswer(f"{metric}: the query has no result")


AnswerOf = Callable[[Measurement], Answer]
