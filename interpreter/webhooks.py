"""Calls to webhooks and gates: one JSON `POST`, by the rules of interpreter.md §5.

2xx accepts. Anything else refuses, and so does silence: the time-out is for the whole of one try, so that a server
that sends a byte a minute does not hold a call up. Refused tries are repeated as often as `retries` says, later each
time and never all at the same moment. Of an answer no more is read than what is shown of it. Redirects are refusals: a
webhook that moved is a policy to correct.

`Caller` keeps its connections; a call never raises for what goes wrong on the way.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from types import TracebackType
from typing import NamedTuple

import httpx

from dsl.ir import Program, Webhook
from interpreter.http_client import http_client
from interpreter.masking import mask, safe_url, secrets_of
from interpreter.state import CallAction, State

SHOWN = 500
MOST_READ = 4096
FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 15.0

Payload = Mapping[str, object]


class Reply(NamedTuple):
    """What came of a call. `detail` is for people: the answer's beginning, or why there was none."""

    accepted: bool
    detail: str
    status: int | None = None
    tries: int = 1


class Caller:
    """Makes calls. Close it, or use it as a context, so that no connection is left open."""

    def __init__(self, *, first_delay: float = FIRST_DELAY_S) -> None:
        self._clients: dict[bool, httpx.AsyncClient] = {}
        self._first_delay = first_delay

    async def __aenter__(self) -> Caller:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()

    async def call(self, webhook: Webhook, payload: Payload, key: str) -> Reply:
        """Call until it accepts or the retries are used up."""
        if webhook.secret is not None:
            return Reply(False, f"it needs the secret `{webhook.secret}`, which is not to be had here", tries=0)
        reply = Reply(False, "", tries=0)
        for number in range(1, webhook.retries + 2):
            reply = (await self._try(webhook, payload, key))._replace(tries=number)
            if reply.accepted:
                break
            if number <= webhook.retries:
                await asyncio.sleep(self._delay(number))
        return reply

    def _delay(self, tries: int) -> float:
        longest = min(LONGEST_DELAY_S, self._first_delay * 2.0 ** min(tries - 1, 10))
        return longest * random.uniform(0.5, 1.0)

    async def _try(self, webhook: Webhook, payload: Payload, key: str) -> Reply:
        where = safe_url(webhook.url)
        try:
            async with asyncio.timeout(webhook.timeout_ms / 1000):
                return await self._post(webhook, payload, key)
        except (TimeoutError, httpx.TimeoutException):
            seconds = f"{webhook.timeout_ms / 1000:g}s"
            return Reply(False, f"no answer from {where} within {seconds}")
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as trouble:
            why = mask(str(trouble) or type(trouble).__name__, secrets_of(webhook.url, webhook.headers))
            return Reply(False, f"{where} could not be called: {why[:SHOWN]}")

    async def _post(self, webhook: Webhook, payload: Payload, key: str) -> Reply:
        headers = {"Idempotency-Key": key, **webhook.headers}
        client = self._client(verify=not webhook.insecure_skip_verify)
        async with client.stream("POST", webhook.url, json=payload, headers=headers) as answer:
            body = mask(await _beginning(answer), secrets_of(webhook.url, webhook.headers))[:SHOWN]
        if answer.is_success:
            return Reply(True, body, answer.status_code)
        said = f": {body}" if body else ""
        return Reply(False, f"it answered {answer.status_code}{said}", answer.status_code)

    def _client(self, *, verify: bool) -> httpx.AsyncClient:
        if verify not in self._clients:
            self._clients[verify] = http_client(verify=verify)
        return self._clients[verify]


def asking(gate: str, key: str, state: State) -> CallAction:
    """What a gate is told is what any webhook is told."""
    run = state.run
    return CallAction(
        key=key,
        webhook=gate,
        phase=state.phase.value,
        revision=run.revision if run else "",
        weight=state.routing.weight,
        failed_checks=run.failed_checks if run else 0,
        iterations=run.iterations if run else 0,
    )


def payload_of(program: Program, webhook: Webhook, action: CallAction) -> dict[str, object]:
    """The JSON of a call, in the form that Flagger's users have servers for, and a little more."""
    return {
        "name": program.name,
        "namespace": program.namespace,
        "phase": action.phase,
        "checksum": action.revision,
        "metadata": dict(webhook.body),
        "revision": action.revision,
        "weight": action.weight,
        "failedChecks": action.failed_checks,
        "iterations": action.iterations,
        "idempotencyKey": action.key,
    }


async def _beginning(answer: httpx.Response) -> str:
    """The first characters of the body; the rest is not read."""
    read = bytearray()
    async for piece in answer.aiter_bytes():
        read += piece
        if len(read) >= MOST_READ:
            break
    text = bytes(read[:MOST_READ]).decode("utf-8", errors="replace")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
