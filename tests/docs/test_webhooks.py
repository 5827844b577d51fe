"""What the page of webhooks says is sent and refused is what is sent and refused."""

from __future__ import annotations

import json
import re
from ipaddress import ip_network
from pathlib import Path

from dsl.ir import Webhook
from interpreter import webhooks
from interpreter.addresses import REFUSED
from tests.interpreter.test_webhooks import ACTION, PROGRAM

PAGE = (Path(__file__).parents[2] / "docs/reference/webhooks.md").read_text(encoding="utf-8")


def test_the_payload_is_the_one_of_the_page() -> None:
    shown = json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0])
    sent = webhooks.payload_of(PROGRAM, Webhook("http://a.test", body={"cmd": "x"}), ACTION)
    assert list(shown) == list(sent)


def test_every_refused_network_is_on_the_page() -> None:
    table = PAGE.partition("## Addresses")[2].partition("IPv6 addresses")[0]
    said = {ip_network(text) for text in re.findall(r"`([0-9a-f.:]+(?:/\d+)?)`", table)}
    assert said == {ip_network(text) for text in REFUSED}


def test_the_bounds_are_those_of_the_page() -> None:
    at_one, in_all = webhooks.MOST_AT_ONE, webhooks.MOST_AT_ONCE
    assert f"At most {at_one} calls are with one server at a time, and {in_all} in all" in PAGE
    assert f"within {'two minutes' if webhooks.PATIENCE_S == 120 else webhooks.PATIENCE_S}" in PAGE
    assert f"first {webhooks.SHOWN} characters" in PAGE
    assert f"{webhooks.MOST_READ // 1024} KB are read" in PAGE
