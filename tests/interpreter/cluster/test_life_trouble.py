"""Protects what a person is told when something is in the way, and that it goes right by itself once it is mended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from interpreter.cluster import names
from interpreter.objects import Manifest
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.cluster.history import history
from tests.interpreter.cluster.hooks import Hooks
from tests.interpreter.cluster.life import Life, canary_weight, life

POLICY = """
    GATE
    channel shout { webhook "URL"; at error }
    rollout web in NAMESPACE {
      target   deployment/web
      service  { port 80; target_port http }
      traffic  istio
      deadline 2m
      notify   shout
      steps    { shift to 20%; wait for gate go; shift to 40%; promote }
    }
"""


def policy(hooks: Hooks) -> str:
    return POLICY.replace("GATE", hooks.gate("go")).replace("URL", hooks.url("shout"))


@asynccontextmanager
async def rollout(kubeconfig: str, namespace: str, hooks: Hooks) -> AsyncIterator[Life]:
    """A rollout that has its first primary."""
    async with life(kubeconfig, namespace, speed=20) as at_work:
        await at_work.deployment()
        await at_work.rollout(policy(hooks))
        await at_work.phase("Initialized")
        yield at_work


# --- pods -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fail", "words"),
    [
        ("ImagePullBackOff", "2 of 2 pods: cannot pull image `web:2` (ImagePullBackOff)"),
        ("CrashLoopBackOff", "2 of 2 pods: container `app` ended with exit code 1 (CrashLoopBackOff)"),
        ("OOMKilled", "2 of 2 pods: container `app` was killed for want of memory (OOMKilled)"),
        ("NotReady", "2 of 2 pods: container `app` runs but is not ready"),
    ],
)
async def test_a_canary_that_does_not_come_up_says_why(
    kubeconfig: str, namespace: str, hooks: Hooks, fail: str, words: str
) -> None:
    async with rollout(kubeconfig, namespace, hooks) as at_work:
        await at_work.push("web:2", fail=fail)
        status = await at_work.until(lambda seen: words in seen.get("reason", ""))
        assert status["phase"] == "Progressing"
        status = await at_work.phase("Failed")
        assert words in status["reason"]
        assert status["weight"] == 0
        assert words in await at_work.happened("RolledBack")
        await at_work.so(lambda: _shouted(hooks, words), "the channel is told")
        assert (await at_work.get("RolloutRun", "web-1"))["status"]["outcome"] == "rolled_back"


async def _shouted(hooks: Hooks, words: str) -> bool:
    return any(words in str(call.body) for call in hooks.called("shout"))


async def test_a_canary_that_finds_no_node(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    async with rollout(kubeconfig, namespace, hooks) as at_work:
        template = {"spec": {"nodeSelector": {"there": "is-none"}}}
        await at_work.edit("Deployment", "web", {"spec": {"template": template}})
        status = await at_work.until(lambda seen: "cannot be scheduled" in seen.get("reason", ""))
        assert "node" in status["reason"].partition("cannot be scheduled")[2]
        await at_work.edit("Deployment", "web", {"spec": {"template": {"spec": {"nodeSelector": None}}}})
        await at_work.phase("Succeeded")


# --- policies ---------------------------------------------------------------------------------------------------


async def _condition(at_work: Life, kind: str) -> dict[str, str]:
    found = [one for one in (await at_work.status())["conditions"] if one["type"] == kind]
    return dict(found[0]) if found else {}


async def test_a_policy_that_cannot_be_compiled_is_shown_with_its_places(
    kubeconfig: str, namespace: str, hooks: Hooks
) -> None:
    async with life(kubeconfig, namespace) as at_work:
        await at_work.deployment()
        await at_work.rollout(policy(hooks).replace("shift to 20%", "shift to lots").replace("istio", "istia"))
        await at_work.until(lambda seen: seen.get("conditions"))
        ready = await _condition(at_work, "Ready")
        assert (ready["status"], ready["reason"]) == ("False", "InvalidPolicy")
        assert "web.rollout:9:" in ready["message"]
        assert "did you mean `istio`" in ready["message"]
        assert "lots" in ready["message"]
        assert ready["message"] == await at_work.happened("PolicyRefused")
        assert (await _condition(at_work, "Stalled"))["status"] == "True"
        assert await at_work.find("Deployment", "web-primary") is None
        await at_work.rollout(policy(hooks))
        await at_work.phase("Initialized")
        assert (await _condition(at_work, "Ready"))["status"] == "True"
        assert await _condition(at_work, "Stalled") == {}


async def test_a_run_under_way_goes_on_with_the_policy_that_it_began_with(
    kubeconfig: str, namespace: str, hooks: Hooks
) -> None:
    async with rollout(kubeconfig, namespace, hooks) as at_work, history(at_work, "VirtualService") as seen:
        await at_work.push("web:2")
        await at_work.until(lambda status: "waiting for gate" in status.get("reason", ""))
        await at_work.rollout(policy(hooks).replace("shift to 40%", "shift to nowhere"))
        await at_work.until(lambda status: "nowhere" in str(status["conditions"]))
        assert (await at_work.status())["weight"] == 20
        hooks.open("go")
        await at_work.phase("Succeeded")
        assert (await _condition(at_work, "Ready"))["reason"] == "InvalidPolicy"
        await at_work.rollout(policy(hooks).replace("40%", "60%"))
        hooks.open("go")

        async def ready() -> bool:
            return (await _condition(at_work, "Ready"))["status"] == "True"

        await at_work.so(ready, "the mended policy is taken up")
        await at_work.push("web:3")
        await at_work.until(lambda status: status["run"] == "web-2" and status["phase"] == "Succeeded")
    assert seen.values("VirtualService", "web", canary_weight) == [0, 20, 40, 0, 20, 60, 0]


async def test_a_newer_policy_waits_for_the_next_run(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    async with rollout(kubeconfig, namespace, hooks) as at_work, history(at_work, "VirtualService") as seen:
        await at_work.push("web:2")
        await at_work.until(lambda status: "waiting for gate" in status.get("reason", ""))
        await at_work.rollout(policy(hooks).replace("20%", "30%").replace("40%", "60%"))
        await at_work.until(lambda status: status["observedGeneration"] == 2)
        hooks.open("go")
        await at_work.phase("Succeeded")
        await at_work.push("web:3")
        await at_work.until(lambda status: status["run"] == "web-2" and status["phase"] == "Succeeded")
    assert seen.values("VirtualService", "web", canary_weight) == [0, 20, 40, 0, 30, 60, 0]


async def test_warnings_are_no_obstacle(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    async with rollout(kubeconfig, namespace, hooks) as at_work:  # traffic without analysis is warned of
        assert (await _condition(at_work, "Ready"))["status"] == "True"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rollout other in NAMESPACE { target deployment/web; service { port 80 }; traffic istio; steps { promote } }",
         "the text speaks of rollout `other`, and the object of `web`"),
        ("rollout web in elsewhere { target deployment/web; service { port 80 }; traffic istio; steps { promote } }",
         "the text speaks of namespace `elsewhere`"),
        ("let a = 1", "the text must hold one rollout, and holds none"),
    ],
)  # fmt: skip
async def test_a_text_that_is_not_this_objects(kubeconfig: str, namespace: str, text: str, words: str) -> None:
    async with life(kubeconfig, namespace) as at_work:
        await at_work.rollout(text)
        assert words in await at_work.happened("PolicyRefused")


async def test_two_rollouts_of_one_target(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    async with rollout(kubeconfig, namespace, hooks) as at_work:
        text = policy(hooks).replace("rollout web", "rollout again")
        await at_work.rollout(text, "again")
        said = await at_work.happened("Stuck", "part of the rollout `web`")
        assert "rename" in said
        owner = (await at_work.get("Deployment", "web-primary"))["metadata"]["ownerReferences"]
        assert [one["name"] for one in owner] == ["web"]
        hooks.open("go")
        await at_work.push("web:2")
        await at_work.phase("Succeeded")
        await at_work.delete("Rollout", "again")
        await at_work.gone("Rollout", "again")
        assert (await at_work.get("Service", "web"))["spec"]["selector"] == {"app": "web-primary"}
        assert (await at_work.get("Deployment", "web-primary"))["metadata"]["ownerReferences"] == owner


async def test_another_target_is_refused(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    async with rollout(kubeconfig, namespace, hooks) as at_work:
        await at_work.rollout(policy(hooks).replace("deployment/web", "deployment/shop"))
        assert "cannot become another" in await at_work.happened("Stuck")
        await at_work.rollout(policy(hooks))

        async def ready() -> bool:
            return (await _condition(at_work, "Ready"))["status"] == "True"

        await at_work.so(ready, "it is well again")


async def test_an_ingress_that_is_missing_is_named_and_waited_for(kubeconfig: str, namespace: str) -> None:
    text = """
        rollout web in NAMESPACE {
          target  deployment/web
          service { port 80; target_port http }
          traffic nginx { ingress "web" }
          steps   { promote }
        }
    """
    async with life(kubeconfig, namespace) as at_work:
        await at_work.deployment()
        await at_work.rollout(text)
        assert "web" in await at_work.happened("Stuck", "Ingress")
        backend = {"service": {"name": "web", "port": {"number": 80}}}
        path = {"path": "/", "pathType": "Prefix", "backend": backend}
        await at_work.apply(
            {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "Ingress",
                "metadata": {"name": "web"},
                "spec": {"rules": [{"host": "web.test", "http": {"paths": [path]}}]},
            }
        )
        await at_work.phase("Initialized")


# --- where a text may stand -------------------------------------------------------------------------------------


def config_map(text: str, key: str = "policy.rollout") -> Manifest:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "texts"}, "data": {key: text}}


def library(kind: str, name: str, text: str) -> Manifest:
    return {"apiVersion": names.API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": {"source": text}}


def from_config_map(**at: str) -> Manifest:
    return {
        "apiVersion": names.API_VERSION,
        "kind": "Rollout",
        "metadata": {"name": "web"},
        "spec": {"sourceRef": {"name": "texts", **at}},
    }


async def test_a_text_in_a_config_map(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    text = policy(hooks).replace("NAMESPACE", namespace)
    async with life(kubeconfig, namespace) as at_work:
        await at_work.deployment()
        await at_work.apply(from_config_map())
        assert "ConfigMap" in await at_work.happened("PolicyRefused", "does not exist")
        await at_work.apply(config_map(text, "another"))
        assert "(it has `another`)" in await at_work.happened("PolicyRefused", "has no key `policy.rollout`")
        await at_work.apply(config_map(text.replace("20%", "20 apples")))
        assert "texts/policy.rollout:10:" in await at_work.happened("PolicyRefused", "apples")
        await at_work.apply(config_map(text))
        await at_work.phase("Initialized")
        await at_work.apply(config_map(text.replace("20%", "25%")))
        await at_work.push("web:2")
        await at_work.until(lambda seen: seen.get("weight") == 25)


async def test_imports_from_libraries(kubeconfig: str, namespace: str) -> None:
    cluster = f"{namespace}-far"
    text = f"""
        import "library/near" as near
        import "library/{cluster}" as far
        rollout web in NAMESPACE {{
          target   deployment/web
          service  {{ port 80; target_port http }}
          traffic  istio
          steps    {{ follow near.careful; follow far.bold; promote }}
        }}
    """
    async with life(kubeconfig, namespace) as at_work:
        try:
            await at_work.deployment()
            await at_work.rollout(text)
            assert "library/near" in await at_work.happened("PolicyRefused")
            await at_work.apply(library("ClusterRolloutLibrary", cluster, "strategy bold { shift to 70% }"))
            await at_work.apply(library("RolloutLibrary", "near", "strategy careful { shift to 3% }"))
            await at_work.phase("Initialized")
            async with history(at_work, "VirtualService") as seen:
                await at_work.push("web:2")
                await at_work.phase("Succeeded")
                await at_work.apply(library("RolloutLibrary", "near", "strategy careful { shift to 7% }"))
                await at_work.push("web:3")
                await at_work.until(lambda status: status["run"] == "web-2" and status["phase"] == "Succeeded")
        finally:
            await at_work.api.delete(at_work.ref("ClusterRolloutLibrary", cluster)._replace(namespace=""))
    assert seen.values("VirtualService", "web", canary_weight) == [0, 3, 70, 0, 7, 70, 0]


# --- hands of others --------------------------------------------------------------------------------------------


async def test_a_route_that_somebody_edits_is_put_right(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    async with rollout(kubeconfig, namespace, hooks) as at_work:
        await at_work.push("web:2")
        await at_work.until(lambda seen: "waiting for gate" in seen.get("reason", ""))
        route = (await at_work.get("VirtualService", "web"))["spec"]["http"]
        for one, weight in zip(route[0]["route"], (0, 100), strict=True):
            one["weight"] = weight
        await at_work.edit("VirtualService", "web", {"spec": {"http": route}})
        await at_work.weighs(20)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("Deployment", "web-primary"), ("Service", "web"), ("Service", "web-canary"), ("VirtualService", "web"),
     ("DestinationRule", "web-primary")],
)  # fmt: skip
async def test_what_somebody_deletes_comes_back(
    kubeconfig: str, namespace: str, hooks: Hooks, kind: str, name: str
) -> None:
    async with rollout(kubeconfig, namespace, hooks) as at_work:
        await at_work.push("web:2")
        await at_work.until(lambda seen: "waiting for gate" in seen.get("reason", ""))
        before = await at_work.get(kind, name)
        await at_work.delete(kind, name)

        async def back() -> bool:
            found = await at_work.find(kind, name)
            return found is not None and found["metadata"]["uid"] != before["metadata"]["uid"]

        await at_work.so(back, f"{kind} {name} comes back")
        if kind == "Deployment":
            assert await at_work.image(name) == "web:1"
        hooks.open("go")
        await at_work.phase("Succeeded")


async def test_trouble_of_one_is_none_of_another(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    """An object of somebody else's has the name that ours should have."""
    async with life(kubeconfig, namespace) as at_work:
        theirs = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web-canary"},
            "spec": {"selector": {"app": "else"}, "ports": [{"port": 80}]},
        }
        await at_work.apply(theirs)
        await at_work.deployment()
        await at_work.deployment("shop")
        await at_work.rollout(policy(hooks))
        await at_work.rollout(policy(hooks).replace("rollout web", "rollout shop").replace("/web", "/shop"), "shop")
        await at_work.phase("Initialized", "shop")
        said = await at_work.happened("Stuck", "web-canary")
        assert "rename or delete it" in said
        assert (await at_work.status())["conditions"][0]["reason"] == "Stuck"
        await at_work.delete("Service", "web-canary")
        await at_work.phase("Initialized")
        assert (await _condition(at_work, "Ready"))["status"] == "True"


