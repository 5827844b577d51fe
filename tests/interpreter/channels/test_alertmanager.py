"""A real Alertmanager takes our alerts: that a rollout has failed stands until its next success, in another run too;
that a person is waited for, until somebody has decided. Who is told of an alert is told of both its ends."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from interpreter.channels.delivery import Delivery
from interpreter.channels.line import Line
from interpreter.channels.message import Message
from tests.interpreter.channels.services import Town
from tests.interpreter.channels.tools import LINKS, letter, message
from tests.interpreter.cluster.tools import until
from tests.servers import alertmanager_server
from tests.servers.alertmanager_server import RealAlertmanager


@pytest.fixture
async def alertmanager(town: Town, tmp_path: Path) -> AsyncIterator[RealAlertmanager]:
    with alertmanager_server.running(tmp_path, f"{town.url}/own") as made:
        yield made


def now(event: str, text: str, **changes: object) -> Message:
    return message(event, text, at_ms=int(time.time() * 1000), **changes)


async def test_an_alert_stands_from_a_failure_to_the_next_success(
    alertmanager: RealAlertmanager, delivery: Delivery, town: Town
) -> None:
    settings = {"labels": {"team": "shop"}, "annotations": {"runbook": "https://runbooks.test/web"}}
    where = Line("alertmanager", alertmanager.url, alertmanager.url, settings=settings)

    async def tell(said: Message) -> list[str]:
        result = await delivery.send(letter(said, where))
        assert result.ok, result.detail
        return sorted(alert["labels"]["alertname"] for alert in alertmanager.alerts(rollout="checkout", team="shop"))

    asks = {"severity": "warn", "asks": ("approve", "abort"), "links": LINKS}
    assert await tell(now("WaitingForApproval", "waiting for approval", **asks)) == ["RollwayRolloutWaiting"]
    assert await tell(now("RolledBack", "rolled back abc: too many errors")) == ["RollwayRolloutFailed"]
    (alert,) = alertmanager.alerts(alertname="RollwayRolloutFailed")
    assert alert["status"]["state"] == "active"
    assert alert["annotations"]["runbook"] == "https://runbooks.test/web"
    assert "too many errors" in alert["annotations"]["description"]
    assert "success_rate is 95.2%" in alert["annotations"]["description"]
    await tell(now("RolledBack", "rolled back def: too many errors", run="4", revision="def"))
    (again,) = alertmanager.alerts(alertname="RollwayRolloutFailed")
    assert again["fingerprint"] == alert["fingerprint"], "a second failure is the same alert"
    assert again["startsAt"] == alert["startsAt"]
    assert await tell(now("Promoted", "ghi is promoted", severity="info", run="5", update=True)) == []

    def told() -> set[tuple[str, str]]:
        alerts = [alert for body in town.taken("/own") for alert in body["alerts"]]
        return {(alert["labels"]["alertname"], alert["status"]) for alert in alerts}

    await until(lambda: ("RollwayRolloutFailed", "resolved") in told(), "the end of the alert was told")
    assert ("RollwayRolloutFailed", "firing") in told()


async def test_an_address_that_is_none_of_its_own_is_refused(
    alertmanager: RealAlertmanager, delivery: Delivery
) -> None:
    lost = Line("alertmanager", f"{alertmanager.url}/nowhere")
    result = await delivery.send(letter(message(), lost))
    assert not result.ok
    assert "it answered 404" in result.detail
