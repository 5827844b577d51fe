"""What `/metrics` and the log say of real rollouts on a real control plane, and that it goes with them."""

from __future__ import annotations

import io
import json
import logging
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from interpreter.cluster.controller import LEASE
from interpreter.cluster.logging import set_up
from interpreter.providers.prometheus import Prometheus
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.cluster.hooks import Hooks
from tests.interpreter.cluster.life import life
from tests.prometheus.server import binary, running, until

FAST = 20.0
POLICY = """
{webhooks}
rollout NAME in NAMESPACE {{
  target deployment/web
  service {{ port 80; target_port http }}
  traffic istio
  analysis {{ every 10s; tolerate 2 failures; call smoke }}
  steps {{ shift to 10%; hold 30s; shift to 30%; hold 30s; promote }}
}}
"""
CANARY: dict[str, Any] = {
    "apiVersion": "flagger.app/v1beta1",
    "kind": "Canary",
    "metadata": {"name": "theirs"},
    "spec": {
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart"},
        "service": {"port": 80, "targetPort": "http"},
        "provider": "istio",
        "analysis": {"interval": "10s", "threshold": 2, "maxWeight": 20, "stepWeight": 10, "metrics": [
            {"name": "request-success-rate", "thresholdRange": {"min": 99}, "interval": "1m"}]},
    },
}  # fmt: skip


def policy(hooks: Hooks, name: str) -> str:
    return POLICY.format(webhooks=hooks.webhook("smoke")).replace("NAME ", f"{name} ", 1)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


async def page(port: int) -> str:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://127.0.0.1:{port}/metrics")
    assert answer.status_code == 200
    return answer.text


