"""Protects how options are read: both spellings of keys, durations of either kind, and what is said of wrong values."""

from __future__ import annotations

from typing import Any

import pytest

from dsl.compiler import compile_source
from dsl.source import Source
from interpreter.traffic.options import Cors, HeaderEdits, Headers, Options, Retries, Rewrite, duration_text
from interpreter.traffic.provider import TrafficError
from tests.interpreter.traffic.rigs import site


def options(**values: Any) -> Options:
    return Options(site("test", "istio", values).program)


def test_nothing_said_is_nothing_read() -> None:
    none = options()
    assert (none.hosts, none.gateways, none.gateway_refs, none.match, none.mirror_to) == ((), (), (), (), ())
    assert (none.rewrite, none.retries, none.cors, none.timeout_ms, none.backend_timeout_ms, none.port) == (None,) * 6
    assert (none.traffic_policy, none.headers, none.delegation, none.route, none.rule) == ({}, Headers(), False, "", "")


@pytest.mark.parametrize(
    "retries",
    [
        {"attempts": 3, "per_try_timeout": "1s", "retry_on": "5xx", "backoff": "25ms"},
        {"attempts": 3, "perTryTimeout": 1000, "retryOn": "5xx", "backoff": 25},
    ],
)
def test_the_languages_spelling_and_the_data_planes(retries: dict[str, Any]) -> None:
    assert options(retries=retries).retries == Retries(3, 1000, "5xx", 25)


def test_a_cross_origin_policy() -> None:
    wanted = Cors(
        ({"regex": "h.*"}, {"exact": "https://b"}, {"exact": "*"}), ("GET",), ("x",), ("y",), True, 86_400_000
    )
    languages = {
        "allow_origins": [{"regex": "h.*"}, "https://b"],
        "allow_origin": ["*"],
        "allow_methods": ["GET"],
        "allow_headers": ["x"],
        "expose_headers": ["y"],
        "allow_credentials": True,
        "max_age": "1d",
    }
    flaggers = {
        "allowOrigins": [{"regex": "h.*"}, {"exact": "https://b"}],
        "allowOrigin": ["*"],
        "allowMethods": ["GET"],
        "allowHeaders": ["x"],
        "exposeHeaders": ["y"],
        "allowCredentials": True,
        "maxAge": "24h",
    }
    assert options(cors=languages).cors == options(cors=flaggers).cors == wanted


def test_headers_and_rewrites() -> None:
    edits = {"request": {"add": {"a": "1"}, "remove": ["b"]}, "response": {"set": {"c": "2"}}}
    assert options(headers=edits).headers == Headers(
        HeaderEdits(add={"a": "1"}, remove=("b",)), HeaderEdits(set={"c": "2"})
    )
    assert options(rewrite={"uri": "/"}).rewrite == Rewrite("/", "", "ReplaceFullPath")
    assert options(rewrite={"type": "ReplacePrefixMatch"}).rewrite == Rewrite("", "", "ReplacePrefixMatch")


def test_references() -> None:
    assert options(gateway_refs=[{"name": "a", "section_name": "b"}]).gateway_refs == (
        {"name": "a", "sectionName": "b"},
    )
    assert options(gateway_refs=[{"name": "a", "sectionName": "b"}]).gateway_refs == (
        {"name": "a", "sectionName": "b"},
    )
    assert options(mirror_to=[{"backendRef": {"name": "a"}}, {"name": "b"}]).mirror_to == ({"name": "a"}, {"name": "b"})


@pytest.mark.parametrize(
    ("value", "milliseconds", "text"),
    [(1500, 1500, "1s500ms"), ("1m30s", 90_000, "1m30s"), ("1.5h", 5_400_000, "1h30m"), ("2d", 172_800_000, "48h"),
     ("0s", 0, "0s"), ("100us", 1, "1ms"), (0, 0, "0s")],
)  # fmt: skip
def test_durations(value: object, milliseconds: int, text: str) -> None:
    assert options(timeout=value).timeout_ms == milliseconds
    assert duration_text(milliseconds) == text


@pytest.mark.parametrize(
    ("values", "name", "wanted"),
    [
        ({"timeout": "soon"}, "timeout", "a duration"),
        ({"timeout": "5"}, "timeout", "a duration"),
        ({"timeout": -5}, "timeout", "a duration"),
        ({"timeout": True}, "timeout", "a duration"),
        ({"hosts": "a"}, "hosts", "a list of texts"),
        ({"hosts": [1]}, "hosts", "a list of texts"),
        ({"match": [1]}, "match", "a list of maps"),
        ({"retries": [1]}, "retries", "a map"),
        ({"retries": {"attempts": "3"}}, r"retries\.attempts", "a whole number"),
        ({"retries": {"attempts": True}}, r"retries\.attempts", "a whole number"),
        ({"headers": {"request": {"add": {"a": 1}}}}, r"headers\.request\.add", "a map of texts"),
        ({"cors": {"allow_origins": [1]}}, r"cors\.allow_origins", "a list of texts, or of maps"),
        ({"delegation": "yes"}, "delegation", "true or false"),
        ({"route": 5}, "route", "a text"),
    ],
)
def test_what_is_said_of_a_wrong_value(values: dict[str, Any], name: str, wanted: str) -> None:
    (option,) = values
    read = {"timeout": "timeout_ms"}.get(option, option)
    with pytest.raises(TrafficError, match=rf"traffic istio: the option `{name}` is .*; write {wanted}"):
        getattr(options(**values), read)


def test_a_long_value_is_shown_in_part() -> None:
    with pytest.raises(TrafficError) as raised:
        _ = options(hosts="x" * 1000).hosts
    assert len(str(raised.value)) < 200


def test_what_the_language_makes_of_a_traffic_block_can_be_read() -> None:
    text = """rollout one in shop {
  target  deployment/a
  traffic istio {
    hosts ["a.example.com"]
    gateways [mesh]
    match [{ uri: { prefix: "/" } }]
    rewrite { uri: "/", authority: "b" }
    retries { attempts: 3, per_try_timeout: 1s, retry_on: "5xx", backoff: 25ms }
    timeout 1d
    cors { allow_origins: ["https://a"], max_age: 1h, allow_credentials: true }
    headers { request: { add: { "x-a": "1" } } }
    traffic_policy { tls: { mode: "ISTIO_MUTUAL" } }
    delegation
  }
  steps { promote }
}
"""
    (program,) = (each.program for each in compile_source(Source("one.rollout", text)).rollouts)
    read = Options(program)
    assert read.retries == Retries(3, 1000, "5xx", 25)
    assert read.timeout_ms == 86_400_000
    assert read.cors == Cors(({"exact": "https://a"},), allow_credentials=True, max_age_ms=3_600_000)
    assert read.headers.request.add == {"x-a": "1"}
    assert read.traffic_policy == {"tls": {"mode": "ISTIO_MUTUAL"}}
    assert (read.hosts, read.gateways, read.delegation) == (("a.example.com",), ("mesh",), True)
    assert read.match == ({"uri": {"prefix": "/"}},)
    assert read.rewrite == Rewrite("/", "b")
