"""InfluxDB's answers: Flux and InfluxQL go where they belong; nulls, no rows and broken-off answers are never numbers.

The servers here speak the documented wire format; InfluxDB itself is asked in test_influxdb_real.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from interpreter.providers.influxdb import InfluxDB, as_of
from interpreter.providers.provider import Measurement, ProviderError, RenderedQuery, Sample, Trouble, guarded
from tests.interpreter.providers.wire import Said, Wire, wired

FLUX = 'from(bucket: "b") |> range(start: -1m) |> mean()'
SECRET = {"token": "t0ps3cret", "org": "acme"}
QUERY = RenderedQuery(FLUX, at_ms=1_795_413_067_184, window_ms=60_000, secret=SECRET)
SELECT = QUERY._replace(text="SELECT mean(v) FROM m", secret={"username": "u", "password": "p4ssw0rd", "database": "d"})

TABLE = (
    "#datatype,string,long,dateTime:RFC3339,double,string\r\n"
    "#default,_result,,,,\r\n"
    ",result,table,_time,_value,host\r\n"
)


@pytest.fixture
async def server() -> AsyncIterator[Wire]:
    async with wired() as made:
        yield made


@pytest.fixture
async def influx(server: Wire) -> AsyncIterator[InfluxDB]:
    made = InfluxDB(server.url)
    yield made
    await made.close()


async def trouble(influx: InfluxDB, query: RenderedQuery = QUERY) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await guarded(influx, query, first_delay=0.001)
    assert "t0ps3cret" not in str(caught.value)
    assert "p4ssw0rd" not in str(caught.value)
    return caught.value


async def test_flux_is_asked_as_of_its_moment(server: Wire, influx: InfluxDB) -> None:
    server.answers = [Said(TABLE + ",,0,2026-01-01T00:00:00Z,0.5,a\r\n\r\n")]
    assert await influx.measure(QUERY) == Measurement((Sample({"host": "a"}, 0.5),))
    asked = server.asked[0]
    assert (asked.method, asked.path, asked.query) == ("POST", "/api/v2/query", {"org": "acme"})
    assert asked.headers["authorization"] == "Token t0ps3cret"
    assert asked.json["query"] == f"option now = () => 2026-11-23T05:51:07.184Z\n{FLUX}"


@pytest.mark.parametrize(
    "head",
    ["", "\n  ", "// errors\n", 'package a\n// b\nimport "math"\nimport d "experimental/date"\n'],
)
def test_the_moment_stands_where_flux_takes_it(head: str) -> None:
    text = f'{head}important = 1\nfrom(bucket: "b") |> range(start: -1m)'
    now = "option now = () => 2026-11-23T05:51:07.184Z\n"
    assert as_of(QUERY._replace(text=text)) == text.replace("important", f"{now}important")


def test_a_moment_of_its_own_stays() -> None:
    text = f"option now = () => 2026-01-01T00:00:00Z\n{FLUX}"
    assert as_of(QUERY._replace(text=text)) == text


@pytest.mark.parametrize("text", ["", "\r\n\r\n", TABLE, TABLE + ",,0,2026-01-01T00:00:00Z,,a\r\n"])
async def test_no_rows_and_nulls_are_no_data(server: Wire, influx: InfluxDB, text: str) -> None:
    server.answers = [Said(text)]
    assert await influx.measure(QUERY) == Measurement(())


async def test_the_newest_row_of_a_table_counts_and_every_table_is_a_series(server: Wire, influx: InfluxDB) -> None:
    rows = (
        ",,0,2026-01-01T00:00:00Z,1,a\r\n,,0,2026-01-01T00:02:00Z,2,a\r\n,,0,2026-01-01T00:01:00Z,5,a\r\n"
        ",,0,2026-01-01T00:03:00Z,,a\r\n"
        ",,1,2026-01-01T00:00:00Z,3,b\r\n"
    )
    server.answers = [Said(TABLE + rows)]
    got = await influx.measure(QUERY)
    assert [(sample.labels["host"], sample.value) for sample in got.samples] == [("a", 2.0), ("b", 3.0)]


async def test_a_fraction_of_a_second_is_after_the_whole_one(server: Wire, influx: InfluxDB) -> None:
    rows = ",,0,2026-01-01T00:00:00.5Z,2,a\r\n,,0,2026-01-01T00:00:00Z,1,a\r\n,,0,2026-01-01T00:00:00.25Z,3,a\r\n"
    server.answers = [Said(TABLE + rows)]
    assert [sample.value for sample in (await influx.measure(QUERY)).samples] == [2.0]


async def test_tables_with_other_columns_follow_each_other(server: Wire, influx: InfluxDB) -> None:
    second = "\r\n#datatype,string,long,long,string\r\n#default,_result,,,\r\n,result,table,_value,le\r\n"
    server.answers = [Said(TABLE + ",,0,2026-01-01T00:00:00Z,1,a\r\n" + second + ",,1,7,0.1\r\n,,1,9,+Inf\r\n")]
    got = await influx.measure(QUERY)
    assert got.samples == (Sample({"host": "a"}, 1.0), Sample({"le": "0.1"}, 7.0), Sample({"le": "+Inf"}, 9.0))


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (
            Said(TABLE + ",,0,2026-01-01T00:00:00Z,1,a\r\n\r\n#datatype,string,string\r\n#default,,\r\n"
                 ",error,reference\r\n,engine: unknown column,897\r\n"),
            Trouble.BAD_QUERY, "broke off: engine: unknown column",
        ),
        (Said("\r\n,error,reference\r\n,query timeout exceeded,\r\n"), Trouble.TRANSIENT, "timeout"),
        (Said(TABLE.replace("double", "string") + ",,0,x,text,a\r\n"), Trouble.BAD_QUERY, "is a string"),
        (Said("<html>hello</html>"), Trouble.BAD_QUERY, "check its address"),
        (Said({"code": "unauthorized", "message": "no t0ps3cret"}, 401), Trouble.AUTH, "does not let us in"),
        (Said({"code": "invalid", "message": "undefined identifier"}, 400), Trouble.BAD_QUERY, "undefined identifier"),
        (Said("", 503), Trouble.TRANSIENT, "answered 503"),
        (Said('error\n"type error 1:54: undefined identifier ""summ"""\n', 500), Trouble.BAD_QUERY, "undefined ident"),
        (Said("error\nquery timeout reached\n", 500), Trouble.TRANSIENT, "answered 500: error query timeout"),
        (Said({"code": "internal error", "message": "panic"}, 500), Trouble.TRANSIENT, "answered 500: panic"),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_flux_is_named(
    server: Wire, influx: InfluxDB, answer: Said, kind: Trouble, words: str
) -> None:
    server.answers = [answer]
    error = await trouble(influx)
    assert error.trouble is kind
    assert words in str(error)


