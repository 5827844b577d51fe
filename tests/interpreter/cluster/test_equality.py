"""Whether all of ours is in theirs, as the API server writes things."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from interpreter.cluster.equality import contains, quantity


def thing(spec: Any, api_version: str = "apps/v1", **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": "Thing", "metadata": {"name": "a", **metadata}, "spec": spec}


@pytest.mark.parametrize(
    ("live", "ours"),
    [
        ({"a": 1, "default": True}, {"a": 1}),
        ({"limits": {"cpu": "500m", "memory": "1Gi"}}, {"limits": {"cpu": "0.5", "memory": "1024Mi"}}),
        ({"limits": {"cpu": "1"}}, {"limits": {"cpu": 1}}),
        ({"sizeLimit": "1Gi"}, {"sizeLimit": "1073741824"}),
        ({}, {"empty": {}, "none": None, "list": [], "zero": 0, "no": False, "text": ""}),
        (
            {"containers": [{"name": "sidecar"}, {"name": "a", "image": "x", "pull": "Always"}]},
            {"containers": [{"name": "a", "image": "x"}]},
        ),
        ({"args": ["a", "b"]}, {"args": ["a", "b"]}),
    ],
)
def test_all_of_ours_is_there(live: Any, ours: Any) -> None:
    assert contains(thing(live), thing(ours))


@pytest.mark.parametrize(
    ("live", "ours"),
    [
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"a": True}),
        ({}, {"a": 1}),
        ({"a": {"b": 1}}, {"a": None}),
        ({"limits": {"cpu": "500m"}}, {"limits": {"cpu": "0.6"}}),
        ({"env": [{"name": "A", "value": "1000m"}]}, {"env": [{"name": "A", "value": "1"}]}),
        ({"containers": [{"name": "b"}]}, {"containers": [{"name": "a"}]}),
        ({"args": ["b", "a"]}, {"args": ["a", "b"]}),
        ({"args": ["a", "b"]}, {"args": ["a"]}),
        ({"a": "text"}, {"a": {"b": 1}}),
    ],
)
def test_something_of_ours_is_not(live: Any, ours: Any) -> None:
    assert not contains(thing(live), thing(ours))


def test_a_route_that_somebody_added_is_a_difference() -> None:
    live = thing({"http": [{"name": "theirs"}, {"name": "ours"}]}, "networking.istio.io/v1")
    assert not contains(live, thing({"http": [{"name": "ours"}]}, "networking.istio.io/v1"))


def test_what_only_the_server_writes_does_not_count() -> None:
    live = thing({}, labels={"a": "b", "c": "d"}, resourceVersion="2", uid="u")
    ours = {**thing({}, labels={"a": "b"}, resourceVersion="1", creationTimestamp=None), "status": {"x": 1}}
    assert contains(live, ours)
    assert not contains(live, thing({}, labels={"a": "x"}))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("500m", "0.5"),
        ("1Ki", "1024"),
        ("2k", "2000"),
        ("1e3", "1000"),
        ("1E", "1e18"),
        ("-1.5", "-1.5"),
        (".5", "0.5"),
    ],
)
def test_quantities(text: str, number: str) -> None:
    assert quantity(text) == Decimal(number)


@pytest.mark.parametrize("text", ["", "m", "1 Gi", "1kb", "half", True, None, "0x10"])
def test_no_quantities(text: object) -> None:
    assert quantity(text) is None
