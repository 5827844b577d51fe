"""Protects the lives of Flagger's own Canaries on Istio, each applied as it stands in Flagger's docs and tests."""

from __future__ import annotations

from typing import Any

from interpreter.objects import Manifest
from tests.controlplane.cluster import ControlPlane
from tests.flagger.stage import PHASES_OF_A_PROMOTION, Stage, phases, podinfo, promoted, sample, stage, weights
from tests.flagger.town import Town
from tests.interpreter.cluster.life import canary_weight

TEMPLATE = "e2e/istio/test-canary--01-metrictemplate-latency.yaml"
WEIGHTS = "e2e/istio/test-canary--02-canary-podinfo.yaml"
BLUE_GREEN = "e2e/istio/test-canary--03-canary-podinfo.yaml"
AB = "e2e/istio/test-canary--05-canary-podinfo.yaml"
USERS_SERVICE = "e2e/istio/support/test-canary--06-service-podinfo.yaml"
USERS_ROUTE = "e2e/istio/support/test-canary--07-virtualservice-podinfo.yaml"
AFFINITY = "e2e/istio/test-session-affinity--01-canary-podinfo.yaml"
TUTORIAL = "tutorials/istio/istio-progressive-delivery--02-canary-podinfo.yaml"
MIRRORED = "tutorials/istio/refused/istio-progressive-delivery--03-canary-podinfo.yaml"
HPA = "kustomize/podinfo/support/hpa--01-horizontalpodautoscaler-podinfo.yaml"


def shares(route: Manifest) -> list[dict[str, int]]:
    """Of each rule of a VirtualService: who gets how much."""
    return [
        {one["destination"]["host"]: one.get("weight", 100) for one in rule["route"]} for rule in route["spec"]["http"]
    ]


async def test_a_canary_by_weights(at_work: Stage) -> None:
    life = at_work.life
    await life.apply(podinfo())
    await at_work.apply(TEMPLATE)
    async with at_work.seeing("VirtualService") as seen:
        await at_work.apply(WEIGHTS)
        status = await at_work.phase("Initialized")
        assert promoted(status) == {
            "type": "Promoted",
            "status": "True",
            "reason": "Initialized",
            "message": "Deployment initialization completed.",
        }
        await at_work.push()
        status = await at_work.promoted()
    assert phases(seen) == [None, "Initializing", *PHASES_OF_A_PROMOTION]
    assert weights(seen) == [None, 0, 10, 20, 30, 0]
    assert seen.values("VirtualService", "podinfo", canary_weight) == [0, 10, 20, 30, 0]
    conditions = seen.values(
        "Canary", "podinfo", lambda one: "status" in one and tuple(promoted(one["status"]).items())
    )
    assert [dict(one) for one in conditions if one] == [
        condition("Initializing", "Unknown", "New Deployment detected, starting initialization."),
        condition("Initialized", "True", "Deployment initialization completed."),
        condition("Progressing", "Unknown", "New revision detected, progressing canary analysis."),
        condition("Promoting", "Unknown", "Canary analysis completed, starting primary rolling update."),
        condition("Succeeded", "True", "Canary analysis completed successfully, promotion finished."),
    ]
    assert status["lastPromotedSpec"] == status["lastAppliedSpec"]
    assert await life.image("podinfo-primary") == "podinfo:2"
    assert await life.replicas("podinfo") == 0


def condition(reason: str, status: str, message: str) -> dict[str, str]:
    return {"type": "Promoted", "status": status, "reason": reason, "message": message}


