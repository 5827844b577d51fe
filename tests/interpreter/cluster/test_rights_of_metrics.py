"""Protects that `rollway install --metrics` grants what the metric providers of the API server need, and that nothing
of it is granted where they are not named."""

from __future__ import annotations

from pathlib import Path

import pytest

from interpreter.cluster.asking import asking
from interpreter.cluster.manifests import NAME
from interpreter.providers.externalmetrics import ExternalMetrics
from interpreter.providers.keptn import Keptn
from interpreter.providers.provider import Provider, ProviderError, RenderedQuery, Trouble
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.cluster.hooks import Hooks
from tests.interpreter.cluster.life import Life, life
from tests.interpreter.cluster.test_life_job import begun, policy
from tests.interpreter.cluster.test_life_rights import granted
from tests.interpreter.cluster.tools import connected

QUERIES = {
    "externalmetrics": ("NAMESPACE/queue",),
    "keptn": ("keptnmetric/NAMESPACE/slo", "analysis/NAMESPACE/slo"),
}


def account(plane: ControlPlane, namespace: str, capsys: pytest.CaptureFixture[str], *line: str) -> Path:
    """Who may do what an installation for one namespace may, with these options."""
    where = ("--namespace", namespace, "--watch-namespace", namespace)
    cluster, here, leases = granted(capsys, *where, "--provider", "istio", "--no-flagger", *line)
    assert cluster == []
    return plane.as_service_account(namespace, NAME, [*here, *leases])


async def test_a_life_with_jobs_is_refused_nothing(
    kubeconfig: str, control_plane: ControlPlane, namespace: str, capsys: pytest.CaptureFixture[str], hooks: Hooks
) -> None:
    who = account(control_plane, namespace, capsys, "--metrics", "job,keptn")
    mark = control_plane.mark()
    async with life(kubeconfig, namespace, start=False, speed=20, lease_namespace=namespace) as at_work:
        await at_work.start(kubeconfig=str(who), elect=True, flagger=False)
        await begun(at_work, policy("kwok.test/fail: Failed, kwok.test/words: no route"))
        status = await at_work.phase("Failed")
        assert "no route" in status["reason"]
        await at_work.edit("Rollout", "web", {"spec": {"source": at_source(namespace, "kwok.test/fail: NotReady")}})
        await at_work.push("web:3")
        await at_work.so(lambda: jobs(at_work, 2), "the second Job is made")
        await at_work.annotate(abort=(await at_work.status())["revision"])
        await at_work.so(lambda: jobs(at_work, 1), "the second Job is deleted")
        await at_work.stop()
    asked = control_plane.requests(mark, user=f"system:serviceaccount:{namespace}:{NAME}")
    assert [one for one in asked if one.status in (401, 403)] == []
    assert {one.verb for one in asked if one.resource == "jobs"} == {"list", "watch", "create", "delete"}


async def jobs(at_work: Life, many: int) -> bool:
    return len(await at_work.all_of("Job")) == many


def at_source(namespace: str, annotations: str) -> str:
    return policy(annotations).replace("NAMESPACE", namespace)


@pytest.mark.parametrize("name", sorted(QUERIES))
async def test_what_is_named_is_allowed_and_nothing_else(
    name: str, control_plane: ControlPlane, namespace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing serves these groups here: who may ask is told that there is no such thing, others that they may not."""
    other = next(one for one in QUERIES if one != name)
    for option, refused in ((name, False), (other, True)):
        async with connected(account(control_plane, namespace, capsys, "--metrics", option)) as api:
            made: dict[str, Provider] = {"externalmetrics": ExternalMetrics(asking(api)), "keptn": Keptn(asking(api))}
            for text in QUERIES[name]:
                query = RenderedQuery(text.replace("NAMESPACE", namespace), 1_000, 60_000)
                with pytest.raises(ProviderError) as caught:
                    await made[name].measure(query)
                assert (caught.value.trouble is Trouble.AUTH) is refused, caught.value
                assert ("cannot" in str(caught.value)) is refused


async def test_an_analysis_may_be_made_and_taken_away_again(
    control_plane: ControlPlane, namespace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ask = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    who = account(control_plane, namespace, capsys, "--metrics", "keptn")
    async with connected(who) as api:
        for verb, allowed in (("get", True), ("create", True), ("delete", True), ("update", False), ("watch", False)):
            about = {"namespace": namespace, "verb": verb, "group": "metrics.keptn.sh", "resource": "analyses"}
            body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
                    "spec": {"resourceAttributes": about}}  # fmt: skip
            assert (await api.raw("POST", ask, None, body))["status"]["allowed"] is allowed, verb
