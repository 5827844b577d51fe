"""A Kubernetes Job as a check: 1 if it completed, 0 if it failed.

The query is a manifest of a Job (`dsl.embedded.job_manifest` says of which form). It is made in the rollout's own
namespace, once for each question, and followed until it has ended. Admission judges it as it judges every Job.

Whoever lives in a cluster runs the Job (`Run`); there is none elsewhere, and the answer says so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from dsl.embedded.job_manifest import MOST_S, JobManifest, JobProblem, read_job
from interpreter.providers.provider import Measurement, ProviderError, RenderedQuery, Sample, Trouble

GRACE_S = 30
"""How long the cluster may take, beyond the deadline, to end a Job and say so."""


class Ended(NamedTuple):
    """How a Job ended. `why` is for people: what it and its pods said of a failure."""

    succeeded: bool
    why: str = ""


Run = Callable[[JobManifest], Awaitable[Ended]]
"""Runs a Job to its end. Raises `ProviderError`."""


class Job:
    """Asks by running a Job. `timeout` is this provider's own limit for a question, all tries together."""

    name = "job"
    timeout = MOST_S + 2.0 * GRACE_S

    def __init__(self, run: Run | None = None) -> None:
        self._run = run

    async def measure(self, query: RenderedQuery) -> Measurement:
        if self._run is None:
            raise ProviderError(Trouble.BAD_QUERY, "a Job is run by a controller in a cluster only, and there is none")
        if query.server or query.secret or query.headers:
            why = "a Job takes no `server`, `secret` or `headers`: its pod has a service account and volumes of its own"
            raise ProviderError(Trouble.BAD_QUERY, why)
        try:
            manifest = read_job(query.text)
        except JobProblem as problem:
            line = query.text.count("\n", 0, problem.start) + 1
            where = f", line {line}" if problem.start != problem.end else ""
            raise ProviderError(
                Trouble.BAD_QUERY, f"the query is no Job that can be run{where}: {problem}"
            ) from problem
        ended = await self._run(manifest)
        return Measurement((Sample({}, 1.0 if ended.succeeded else 0.0),), (ended.why,) if ended.why else ())

    async def close(self) -> None:
        """There is nothing to let go of: a Job outlives whoever asks."""
