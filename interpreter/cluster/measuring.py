"""Answers to questions about metrics: templates looked up, credentials added, the provider asked.

A metric may be defined by a `MetricTemplate` object, ours or Flagger's; its server, query and Secret then stand there.
A template's Secret is one of the template's own namespace. A server that refuses a credential is asked once more if the
Secret has another one by now: no check is lost to a rotation.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import replace
from functools import partial
from typing import cast

from dsl.flagger.templates import read_metric_template
from dsl.ir import Metric, Program, Query
from interpreter.cluster import names
from interpreter.cluster.caches import Caches
from interpreter.cluster.clock import Clock
from interpreter.cluster.credentials import Credentials, CredentialTrouble
from interpreter.cluster.jobs import Check, Jobs
from interpreter.cluster.owner import Owner
from interpreter.objects import Ref
from interpreter.providers.job import Job
from interpreter.providers.metrics import Metrics, Resolved
from interpreter.providers.provider import Provider, ProviderError, Trouble
from interpreter.providers.registry import Providers
from interpreter.providers.sharing import Heard, Sharing
from interpreter.questions import Answer, MetricQuestion
from interpreter.workloads import knative

KIND = "MetricTemplate"
ReadSecret = Callable[[str, str], Awaitable[Mapping[str, str]]]
"""What a Secret holds, by its namespace and name. Raises `CredentialTrouble`."""
API_VERSIONS = (names.API_VERSION, names.FLAGGER_API_VERSION)


class Measuring:
    """Asks the metric servers for all rollouts of a controller."""

    def __init__(
        self,
        caches: Caches,
        credentials: Credentials,
        providers: Providers,
        jobs: Jobs,
        clock: Clock,
        heard: Heard | None = None,
    ) -> None:
        """`heard` is told of every query that a server was asked."""
        self._caches = caches
        self._credentials = credentials
        self._providers = providers
        self._jobs = jobs
        self._clock = clock
        self._sharing = Sharing(heard=heard)

    async def answer(self, program: Program, owner: Owner, question: MetricQuestion) -> Answer:
        """Never raises for what a server does."""

        async def resolve(metric: Metric) -> Resolved:
            return await self._resolved(program, metric, self._credentials.data)

        async def renew(metric: Metric, refused: Resolved) -> Resolved | None:
            renewed = await self._resolved(program, metric, self._credentials.fresh)
            return None if renewed.secret == refused.secret else renewed

        asked = replace(question, at_ms=self._clock.on_the_wall(question.at_ms))
        job: dict[str, Provider] = {Job.name: Job(partial(self._jobs.run, Check(owner, question)))}
        providers = ChainMap(job, cast("MutableMapping[str, Provider]", self._providers))  # none is written
        metrics = Metrics(
            program,
            providers,
            resolve=resolve,
            renew=renew,
            sharing=self._sharing,
            workloads=self._named(program),
        )
        return await metrics.answer(asked)

    def withdraw(self, owner: Owner, question: MetricQuestion) -> None:
        """Nobody waits for the answer any more."""
        self._jobs.withdraw(Check(owner, question))

    async def close(self) -> None:
        await self._jobs.close()
        await self._providers.close()

    def _named(self, program: Program) -> dict[str, str]:
        """The Revisions of a Service of Knative's, by arm."""
        target = program.target
        if target.api_version.partition("/")[0] != knative.API:
            return {}
        found = self._caches.find(Ref(target.api_version, target.kind, program.namespace, target.name))
        if found is None:
            return {}
        return {"canary": knative.newest_revision(found), "primary": knative.primary_revision(found)}

    async def _resolved(self, program: Program, metric: Metric, read: ReadSecret) -> Resolved:
        if metric.template is None:
            return await _with_secret(Resolved(metric), program.namespace, read)
        return await _with_secret(self._from_template(metric), metric.template.partition("/")[0], read)

    def _from_template(self, metric: Metric) -> Resolved:
        namespace, _, name = (metric.template or "").partition("/")
        for api_version in API_VERSIONS:
            found = self._caches.find(Ref(api_version, KIND, namespace, name))
            if found is not None:
                break
        else:
            why = f"there is no MetricTemplate `{metric.template}`{self._caches.unseen(namespace)}"
            raise ProviderError(Trouble.BAD_QUERY, why)
        template = read_metric_template(found)
        if isinstance(template, str):
            raise ProviderError(Trouble.BAD_QUERY, f"the MetricTemplate `{metric.template}`: {template}")
        plain = replace(
            metric,
            template=None,
            queries=(Query(template.provider, template.query),),
            server=template.address or metric.server,
            secret=template.secret or metric.secret,
            headers={**template.headers, **metric.headers},
            insecure_skip_verify=template.insecure_skip_verify or metric.insecure_skip_verify,
        )
        return Resolved(plain, region=template.region)


async def _with_secret(found: Resolved, namespace: str, read: ReadSecret) -> Resolved:
    if found.metric.secret is None:
        return found
    try:
        data = await read(namespace, found.metric.secret)
    except CredentialTrouble as trouble:
        raise ProviderError(Trouble.AUTH, str(trouble)) from trouble
    return Resolved(replace(found.metric, secret=None), data, found.region)
