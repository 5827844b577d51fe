"""`rollway doctor` on a real API server with RBAC: what is missing is found, and said with what to do."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from interpreter.admission.certificates import issue
from interpreter.cluster.manifests import Installation, documents
from rollway.__main__ import main
from rollway.exit_codes import ExitCode
from tests.controlplane.cluster import ControlPlane

SYSTEM = "rollway-system"
NOW = datetime.now(UTC)
ROLLOUT = {
    "apiVersion": "rollway.dev/v1alpha1",
    "kind": "Rollout",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {
        "source": "rollout web {\n  target deployment/web\n  service { port 80 }\n  traffic istio\n"
        "  steps { shift to 10%; promote }\n}\n"
    },
}


class Patient:
    """An API server with an installation on it, and the command that examines it."""

    def __init__(self, plane: ControlPlane, capsys: pytest.CaptureFixture[str]) -> None:
        self.plane = plane
        self._capsys = capsys

    def install(self, **wanted: Any) -> None:
        """As `rollway install | kubectl apply` does, but for the definitions."""
        given = {"providers": ("istio",), "flagger": False, **wanted}
        for text in documents(Installation("registry.example/rollway:1", SYSTEM, **given)):
            for manifest in yaml.safe_load_all(text):
                self.apply(manifest)

    def apply(self, manifest: dict[str, Any]) -> None:
        self.plane.api.apply(path(manifest), manifest)

    def edit(self, where: str, change: dict[str, Any], subresource: str = "") -> None:
        found = self.plane.api.get(where)
        for key, value in change.items():
            found[key] = value
        self.plane.api.call("PUT", f"{where}{subresource}", found)

    def examined(self, *line: str) -> tuple[int, dict[str, list[dict[str, str]]]]:
        """The exit code, and the findings by verdict."""
        self._capsys.readouterr()
        code = main(["doctor", "-o", "json", "--kubeconfig", str(self.plane.kubeconfig), *line])
        told = json.loads(self._capsys.readouterr().out)
        by_verdict: dict[str, list[dict[str, str]]] = {}
        for one in told["findings"]:
            by_verdict.setdefault(one["verdict"], []).append(one)
        return code, by_verdict

    def wrong(self, *line: str) -> list[str]:
        """What is wrong."""
        return [one["what"] for one in self.examined(*line)[1].get("wrong", [])]

    def said(self, *line: str) -> str:
        self._capsys.readouterr()
        main(["doctor", "--kubeconfig", str(self.plane.kubeconfig), *line])
        return self._capsys.readouterr().out

    def run(self) -> None:
        """What a kubelet and a controller would say: the pod is ready, and the Lease held."""
        where = f"/apis/apps/v1/namespaces/{SYSTEM}/deployments/rollway-controller"
        self.edit(where, {"status": {"replicas": 1, "readyReplicas": 1}}, "/status")
        self.apply(
            {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": "rollway-controller", "namespace": SYSTEM},
                "spec": {
                    "holderIdentity": "pod-1",
                    "leaseDurationSeconds": 3600,
                    "renewTime": NOW.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                },
            }
        )


def path(manifest: dict[str, Any]) -> str:
    version, kind, metadata = manifest["apiVersion"], manifest["kind"].lower(), manifest["metadata"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    inside = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"{root}{inside}/{kind if kind.endswith('s') else kind + 's'}/{metadata['name']}"


@pytest.fixture
def patient(bare_api_server: ControlPlane, capsys: pytest.CaptureFixture[str]) -> Patient:
    return Patient(bare_api_server, capsys)


def test_what_is_missing_is_found_step_by_step_until_nothing_is_wrong(patient: Patient) -> None:
    code, found = patient.examined()
    assert code == ExitCode.FINDINGS
    wrong = [one["what"] for one in found["wrong"]]
    assert "there is no definition of rollway.dev: nothing is installed" in wrong
    assert "there is no controller in the cluster: nothing carries out rollouts" in wrong
    assert all(one["do"] for one in found["wrong"])

    patient.plane.install_crds("rollway")
    patient.install()
    wrong = patient.wrong()
    [stopped] = wrong
    patient.plane.remove_crds("rolloutruns.rollway.dev")
    assert "the definition rolloutruns.rollway.dev is missing" in patient.wrong()
    patient.plane.install_crds("rollway")
    assert stopped == f"the controller {SYSTEM}/rollway-controller (registry.example/rollway:1): 0 of 1 pod ready"

    patient.run()
    patient.apply(ROLLOUT)
    [no_istio] = patient.wrong()
    assert no_istio.startswith("the traffic provider istio is not installed: the cluster serves no virtualservices.")

    patient.plane.install_crds("istio")
    code, found = patient.examined()
    assert code == ExitCode.FINE, found.get("wrong")
    fine = [one["what"] for one in found["ok"]]
    assert "6 of 6 definitions as this rollway has them" in fine
    assert "pod-1 leads" in fine
    assert "the traffic provider istio has what its routes are made of" in fine
    assert any(one.startswith(f"the ServiceAccount {SYSTEM}/rollway-controller may do all") for one in fine)
    assert patient.said().endswith("\nnothing is wrong\n")


def test_a_verb_that_the_role_lacks_is_named(patient: Patient) -> None:
    patient.plane.install_crds("rollway", "istio")
    patient.install()
    patient.run()
    patient.apply(ROLLOUT)
    assert patient.wrong() == []
    where = "/apis/rbac.authorization.k8s.io/v1/clusterroles/rollway-controller"
    rules = patient.plane.api.get(where)["rules"]
    for rule in rules:
        if "virtualservices" in rule["resources"]:
            rule["verbs"].remove("patch")
    patient.edit(where, {"rules": rules})
    account = f"the ServiceAccount {SYSTEM}/rollway-controller"
    assert patient.wrong() == [
        f"{account} may not patch {kind}.networking.istio.io in the whole cluster, which it needs to route traffic"
        for kind in ("virtualservices", "destinationrules")
    ]
    assert f"rollway install --namespace {SYSTEM} --provider istio --no-flagger" in patient.said()

    patient.plane.api.delete("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/rollway-controller")
    patient.plane.api.delete(
        f"/apis/rbac.authorization.k8s.io/v1/namespaces/{SYSTEM}/rolebindings/rollway-controller-leases"
    )
    assert f"{account} may do nothing: no role is bound to it" in patient.wrong()


def test_a_webhook_that_the_api_server_does_not_trust(patient: Patient) -> None:
    patient.plane.install_crds("rollway")
    patient.install(admission="closed")
    patient.run()
    assert any(f"the Secret {SYSTEM}/rollway-admission" in one for one in patient.wrong())
    pair, other = (issue([f"rollway-admission.{SYSTEM}.svc"], NOW) for _ in range(2))
    data = {key: base64.b64encode(text.encode()).decode() for key, text in pair.secret().items()}
    patient.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "rollway-admission", "namespace": SYSTEM},
            "data": data,
        }
    )
    assert [one.rpartition(": ")[2] for one in patient.wrong()] == ["its caBundle is empty"]
    trust(patient, other.bundle)
    [distrusted] = patient.wrong()
    assert distrusted.endswith("its caBundle has none that signed the certificate that the controller shows")
    trust(patient, pair.bundle)
    assert patient.wrong() == []


def trust(patient: Patient, bundle: str) -> None:
    where = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/rollway"
    hooks = patient.plane.api.get(where)["webhooks"]
    for hook in hooks:
        hook["clientConfig"]["caBundle"] = base64.b64encode(bundle.encode()).decode()
    patient.edit(where, {"webhooks": hooks})


def test_a_flagger_beside_us_and_a_metric_server_that_is_not_there(patient: Patient) -> None:
    patient.plane.install_crds("rollway")
    patient.install(flagger=True, metrics_server="http://prometheus.monitoring:9090")
    patient.run()
    flagger = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "flagger", "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": {"app": "flagger"}},
            "template": {
                "metadata": {"labels": {"app": "flagger"}},
                "spec": {"containers": [{"name": "flagger", "image": "ghcr.io/fluxcd/flagger:1.42.0"}]},
            },
        },
    }
    patient.apply(flagger)
    assert patient.wrong() == [
        f"the metric server of the controller {SYSTEM}/rollway-controller is to be Service `monitoring/prometheus`, "
        "which does not exist",
        f"Flagger (default/flagger) and the controller {SYSTEM}/rollway-controller both carry out Canaries",
    ]


def test_a_metric_server_that_answers_and_one_in_the_cluster_that_does_not(patient: Patient) -> None:
    patient.plane.install_crds("rollway")
    patient.install(metrics_server="http://prometheus.default.svc:9090")
    patient.run()
    service = {"metadata": {"name": "prometheus", "namespace": "default"}, "spec": {"ports": [{"port": 9090}]}}
    patient.apply({"apiVersion": "v1", "kind": "Service", **service})
    [silent] = patient.wrong()
    assert silent.startswith("the metric server Service `default/prometheus` does not answer")
    with answering() as url:
        patient.install(metrics_server=url)
        _, found = patient.examined()
        assert "the metric server 127.0.0.1 answers, asked from here" in [one["what"] for one in found["ok"]]
    _, found = patient.examined()
    assert [one["what"] for one in found["unseen"] if "was not reached from here" in one["what"]]


@contextmanager
def answering() -> Iterator[str]:
    """In a Prometheus' place: answers an instant query in its format."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            good = urlsplit(self.path).path == "/api/v1/query"
            body = json.dumps({"status": "success", "data": {"resultType": "scalar", "result": [1, "1"]}}).encode()
            self.send_response(200 if good else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_what_one_may_not_see_is_unseen_and_not_wrong(patient: Patient) -> None:
    patient.plane.install_crds("rollway")
    patient.install()
    patient.run()
    may = [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list"]}]
    somebody = patient.plane.as_service_account("default", "somebody", [], may)
    code, found = patient.examined("--kubeconfig", str(somebody))
    assert code == ExitCode.FINE
    unseen = " ".join(one["what"] for one in found["unseen"])
    for what in ("the definitions", "the rights", "the admission webhook", "what policies use"):
        assert what in unseen


def test_a_line_that_is_not_right(patient: Patient) -> None:
    assert main(["doctor", "--provider", "istoi"]) == ExitCode.USAGE
    assert main(["doctor", "-o", "name"]) == ExitCode.USAGE
