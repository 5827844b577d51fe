"""Protects that what Flagger's samples get wrong is refused where a user looks: by the API server, which has Flagger's
own definitions, or in an event that names the field."""

from __future__ import annotations

import re

import pytest

from tests.dsl.flagger.manifests import REFERENCE, Sample, samples
from tests.flagger.stage import Stage, podinfo, sample
from tests.flagger.test_lives_istio import WEIGHTS

KINDS = ("Canary", "MetricTemplate", "AlertProvider")
MAIN = [one for kind in KINDS for one in samples(kind, "main")]
REFUSED = [one for kind in KINDS for one in samples(kind, "refused", "negative")]
NAMED = re.compile(r'spec(\.\w+)+: |"spec" must validate one and only one schema')


async def test_all_of_flaggers_samples_are_taken(at_work: Stage) -> None:
    files = [argument for one in MAIN for argument in ("-f", str(REFERENCE / "samples" / one.path))]
    await namespaces(at_work, MAIN)
    done = await at_work.kubectl_anywhere("apply", "--dry-run=server", *files)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(MAIN) > 70


async def namespaces(at_work: Stage, of: list[Sample]) -> None:
    named = {one.read()["metadata"].get("namespace", "default") for one in of}
    for name in sorted(named):
        await at_work.kubectl_anywhere("create", "namespace", name)


async def test_what_flagger_refuses_is_refused(at_work: Stage) -> None:
    """By the API server, which names the field."""
    await namespaces(at_work, REFUSED)
    for one in REFUSED:
        done = await at_work.kubectl_anywhere("apply", "--dry-run=server", "-f", str(REFERENCE / "samples" / one.path))
        assert done.returncode != 0, one.path
        assert NAMED.search(done.stderr), (one.path, done.stderr)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"analysis__stepWeights": [30, 20], "analysis__stepWeight": None}, "spec.analysis.stepWeights"),
        ({"provider": "skipper"}, "spec.ingressRef"),
        ({"analysis__metrics": [{"name": "nothing-known"}]}, "spec.analysis.metrics[0]"),
    ],
    ids=["steps that fall", "no ingress", "a metric of nothing"],
)
async def test_what_the_definition_lets_through_is_told_in_an_event(
    at_work: Stage, fields: dict[str, object], named: str
) -> None:
    life = at_work.life
    await life.apply(podinfo())
    await at_work.canary(WEIGHTS, **fields)
    told = await life.so(lambda: at_work.said("PolicyRefused"), "it is refused")
    assert named in told[0]
    assert await life.find("Deployment", "podinfo-primary") is None
    await at_work.canary(WEIGHTS, analysis=sample(WEIGHTS)["spec"]["analysis"])
    await at_work.phase("Initialized")


async def test_a_data_plane_that_is_not_installed_is_named(at_work: Stage) -> None:
    await at_work.life.apply(podinfo())
    await at_work.canary(WEIGHTS, provider="smi:v1alpha3")
    told = await at_work.life.so(lambda: at_work.said("Stuck"), "it is told")
    assert "install a mesh that serves SMI" in told[0]
    assert await at_work.life.replicas("podinfo") == 2