async def test_what_is_made_for_it_is_what_flagger_makes(at_work: Stage) -> None:
    life = at_work.life
    await at_work.apply(TEMPLATE)
    await at_work.begin(WEIGHTS)
    apex = await life.get("Service", "podinfo")
    assert (apex["metadata"]["annotations"]["test"], apex["metadata"]["labels"]["test"]) == (
        "annotations-test",
        "labels-test",
    )
    for name, selected in (
        ("podinfo", "podinfo-primary"),
        ("podinfo-primary", "podinfo-primary"),
        ("podinfo-canary", "podinfo"),
    ):
        service = await life.get("Service", name)
        assert service["spec"]["selector"] == {"app": selected}
        assert [(port["name"], port["port"]) for port in service["spec"]["ports"]] == [("http", 9898), ("grpc", 9999)]
    (rule,) = (await life.get("VirtualService", "podinfo"))["spec"]["http"]
    assert rule["headers"]["request"]["add"]["x-envoy-max-retries"] == "10"
    shown = (await at_work.kubectl("get", "canary")).stdout.splitlines()
    assert shown[0].split() == ["NAME", "STATUS", "WEIGHT", "LASTTRANSITIONTIME"]
    assert shown[1].split()[:3] == ["podinfo", "Initialized", "0"]
    wide = (await at_work.kubectl("get", "canary", "-o", "wide")).stdout.splitlines()
    more = {"SUSPENDED", "FAILEDCHECKS", "INTERVAL", "MIRROR", "STEPWEIGHT", "STEPWEIGHTS", "MAXWEIGHT"}
    assert set(wide[0].split()) == {*shown[0].split(), *more}
    assert "15s" in wide[1].split()


async def test_the_load_tester_is_called_by_flaggers_contract(at_work: Stage) -> None:
    await at_work.apply(TEMPLATE)
    await at_work.begin(WEIGHTS)
    await at_work.push()
    status = await at_work.promoted()
    assert {task.cmd for task in at_work.town.tasks()} == {"hey -z 10m -q 10 -c 2 http://podinfo.test:9898/"}
    for body in at_work.town.said_to("flagger-loadtester.test"):
        assert (body["name"], body["namespace"], body["phase"]) == ("podinfo", "test", "Progressing")
        assert body["checksum"] == status["lastAppliedSpec"]
        assert body["metadata"] == sample(WEIGHTS)["spec"]["analysis"]["webhooks"][0]["metadata"]
    assert len(at_work.town.tasks()) == 3  # at each check


async def test_blue_green(at_work: Stage) -> None:
    await at_work.apply(TEMPLATE)
    await at_work.begin(BLUE_GREEN)
    async with at_work.seeing("VirtualService") as seen:
        await at_work.push()
        await at_work.promoted()
    assert phases(seen) == PHASES_OF_A_PROMOTION
    assert seen.values("VirtualService", "podinfo", canary_weight) == [0, 100, 0]
    iterations = seen.values("Canary", "podinfo", lambda one: one["status"]["iterations"])
    assert iterations[:6] == [0, 1, 2, 3, 4, 5]
    acceptance = [task.cmd.split()[0] for task in at_work.town.tasks()][:2]
    assert acceptance == ["curl", "grpc_health_probe"]
    assert [task.cmd for task in at_work.town.tasks()].count("hey -z 5m -q 10 -c 2 http://podinfo-canary.test/") >= 5


async def test_an_ab_test_and_all_put_back_at_its_deletion(at_work: Stage) -> None:
    """The user has a Service and a VirtualService of their own, by which the application was reached before."""
    life = at_work.life
    for path in (TEMPLATE, USERS_SERVICE, USERS_ROUTE):
        await at_work.apply(path)
    await at_work.begin(AB)
    (await life.get("Canary", "podinfo"))["metadata"]["finalizers"].index("finalizer.flagger.app")
    async with at_work.seeing("VirtualService") as seen:
        await at_work.push()
        status = await at_work.promoted()
    assert phases(seen)[:2] == ["Initialized", "Progressing"]
    assert phases(seen)[-2:] == ["Promoting", "Succeeded"]
    to_canary, to_all = {"podinfo-primary": 0, "podinfo-canary": 100}, {"podinfo-primary": 100, "podinfo-canary": 0}
    assert [to_canary, to_all] in [rules(one) for one in seen.values("VirtualService", "podinfo", shares)]
    matched = seen.values("VirtualService", "podinfo", lambda one: one["spec"]["http"][0].get("match"))
    assert [{"headers": {"cookie": {"regex": "^(.*?;)?(type=insider)(;.*)?$"}}}] in matched
    assert [body["phase"] for body in at_work.town.said_to("flagger-loadtester.test", "/gate/approve")] != []
    (after,) = [task.body for task in at_work.town.tasks() if task.cmd == "curl -s http://podinfo.test/"]
    assert (after["phase"], after["checksum"]) == ("Succeeded", status["lastAppliedSpec"])

    done = await at_work.kubectl("delete", "canary/podinfo", "--timeout=60s")
    assert done.returncode == 0, done.stderr
    assert await life.replicas("podinfo") == 2
    assert (await life.get("Service", "podinfo"))["spec"]["selector"] == {"app": "podinfo"}
    route = await life.get("VirtualService", "podinfo")
    assert route["spec"] == sample(USERS_ROUTE)["spec"]
    await life.gone("Deployment", "podinfo-primary")


