"""Protects the namespace rules of what a policy names, ours and Flagger's: without a namespace it is of the rollout's
own, a Secret is of the namespace of whatever names it, and other namespaces can be closed.

A controller that looks after the whole cluster must not meet the rollouts of other tests: the cluster is this module's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import web

from interpreter.cluster import names
from interpreter.objects import Manifest
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.plane import running
from tests.interpreter.cluster.life import Life, life

OURS, FLAGGERS = names.API_VERSION, names.FLAGGER_API_VERSION


@pytest.fixture(scope="module")
def plane(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    binaries = Path(control_plane.kubectl_program).parent
    folder = tmp_path_factory.mktemp("namespaces")
    with running(binaries, folder / "plane") as layout:
        made = ControlPlane(layout.kubeconfig, folder, str(binaries), binaries=binaries, audit_log=layout.audit_log)
        made.install_crds("rollway", "istio", "flagger")
        yield made
        made.close()


class Servers:
    """A Prometheus for which every query comes to 1, and a chat. `asked` are the queries, each with its token; `told`
    are the paths to which messages came."""

    def __init__(self) -> None:
        self.asked: set[tuple[str, str]] = set()
        self.told: set[str] = set()
        self.url = ""

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if not request.path.startswith("/api/v1/"):
            self.told.add(request.path)
            return web.Response(text="ok")
        given = dict(request.query) if request.method == "GET" else dict(await request.post())
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.asked.add((str(given["query"]), token))
        sample = {"metric": {}, "value": [0, "1"]}
        return web.json_response({"status": "success", "data": {"resultType": "vector", "result": [sample]}})


@pytest.fixture
async def servers() -> AsyncIterator[Servers]:
    made = Servers()
    runner = web.ServerRunner(web.Server(made.answer, access_log=None), shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


def template(namespace: str, name: str, api_version: str, server: str) -> Manifest:
    provider = {"type": "prometheus", "address": server, "secretRef": {"name": "creds"}}
    return {
        "apiVersion": api_version,
        "kind": "MetricTemplate",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"provider": provider, "query": f"{name}_total"},
    }


def alert_provider(namespace: str, api_version: str) -> Manifest:
    return {
        "apiVersion": api_version,
        "kind": "AlertProvider",
        "metadata": {"namespace": namespace, "name": "chat"},
        "spec": {"type": "slack", "channel": "ops", "secretRef": {"name": "creds"}},
    }


def secret(namespace: str, server: str) -> Manifest:
    """Of the same name everywhere: which one is used tells whose it was taken for."""
    data = {"token": f"of {namespace}", "address": f"{server}/{namespace}"}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"namespace": namespace, "name": "creds"},
        "stringData": data,
    }


def rollout(namespace: str, other: str) -> Manifest:
    source = f"""
        metric near from template "{namespace}/near" returns number
        metric far from template "{other}/far" returns number
        channel chat {{ provider "{other}/chat" }}

        rollout web in {namespace} {{
          target   deployment/web
          service  {{ port 80; target_port http }}
          traffic  istio
          notify   chat
          analysis {{ every 10s; tolerate 1 failures; require near >= 1; require far >= 1 }}
          steps    {{ shift to 20%; hold 1 checks; promote }}
        }}
    """
    return {"apiVersion": OURS, "kind": "Rollout", "metadata": {"name": "web"}, "spec": {"source": source}}


def canary(namespace: str, other: str) -> Manifest:
    del namespace  # a reference without one means the Canary's own
    metrics = [
        {"name": name, "templateRef": reference, "thresholdRange": {"min": 1}, "interval": "10s"}
        for name, reference in (("near", {"name": "near"}), ("far", {"name": "far", "namespace": other}))
    ]
    analysis = {
        "interval": "10s",
        "threshold": 1,
        "stepWeights": [20],
        "metrics": metrics,
        "alerts": [{"name": "chat", "severity": "info", "providerRef": {"name": "chat", "namespace": other}}],
    }
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    service = {"port": 80, "targetPort": "http"}
    spec = {"provider": "istio", "targetRef": target, "service": service, "analysis": analysis}
    return {"apiVersion": FLAGGERS, "kind": "Canary", "metadata": {"name": "web"}, "spec": spec}


MAKERS = {"Rollout": (OURS, rollout), "Canary": (FLAGGERS, canary)}


async def lived(at_work: Life, kind: str, other: str, server: str) -> None:
    """Everything that is named is there, and the policy too."""
    here = at_work.namespace
    api_version, made = MAKERS[kind]
    for manifest in (
        secret(here, server),
        secret(other, server),
        template(here, "near", api_version, server),
        template(other, "far", api_version, server),
        alert_provider(other, api_version),
    ):
        await at_work.api.apply(manifest)
    await at_work.deployment()
    await at_work.apply(made(here, other))


@pytest.mark.parametrize("kind", sorted(MAKERS))
async def test_each_secret_is_of_the_namespace_of_what_names_it(
    plane: ControlPlane, servers: Servers, kind: str
) -> None:
    here, other = plane.make_namespace(), plane.make_namespace()
    async with life(str(plane.kubeconfig), here, start=False, speed=20) as at_work:
        await at_work.start(namespace=None)
        await lived(at_work, kind, other, servers.url)
        await at_work.phase("Initialized", kind=kind)
        await at_work.push("web:2")
        await at_work.phase("Succeeded", kind=kind)
        assert servers.asked == {("near_total", f"of {here}"), ("far_total", f"of {other}")}
        assert servers.told == {f"/{other}"}


@pytest.mark.parametrize("kind", sorted(MAKERS))
async def test_other_namespaces_can_be_closed(plane: ControlPlane, servers: Servers, kind: str) -> None:
    here, other = plane.make_namespace(), plane.make_namespace()
    async with life(str(plane.kubeconfig), here, start=False, speed=20) as at_work:
        await at_work.start(namespace=None, cross_namespace_refs=False)
        await lived(at_work, kind, other, servers.url)
        said = " ".join(await refused(at_work, kind))
        assert f"names the MetricTemplate `{other}/far` of another namespace" in said
        assert f"names the AlertProvider `{other}/chat` of another namespace" in said
        assert f"`{here}/near`" not in said
        assert "--no-cross-namespace-refs" in said
        await at_work.apply(MAKERS[kind][1](here, here))
        for name in ("far", "near"):
            await at_work.api.apply(template(here, name, MAKERS[kind][0], servers.url))
        await at_work.api.apply(alert_provider(here, MAKERS[kind][0]))
        await at_work.phase("Initialized", kind=kind)
        assert servers.asked == set()


async def refused(at_work: Life, kind: str) -> list[str]:
    """What is said of the object in events."""

    async def words() -> list[str]:
        return [said for said in await at_work.events(kind=kind) if "another namespace" in said]

    found: list[str] = await at_work.so(words, "the refusal is told")
    return found


async def test_what_is_out_of_sight_is_said_to_be(plane: ControlPlane, servers: Servers) -> None:
    """A controller of one namespace knows nothing of others."""
    here, other = plane.make_namespace(), plane.make_namespace()
    async with life(str(plane.kubeconfig), here, speed=20) as at_work:
        await lived(at_work, "Rollout", other, servers.url)
        await at_work.phase("Initialized")
        await at_work.push("web:2")
        said = await at_work.happened("CheckNotMade")
        assert f"there is no MetricTemplate `{other}/far` to be seen from here" in said
        assert f"looks after the namespace `{here}` only" in said
