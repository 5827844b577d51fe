"""Alertmanager: alerts by its API v2 (`POST /api/v2/alerts`, `postableAlerts` of its OpenAPI document).

Two alerts may stand for a rollout: that it has failed, until it next succeeds, and that it waits for a person, until it
goes on. What an alert is, is told by its labels, so they are always the same; what changes stands in annotations. An
alert holds until its `endsAt`: `LASTS_MS` from now while it stands, now when it is settled. Alertmanager keeps alerts
in memory: one that is restarted has forgotten them.
"""

from __future__ import annotations

from typing import Any

from interpreter.channels.line import Line
from interpreter.channels.message import Message
from interpreter.channels.request import Request, Service, posted
from interpreter.channels.text import cut, moment, plain

LASTS_MS = 7 * 24 * 3600 * 1000
MOST_TEXT = 4096
PATH = "/api/v2/alerts"
FAILED, WAITS = "RollwayRolloutFailed", "RollwayRolloutWaiting"


def form(message: Message, line: Line, handle: str) -> tuple[Request, ...]:
    """Nothing for what changes neither alert."""
    del handle
    alerts = []
    if message.raises or message.settles:
        alerts.append(_alert(message, line, FAILED, "critical", stands=message.raises))
    if message.waits or message.goes_on:
        alerts.append(_alert(message, line, WAITS, "warning", stands=message.waits))
    if not alerts:
        return ()
    headers = {"Authorization": f"Bearer {line.token}"} if line.token else {}
    return (posted(_address(line), alerts, headers),)


SERVICE = Service(form)


def _address(line: Line) -> str:
    base = (line.address or line.to).rstrip("/")
    return base if base.endswith(PATH) else base.removesuffix("/api/v2") + PATH


def _alert(message: Message, line: Line, name: str, severity: str, *, stands: bool) -> dict[str, Any]:
    labels = {
        "alertname": name,
        "severity": severity,
        "namespace": message.namespace,
        "rollout": message.name,
        "cluster": line.text("cluster"),
        **line.texts("labels"),
    }
    annotations = {
        "summary": f"{message.about}: {message.headline}",
        "description": "\n".join((message.text, *message.checks)),
        "revision": message.revision,
        **line.texts("annotations"),
    }
    times = {"endsAt": moment(message.at_ms + (LASTS_MS if stands else 0))}
    if stands:
        times["startsAt"] = moment(message.at_ms)
    alert: dict[str, Any] = {
        "labels": {key: plain(value) for key, value in labels.items() if value},
        "annotations": {key: cut(plain(value), MOST_TEXT) for key, value in annotations.items() if value},
        **times,
    }
    if message.links:
        alert["generatorURL"] = message.links[0].url
    return alert
