"""InfluxDB: Flux to version 2 and its cloud, InfluxQL to version 1 and to whatever still answers it.

A query that begins with `select` or `show` (after comments) is InfluxQL and goes to `/query`; every other is Flux and
goes to `/api/v2/query` with the option `now` set to the moment that is asked about. It stands in the query's text, for
version 1 takes no notice of the request's own `now`, and answers about the present. InfluxQL's `now()` is the server's
clock. Over httpx: the client library brings a thread and a parser of its own to what is one request and CSV. An answer
in annotated CSV may break off with a table of errors after good rows, under status 200; that is an error. No rows are
no data (Flagger takes them for 0).

Of a series with several times the newest value counts; rows that differ in `le` are the buckets of a histogram. A
Secret has `token` and `org` for Flux; `username` and `password`, or `token`, and `database` for InfluxQL, and may bring
certificates; to version 1 a token is `username:password`. Sources: InfluxDB's annotated CSV reference, its API v2
`POST /query`, its 1.x `GET /query`, Flux's reference of options, and InfluxDB 1.7 itself.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from interpreter.credential import authorization
from interpreter.providers.http import Answer, Http
from interpreter.providers.provider import Measurement, ProviderError, RenderedQuery, Sample, Trouble

_INFLUXQL = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*(?:select|show)\b", re.IGNORECASE | re.DOTALL)
_HEAD = re.compile(r'(?:\s|//[^\n]*\n|package\s+\w+|import\s+(?:\w+\s+)?"[^"]*")*')
_OWN_NOW = re.compile(r"\boption\s+now\s*=")
_PASSING = re.compile(r"timeout|timed out|unavailable|overload|canceled|deadline|too many|limit", re.IGNORECASE)
_ERRORS_OF_ONE = re.compile(r"answered 500: error\b")
_OWN = frozenset(("", "result", "table", "_start", "_stop", "_time", "_value"))
_NUMBERS = frozenset(("double", "long", "unsignedLong", "boolean"))
_DIALECT = {"annotations": ["datatype", "default"], "header": True, "delimiter": ","}

Row = dict[str, str]


class InfluxDB:
    """Asks the server of the query, or else this one."""

    name = "influxdb"

    def __init__(self, server: str | None = None, *, http: Http | None = None) -> None:
        self._server = server
        self._http = http or Http()

    async def measure(self, query: RenderedQuery) -> Measurement:
        server = query.server or self._server
        if not server:
            raise ProviderError(Trouble.BAD_QUERY, "no InfluxDB to ask: give its address in the metric's `server`")
        if _INFLUXQL.match(query.text):
            answer, reading = await self._ask_influxql(server.rstrip("/"), query), _influxql
        else:
            answer, reading = await self._ask_flux(server.rstrip("/"), query), _flux
        with answer.understood():
            return reading(answer)

    async def close(self) -> None:
        await self._http.close()

    async def _ask_flux(self, server: str, query: RenderedQuery) -> Answer:
        try:
            return await self._http.ask(
                "POST",
                f"{server}/api/v2/query",
                query,
                headers={"Accept": "application/csv", **_token(query.secret)},
                params=_given(org=query.secret.get("org", "").strip()),
                body={"query": as_of(query), "type": "flux", "dialect": _DIALECT},
            )
        except ProviderError as error:
            said = str(error)  # version 1 has 500 for a query that is wrong, too, with a table of errors
            if _ERRORS_OF_ONE.search(said) and not _PASSING.search(said):
                raise ProviderError(Trouble.BAD_QUERY, said) from error
            raise

    async def _ask_influxql(self, server: str, query: RenderedQuery) -> Answer:
        secret = query.secret
        return await self._http.ask(
            "GET",
            f"{server}/query",
            query,
            headers=authorization(secret) if "username" in secret else _token(secret),
            params={"q": query.text, "epoch": "ms", **_given(db=secret.get("database", "").strip())},
        )


def _given(**parameters: str) -> dict[str, str]:
    return {name: value for name, value in parameters.items() if value}


def _token(secret: Mapping[str, str]) -> dict[str, str]:
    return {"Authorization": f"Token {secret['token'].strip()}"} if "token" in secret else {}


def as_of(query: RenderedQuery) -> str:
    """The Flux with its moment as an option, after the package and the imports; one of its own stays."""
    if _OWN_NOW.search(query.text):
        return query.text
    now = datetime.fromtimestamp(query.at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    head = _HEAD.match(query.text)
    end = head.end() if head else 0
    return f"{query.text[:end]}option now = () => {now}\n{query.text[end:]}"


# --- Flux ---------------------------------------------------------------------------------------------------------


def _flux(answer: Answer) -> Measurement:
    """The newest value of every series of an annotated CSV. Raises `ProviderError`."""
    newest: dict[tuple[str, ...], tuple[str, Sample]] = {}
    for types, row in _rows(answer):
        if "error" in row and "_value" not in row:
            raise _trouble(row["error"])
        sample = _sample(types, row)
        if sample is None:
            continue
        series = (row.get("result", ""), row.get("table", ""), sample.labels.get("le", ""))
        time = row.get("_time", "").removesuffix("Z")  # so that a whole second is before its fractions
        if series not in newest or time >= newest[series][0]:
            newest[series] = (time, sample)
    return Measurement(tuple(sample for _, sample in newest.values()))


def _rows(answer: Answer) -> Iterator[tuple[Row, Row]]:
    """Each row with the types of its columns. A blank line or an annotation begins a table with columns of its own."""
    notes: dict[str, list[str]] = {}
    header: list[str] | None = None
    for cells in csv.reader(io.StringIO(answer.body.decode("utf-8", errors="replace"), newline="")):
        if not cells:
            header, notes = None, {}
        elif cells[0].startswith("#"):
            header, notes = None, {**({} if header else notes), cells[0]: cells}
        elif header is None:
            header = cells
            if not {"_value", "error"} & set(header):
                raise ProviderError(
                    Trouble.BAD_QUERY, f"{answer.server} gave no table with `_value`: check its address, and the query"
                )
        else:
            types = dict(zip(header, notes.get("#datatype", ()), strict=False))
            usual = notes.get("#default", [])
            filled = [cell or (usual[place] if place < len(usual) else "") for place, cell in enumerate(cells)]
            yield types, dict(zip(header, filled, strict=False))


def _sample(types: Row, row: Row) -> Sample | None:
    """The number in a row; None for a null. Flux writes nothing between the commas for it."""
    text, kind = row.get("_value", ""), types.get("_value", "double")
    if not text:
        return None
    if kind not in _NUMBERS:
        raise ProviderError(Trouble.BAD_QUERY, f"`_value` of the answer is a {kind}, and a number is needed")
    labels = {name: value for name, value in row.items() if name not in _OWN}
    return Sample(labels, float(text == "true") if kind == "boolean" else _number(text))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ProviderError(Trouble.BAD_QUERY, "`_value` of the answer is no number") from error


def _trouble(said: str) -> ProviderError:
    """An error after the first byte has no status: all but what names a lack of resources is the query's."""
    trouble = Trouble.TRANSIENT if _PASSING.search(said) else Trouble.BAD_QUERY
    return ProviderError(trouble, f"the query broke off: {' '.join(said.split())[:300]}")


