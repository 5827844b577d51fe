"""What a metric provider is, and what is done once around each of them.

A provider is one async function from a rendered query to a measurement. It raises `ProviderError` when it could not
ask, or could not use the answer; that there is no data is an answer like any other. `guarded` adds what every provider
needs: a limit of time for the whole, a few tries for what may pass, waiting as long as the server asks for (if that is
longer than the limit, giving up at once), and masking: no error shows anything of the Secret, the headers or the
address's own credentials, whatever the server sent back.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple, Protocol, runtime_checkable

from interpreter.desired import Instant
from interpreter.masking import mask, secrets_in
from interpreter.questions import Answer, ErrorAnswer, NoDataAnswer

TIMEOUT_S = 10.0
TRIES = 3
FIRST_DELAY_S = 0.25
LONGEST_WAIT_S = 5.0
SHOWN_KEYS = frozenset(("ca.crt", "tls.crt", "client_id", "token_url", "scope"))
"""Not secret, though they stand in a Secret: certificates, and names and addresses that an error is about."""


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


@runtime_checkable
class Patient(Protocol):
    """A provider whose answers take longer than others', and are for one rollout alone: nothing of it is shared, and
    it takes no place at a server. `timeout` is the limit for one question, in seconds."""

    timeout: float


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
    end = asyncio.get_running_loop().time() + timeout
    try:
        async with asyncio.timeout(timeout):
            for number in range(1, tries + 1):
                try:
                    return _unveiled(await provider.measure(query), query)
                except ProviderError as error:
                    last = shown(provider.name, error, query)
                if last.trouble is not Trouble.TRANSIENT or number == tries:
                    raise last
                wait = _wait(last, number, first_delay)
                if wait >= end - asyncio.get_running_loop().time():
                    raise _too_long(last, wait)
                await asyncio.sleep(wait)
    except TimeoutError:
        pass
    said = f"; before that: {last}" if last else ""
    whose = f" ({safe_host(query.server)})" if query.server else ""
    raise ProviderError(Trouble.TRANSIENT, f"{provider.name}{whose} gave no answer within {timeout:g}s{said}")


def hidden(query: RenderedQuery) -> frozenset[str]:
    """What must not be shown of a query: the values of its headers, the lines of its Secret's values (a file's value
    ends with a line's end that no header has), and the credentials and parameters in its server's address."""
    kept = [value for key, value in query.secret.items() if key not in SHOWN_KEYS]
    lines = {line.strip() for value in kept for line in value.splitlines()}
    lines = {line for line in lines if not line.startswith("-----")}
    return frozenset(filter(None, lines | set(query.headers.values()))) | secrets_in(query.server or "")


def safe_host(url: str) -> str:
    """The host and port of an address; nothing of what may be secret in it."""
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2].partition("?")[0] or "its server"


def shown(name: str, error: ProviderError, query: RenderedQuery) -> ProviderError:
    """The error without secrets, and with the provider and the server that it is about."""
    return about(name, query.server, error, mask(str(error), hidden(query)))


def about(name: str, server: str | None, error: ProviderError, said: str) -> ProviderError:
    """The error, with these words, naming the provider and the server."""
    host = safe_host(server) if server else ""
    if host not in said or name.lower() not in said.lower():
        who = name if not host or host in said else f"{name} ({host})"
        said = f"{who}: {said}"
    return ProviderError(error.trouble, said, retry_after=error.retry_after)


def _unveiled(measured: Measurement, query: RenderedQuery) -> Measurement:
    if not measured.warnings:
        return measured
    return measured._replace(warnings=tuple(mask(said, hidden(query)) for said in measured.warnings))


def _too_long(error: ProviderError, wait: float) -> ProviderError:
    if error.retry_after is None:
        return error
    try:
        until = f"{datetime.now(UTC) + timedelta(seconds=wait):until %Y-%m-%d %H:%M:%S UTC}"
    except OverflowError:
        until = "for ever"
    said = f"{error}; it wants to be left alone {until}, which is longer than a check waits"
    return ProviderError(error.trouble, said, retry_after=error.retry_after)


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
