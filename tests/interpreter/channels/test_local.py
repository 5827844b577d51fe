"""Where there is no cluster channels whose address stands in the policy are reached; what others would get is shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from dsl.ir import Channel, Program, Service, Traffic, WorkloadRef
from interpreter.actions import ActionResult, NotifyAction
from interpreter.channels.delivery import Delivery
from interpreter.channels.local import send
from interpreter.channels.posting import Poster
from tests.interpreter.channels.services import Town, says

PROGRAM = Program(
    name="checkout",
    namespace="shop",
    target=WorkloadRef("deployment", "checkout"),
    traffic=Traffic("kubernetes"),
    service=Service("checkout"),
    code=(),
)


def program(kind: str, to: str, secret: str | None = None, **fields: Any) -> Program:
    return replace(PROGRAM, channels={"oncall": Channel(kind, to, secret, fields=fields)})


def action(template: str, key: str = "key", **context: str) -> NotifyAction:
    return NotifyAction(key, "oncall", "error", template, context)


@pytest.fixture
async def soon(poster: Poster) -> AsyncIterator[Delivery]:
    made = Delivery(poster, first_delay=0.01, patience=0.1)
    yield made
    await made.close()


async def test_a_webhook_channel_gets_the_event_and_its_time(town: Town, soon: Delivery) -> None:
    said = action("{{ rollout }} at {{ weight }}", rollout="checkout", weight="20%", phase="Failed")
    sent = await send(soon, program("webhook", f"{town.url}/own"), said, 1234)
    assert sent == ActionResult(True, "sent to oncall: checkout at 20%")
    (body,) = town.taken("/own")
    assert body["metadata"] == {"eventMessage": "checkout at 20%", "eventType": "Warning", "timestamp": "1234"}
    assert (body["name"], body["phase"], body["idempotencyKey"]) == ("checkout", "Failed", "key")


async def test_a_webhook_channel_has_settings_of_its_own(town: Town, soon: Delivery) -> None:
    town.trouble = [says(500)]
    settings: dict[str, Any] = {
        "retries": 1,
        "timeout": "1m30s",
        "headers": {"X-Team": "shop"},
        "body": {"team": "shop"},
    }
    assert (await send(soon, program("webhook", f"{town.url}/own", **settings), action("hello"), 1234)).ok
    assert town.taken("/own")[0]["metadata"]["team"] == "shop"
    assert town.calls[-1].headers["x-team"] == "shop"


async def test_a_message_that_cannot_be_sent_is_shown_with_the_reason(town: Town, soon: Delivery) -> None:
    down = program("webhook", f"{town.url}/own", retries=0)
    town.trouble = [says(500, "down")]
    assert await send(soon, down, action("hello"), 0) == ActionResult(
        False, "not sent to oncall: given up after 1 try: it answered 500: down; it said: hello"
    )
    chat = await send(soon, program("slack", "on-call", "address"), action("hello"), 0)
    assert chat == ActionResult(True, "not sent: slack channels work in a cluster only; to on-call: hello")
    broken = await send(soon, down, action("{{ nobody }}", "2"), 0)
    assert broken.detail.startswith("not sent to oncall: the template names something that is not there: 'nobody'")
    hidden = await send(soon, program("cloudevents", f"{town.url}/events", "bus"), action("hello", "3"), 0)
    assert "it needs the secret `bus`, which is not to be had here" in hidden.detail
