"""What a real InfluxDB answers is understood, in InfluxQL and in Flux: counts in windows that follow each other,
buckets of a histogram, silence, refusals in the server's own words, and who is let in."""

from __future__ import annotations

import math

import pytest

from dsl import ir
from interpreter import questions
from tests.interpreter.providers.asking import answer, events, number, reason
from tests.servers.influxdb_server import PASSWORD, USER, RealInfluxDB

AT_MS = 1_790_000_060_000
"""The end of the minute that is looked at."""
FIRST_MS = AT_MS - 180_000
QL = {"username": USER, "password": PASSWORD, "database": "shop"}
FLUX = {"token": f"{USER}:{PASSWORD}", "org": "any"}
"""To Flux an InfluxDB 1 gives a token of this form, and knows no organizations."""


@pytest.fixture(scope="module")
def url(real_influxdb: RealInfluxDB) -> str:
    """Of a server that has three minutes of orders, a point each five seconds: ten each time, one of them failed. No
    point is on the edge of two minutes: version 1's Flux takes it for both, where its reference has it in the later."""
    lines = []
    for at in range(FIRST_MS + 1, AT_MS, 5000):
        done = (at - FIRST_MS) // 5000
        lines += [f"orders,app=shop failed=1i,requests=10i {at}", f"orders,app=shop-primary requests=0i {at}"]
        lines += [
            f"seconds,app=shop,le={le} done={count} {at}" for le, count in (("0.1", 9), ("0.5", 10), ("+Inf", 10))
        ]
        lines += [f"edge requests=1i {at + 4999}"]
        lines += [f'depth,queue=mail long={done},text="deep" {at}', f"depth,queue=bills long=4 {at}"]
    real_influxdb.make("shop")
    real_influxdb.write("shop", *lines)
    return real_influxdb.url


def span(at_ms: int) -> str:
    """For InfluxQL, which is not told of the moment that is asked about."""
    return f"time >= {at_ms - 60_000}ms AND time < {at_ms}ms"


def flux(field: str, more: str, measurement: str = "orders", bucket: str = "shop") -> str:
    keep = f'r._measurement == "{measurement}" and r._field == "{field}"'
    return f'from(bucket: "{bucket}") |> range(start: -{{{{ interval }}}}) |> filter(fn: (r) => {keep}) {more}'


CANARY = '|> filter(fn: (r) => r.app == "{{ workload }}")'


async def test_counts_of_windows_that_follow_each_other_in_influxql(url: str) -> None:
    for at in (AT_MS, AT_MS - 60_000, AT_MS - 120_000):
        total = f"SELECT sum(requests) FROM orders WHERE app = '{{{{ workload }}}}' AND {span(at)}"
        metric = events("influxdb", total.replace("requests", "failed"), total, url)
        assert await answer(metric, at, secret=QL) == questions.Events(12.0, 120.0)
    assert await answer(metric, at, secret=QL, arm=ir.Arm.PRIMARY) == questions.Events(0.0, 0.0)
    nothing = questions.NoDataAnswer("it: the query has no result")
    assert await answer(metric, at, secret=QL, arm=ir.Arm.BASELINE) == nothing


async def test_counts_of_windows_that_follow_each_other_in_flux(url: str) -> None:
    """`range(start: -1m)` is about the minute before the moment that is asked about, and not before now."""
    metric = events("influxdb", flux("failed", f"{CANARY} |> sum()"), flux("requests", f"{CANARY} |> sum()"), url)
    for at in (AT_MS, AT_MS - 60_000, AT_MS - 120_000):
        assert await answer(metric, at, secret=FLUX) == questions.Events(12.0, 120.0)
    assert await answer(metric, AT_MS, secret=FLUX, arm=ir.Arm.PRIMARY) == questions.Events(0.0, 0.0)
    nothing = questions.NoDataAnswer("it: the query has no result")
    assert await answer(metric, AT_MS, secret=FLUX, arm=ir.Arm.BASELINE) == nothing


async def test_a_point_on_the_edge_of_two_windows_is_in_both_for_the_flux_of_version_one(url: str) -> None:
    """Its reference has it in the later one only, and so has InfluxQL: 12 of them come in a minute."""
    for text, secret, count in (
        (f"SELECT sum(requests) FROM edge WHERE {span(AT_MS - 60_000)}", QL, 12.0),
        (flux("requests", "|> sum()", "edge"), FLUX, 13.0),
    ):
        assert await answer(number("influxdb", text, url), AT_MS - 60_000, secret=secret) == questions.Value(count)


