"""Protects what a Job as a check is asked for, and what becomes of how it ended."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from dsl.embedded.job_manifest import JobManifest
from dsl.ir import Metric, Query, Unit
from interpreter.providers import counts
from interpreter.providers.job import Ended, Job
from interpreter.providers.metrics import Metrics
from interpreter.providers.provider import TIMEOUT_S, Patient, ProviderError, RenderedQuery, Sample, Trouble
from interpreter.providers.registry import Providers
from interpreter.questions import ErrorAnswer, MetricQuestion, Value
from tests.interpreter.providers.test_metrics import PROGRAM

TEXT = "spec: {template: {spec: {containers: [{name: a, image: b}], restartPolicy: Never}}}"
QUERY = RenderedQuery(TEXT, 1_000, 60_000)
QUESTION = MetricQuestion("smoke", "canary", 60_000, 1_000)


class Nothing:
    """No request was ever counted."""

    def events(self, arm: object, window_ms: int, at_ms: int) -> tuple[int, int]:
        return 0, 0

    def histogram(self, arm: object, window_ms: int, at_ms: int) -> tuple[tuple[float, float], ...]:
        return ()


class Runs:
    """Ends every Job in the same way, as soon as it may."""

    def __init__(self, ended: Ended) -> None:
        self.ended = ended
        self.jobs: list[JobManifest] = []
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def __call__(self, job: JobManifest) -> Ended:
        self.jobs.append(job)
        await self.may_end.wait()
        return self.ended


def metrics(job: Job, text: str = TEXT) -> Metrics:
    program = replace(PROGRAM, metrics={"smoke": Metric(Unit.NUMBER, (Query("job", text),))})
    return Metrics(program, {"job": job})


async def test_completed_is_one_and_failed_is_zero_with_its_words() -> None:
    assert (await Job(Runs(Ended(True))).measure(QUERY)).samples == (Sample({}, 1.0),)
    failed = await metrics(Job(Runs(Ended(False, "Job `a` failed: password=hunter22")))).answer(QUESTION)
    assert failed == Value(0.0, note="Job `a` failed: password=***")


async def test_the_template_has_the_variables_of_every_query() -> None:
    runs = Runs(Ended(True))
    text = TEXT.replace("image: b", 'image: b, args: ["{{ workload }}", "{{ service }}", "{{ interval }}"]')
    await metrics(Job(runs), text).answer(QUESTION)
    (container,) = runs.jobs[0].spec["template"]["spec"]["containers"]
    assert container["args"] == [PROGRAM.target.name, PROGRAM.service.name, "60s"]


async def test_two_that_ask_the_same_at_the_same_time_have_a_job_each() -> None:
    runs = Runs(Ended(True))
    runs.may_end.clear()
    asked = metrics(Job(runs))
    both = [asyncio.create_task(asked.answer(QUESTION)) for _ in range(2)]
    await asyncio.sleep(0.05)
    assert len(runs.jobs) == 2
    runs.may_end.set()
    assert await asyncio.gather(*both) == [Value(1.0), Value(1.0)]


def test_its_limit_is_its_own() -> None:
    job = Job()
    assert isinstance(job, Patient)
    assert job.timeout > 600 > TIMEOUT_S


async def test_without_a_cluster_it_says_so() -> None:
    with pytest.raises(ProviderError, match="in a cluster only") as caught:
        await Providers()["job"].measure(QUERY)
    assert caught.value.trouble is Trouble.BAD_QUERY


@pytest.mark.parametrize(
    "changed",
    [{"server": "http://a"}, {"secret": {"token": "t"}}, {"headers": {"X-A": "b"}}],
    ids=lambda each: next(iter(each)),
)
async def test_what_would_be_passed_over_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(ProviderError, match="takes no `server`, `secret` or `headers`"):
        await Job(Runs(Ended(True))).measure(QUERY._replace(**changed))  # type: ignore[arg-type]


async def test_a_text_that_is_no_job_is_refused_with_its_line() -> None:
    answer = await metrics(Job(Runs(Ended(True))), "spec:\n  template:\n    - [}\n").answer(QUESTION)
    assert isinstance(answer, ErrorAnswer)
    assert "line 3" in answer.reason
    assert "not YAML" in answer.reason


def test_on_one_machine_it_says_so() -> None:
    metric = Metric(Unit.NUMBER, (Query("job", TEXT),))
    answer = counts.answer(Nothing(), metric, QUESTION)
    assert answer == ErrorAnswer("`smoke` is a Job, and Jobs are run in a cluster only")
