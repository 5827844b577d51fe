"""Keptn's metrics and analyses, which are objects of the interpreter's own cluster (`metrics.keptn.sh/v1beta1`).

Two queries, as Flagger has them. `keptnmetric/namespace/name` reads a metric that Keptn keeps up to date: its
`status.value`, and none yet is no data. `analysis/namespace/definition/duration/key=value;key=value` makes an Analysis
over the last `duration` (the check's window if it is left out), waits for its end, takes it away again, and gives 1 if
it passed, else 0. Flagger writes the whole query in small letters first; here the arguments stay as they are written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from interpreter.providers.cluster_api import Ask
from interpreter.providers.provider import Measurement, ProviderError, RenderedQuery, Sample, Trouble

API_VERSION = "metrics.keptn.sh/v1beta1"
POLL_S = 0.5
CLEAN_UP_S = 5.0
_FORM = "the query of Keptn is `keptnmetric/namespace/name` or `analysis/namespace/definition/duration/key=value;…`"


class Keptn:
    """Asks through `ask`; without a cluster it says so. `poll` is the time between two looks at an analysis."""

    name = "keptn"

    def __init__(self, ask: Ask | None = None, *, poll: float = POLL_S) -> None:
        self._ask = ask
        self._poll = poll
        self._cleaning: set[asyncio.Task[None]] = set()

    async def measure(self, query: RenderedQuery) -> Measurement:
        if self._ask is None:
            raise ProviderError(Trouble.BAD_QUERY, "Keptn's metrics are objects of a cluster, and there is none here")
        kind, *rest = (part.strip() for part in query.text.strip().split("/"))
        match kind.lower(), rest:
            case "keptnmetric", [namespace, name, *_] if namespace and name:
                return await self._metric(self._ask, namespace, name)
            case "analysis", [namespace, name, *more] if namespace and name:
                return await self._analysis(self._ask, namespace, _analysis(namespace, name, more, query))
        raise ProviderError(Trouble.BAD_QUERY, f"{_FORM}, and this is not")

    async def close(self) -> None:
        """What was made is taken away first."""
        await asyncio.gather(*self._cleaning, return_exceptions=True)

    async def _metric(self, ask: Ask, namespace: str, name: str) -> Measurement:
        found = await ask("GET", f"{_path(namespace, 'keptnmetrics')}/{quote(name, safe='')}")
        status = found.get("status") or {}
        value = status.get("value")
        if value in (None, ""):
            if status.get("errMsg"):
                raise ProviderError(Trouble.BAD_QUERY, f"Keptn could not get the metric: {status['errMsg']}"[:300])
            return Measurement(())
        try:
            return Measurement((Sample({}, float(value)),))
        except (TypeError, ValueError) as error:
            raise ProviderError(Trouble.BAD_QUERY, f"the KeptnMetric `{namespace}/{name}` has no number") from error

    async def _analysis(self, ask: Ask, namespace: str, manifest: Mapping[str, Any]) -> Measurement:
        folder = _path(namespace, "analyses")
        made = await ask("POST", folder, None, manifest)
        try:
            path = f"{folder}/{quote(made['metadata']['name'], safe='')}"
        except (KeyError, TypeError) as error:
            raise ProviderError(Trouble.BAD_QUERY, "the cluster did not say what it made of the Analysis") from error
        try:
            status = made.get("status") or {}
            while status.get("state") != "Completed":
                await asyncio.sleep(self._poll)
                status = (await ask("GET", path)).get("status") or {}
        finally:
            self._take_away(ask, path)
        return Measurement((Sample({}, 1.0 if status.get("pass") else 0.0),))

    def _take_away(self, ask: Ask, path: str) -> None:
        """Beside the answer: whoever asks may have run out of time."""

        async def clean() -> None:
            async with asyncio.timeout(CLEAN_UP_S):
                await ask("DELETE", path)

        task = asyncio.create_task(clean())
        self._cleaning.add(task)
        task.add_done_callback(self._cleaned)

    def _cleaned(self, task: asyncio.Task[None]) -> None:
        """An Analysis that is left is Keptn's to show; the answer was had."""
        self._cleaning.discard(task)
        if not task.cancelled():
            task.exception()


def _path(namespace: str, plural: str) -> str:
    return f"/apis/{API_VERSION}/namespaces/{quote(namespace, safe='')}/{plural}"


def _analysis(namespace: str, name: str, more: list[str], query: RenderedQuery) -> dict[str, Any]:
    """The Analysis to make. Raises `ProviderError`."""
    recent, _, arguments = "/".join(more).partition("/")
    pairs = [pair.partition("=") for pair in arguments.split(";") if pair.strip()]
    if any(not found for _, found, _ in pairs):
        raise ProviderError(Trouble.BAD_QUERY, f"{_FORM}, and these are no arguments: `{arguments[:80]}`")
    return {
        "apiVersion": API_VERSION,
        "kind": "Analysis",
        "metadata": {"generateName": f"{name}-", "namespace": namespace},
        "spec": {
            "timeframe": {"recent": recent or f"{max(1, query.window_ms // 1000)}s"},
            "args": {key.strip(): value.strip() for key, _, value in pairs},
            "analysisDefinition": {"name": name, "namespace": namespace},
        },
    }