async def test_times_have_a_bucket_for_each_bound(url: str) -> None:
    expected = questions.Histogram(((0.1, 108.0), (0.5, 120.0), (math.inf, 120.0)))
    ql = f"SELECT sum(done) FROM seconds WHERE app = '{{{{ workload }}}}' AND {span(AT_MS)} GROUP BY le"
    grouped = flux("done", f'{CANARY} |> group(columns: ["le"]) |> sum()', "seconds")
    for text, secret in ((ql, QL), (grouped, FLUX)):
        metric = ir.Metric(ir.Unit.HISTOGRAM, (ir.Query("influxdb", text),), server=url)
        assert await answer(metric, AT_MS, secret=secret) == expected


async def test_the_newest_value_counts_and_an_empty_bucket_is_none(url: str) -> None:
    mail = "SELECT {} FROM depth WHERE queue = 'mail' AND {}"
    for text, secret in (
        (mail.format("long", span(AT_MS)), QL),
        (mail.format("mean(long)", f"{span(AT_MS + 30_000)} GROUP BY time(5s)"), QL),
        (flux("long", '|> filter(fn: (r) => r.queue == "mail")', "depth"), FLUX),
    ):
        assert await answer(number("influxdb", text, url), AT_MS, secret=secret) == questions.Value(35.0)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"SELECT sum(requests) FROM nothing WHERE {span(AT_MS)}", QL),
        ("SELECT sum(requests) FROM orders WHERE time > now() - 1m", QL),
        (f"SELECT mean(requests) FROM orders WHERE {span(AT_MS + 3_600_000)} GROUP BY time(10s)", QL),
        (flux("requests", "|> sum()", "nothing"), FLUX),
        (flux("requests", "|> sum() |> filter(fn: (r) => r._value > 1000)"), FLUX),
    ],
)
async def test_silence_is_no_data(url: str, text: str, secret: dict[str, str]) -> None:
    assert reason(await answer(number("influxdb", text, url), AT_MS, secret=secret)) == "it: the query has no result"


@pytest.mark.parametrize(
    ("text", "secret", "words"),
    [
        ("SELECT sum( FROM orders", QL, "refused the query (400): error parsing query: found FROM"),
        ("SELECT nothing(requests) FROM orders", QL, "undefined function nothing() (bad_query)"),
        ("SELECT sum(requests) FROM orders", {**QL, "database": "none"}, "database not found"),
        ("SELECT sum(requests) FROM orders", {**QL, "database": ""}, "database name required (bad_query)"),
        ("SELECT last(text) FROM depth", QL, "the query gives a text, and a number is needed (bad_query)"),
        (f"SELECT long FROM depth WHERE {span(AT_MS)} GROUP BY queue", QL, "gives 2 series, and one is needed"),
        (f"SELECT requests FROM orders WHERE time < {AT_MS}ms", QL, "the server cut the answer off"),
        ("SELECT sum(requests) FROM orders", {**QL, "password": "wr0ng"}, "does not let us in (401)"),
        ("SELECT sum(requests) FROM orders", {"database": "shop"}, "does not let us in (401)"),
        (flux("requests", "|> summ()"), FLUX, 'undefined identifier ""summ""" (bad_query)'),
        (flux("requests", "|> sum("), FLUX, "(bad_query)"),
        (flux("requests", "|> sum()", bucket="none"), FLUX, "no database (bad_query)"),
        (flux("requests", "|> map(fn: (r) => ({_value: r.none + 1}))"), FLUX, "(bad_query)"),
        (flux("text", "|> last()", "depth"), FLUX, "`_value` of the answer is a string, and a number is needed"),
        (flux("requests", "|> sum()"), FLUX, "gives 2 series, and one is needed"),
        (
            flux("requests", f'{CANARY} |> sum() |> map(fn: (r) => ({{_value: float(v: "+Inf")}}))'),
            FLUX,
            "comes to +Inf",
        ),
        (flux("requests", "|> sum()"), {"token": f"{USER}:wr0ng"}, "does not let us in (401)"),
    ],
)
async def test_what_is_wrong_is_named_in_the_servers_words(
    url: str, text: str, secret: dict[str, str], words: str
) -> None:
    given = await answer(number("influxdb", text, url), AT_MS, secret=secret)
    assert isinstance(given, questions.ErrorAnswer)
    assert words in reason(given)
    assert "wr0ng" not in reason(given)


async def test_what_is_no_number_is_no_data(url: str) -> None:
    """Flux can say NaN. InfluxQL makes 0/0 a zero, so that a ratio of it hides silence: ask for two counts."""
    text = flux("requests", f'{CANARY} |> sum() |> map(fn: (r) => ({{_value: float(v: "NaN")}}))')
    given = await answer(number("influxdb", text, url), AT_MS, secret=FLUX)
    assert reason(given) == "it: the query comes to NaN, which is what 0/0 is"
    text = f"SELECT sum(requests) / sum(requests) FROM orders WHERE app = 'shop-primary' AND {span(AT_MS)}"
    assert await answer(number("influxdb", text, url), AT_MS, secret=QL) == questions.Value(0.0)
