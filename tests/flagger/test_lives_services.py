"""Protects the lives of Flagger's own Canaries where Services are all there is, with each kind of target and scaler."""

from __future__ import annotations

from tests.flagger.stage import PHASES_OF_A_PROMOTION, Stage, phases, podinfo, promoted, sample

DEPLOYMENT = "e2e/kubernetes/test-deployment--01-canary-podinfo.yaml"
DAEMONSET = "e2e/kubernetes/test-daemonset--01-canary-podinfo-ds.yaml"
A_DAEMONSET = "e2e/workloads/support/daemonset--01-daemonset-podinfo-ds.yaml"
KEDA = "e2e/keda/test-scaledobject--03-canary-podinfo.yaml"
A_SCALED_OBJECT = "e2e/keda/support/test-scaledobject--01-scaledobject-podinfo-so.yaml"
KEDA_TUTORIAL = "tutorials/keda-scaledobject/keda-scaledobject--02-canary-podinfo.yaml"
ANOTHER_SCALED_OBJECT = "tutorials/keda-scaledobject/support/keda-scaledobject--01-scaledobject-podinfo-so.yaml"
SERVICE = "legacy/e2e-root/e2e-kubernetes-tests-svc--02-canary-podinfo.yaml"
A_SERVICE = "legacy/e2e-root/support/e2e-kubernetes-tests-svc--01-service-podinfo.yaml"
ANOTHER_SERVICE = "legacy/e2e-root/support/e2e-kubernetes-tests-svc--03-service-podinfo.yaml"


async def test_a_deployment_blue_green(at_work: Stage) -> None:
    life = at_work.life
    await at_work.begin(DEPLOYMENT)
    async with at_work.seeing("Service", "Pod") as seen:
        await at_work.push()
        await at_work.promoted()
    assert phases(seen) == PHASES_OF_A_PROMOTION
    assert seen.values("Canary", "podinfo", lambda one: one["status"]["iterations"])[:6] == [0, 1, 2, 3, 4, 5]
    for name, selected in (("podinfo-svc", "podinfo-primary"), ("podinfo-svc-canary", "podinfo")):
        assert seen.values("Service", name, lambda one: one["spec"]["selector"]) == [{"app": selected}]
    assert 0 not in seen.behind("podinfo-svc")
    assert await life.image("podinfo-primary") == "podinfo:2"
    gates = at_work.town.said_to("flagger-loadtester.test", "/gate/approve")
    assert [(gate["name"], gate["namespace"]) for gate in gates] == [("podinfo", "test")]


async def test_a_daemonset(at_work: Stage) -> None:
    life = at_work.life
    daemonset = sample(A_DAEMONSET)
    daemonset["spec"]["minReadySeconds"] = 0  # the wall's seconds
    await at_work.begin(DAEMONSET, target=daemonset)
    away = {"flagger.app/scale-to-zero": "true"}
    target = await life.get("DaemonSet", "podinfo-ds")
    assert target["spec"]["template"]["spec"]["nodeSelector"] == away
    async with at_work.seeing("DaemonSet") as seen:
        await at_work.push(name="podinfo-ds", kind="DaemonSet")
        status = await at_work.promoted()
    assert phases(seen, "podinfo-ds") == PHASES_OF_A_PROMOTION
    assert promoted(status)["message"] == "Canary analysis completed successfully, promotion finished."
    selectors = seen.values("DaemonSet", "podinfo-ds", lambda one: one["spec"]["template"]["spec"].get("nodeSelector"))
    assert selectors == [away, None, away]
    assert await life.image("podinfo-ds-primary", "DaemonSet") == "podinfo:2"
    primary = await life.get("DaemonSet", "podinfo-ds-primary")
    assert primary["spec"]["selector"]["matchLabels"] == {"app.kubernetes.io/name": "podinfo-ds-primary"}


async def test_a_scaled_object_of_keda(at_work: Stage) -> None:
    life = at_work.life
    await at_work.apply(A_SCALED_OBJECT)
    await at_work.begin(KEDA)
    paused = "autoscaling.keda.sh/paused-replicas"
    primary = await life.get("ScaledObject", "podinfo-so-primary")
    assert primary["spec"]["scaleTargetRef"]["name"] == "podinfo-primary"
    (trigger,) = primary["spec"]["triggers"]
    assert trigger["metadata"]["query"] == 'sum(rate(http_requests_total{ app="podinfo-primary" }[30s]))'
    async with at_work.seeing("ScaledObject") as seen:
        await at_work.push()
        await at_work.promoted()
    annotated = seen.values("ScaledObject", "podinfo-so", lambda one: one["metadata"]["annotations"].get(paused))
    assert annotated == ["0", None, "0"]
    assert phases(seen) == PHASES_OF_A_PROMOTION


async def test_what_a_canary_says_of_the_primarys_scaled_object(at_work: Stage) -> None:
    await at_work.apply(ANOTHER_SCALED_OBJECT)
    await at_work.begin(KEDA_TUTORIAL)
    primary = await at_work.life.get("ScaledObject", "podinfo-so-primary")
    assert (primary["spec"]["minReplicaCount"], primary["spec"]["maxReplicaCount"]) == (2, 5)
    (trigger,) = primary["spec"]["triggers"]
    assert trigger["metadata"]["query"] == 'sum(rate(http_requests_total{ app="podinfo-primary" }[30s]))'


async def test_a_service_whose_pods_are_somebody_elses(at_work: Stage) -> None:
    """The target is a Service: a new selector is a new revision, and is promoted into `podinfo-primary`."""
    life = at_work.life
    await life.apply(podinfo(), podinfo("podinfo-v2"), sample(A_SERVICE))
    await at_work.apply(SERVICE)
    await at_work.phase("Initialized")
    assert (await life.get("Service", "podinfo-primary"))["spec"]["selector"] == {"app": "podinfo"}
    async with at_work.seeing("Service") as seen:
        await life.apply(sample(ANOTHER_SERVICE))
        await at_work.promoted()
    assert [phase for phase in phases(seen) if phase != "Promoting"] == ["Initialized", "Progressing", "Succeeded"]
    primary = seen.values("Service", "podinfo-primary", lambda one: one["spec"]["selector"])
    assert primary == [{"app": "podinfo"}, {"app": "podinfo-v2"}]
