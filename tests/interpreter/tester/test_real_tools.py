"""Protects that the tools themselves do what the tester asks of them: the real k6, Locust, hey, wrk, ghz, Helm and
kubectl, against real servers that count what arrives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import httpx
import pytest

from interpreter.tester.allowed import Allowed
from tests.controlplane.cluster import ControlPlane
from tests.controlplane.fetch import find
from tests.controlplane.plugin import missing
from tests.goprograms import UnavailableError
from tests.interpreter.tester.conftest import Podinfo, Starts
from tests.servers.process import serving
from tests.servers.recipes import Server
from tests.testers.recipes import GHZ, HELM, HEY, K6, LOCUST, WRK, programs_in


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """PATH with the tools that the test names in its mark."""
    tools: tuple[Server, ...] = request.param
    monkeypatch.setenv("PATH", str(programs_in(tmp_path / "programs", tools)), prepend=":")


def summary_of(text: str) -> tuple[int, int]:
    """Requests and errors, of the answer of a load test."""
    words = text.replace("(", " ").split()
    return int(words[words.index("requests,") - 1]), int(words[words.index("errors") - 1])


@pytest.mark.parametrize("path", [(HEY,)], indirect=True)
async def test_hey(path: None, tester: Starts, podinfo: Podinfo) -> None:
    client = await tester()
    answer = await client.post(
        type="hey", url=f"{podinfo.url}/a", requests="40", concurrency="4", method="POST", body="a=1",
        host="app.example.com", maxErrorRate="0%", maxP95="20s", **{"header.X-Canary": "in si der"},
    )  # fmt: skip
    assert (answer.status_code, summary_of(answer.text)) == (200, (40, 0)), answer.text
    assert podinfo.requests == {"POST /a": 40}
    assert (podinfo.headers["Host"], podinfo.headers["X-Canary"]) == ("app.example.com", "in si der")
    assert podinfo.body == b"a=1"
    bad = await client.post(type="hey", url=f"{podinfo.url}/bad", duration="500ms", rate="20", maxErrorRate="1%")
    assert (bad.status_code, "100.00% errors, at most 1% allowed" in bad.text) == (500, True), bad.text
    assert summary_of(bad.text)[1] == podinfo.requests["GET /bad"]
    nobody = await client.post(type="hey", url="http://127.0.0.1:1/", requests="2")
    assert (nobody.status_code, "every request failed" in nobody.text) == (500, True), nobody.text


@pytest.mark.parametrize("path", [(HEY,)], indirect=True)
async def test_heys_own_line_as_flaggers_users_write_it(path: None, tester: Starts, podinfo: Podinfo) -> None:
    client = await tester()
    answer = await client.post(
        type="cmd", cmd=f"hey -n 6 -c 2 -H 'X-Canary: insider' {podinfo.url}/", logCmdOutput="true"
    )
    assert answer.status_code == 202
    assert (await client.ended(answer.headers["Rollway-Task"]))["state"] == "passed"
    assert (podinfo.requests, podinfo.headers["X-Canary"]) == ({"GET /": 6}, "insider")


@pytest.mark.parametrize("path", [(WRK,)], indirect=True)
async def test_wrk(path: None, tester: Starts, podinfo: Podinfo) -> None:
    client = await tester()
    answer = await client.post(
        type="wrk", url=f"{podinfo.url}/a", duration="1s", method="PUT", body="b", **{"header.X-Canary": "x"}
    )
    assert answer.status_code == 200, answer.text
    requests, errors = summary_of(answer.text)
    assert 0 < requests <= podinfo.requests["PUT /a"] <= requests + 10
    assert (errors, podinfo.body, podinfo.headers["X-Canary"]) == (0, b"b", "x")
    bad = await client.post(type="wrk", url=f"{podinfo.url}/bad", duration="1s")
    assert (bad.status_code, "every request failed" in bad.text) == (500, True), bad.text
    assert (await client.post(type="wrk", url="http://127.0.0.1:1/", duration="1s")).status_code == 500


@pytest.mark.parametrize("path", [(K6,)], indirect=True)
async def test_k6(path: None, tester: Starts, podinfo: Podinfo, tmp_path: Path) -> None:
    (tmp_path / "shop.js").write_text(
        "import http from 'k6/http';\n"
        "export const options = { thresholds: { http_req_failed: ['rate<0.01'] } };\n"
        "export default function () { http.get(`${__ENV.URL}/`); }\n"
    )
    client = await tester(scripts=PurePosixPath(tmp_path))
    answer = await client.post(type="k6", url=f"{podinfo.url}/a", requests="12", method="POST", body="b", maxP99="20s")
    assert (answer.status_code, summary_of(answer.text)) == (200, (12, 0)), answer.text
    assert (podinfo.requests, podinfo.body) == ({"POST /a": 12}, b"b")
    own = {"type": "k6", "scriptFile": "shop.js", "requests": "4", "concurrency": "2"}
    good = await client.post(**own, **{"env.URL": podinfo.url})
    assert (good.status_code, summary_of(good.text)) == (200, (4, 0)), good.text
    bad = await client.post(**own, **{"env.URL": f"{podinfo.url}/bad"})
    assert (bad.status_code, "thresholds on metrics 'http_req_failed' have been crossed" in bad.text) == (500, True), (
        bad.text
    )


@pytest.mark.parametrize("path", [(K6,)], indirect=True)
async def test_k6_at_a_rate(path: None, tester: Starts, podinfo: Podinfo) -> None:
    client = await tester()
    answer = await client.post(type="k6", url=f"{podinfo.url}/bad", duration="1s", rate="10", maxErrorRate="5%")
    assert (answer.status_code, "100.00% errors" in answer.text) == (500, True), answer.text
    assert 5 <= podinfo.requests["GET /bad"] <= 12


@pytest.mark.parametrize("path", [(LOCUST,)], indirect=True)
async def test_locust(path: None, tester: Starts, podinfo: Podinfo, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        "import os\nfrom locust import HttpUser, task, constant\n"
        "class Visitor(HttpUser):\n    wait_time = constant(0.05)\n"
        "    @task\n    def visit(self):\n        self.client.get(os.environ['TEST_PATH'])\n"
    )
    client = await tester(scripts=PurePosixPath(tmp_path))
    answer = await client.post(type="locust", url=f"{podinfo.url}/a", duration="3s", rate="20", method="POST", body="b")
    assert answer.status_code == 200, answer.text
    requests, errors = summary_of(answer.text)
    assert (errors, podinfo.body) == (0, b"b")
    assert 0 < requests <= podinfo.requests["POST /a"] <= requests + 5
    bad = await client.post(
        type="locust",
        scriptFile="shop.py",
        url=podinfo.url,
        duration="3s",
        maxErrorRate="1%",
        **{"env.TEST_PATH": "/bad"},
    )
    assert (bad.status_code, "100.00% errors" in bad.text) == (500, True), bad.text
    assert podinfo.requests["GET /bad"] > 0


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[str]:
    """HOST:PORT of a real server of gRPC that has the protocol of health and counts its calls: an etcd."""
    try:
        program = find(may_build=False) / "etcd"
    except UnavailableError as error:
        missing(f"no control plane for the tests: {error}")
        raise
    folder = tmp_path / "etcd"
    folder.mkdir()

    def command(port: int) -> tuple[str, ...]:
        url = f"http://127.0.0.1:{port}"
        return (
            *(str(program), "--data-dir", str(folder / "data"), "--listen-client-urls", url),
            *("--advertise-client-urls", url, "--listen-peer-urls", "http://127.0.0.1:0", "--log-level", "error"),
        )

    with serving(command, folder, "/health") as port:
        yield f"127.0.0.1:{port}"


def checks_of(etcd: str) -> int:
    text = httpx.get(f"http://{etcd}/metrics", trust_env=False).text
    return sum(
        int(float(line.split()[-1]))
        for line in text.splitlines()
        if line.startswith("grpc_server_handled_total") and 'grpc_method="Check"' in line
    )


@pytest.mark.parametrize("path", [(GHZ,)], indirect=True)
async def test_ghz(path: None, tester: Starts, etcd: str) -> None:
    client = await tester()
    health = {"type": "ghz", "target": etcd, "call": "grpc.health.v1.Health.Check"}
    answer = await client.post(**health, requests="30", maxErrorRate="0%", maxP95="20s")
    assert (answer.status_code, summary_of(answer.text)) == (200, (30, 0)), answer.text
    assert checks_of(etcd) == 30
    bad = await client.post(**health, requests="5", body='{"service":"nobody"}', maxErrorRate="0%")
    assert (bad.status_code, "100.00% errors" in bad.text) == (500, True), bad.text
    nobody = await client.post(type="ghz", target="127.0.0.1:1", call="grpc.health.v1.Health.Check", requests="2")
    assert nobody.status_code == 500, nobody.text


@pytest.mark.parametrize("path", [(HELM,)], indirect=True)
async def test_helm_and_kubectl_on_a_real_cluster(
    path: None, tester: Starts, control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    control_plane.api.call("POST", f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": "here"}})
    (tmp_path / "programs" / "kubectl").symlink_to(control_plane.kubectl_program)
    where = f"--kubeconfig {control_plane.kubeconfig} -n {namespace}"
    client = await tester(allowed=Allowed(shell=True))
    got = await client.post(type="kubectl", cmd=f"get configmap here -o name {where}", returnCmdOutput="true")
    assert (got.status_code, got.text) == (200, "configmap/here\n")
    chart = tmp_path / "chart"
    made = await client.post(type="helm", cmd=f"create {chart}")
    assert made.status_code == 200, made.text
    installed = await client.post(
        type="helmv3", cmd=f"install shop {chart} {where} --set replicaCount=0", timeout="60s"
    )
    assert installed.status_code == 200, installed.text
    listed = await client.post(type="helm", cmd=f"list -q {where}", returnCmdOutput="true")
    assert (listed.status_code, listed.text) == (200, "shop\n")
    nothing = await client.post(type="helm", cmd=f"test nothing {where}")
    assert (nothing.status_code, "not found" in nothing.text) == (500, True)