def rules(found: list[dict[str, int]]) -> list[dict[str, int]]:
    """Both arms of each rule, also where one of them is left out."""
    return [{"podinfo-primary": 0, "podinfo-canary": 0, **rule} for rule in found]


async def test_session_affinity(at_work: Stage) -> None:
    await at_work.begin(AFFINITY)
    async with at_work.seeing("VirtualService") as seen:
        await at_work.push()
        await at_work.promoted()
    assert phases(seen) == PHASES_OF_A_PROMOTION
    last = seen.values("VirtualService", "podinfo", shares)
    kept = {"podinfo-primary": 0, "podinfo-canary": 100}
    for weight in (10, 20, 30):
        split = {"podinfo-primary": 100 - weight, "podinfo-canary": weight}
        assert any(kept in rules(one) and split in rules(one) for one in last), weight
    assert rules(last[-1])[-1] == {"podinfo-primary": 100, "podinfo-canary": 0}
    cookies = seen.values("VirtualService", "podinfo", set_cookies)
    assert any("canary-flagger-cookie=" in text and "Max-Age=86400" in text for one in cookies for text in one)
    assert any("primary-flagger-cookie=" in text and "Max-Age=15" in text for one in cookies for text in one)


def set_cookies(route: Manifest) -> tuple[str, ...]:
    """What a VirtualService has browsers keep."""
    answers: list[dict[str, Any]] = [
        one.get("headers", {}).get("response", {}) for rule in route["spec"]["http"] for one in [rule, *rule["route"]]
    ]
    return tuple(headers["Set-Cookie"] for answer in answers for headers in answer.values() if "Set-Cookie" in headers)


async def test_the_tutorial_with_an_autoscaler(at_work: Stage) -> None:
    life = at_work.life
    await at_work.apply(HPA)
    await at_work.begin(TUTORIAL)
    of_primary = await life.get("HorizontalPodAutoscaler", "podinfo-primary")
    assert of_primary["spec"]["scaleTargetRef"]["name"] == "podinfo-primary"
    assert of_primary["spec"]["metrics"] == (await life.get("HorizontalPodAutoscaler", "podinfo"))["spec"]["metrics"]
    async with at_work.seeing("VirtualService", "Deployment") as seen:
        await at_work.push()
        await at_work.promoted()
    assert weights(seen) == [0, 10, 20, 30, 40, 50, 0]
    replicas = seen.values("Deployment", "podinfo", lambda one: one["spec"]["replicas"])
    assert replicas == [0, 2, 0]
    tls = {one["metadata"]["name"]: one["spec"]["trafficPolicy"]["tls"] for one in await life.all_of("DestinationRule")}
    assert tls == {"podinfo-primary": {"mode": "DISABLE"}, "podinfo-canary": {"mode": "DISABLE"}}
    assert any(
        "flagger-cookie=" in text for one in seen.values("VirtualService", "podinfo", set_cookies) for text in one
    )


async def test_a_mirrored_release(at_work: Stage) -> None:
    """Flagger's tutorial shows it without its target, which is that of the tutorial's other Canary."""
    at_work.clock.fast = 150.0
    mirrored = sample(MIRRORED)["spec"]
    await at_work.life.apply(podinfo())
    await at_work.canary(TUTORIAL, analysis=mirrored["analysis"], autoscalerRef=None)
    await at_work.phase("Initialized")
    async with at_work.seeing("VirtualService") as seen:
        await at_work.push()
        await at_work.promoted()
    mirrors = seen.values("VirtualService", "podinfo", lambda one: one["spec"]["http"][0].get("mirror", {}).get("host"))
    assert mirrors == [None, "podinfo-canary", None]
    percent = seen.values("VirtualService", "podinfo", lambda one: one["spec"]["http"][0].get("mirrorPercentage"))
    assert {"value": 100} in percent
    assert seen.values("VirtualService", "podinfo", canary_weight) == [0, 100, 0]