# --- InfluxQL -----------------------------------------------------------------------------------------------------


def _influxql(answer: Answer) -> Measurement:
    """The newest value of every series, a sample for each column. Raises `ProviderError`."""
    body = answer.json()
    try:
        if "error" in body:
            raise _trouble(str(body["error"]))
        results = body["results"]
        samples = tuple(sample for result in results for sample in _result(result))
        warnings = tuple(str(said["text"]) for result in results for said in result.get("messages", ()))
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise ProviderError(Trouble.BAD_QUERY, f"{answer.server} does not answer as InfluxDB: check it") from error
    return Measurement(samples, warnings)


def _result(result: Mapping[str, Any]) -> Iterator[Sample]:
    if "error" in result:
        raise _trouble(str(result["error"]))
    for series in result.get("series", ()):
        if result.get("partial") or series.get("partial"):
            raise ProviderError(Trouble.PARTIAL, "the server cut the answer off: ask for fewer rows")
        columns = series["columns"]
        times = columns.index("time") if "time" in columns else None
        for place, column in enumerate(columns):
            if place == times:
                continue
            rows = [(row[times] if times is not None else 0, row[place]) for row in series["values"]]
            known = [(time, value) for time, value in rows if value is not None]
            if known:
                value = max(known, key=lambda row: row[0])[1]
                several = {"column": column} if len(columns) > 2 else {}
                yield Sample({**series.get("tags", {}), **several}, _finite(value))


def _finite(value: object) -> float:
    if isinstance(value, (bool, int, float)) and not (isinstance(value, float) and math.isnan(value)):
        return float(value)
    raise ProviderError(Trouble.BAD_QUERY, "the query gives a text, and a number is needed")
