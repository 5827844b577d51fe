"""Protects what serves when all that says why it is there has been lost: the policy, and the record of the runs."""

from __future__ import annotations

from tests.interpreter.cluster.life import life

LIBRARY = """
rollout any {
  target deployment/any
  traffic kubernetes
  service { port 80; target_port http }
  steps { promote }
}
"""


async def test_a_rollout_that_cannot_be_read_any_more_leaves_its_primary_and_its_services(
    kubeconfig: str, namespace: str
) -> None:
    """As when somebody deletes the definitions of rollway's kinds before the Rollouts, and installs them again."""
    async with life(kubeconfig, namespace) as at_work:
        library = {"apiVersion": "rollway.dev/v1alpha1", "kind": "RolloutLibrary", "metadata": {"name": "shared"}}
        await at_work.apply({**library, "spec": {"source": LIBRARY}})
        await at_work.deployment()
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
        source = {"kind": "RolloutLibrary", "name": "shared"}
        lent = {"apiVersion": "rollway.dev/v1alpha1", "kind": "Rollout", "metadata": {"name": "web"}}
        await at_work.apply({**lent, "spec": {"sourceRef": source, "targetRef": target}})
        await at_work.phase("Initialized")
        await at_work.stop()

        await at_work.delete("RolloutLibrary", "shared")
        for run in await at_work.all_of("RolloutRun"):
            await at_work.delete("RolloutRun", run["metadata"]["name"])
        await at_work.delete("Rollout", "web")
        await at_work.start()
        await at_work.gone("Rollout", "web")

        assert await at_work.replicas("web-primary") == 2
        for kind, name in (("Deployment", "web-primary"), ("Service", "web"), ("Service", "web-primary")):
            assert "ownerReferences" not in (await at_work.get(kind, name))["metadata"], name
