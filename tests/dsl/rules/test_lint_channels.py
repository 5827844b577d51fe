"""Channels that nobody hears of are found before they are needed."""

from __future__ import annotations

from typing import Any

import pytest

USE = "notify here; promote"


def channel(settings: str) -> str:
    return f"channel here {{ {settings} }}"


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ('slack "x"', "RW607"),
        ('slack "x"; secret "s"', None),
        ('pagerduty "x"', "RW607"),
        ('alertmanager "http://alertmanager:9093"', None),
        ('webhook "http://events/"', None),
        ('provider "shop/chat"', None),
        ('provider "shop/chat"; secret "s"', "RW608"),
        ('provider "shop/chat"; labels { a: "b" }', None),
        ('msteams "x"; secret "s"; username "rob"', "RW608"),
        ('alertmanager "http://alertmanager:9093"; labels { a: "b" }; cluster "blue"; timeout 5s', None),
        ('cloudevents "http://events/"; labels { a: "b" }', "RW608"),
        ('cloudevents "http://169.254.169.254/"', "RW606"),
        ('alertmanager "alertmanager:9093"', "RW605"),
    ],
)
def test_channels(lint: Any, settings: str, code: str | None) -> None:
    codes = ("RW605", "RW606", "RW607", "RW608")
    assert [each for each in codes if lint(each, before=channel(settings), steps=USE)] == ([code] if code else [])


def test_who_has_a_use_for_it_is_said(full: Any) -> None:
    (found,) = full("RW608", before=channel('gchat "x"; secret "s"; cluster "blue"'), steps=USE)
    assert found.message == "`gchat` has no use for `cluster`"
    assert found.help == "take it out; it is for `alertmanager`, `pagerduty` and `cloudevents`"