async def test_influxql_goes_to_version_one(server: Wire, influx: InfluxDB) -> None:
    series = {"name": "m", "tags": {"host": "a"}, "columns": ["time", "mean"], "values": [[2, 5], [3, None], [1, 4]]}
    server.answers = [Said({"results": [{"statement_id": 0, "series": [series]}]})]
    commented = SELECT._replace(text="-- errors\n/* of\n all */ select mean(v) FROM m")
    assert await influx.measure(commented) == Measurement((Sample({"host": "a"}, 5.0),))
    asked = server.asked[0]
    assert (asked.method, asked.path) == ("GET", "/query")
    assert asked.query == {"q": commented.text, "db": "d", "epoch": "ms"}
    assert asked.headers["authorization"].startswith("Basic ")


async def test_columns_of_influxql_are_series(server: Wire, influx: InfluxDB) -> None:
    series = {"name": "m", "columns": ["time", "a", "b"], "values": [[1, 4, 0.5]]}
    server.answers = [Said({"results": [{"series": [series]}]})]
    got = await influx.measure(SELECT)
    assert got.samples == (Sample({"column": "a"}, 4.0), Sample({"column": "b"}, 0.5))


@pytest.mark.parametrize(
    "results",
    [[{"statement_id": 0}], [{"series": [{"columns": ["time", "mean"], "values": [[1, None]]}]}]],
)
async def test_influxql_without_rows_is_no_data(server: Wire, influx: InfluxDB, results: object) -> None:
    server.answers = [Said({"results": results})]
    assert await influx.measure(SELECT) == Measurement(())


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (Said({"error": "error parsing query"}, 400), Trouble.BAD_QUERY, "error parsing query"),
        (Said({"results": [{"error": "database not found: d"}]}), Trouble.BAD_QUERY, "database not found"),
        (Said({"results": [{"series": [{"partial": True, "columns": ["time", "v"], "values": [[1, 2]]}]}]}),
         Trouble.PARTIAL, "cut the answer off"),
        (Said({"results": [{"series": [{"columns": ["time", "v"], "values": [[1, "up"]]}]}]}),
         Trouble.BAD_QUERY, "a number is needed"),
        (Said([]), Trouble.BAD_QUERY, "check it"),
        (Said("<html>"), Trouble.BAD_QUERY, "JSON"),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_influxql_is_named(
    server: Wire, influx: InfluxDB, answer: Said, kind: Trouble, words: str
) -> None:
    server.answers = [answer]
    error = await trouble(influx, SELECT)
    assert error.trouble is kind
    assert words in str(error)


async def test_a_slow_server_is_left_in_time(server: Wire, influx: InfluxDB) -> None:
    server.answers = [Said("", wait=20)]
    with pytest.raises(ProviderError, match="gave no answer within"):
        await guarded(influx, QUERY, timeout=0.1)