class Series:
    """What stands on a page."""

    def __init__(self, text: str) -> None:
        self.families: list[Metric] = list(text_string_to_metric_families(text))
        self.samples = [sample for family in self.families for sample in family.samples]

    def value(self, name: str, /, **labels: str) -> float | None:
        """Of the one series of this name that has these labels."""
        found = [one.value for one in self.samples if one.name == name and labels.items() <= one.labels.items()]
        assert len(found) < 2, f"there are {len(found)} series {name} {labels}"
        return found[0] if found else None

    def about(self, word: str) -> set[str]:
        """The names of series that have a label of this value."""
        return {one.name for one in self.samples if word in one.labels.values()}


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level, ours = root.handlers[:], root.level, logging.getLogger("interpreter").level
    stream = io.StringIO()
    set_up("json", "info", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("interpreter").setLevel(ours)
    structlog.reset_defaults()


async def test_a_life_is_told_in_series_that_go_with_it(kubeconfig: str, namespace: str, hooks: Hooks) -> None:
    port = free_port()
    async with life(kubeconfig, namespace, speed=FAST, port=port) as at_work:
        await at_work.deployment()
        await at_work.rollout(policy(hooks, "shop"), name="shop")
        await at_work.phase("Initialized", "shop")
        first = Series(await page(port))
        whose = {"namespace": namespace, "name": "shop", "kind": "Rollout"}
        flaggers = {"namespace": namespace, "name": "web"}
        assert first.value("flagger_canary_status", **flaggers) == 1
        assert first.value("flagger_canary_weight", namespace=namespace, workload="web-primary") == 100

        await at_work.push("web:2")
        await at_work.until(lambda status: status.get("weight") == 30, "shop")
        half = Series(await page(port))
        assert half.value("flagger_canary_status", **flaggers) == 0
        assert half.value("flagger_canary_weight", namespace=namespace, workload="web") == 30
        assert half.value("flagger_canary_weight", namespace=namespace, workload="web-primary") == 70
        assert half.value("rollway_rollout_weight_percent", **whose) == 30
        assert half.value("rollway_check_value", value="call smoke", **whose) == 1
        assert half.value("rollway_rollouts", namespace=namespace, kind="Rollout", phase="Progressing") == 1

        await at_work.phase("Succeeded", "shop")
        hooks.shut.add("smoke")
        await at_work.push("web:3")
        await at_work.phase("Failed", "shop")
        text = await page(port)
        last = Series(text)
        ends = {"deployment_strategy": "canary", "analysis_status": "completed", **flaggers}
        assert last.value("flagger_canary_total", namespace=namespace) == 1
        assert last.value("flagger_canary_status", **flaggers) == 2
        assert last.value("flagger_canary_successes_total", **ends) == 1
        assert last.value("flagger_canary_failures_total", **ends) == 1
        checks = last.value("rollway_checks_total", verdict="pass", **whose) or 0
        failed = last.value("rollway_checks_total", verdict="fail", **whose) or 0
        assert checks >= 4
        assert failed == 2
        assert last.value("flagger_canary_duration_seconds_count", **flaggers) == checks + failed
        assert last.value("rollway_check_late_seconds_count") == checks + failed
        assert last.value("rollway_rollout_duration_seconds_count", outcome="promoted") == 1
        assert last.value("rollway_rollout_duration_seconds_count", outcome="rolled_back") == 1
        assert (last.value("rollway_rollout_last_duration_seconds", outcome="rolled_back", **whose) or 0) > 20
        assert (last.value("rollway_webhook_duration_seconds_count", kind="webhook", outcome="refused") or 0) >= 2
        assert last.value("rollway_leader") == 1
        assert (last.value("rollway_look_duration_seconds_count", outcome="ok") or 0) > 5
        assert last.value("rollway_queue_depth") == 0
        assert at_work.working is not None
        sent = at_work.working.requests["apply", "VirtualService"]
        assert last.value("rollway_api_requests_total", verb="apply", kind="VirtualService") == sent > 2
        assert (last.value("rollway_watched_objects", kind="Rollout") or 0) == 1
        well_formed(text)

        await at_work.delete("Rollout", "shop")
        await at_work.gone("Rollout", "shop")

        async def forgotten() -> bool:
            return not Series(await page(port)).about("shop")

        await at_work.so(forgotten, "its series go with it")
        assert not Series(await page(port)).about("web")
        assert last.about("shop") >= {"rollway_checks_total", "rollway_check_value"}


async def test_a_canary_has_flaggers_series_under_flaggers_names(
    kubeconfig: str, control_plane: ControlPlane, namespace: str
) -> None:
    control_plane.install_crds("flagger")
    port = free_port()
    async with life(kubeconfig, namespace, port=port, default_provider="istio") as at_work:
        await at_work.deployment("cart")
        await at_work.apply(CANARY)
        await at_work.phase("Initialized", "theirs", kind="Canary")
        seen = Series(await page(port))
        assert seen.value("flagger_info", mesh_provider="istio") == 1
        assert seen.value("flagger_canary_total", namespace=namespace) == 1
        assert seen.value("flagger_canary_status", namespace=namespace, name="cart") == 1
        assert seen.value("rollway_rollouts", namespace=namespace, kind="Canary", phase="Initialized") == 1


async def test_a_prometheus_that_scrapes_us_answers_a_canary_and_flaggers_alert(
    kubeconfig: str, control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    control_plane.install_crds("flagger")
    port = free_port()
    with running(binary(), tmp_path) as prometheus, prometheus.scraping("rollway", f"http://127.0.0.1:{port}"):
        metric = {
            "name": "Leaders-seen",
            "query": "sum(rollway_leader)",
            "interval": "1m",
            "thresholdRange": {"min": 1},
        }
        analysis = {**CANARY["spec"]["analysis"], "metrics": [metric]}
        canary = {**CANARY, "spec": {**CANARY["spec"], "analysis": analysis}}
        asked = Prometheus(prometheus.url)
        async with life(kubeconfig, namespace, speed=FAST, port=port, metrics_server=prometheus.url) as at_work:
            await at_work.deployment("cart")
            await at_work.apply(canary)
            await at_work.phase("Initialized", "theirs", kind="Canary")
            await until(asked, "rollway_leader == 1")
            await at_work.push("cart:2", "cart")
            await at_work.until(lambda status: status.get("canaryWeight") == 20, "theirs", kind="Canary")
            seen = Series(await page(port))
            name = {"namespace": namespace, "metric": "Leaders-seen"}
            assert seen.value("flagger_canary_metric_analysis", **name) == 1
            assert seen.value("rollway_check_threshold", namespace=namespace, kind="Canary") == 1
            queries = {"provider": "prometheus", "outcome": "ok"}
            assert (seen.value("rollway_provider_query_duration_seconds_count", **queries) or 0) > 0

            await at_work.edit("Canary", "theirs", {"spec": {"analysis": {"metrics": [
                {**metric, "thresholdRange": {"min": 2}}]}}})  # fmt: skip
            await at_work.phase("Succeeded", "theirs", kind="Canary")
            await at_work.push("cart:3", "cart")
            await at_work.phase("Failed", "theirs", kind="Canary")
            alert = await until(asked, f'flagger_canary_status{{namespace="{namespace}"}} > 1')
            assert [(one.labels["name"], one.value) for one in alert.samples] == [("cart", 2.0)]
        await asked.close()


async def test_one_that_leads_no_more_tells_of_no_rollouts_until_it_leads_again(
    kubeconfig: str, namespace: str
) -> None:
    port = free_port()
    async with life(kubeconfig, namespace, start=False, lease_namespace=namespace, port=port) as at_work:
        await at_work.start(elect=True)
        await at_work.deployment()
        await at_work.rollout(POLICY.format(webhooks="").replace("NAME ", "web ").replace("; call smoke", ""))
        await at_work.phase("Initialized")
        whose = {"namespace": namespace, "kind": "Rollout", "phase": "Initialized"}

        async def told(leads: int, rollouts: int | None) -> bool:
            series = Series(await page(port))
            return (series.value("rollway_leader"), series.value("rollway_rollouts", **whose)) == (leads, rollouts)

        assert await told(1, 1)
        lease = at_work.ref("Lease", LEASE, "coordination.k8s.io/v1")
        taken = {"spec": {"holderIdentity": "somebody", "leaseDurationSeconds": 600}}
        await at_work.api.patch(lease, taken)
        await at_work.so(lambda: told(0, None), "it leads no more")
        await at_work.api.patch(lease, {"spec": {"holderIdentity": ""}})
        await at_work.so(lambda: told(1, 1), "it leads again, and the same series are there once")


async def test_each_line_of_a_look_says_which_revision_and_step(
    kubeconfig: str, namespace: str, hooks: Hooks, logged: io.StringIO
) -> None:
    weak = False

    def boundary(_: str) -> None:
        nonlocal weak
        if weak:
            weak = False
            raise RuntimeError("a mistake on purpose")

    async with life(kubeconfig, namespace, speed=FAST, boundary=boundary) as at_work:
        await at_work.deployment()
        await at_work.rollout(policy(hooks, "web"))
        await at_work.phase("Initialized")
        await at_work.push("web:2")
        await at_work.until(lambda status: status.get("weight") == 10)
        weak = True
        revision = (await at_work.status())["revision"]
        await at_work.phase("Succeeded")
    lines = [json.loads(line) for line in logged.getvalue().splitlines()]
    [bug, stuck] = [line for line in lines if line["event"].startswith(("a bug", "a rollout is stuck"))]
    for line in (bug, stuck):
        assert (line["rollout"], line["kind"], line["revision"]) == (f"{namespace}/web", "Rollout", revision)
        assert line["step"] in ("1", "2", "3")
    assert not [line for line in lines if "revision" in line and "rollout" not in line], "nothing is left behind"


def well_formed(text: str) -> None:
    """What Prometheus' own tool says of the page: nothing, but of a name that is Flagger's."""
    program = Path(binary()).with_name("promtool")
    assert shutil.which(program), f"{program} comes with the server"
    said = subprocess.run([program, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    complaints = [line for line in (said.stderr + said.stdout).splitlines() if line]
    assert complaints == ['flagger_canary_total non-counter metrics should not have "_total" suffix']
