"""Protects a Job as a check: it is made once, judged by how it ended, and nobody waits for one that is not wanted.

The control plane is real, its Job controller too; what the pods do is played.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from dsl.embedded.job_manifest import read_job
from interpreter.cluster import names
from interpreter.cluster.jobs import Check, Jobs
from interpreter.cluster.owner import Owner
from interpreter.objects import Manifest
from interpreter.providers.provider import ProviderError
from interpreter.questions import MetricQuestion
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.cluster.life import KNOWN, Life, life

KNOWN["Job"] = "batch/v1"
FAILS = "kwok.test/fail: Failed"
HANGS = "kwok.test/fail: NotReady"

POLICY = """
    metric smoke returns number {
      job \"\"\"
        spec:
          backoffLimit: 0
          template:
            metadata:
              annotations: {app: "{{ service }}", ANNOTATIONS}
            spec:
              restartPolicy: Never
              containers: [{name: smoke, image: curl, args: ["-sf", "http://{{ service }}-canary/healthz"]}]
      \"\"\"
      no_data hold
    }

    rollout web in NAMESPACE {
      target   deployment/web
      service  { port 80; target_port http }
      traffic  istio
      analysis { every 10s; tolerate 1 failures; require smoke == 1 }
      steps    { shift to 20%; hold 1 checks; promote }
    }
"""


def policy(annotations: str = "kwok.test/none: none", **changes: str) -> str:
    text = POLICY.replace("ANNOTATIONS", annotations)
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return text


async def begun(at_work: Life, text: str) -> None:
    """Under way to a second revision."""
    await at_work.deployment()
    await at_work.rollout(text)
    await at_work.phase("Initialized")
    await at_work.push("web:2")


async def job_of(at_work: Life) -> Manifest:
    """The one Job, as soon as there is one."""
    found: list[Manifest] = await at_work.so(lambda: at_work.all_of("Job"), "a Job is made")
    (job,) = found
    return job


async def gone(at_work: Life) -> None:
    async def none() -> bool:
        return not [job for job in await at_work.all_of("Job") if not job["metadata"].get("deletionTimestamp")]

    await at_work.so(none, "the Job goes")


def containers(job: Manifest) -> list[dict[str, Any]]:
    return list(job["spec"]["template"]["spec"]["containers"])


async def test_a_job_that_completes_lets_the_rollout_go_on(kubeconfig: str, namespace: str) -> None:
    async with life(kubeconfig, namespace, speed=20) as at_work:
        await begun(at_work, policy())
        await at_work.phase("Succeeded")
        (job,) = await at_work.all_of("Job")
        owner = await at_work.get("Rollout", "web")
        assert job["metadata"]["ownerReferences"][0]["uid"] == owner["metadata"]["uid"]
        assert job["metadata"]["labels"][names.ROLLOUT] == "web"
        assert containers(job)[0]["args"] == ["-sf", "http://web-canary/healthz"]
        assert job["spec"]["ttlSecondsAfterFinished"] == 600


async def test_a_job_that_fails_rolls_back_with_the_words_of_its_pod(kubeconfig: str, namespace: str) -> None:
    async with life(kubeconfig, namespace, speed=20) as at_work:
        await begun(at_work, policy(f'{FAILS}, kwok.test/words: "no route to web, token=hunter22"'))
        status = await at_work.phase("Failed")
        (job,) = await at_work.all_of("Job")
        words = f"Job `{job['metadata']['name']}` failed: container `smoke` ended with exit code 1: no route to web"
        assert words in status["reason"]
        assert "hunter22" not in str(status)
        assert await at_work.replicas("web") == 0


async def test_a_job_that_never_ends_is_ended(kubeconfig: str, namespace: str) -> None:
    """Its deadline is the cluster's to keep, and to have passed it is to have failed."""
    async with life(kubeconfig, namespace, speed=20) as at_work:
        await begun(at_work, policy(HANGS, **{"backoffLimit: 0": "activeDeadlineSeconds: 2"}))
        status = await at_work.phase("Failed")
        assert "DeadlineExceeded" in status["reason"]


async def test_while_it_runs_the_traffic_stays_and_an_abort_deletes_it(kubeconfig: str, namespace: str) -> None:
    async with life(kubeconfig, namespace, speed=20) as at_work:
        await begun(at_work, policy(HANGS))
        await job_of(at_work)
        await asyncio.sleep(1)  # 20 seconds of the rollout: two more checks would be due
        assert await at_work.weight() == 20
        assert len(await at_work.all_of("Job")) == 1
        await at_work.annotate(abort=(await at_work.status())["revision"])
        await at_work.phase("Failed")
        await gone(at_work)


async def test_a_new_revision_deletes_it(kubeconfig: str, namespace: str) -> None:
    async with life(kubeconfig, namespace, speed=20) as at_work:
        await begun(at_work, policy(HANGS))
        first = (await job_of(at_work))["metadata"]["name"]
        await at_work.push("web:3")

        async def another() -> bool:
            return first not in [job["metadata"]["name"] for job in await at_work.all_of("Job")]

        await at_work.so(another, "the Job of the old revision goes")


