"""Amazon CloudWatch, by botocore in threads of its own: credentials, signatures and the wire format are the library's.
What it would send goes through `http.py`, as all else does: its own client waits for each piece of an answer alone, and
reads without an end.

The query is Flagger's: a JSON array of `MetricDataQuery`, whose names are read in any case, as Go reads them. Of the
queries that return data the first one counts, by the array's order (set `ReturnData` to false on what an expression
only uses); if it is a SEARCH, each metric found is a series. The newest value counts, of ten windows, as Flagger has
it, for metrics arrive late; a period that has not ended is not looked at, for its sum is not whole. All pages are read.
What is partial is an error, and an unknown metric has no values, which is no data.

The Secret may have `aws_access_key_id`, `aws_secret_access_key`, `aws_session_token` and `region`. Source: CloudWatch's
API reference, `GetMetricData`.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from interpreter.providers import amazon
from interpreter.providers.http import Answer, Http, refusal, words
from interpreter.providers.numbers import number
from interpreter.providers.provider import Measurement, ProviderError, RenderedQuery, Sample, Trouble
from interpreter.providers.threads import Threads

WINDOWS = 10
MOST_PAGES = 10
MOST_QUERIES = 500
MOST_CLIENTS = 32
LIMIT_S = 8.0
"""For all pages; a thread is given up by whoever waits for it, and is to come free."""
_NAMES = {
    name.lower(): name
    for name in (
        "Id", "Expression", "Label", "MetricStat", "Metric", "Namespace", "MetricName", "Dimensions", "Name", "Value",
        "Period", "Stat", "Unit", "ReturnData", "AccountId",
    )
}  # fmt: skip
_ANY = frozenset((200, *range(400, 600)))
_AUTH = ("AccessDenied", "UnrecognizedClient", "InvalidClientToken", "ExpiredToken", "Signature", "NotAuthorized")
_TRANSIENT = ("Throttl", "InternalService", "InternalFailure", "ServiceUnavailable", "LimitExceeded", "RequestTimeout")


class CloudWatch:
    """Asks in the region of the query; its server, if it names one, instead of Amazon's address."""

    name = "cloudwatch"

    def __init__(self, *, http: Http | None = None) -> None:
        self._threads = Threads("cloudwatch")
        self._clients = _Clients()
        self._http = http or Http()

    async def measure(self, query: RenderedQuery) -> Measurement:
        queries = read(query.text)
        wire = _Wire(self._http, query)
        return await self._threads.run(lambda: _ask(self._clients, queries, query, wire))

    async def close(self) -> None:
        await self._http.close()
        self._threads.close()
        self._clients.close()


class Span(NamedTuple):
    """From `start`, which is in it, to `end`, which is not; in seconds since the epoch."""

    start: int
    end: int


def read(text: str) -> list[dict[str, Any]]:
    """The `MetricDataQuery` objects in a query's text. Raises `ProviderError`."""
    try:
        queries = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProviderError(Trouble.BAD_QUERY, f"the query is no JSON: {error}") from error
    if not isinstance(queries, list) or not queries or not all(isinstance(one, dict) for one in queries):
        raise ProviderError(Trouble.BAD_QUERY, "the query of CloudWatch is a JSON array of MetricDataQuery objects")
    if len(queries) > MOST_QUERIES:
        raise ProviderError(Trouble.BAD_QUERY, f"CloudWatch takes {MOST_QUERIES} queries at most")
    return [_named(one) for one in queries]


def _named(value: Any) -> Any:
    match value:
        case dict():
            return {_NAMES.get(key.lower(), key): _named(inner) for key, inner in value.items()}
        case list():
            return [_named(inner) for inner in value]
    return value