# --- routes ---------------------------------------------------------------------------------------------------------

AT_A_LATER_STEP = """
    rollout web in NAMESPACE {
      target   deployment/web
      service  { port 80; target_port http }
      traffic  gateway_api { route "shop" }
      deadline 2m
      steps    { shift to 20%; route to canary when header "x-group" == "beta"; promote }
    }
"""


def users_route(group: str) -> Manifest:
    headers = [{"name": "x-group", "value": group}]
    rule = {"matches": [{"headers": headers}], "backendRefs": [{"name": "web", "port": 80}]}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "shop"},
        "spec": {"parentRefs": [{"name": "public"}], "rules": [rule]},
    }


async def test_a_route_that_a_later_step_could_not_have_is_told_of_before_the_rollout_begins(
    control_plane: ControlPlane, kubeconfig: str, namespace: str
) -> None:
    control_plane.install_crds("gateway-api")
    async with life(kubeconfig, namespace, speed=20) as at_work:
        await at_work.apply(users_route("alpha"))
        await at_work.deployment()
        await at_work.rollout(AT_A_LATER_STEP)
        said = await at_work.happened("PolicyRefused", "two tests on `x-group`")
        assert '`route to canary when header "x-group" == "beta"`' in said
        await at_work.push("web:2")
        (ready,) = [one for one in (await at_work.status())["conditions"] if one["type"] == "Ready"]
        assert (ready["status"], ready["reason"]) == ("False", "InvalidPolicy")
        assert (await at_work.status())["phase"] == "Initialized"
        assert await at_work.replicas("web") == 0
        await at_work.apply(users_route("beta"))
        await at_work.phase("Succeeded")
        assert await at_work.image("web-primary") == "web:2"
