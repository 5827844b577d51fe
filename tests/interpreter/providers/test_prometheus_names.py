"""Protects the help for a query without data: a real Prometheus is asked what it knows of the query's names."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter, start_http_server

from interpreter.providers.prometheus_names import Asked, selectors, unknown
from tests.prometheus.server import RealPrometheus


@pytest.fixture(scope="module")
def shop(real_prometheus: RealPrometheus) -> Iterator[str]:
    """A Prometheus that has scraped `names_orders_total` of `shop-v1` and `shop-v2`."""
    registry = CollectorRegistry()
    orders = Counter("names_orders", "Orders.", ("app",), registry=registry)
    orders.labels("shop-v1").inc()
    orders.labels("shop-v2").inc()
    server, thread = start_http_server(0, "127.0.0.1", registry)
    try:
        with real_prometheus.scraping("names", f"http://127.0.0.1:{server.server_port}"):
            limit = time.monotonic() + 30
            while not _has(real_prometheus.url):
                assert time.monotonic() < limit, "nothing was scraped"
                time.sleep(0.1)
            yield real_prometheus.url
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _has(url: str) -> bool:
    return bool(httpx.get(f"{url}/api/v1/query", params={"query": "names_orders_total"}).json()["data"]["result"])


def asked(url: str, query: str) -> tuple[str, ...]:
    return unknown(url, query, (time.time() - 300, time.time() + 5))


def test_a_misspelt_metric_is_named_with_what_was_meant(shop: str) -> None:
    said = "the server has no metric `names_order_total`; did you mean `names_orders_total`?"
    assert asked(shop, 'sum(rate(names_order_total{app="shop-v1"}[1m]))') == (said,)
    assert asked(shop, "qqqq_nothing_like_it") == ("the server has no metric `qqqq_nothing_like_it`",)


def test_a_label_that_no_series_has_is_named_with_those_that_there_are(shop: str) -> None:
    (said,) = asked(shop, 'sum(increase(names_orders_total{app="shop"}[1m])) / 2')
    assert said == 'no series of `names_orders_total` has `app="shop"`; there is `shop-v2`, `shop-v1`'
    (said,) = asked(shop, 'names_orders_total{app=~"web-.*"} or names_orders_total{app="shop-v1"}')
    assert said.startswith('no series of `names_orders_total` has `app=~"web-.*"`; there is ')
    assert asked(shop, 'names_orders_total{tier="front"}') == (
        'no series of `names_orders_total` has `tier="front"`; none has a label `tier`',
    )


def test_what_is_known_is_not_spoken_of(shop: str) -> None:
    assert asked(shop, 'sum(rate(names_orders_total{app=~"shop-v[12]",app!="x"}[1m])) or vector(0)') == ()


def test_a_server_that_is_not_there_and_a_query_that_cannot_be_read_add_nothing(shop: str) -> None:
    assert asked("http://127.0.0.1:1", "up") == ()
    assert asked(shop, "sum(") == ()
    assert unknown(shop, "qqqq", (0.0, 1.0), {"ca.crt": "x"}) == ()


def test_selectors_are_found_wherever_they_stand() -> None:
    query = (
        'histogram_quantile(0.9, sum by (le) (rate(a_bucket{x="1"}[1m]))) / on() -(b{y=~"2"} or max_over_time(c[5m:]))'
    )
    assert set(selectors(query)) == {
        Asked("a_bucket", (("x", "=", "1"),)),
        Asked("b", (("y", "=~", "2"),)),
        Asked("c", ()),
    }