async def test_a_bad_canary_goes_back(cluster: ControlPlane, around_a_bad_one: Town) -> None:
    async with stage(cluster, around_a_bad_one) as at_work:
        life = at_work.life
        await at_work.apply(TEMPLATE)
        await at_work.begin(WEIGHTS)
        before = await at_work.status()
        async with at_work.seeing("VirtualService", "Deployment") as seen:
            await at_work.push()
            status = await at_work.phase("Failed")
        assert promoted(status) == condition("Failed", "False", "Canary analysis failed, Deployment scaled to zero.")
        assert phases(seen) == ["Initialized", "Progressing", "Failed"]
        assert status["failedChecks"] == sample(WEIGHTS)["spec"]["analysis"]["threshold"]
        assert seen.values("VirtualService", "podinfo", canary_weight)[0:2] == [0, 10]
        assert await life.weight("podinfo") == 0
        assert seen.values("Deployment", "podinfo-primary", lambda one: one["metadata"]["generation"]) == [1]
        assert await life.replicas("podinfo") == 0
        assert status["lastPromotedSpec"] == before["lastPromotedSpec"] != status["lastAppliedSpec"]
        waited = await at_work.kubectl("wait", "canary/podinfo", "--for=condition=promoted", "--timeout=1s")
        assert waited.returncode != 0
        assert any("success_rate" in said for said in await at_work.said())


async def test_without_an_analysis(at_work: Stage) -> None:
    """`skipAnalysis`, on the sample by weights: no traffic goes to the canary, and nothing is asked."""
    await at_work.life.apply(podinfo())
    await at_work.canary(WEIGHTS, skipAnalysis=True)
    await at_work.phase("Initialized")
    async with at_work.seeing("VirtualService") as seen:
        await at_work.push()
        status = await at_work.phase("Succeeded")
    assert status["conditions"][0]["status"] == "True"
    assert seen.values("VirtualService", "podinfo", canary_weight) == [0] * bool(seen.before)
    assert at_work.town.calls == []
    assert await at_work.life.image("podinfo-primary") == "podinfo:2"


async def test_deleted_without_a_word_about_it_the_application_goes_on_serving(at_work: Stage) -> None:
    life = at_work.life
    await at_work.begin(WEIGHTS)
    async with at_work.seeing("Service", "Pod") as seen:
        done = await at_work.kubectl("delete", "canary/podinfo", "--timeout=60s")
        assert done.returncode == 0, done.stderr
        await life.gone("Canary", "podinfo")
    for kind, name in (("Deployment", "podinfo-primary"), ("Service", "podinfo"), ("VirtualService", "podinfo")):
        assert "ownerReferences" not in (await life.get(kind, name))["metadata"], kind
    assert 0 not in seen.behind("podinfo")


async def test_a_canary_is_edited_between_rollouts(at_work: Stage) -> None:
    """What it says of the route holds at once, as with Flagger."""
    await at_work.life.apply(podinfo())
    await at_work.canary(WEIGHTS)
    await at_work.phase("Initialized")
    await at_work.canary(WEIGHTS, service__hosts=["app.example.com"], service__timeout="30s")
    async with at_work.seeing("VirtualService") as seen:
        await at_work.life.so(lambda: follows(at_work), "the route follows")
    route = await at_work.life.get("VirtualService", "podinfo")
    assert route["spec"]["hosts"] == ["app.example.com", "podinfo"]
    assert seen.values("VirtualService", "podinfo", canary_weight) == [0]


async def follows(at_work: Stage) -> bool:
    (rule,) = (await at_work.life.get("VirtualService", "podinfo"))["spec"]["http"]
    return bool(rule.get("timeout") == "30s")
