"""Webhooks, gates, channels and windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Webhook:
    """`body` becomes the `metadata` of the call, string to string. `mute`, of a gate: nobody is told that it is
    waited for."""

    url: str
    timeout_ms: int = 10_000
    retries: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, str] = field(default_factory=dict)
    secret: str | None = None
    insecure_skip_verify: bool = False
    mute: bool = False


@dataclass(frozen=True, slots=True)
class Channel:
    """`kind` is `slack`, `msteams`, `discord`, `rocket`, `gchat`, `alertmanager`, `pagerduty`, `webhook`, `cloudevents`
    or `provider`; `to` is what stood behind it: a channel's name, a URL, or `namespace/name` of an AlertProvider.
    `fields` are its other settings."""

    kind: str
    to: str
    secret: str | None = None
    at: tuple[Literal["info", "warn", "error"], ...] = ("info", "warn", "error")
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Window:
    """Days are 0 (Monday) to 6; hours are minutes from midnight, the end not included; an end before its start is
    past midnight. `zone` is a name of the tz database. Without hours the whole day counts."""

    days: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)
    start: int = 0
    stop: int = 1440
    zone: str = "UTC"