def span(queries: Iterable[Mapping[str, Any]], query: RenderedQuery) -> Span:
    """What is looked at: whole periods of the longest one."""
    period = max((_period(one) for one in queries), default=60)
    end = query.at_ms // 1000 // period * period
    return Span(end - max(WINDOWS * query.window_ms // 1000, period), end)


def _period(one: Mapping[str, Any]) -> int:
    stat = one.get("MetricStat")
    period = stat.get("Period") if isinstance(stat, Mapping) else one.get("Period")
    return period if isinstance(period, int) and period > 0 else 60


class _Wire:
    """How botocore's requests of one measurement are sent, from a thread: on the loop that made this."""

    def __init__(self, http: Http, query: RenderedQuery) -> None:
        self._http = http
        self._query = query._replace(headers={})
        self._loop = asyncio.get_running_loop()
        self._end = time.monotonic() + LIMIT_S

    def send(self, request: Any) -> Any:
        """botocore's answer to botocore's request. Blocks. Raises `ProviderError`."""
        headers = {
            name: value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()
        }
        asking = self._http.ask(
            request.method, request.url, self._query, headers=headers, content=_bytes(request.body), fine=_ANY
        )
        asked = asyncio.run_coroutine_threadsafe(asking, self._loop)
        try:
            answer = asked.result(max(0.0, self._end - time.monotonic()))
        except TimeoutError as error:
            asked.cancel()
            raise ProviderError(Trouble.TRANSIENT, f"CloudWatch gave no answer within {LIMIT_S:g}s") from error
        _readable(answer)
        return amazon.library().awsrequest.AWSResponse(request.url, answer.status, answer.headers, _Body(answer.body))


class _Body:
    """What botocore reads an answer from."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> Iterable[bytes]:
        return (self._body,)


def _bytes(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else bytes(body or b"")


def _readable(answer: Answer) -> None:
    """botocore takes every answer for an object of the right kind. Raises `ProviderError` for any other."""
    with answer.understood():
        if answer.status == 200:
            if not isinstance(answer.json(), dict):
                raise ProviderError(
                    Trouble.BAD_QUERY, f"{answer.server} does not answer as CloudWatch: check its address"
                )
            return
        try:
            readable = isinstance(answer.json(), dict)
        except ProviderError:
            readable = False
        if not readable:
            raise refusal(answer.server, answer.status, words(answer.body, answer.secrets), answer.headers)


_sending = threading.local()


def _send(request: Any, **_: Any) -> Any:
    """For botocore, instead of sending by itself."""
    return _sending.wire.send(request)


def _ask(clients: _Clients, queries: list[dict[str, Any]], query: RenderedQuery, wire: _Wire) -> Measurement:
    """All pages. Blocks."""
    exceptions = amazon.library().exceptions
    within = span(queries, query)
    asked: dict[str, Any] = {
        "MetricDataQueries": queries,
        "StartTime": datetime.fromtimestamp(within.start, UTC),
        "EndTime": datetime.fromtimestamp(within.end, UTC),
        "ScanBy": "TimestampDescending",
    }
    pages: list[Mapping[str, Any]] = []
    try:
        client = clients.get(query)
        _sending.wire = wire
        while len(pages) < MOST_PAGES:
            pages.append(client.get_metric_data(**asked))
            if not pages[-1].get("NextToken"):
                return together(queries, pages)
            asked["NextToken"] = pages[-1]["NextToken"]
    except exceptions.ClientError as error:
        raise _refused(error.response.get("Error", {})) from error
    except exceptions.ParamValidationError as error:
        raise ProviderError(Trouble.BAD_QUERY, f"CloudWatch cannot take the query: {error}"[:400]) from error
    except (exceptions.NoCredentialsError, exceptions.CredentialRetrievalError) as error:
        raise ProviderError(Trouble.AUTH, f"no credentials for CloudWatch: {type(error).__name__}") from error
    except (exceptions.BotoCoreError, ValueError) as error:
        raise ProviderError(Trouble.TRANSIENT, f"CloudWatch could not be asked: {type(error).__name__}") from error
    raise ProviderError(Trouble.PARTIAL, f"CloudWatch has more than {MOST_PAGES} pages: ask for less")


class _Clients:
    """Kept for reuse: to make one takes longer than a request. They may be used by several threads, not so the session
    that makes them."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[object, ...], Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, query: RenderedQuery) -> Any:
        """Raises `ProviderError`."""
        given: dict[str, Any] = {"region_name": amazon.region_of(query)}
        if query.server:
            given["endpoint_url"] = query.server
        if amazon.has_keys(query.secret):
            given |= amazon.keys(query.secret)
        elif query.server and not amazon.is_amazons(query.server):
            raise ProviderError(Trouble.AUTH, "an address that is not Amazon's needs keys of its own, in the Secret")
        name = tuple(sorted(given.items()))
        with self._lock:
            if name not in self._kept:
                config = amazon.library().config.Config(**amazon.LIMITS)
                made = amazon.session().create_client("cloudwatch", config=config, **given)
                made.meta.events.register("before-send.cloudwatch", _send)
                self._kept[name] = made
            self._kept.move_to_end(name)
            if len(self._kept) > MOST_CLIENTS:
                self._kept.popitem(last=False)[1].close()
            return self._kept[name]

    def close(self) -> None:
        with self._lock:
            for client in self._kept.values():
                client.close()
            self._kept.clear()


def _refused(said: Mapping[str, Any]) -> ProviderError:
    """The message of a refusal for lack of rights names accounts and roles, no keys."""
    code = str(said.get("Code", "unknown"))
    trouble = Trouble.BAD_QUERY
    if any(code.startswith(word) or word in code for word in _AUTH):
        trouble = Trouble.AUTH
    elif any(word in code for word in _TRANSIENT) or code.startswith("5"):
        trouble = Trouble.TRANSIENT
    return ProviderError(trouble, f"CloudWatch refused: {code}: {said.get('Message', '')}"[:400])


def together(queries: Sequence[Mapping[str, Any]], pages: Sequence[Mapping[str, Any]]) -> Measurement:
    """The newest value of each series of the first query that returns data. Raises `ProviderError`."""
    said = [f"{one.get('Code')}: {one.get('Value')}" for page in pages for one in page.get("Messages", ())]
    if said:
        raise ProviderError(Trouble.PARTIAL, f"the data is not whole: {'; '.join(said)}"[:400])
    results = [result for page in pages for result in page.get("MetricDataResults", ())]
    returned = {result.get("Id") for result in results}
    first = next((one.get("Id") for one in queries if one.get("Id") in returned), None)
    last: dict[str, Mapping[str, Any]] = {}
    newest: dict[str, tuple[datetime, float]] = {}
    for result in results:
        if result.get("Id") != first:
            continue
        label = str(result.get("Label", ""))
        last[label] = result
        for moment, value in zip(result.get("Timestamps", ()), result.get("Values", ()), strict=False):
            found = number(value, "a value")
            if found is not None and (label not in newest or moment > newest[label][0]):
                newest[label] = (moment, found)
    for result in last.values():
        _whole(result)
    warnings = tuple(
        f"{one.get('Code')}: {one.get('Value')}" for result in last.values() for one in result.get("Messages", ())
    )
    samples = (Sample({"id": str(first), "label": label}, value) for label, (_, value) in newest.items())
    return Measurement(tuple(samples), warnings)


def _whole(result: Mapping[str, Any]) -> None:
    """Raises `ProviderError` for a result that is not complete after its last page."""
    status = result.get("StatusCode", "Complete")
    if status == "Complete":
        return
    words = "; ".join(str(one.get("Value")) for one in result.get("Messages", ()))
    kinds = {"InternalError": Trouble.TRANSIENT, "Forbidden": Trouble.AUTH}
    why = f"CloudWatch says {status} of `{result.get('Id')}`{': ' if words else ''}{words}"
    raise ProviderError(kinds.get(status, Trouble.PARTIAL), why[:400])
