"""Handlers that get in their own way: what runs on a rollback must neither take long nor lean on what is failing.

The traffic is back on the primary before a handler runs, so no handler can stop a rollback. A slow one holds up the
messages and events behind it, and one that calls the canary calls what has just been scaled down.
"""

from __future__ import annotations

from collections.abc import Iterator

from dsl import syntax
from dsl.diagnostics import Diagnostic, Label
from dsl.rules.constants import duration_text, field, milliseconds, number
from dsl.rules.context import Context
from dsl.rules.severities import finding

_LONG_MS = 120_000
_DEFAULT_TIMEOUT_MS = 10_000


def check(context: Context) -> Iterator[Diagnostic]:
    for rollout in context.every(syntax.Rollout):
        for handler in rollout.items:
            if isinstance(handler, syntax.Handler) and handler.event.text == "rollback":
                yield from _on_rollback(context, rollout, handler)


def _on_rollback(context: Context, rollout: syntax.Rollout, handler: syntax.Handler) -> Iterator[Diagnostic]:
    for step in handler.steps:
        if not isinstance(step, syntax.Run):
            continue
        webhook = context.used(syntax.Webhook, step.webhook)
        if webhook is None:
            continue
        timeout, retries = field(webhook.fields, "timeout"), field(webhook.fields, "retries")
        once = milliseconds(context, timeout.value) if timeout else _DEFAULT_TIMEOUT_MS
        again = number(context, retries.value) if retries else 0.0
        if once is not None and again is not None and once * (1 + again) > _LONG_MS:
            yield finding(
                "RW345",
                f"this can hold up the end of a rollback for {duration_text(once * (1 + again))}",
                step.span,
                labels=[Label(timeout.span, "the time that one try may take")] if timeout else [],
                help="shorten `timeout` or drop `retries`; whoever is told of the rollback waits for this",
            )
        yield from _calls_the_canary(rollout, webhook, step)


def _calls_the_canary(rollout: syntax.Rollout, webhook: syntax.Webhook, step: syntax.Run) -> Iterator[Diagnostic]:
    url = field(webhook.fields, "url")
    target = next((item for item in rollout.items if isinstance(item, syntax.Target)), None)
    if url is None or not isinstance(url.value, syntax.String) or target is None:
        return
    canary = f"{target.workload.parts[-1].text}-canary"
    if host_of(url.value.value).partition(".")[0] == canary:
        yield finding(
            "RW346",
            "this calls the canary, which has been scaled down by then",
            step.span,
            labels=[Label(url.value.span, "the canary's Service")],
            help="call something that is there after a rollback",
        )


def host_of(url: str) -> str:
    """The host of a URL, empty if there is none."""
    from urllib.parse import urlsplit  # noqa: PLC0415 - only for policies whose handlers call something

    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
