"""A remote Kayenta: an automated canary analysis is started there, waited for, and its score (0 to 100) is the value.

The query is a JSON object: `application`, `canaryConfigId`, the accounts (`metricsAccountName`,
`configurationAccountName`, `storageAccountName`), `threshold` with `pass` and `marginal`, and `scopes` as Kayenta has
them; each `controlScope` and `experimentScope` that names no `start` and `end` gets those of the check's window.

An analysis often takes longer than a check waits. It is then not begun anew: who asks the same again no more than
`KEPT_WINDOWS` windows later goes on waiting for it, and gets the score of the window that it was begun with; later than
that it would be an old answer, perhaps about another revision. Source: Kayenta's `CanaryController`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from interpreter.credential import authorization
from interpreter.desired import Instant
from interpreter.providers.http import Http
from interpreter.providers.numbers import number
from interpreter.providers.provider import Measurement, ProviderError, RenderedQuery, Sample, Trouble

POLL_S = 1.0
KEPT_WINDOWS = 2
_ACCOUNTS = ("application", "metricsAccountName", "configurationAccountName", "storageAccountName")
_RUNNING = frozenset(("not_started", "running", "buffered", "paused", "suspended"))


class Kayenta:
    """Asks the query's server. `poll` is the time between two looks, in seconds."""

    name = "kayenta"

    def __init__(self, *, poll: float = POLL_S, http: Http | None = None) -> None:
        self._http = http or Http()
        self._poll = poll
        self._running: dict[str, tuple[Instant, str]] = {}

    async def measure(self, query: RenderedQuery) -> Measurement:
        if not query.server:
            raise ProviderError(Trouble.BAD_QUERY, "no Kayenta to ask: give its address in the metric's `server`")
        given = read(query.text)
        server = query.server.rstrip("/")
        name = hashlib.sha256("\0".join((server, query.text, json.dumps(sorted(query.secret.items())))).encode())
        self._forget_old(query.at_ms)
        _, execution = self._running.get(name.hexdigest(), (0, ""))
        if not execution:
            execution = await self._begin(server, given, query)
            until = query.at_ms + KEPT_WINDOWS * query.window_ms
            self._running[name.hexdigest()] = (until, execution)
        try:
            score = await self._end(f"{server}/canary/{quote(execution, safe='')}", query)
        except ProviderError as error:
            if error.trouble is not Trouble.TRANSIENT:
                self._running.pop(name.hexdigest(), None)
            raise
        self._running.pop(name.hexdigest(), None)
        return Measurement((Sample({}, score),))

    async def close(self) -> None:
        await self._http.close()

    def _forget_old(self, now: Instant) -> None:
        self._running = {name: kept for name, kept in self._running.items() if kept[0] >= now}

    async def _begin(self, server: str, given: dict[str, Any], query: RenderedQuery) -> str:
        """The id of a new execution."""
        answer = await self._http.ask(
            "POST",
            f"{server}/canary/{quote(str(given['canaryConfigId']), safe='')}",
            query,
            headers=authorization(query.secret),
            params={name: str(given[name]) for name in _ACCOUNTS if name in given},
            body={"scopes": _scopes(given, query), "thresholds": given.get("threshold", {"pass": 95, "marginal": 75})},
            fine=frozenset({200, 201, 202}),
        )
        with answer.understood():
            return str(answer.json()["canaryExecutionId"])

    async def _end(self, url: str, query: RenderedQuery) -> float:
        """The score of an execution, when it has ended."""
        while True:
            answer = await self._http.ask("GET", url, query, headers=authorization(query.secret))
            with answer.understood():
                found = answer.json()
                status = str(found.get("status", found.get("executionStatus", ""))).lower()
                if found.get("complete"):
                    return _score(found, status)
                if status and status not in _RUNNING:
                    raise ProviderError(Trouble.BAD_QUERY, f"the analysis ended: {status}, without being complete")
            await asyncio.sleep(self._poll)


def read(text: str) -> dict[str, Any]:
    """The query, with all that it must have. Raises `ProviderError`."""
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProviderError(
            Trouble.BAD_QUERY, f"the query of Kayenta is a JSON object, and this is none: {error}"
        ) from error
    scopes = given.get("scopes") if isinstance(given, dict) else None
    if not isinstance(scopes, dict) or not scopes or not given.get("canaryConfigId"):
        raise ProviderError(Trouble.BAD_QUERY, "the query of Kayenta needs `canaryConfigId` and `scopes`")
    for name, pair in scopes.items():
        if not isinstance(pair, dict) or not all(
            isinstance(pair.get(side), dict) for side in ("controlScope", "experimentScope")
        ):
            raise ProviderError(Trouble.BAD_QUERY, f"the scope `{name}` needs `controlScope` and `experimentScope`")
    return dict(given)


def _scopes(given: dict[str, Any], query: RenderedQuery) -> dict[str, Any]:
    window = {"start": _moment(query.at_ms - query.window_ms), "end": _moment(query.at_ms)}
    return {
        name: {side: {**window, **scope} if isinstance(scope, dict) else scope for side, scope in pair.items()}
        for name, pair in given["scopes"].items()
    }


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _score(found: dict[str, Any], status: str) -> float:
    """Raises `ProviderError` for an analysis without one: it failed, and that is no score of 0."""
    judged = ((found.get("result") or {}).get("judgeResult") or {}).get("score") or {}
    if judged.get("score") is None:
        why = f"the analysis ended ({status or 'no status'}) without a score: {str(found.get('exception', ''))[:200]}"
        raise ProviderError(Trouble.BAD_QUERY, why)
    return float(number(judged["score"], "the score") or 0.0)
