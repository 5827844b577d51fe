"""Protects rollouts whose traffic comes in by an Ingress: one that is edited and put back, one that is left alone."""

from __future__ import annotations

import json
from typing import Any

from interpreter.objects import Manifest
from tests.interpreter.cluster.history import history
from tests.interpreter.cluster.life import life

POLICY = """
    rollout web in NAMESPACE {
      target  deployment/web
      service { port 80; target_port http }
      traffic TRAFFIC { ingress "web" }
      on delete revert
      steps   { route to canary when header "x-group" == "insider"; hold 1s; MORE promote }
    }
"""
INGRESS: Manifest = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "Ingress",
    "metadata": {"name": "web"},
    "spec": {
        "rules": [
            {
                "host": "web.test",
                "http": {
                    "paths": [
                        {
                            "path": "/",
                            "pathType": "Prefix",
                            "backend": {"service": {"name": "web", "port": {"number": 80}}},
                        }
                    ]
                },
            }
        ]
    },
}


async def test_an_ingress_of_the_users_is_edited_and_put_back(kubeconfig: str, namespace: str) -> None:
    def weights(ingress: Manifest) -> Any:
        action = (ingress["metadata"].get("annotations") or {}).get("alb.ingress.kubernetes.io/actions.web")
        groups = json.loads(action)["forwardConfig"]["targetGroups"] if action else []
        return len(ingress["spec"]["rules"][0]["http"]["paths"]), [group["weight"] for group in groups]

    async with life(kubeconfig, namespace) as at_work:
        await at_work.deployment()
        await at_work.apply(INGRESS)
        await at_work.rollout(POLICY.replace("TRAFFIC", "alb").replace("MORE", "shift to 30% for 1s;"))
        await at_work.phase("Initialized")
        async with history(at_work, "Ingress") as seen:
            await at_work.push("web:2")
            await at_work.phase("Succeeded")
        await at_work.delete("Rollout", "web")
        await at_work.gone("Rollout", "web")
        left = await at_work.get("Ingress", "web")
    assert seen.values("Ingress", "web", weights) == [
        (1, [100, 0]),
        (2, [100, 0]),
        (2, [70, 30]),
        (1, [100, 0]),
    ]
    assert left["spec"] == INGRESS["spec"]
    assert "annotations" not in left["metadata"]


async def test_a_condition_comes_and_goes_beside_an_ingress_that_is_left_alone(kubeconfig: str, namespace: str) -> None:
    condition = "haproxy.org/route-acl"
    async with life(kubeconfig, namespace) as at_work:
        await at_work.deployment()
        await at_work.apply(INGRESS)
        before = await at_work.get("Ingress", "web")
        await at_work.rollout(POLICY.replace("TRAFFIC", "haproxy").replace("MORE", ""))
        await at_work.phase("Initialized")
        async with history(at_work, "Service") as seen:
            await at_work.push("web:2")
            await at_work.phase("Succeeded")
        await at_work.delete("Rollout", "web")
        await at_work.gone("Rollout", "web")
        await at_work.gone("Ingress", "web-canary")
        await at_work.gone("Service", "web-canary-acl")
        assert await at_work.get("Ingress", "web") == before
    assert seen.values("Service", "web-canary-acl", lambda one: one["metadata"]["annotations"][condition]) == [
        "rand(10000) lt 0",
        "req.fhdr(x-group) -m str -- 'insider'",
        "rand(10000) lt 0",
    ]
