"""Webhooks, gates and channels, and where each of them is used."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from dsl.flagger.model import Alert, Canary, Hook
from dsl.flagger.writing import Declarations, block, duration, short, string, value

_GATES = ("confirm-rollout", "confirm-traffic-increase", "confirm-promotion", "rollback")
_SEVERITIES = ("info", "warn", "error")


class HooksText(NamedTuple):
    """The names of what was declared, by the type of the hook (`alert` for channels of alerts)."""

    names: dict[str, tuple[str, ...]]

    def of(self, *types: str) -> tuple[str, ...]:
        return tuple(name for type in types for name in self.names.get(type, ()))


def hooks_text(canary: Canary, declared: Declarations) -> HooksText:
    """All hooks and alerts of a Canary. Of a Canary that skips its analysis, those of the analysis are left out."""
    given: dict[str, tuple[str, ...]] = {}
    outside = ("confirm-rollout", "post-rollout", "event")
    for hook in canary.analysis.hooks:
        if not canary.skip_analysis or hook.type in outside:
            name = declared.add(hook.name, "hook", partial(_declaration, hook))
            given[hook.type] = (*given.get(hook.type, ()), name)
    for alert in canary.analysis.alerts:
        name = declared.add(alert.name or alert.provider.name, "alerts", partial(_channel, alert))
        given["alert"] = (*given.get("alert", ()), name)
    return HooksText(given)


def _declaration(hook: Hook, name: str) -> str:
    if hook.type == "event":
        return block(f"channel {name}", [f"webhook {string(hook.url)}", *_settings(hook)])
    word = "gate" if hook.type in _GATES else "webhook"
    lines = [f"url {string(hook.url)}", *_settings(hook)]
    return (short if len(lines) == 1 else block)(f"{word} {name}", lines)


def _settings(hook: Hook) -> Iterator[str]:
    if hook.timeout_ms != 10_000:
        yield f"timeout {duration(hook.timeout_ms)}"
    if hook.retries:
        yield f"retries {hook.retries}"
    if hook.insecure:
        yield "insecure_skip_verify true"
    if hook.mute and hook.type in _GATES:
        yield "mute true"
    if hook.metadata:
        yield f"body {value(hook.metadata)}"


def _channel(alert: Alert, name: str) -> str:
    provider = f"{alert.provider.namespace}/{alert.provider.name}"
    at = _SEVERITIES[_SEVERITIES.index(alert.severity) :]
    return block(f"channel {name}", [f"provider {string(provider)}", f"at {', '.join(at)}"])