async def test_a_controller_that_was_killed_finds_the_same_job(kubeconfig: str, namespace: str) -> None:
    async with life(kubeconfig, namespace, speed=20) as at_work:
        await begun(at_work, policy(HANGS))
        before = await job_of(at_work)
        await at_work.kill()
        await at_work.start()
        await at_work.so(lambda: _watched(at_work), "the Job is watched again")
        assert (await job_of(at_work))["metadata"]["uid"] == before["metadata"]["uid"]
        (pod,) = await at_work.all_of("Pod", f"job-name={before['metadata']['name']}")
        await at_work.edit("Pod", pod["metadata"]["name"], {"metadata": {"annotations": {"kwok.test/fail": None}}})
        await at_work.phase("Succeeded")
        assert [job["metadata"]["uid"] for job in await at_work.all_of("Job")] == [before["metadata"]["uid"]]


async def test_a_controller_that_stops_leaves_it_to_the_next(kubeconfig: str, namespace: str) -> None:
    async with life(kubeconfig, namespace, speed=20) as at_work:
        await begun(at_work, policy(HANGS))
        before = await job_of(at_work)
        await at_work.stop()
        assert (await job_of(at_work))["metadata"]["uid"] == before["metadata"]["uid"]


async def _watched(at_work: Life) -> bool:
    return at_work.working is not None and at_work.working.requests["watch", "Job"] > 0


async def test_without_the_right_no_verdict_and_what_grants_it(
    kubeconfig: str, control_plane: ControlPlane, namespace: str
) -> None:
    groups = (
        "",
        "apps",
        "rollway.dev",
        "events.k8s.io",
        "networking.istio.io",
        "autoscaling",
        "keda.sh",
        "flagger.app",
    )
    cluster = ("apiextensions.k8s.io", "coordination.k8s.io")
    most = [{"apiGroups": [*groups, *cluster], "resources": ["*"], "verbs": ["*"]}]
    account = control_plane.as_service_account(namespace, "one", most, most)
    async with life(kubeconfig, namespace, start=False, speed=20) as at_work:
        await at_work.start(kubeconfig=str(account))
        await begun(at_work, policy())
        said = await at_work.happened("CheckNotMade")
        assert "cannot list resource" in said
        assert "rollway install --metrics job" in said
        assert await at_work.weight() == 20


async def test_what_the_api_server_refuses_is_said_in_its_words(kubeconfig: str, namespace: str) -> None:
    async with life(kubeconfig, namespace, speed=20) as at_work:
        await begun(at_work, policy(**{"restartPolicy: Never": "restartPolicy: Sometimes"}))
        said = await at_work.happened("CheckNotMade")
        assert "restartPolicy" in said
        assert "Sometimes" in said
        assert await at_work.all_of("Job") == []


async def test_what_a_dead_controller_left_of_an_older_check_is_deleted(kubeconfig: str, namespace: str) -> None:
    """The state was not written before it died: its check is begun anew, at another moment."""
    async with life(kubeconfig, namespace, speed=20) as at_work:
        await begun(at_work, policy(HANGS))
        job = await job_of(at_work)
        left = {
            **{key: job[key] for key in ("apiVersion", "kind")},
            "metadata": {
                **{key: job["metadata"][key] for key in ("labels", "ownerReferences")},
                "name": "left",
                "annotations": {names.MOMENT: "1"},
            },
            "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": containers(job)}}, "suspend": True},
        }
        left["metadata"]["labels"] = {key: value for key, value in left["metadata"]["labels"].items()
                                      if "job-name" not in key and "controller-uid" not in key}  # fmt: skip
        await at_work.apply(left)
        await at_work.delete("Job", job["metadata"]["name"])
        await at_work.happened("CheckNotMade", "was deleted before it had ended")
        await at_work.gone("Job", "left")


async def test_a_job_of_somebody_elses_is_left_alone(kubeconfig: str, namespace: str) -> None:
    owner = Owner({"kind": "Rollout", "apiVersion": names.API_VERSION,
                   "metadata": {"name": "web", "namespace": namespace, "uid": "1-2-3"}})  # fmt: skip
    check = Check(owner, MetricQuestion("smoke", "canary", 10_000, 1_000))
    pod = {"restartPolicy": "Never", "containers": [{"name": "a", "image": "b"}]}
    theirs = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": check.ref.name},
              "spec": {"suspend": True, "template": {"spec": pod}}}  # fmt: skip
    wanted = read_job("template: {spec: {restartPolicy: Never, containers: [{name: a, image: b}]}}")
    async with life(kubeconfig, namespace, start=False) as at_work:
        await at_work.apply(theirs)
        with pytest.raises(ProviderError, match="exists and is not this rollout's"):
            await Jobs(at_work.api).run(check, wanted)
        assert (await at_work.get("Job", check.ref.name))["spec"]["suspend"]


def test_a_name_fits_into_a_label_and_tells_questions_apart() -> None:
    owner = Owner({"kind": "Rollout", "apiVersion": names.API_VERSION,
                   "metadata": {"name": "a.b-" * 40, "namespace": "shop", "uid": "1"}})  # fmt: skip
    questions = [
        MetricQuestion('smoke(path="/A b")' * 9, arm, window, at)
        for arm in ("canary", "primary") for window in (1, 2) for at in (1, 2)
    ]  # fmt: skip
    found = {Check(owner, question).ref.name for question in questions}
    assert len(found) == len(questions)
    for name in found:
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name)
