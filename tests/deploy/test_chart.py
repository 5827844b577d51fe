"""Protects the Helm chart: it puts into a cluster what `rollway install` does, and a real API server takes it all."""

from __future__ import annotations

import json
import shutil
import tomllib
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.generate import described, main, with_values
from interpreter.cluster.access import METRICS, ROUTES
from interpreter.cluster.manifests import ADMISSION_PORT, WEB_PORT
from rollway import __main__ as rollway
from rollway.exit_codes import ExitCode
from tests.controlplane.cluster import ControlPlane
from tests.deploy.chart import CHART, ROOT, Document, helm, of_kind, rendered, template

WEBHOOK = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/rollway"
URL = "https://rollway.example.com"
EVERYTHING: Document = {
    "image": {"repository": "registry.example.com/rollway", "digest": "sha256:" + "0" * 64, "pullPolicy": "Always"},
    "imagePullSecrets": [{"name": "registry"}],
    "replicas": 2,
    "admission": {"mode": "closed", "certificateSecret": "webhook", "annotations": {"cert-manager.io/x": "a/b"}},
    "web": {"enabled": True, "dashboard": True, "externalUrl": URL},
    "metrics": ["job", "keptn", "externalmetrics"],
    "history": 5,
    "workers": 4,
    "log": {"format": "console", "level": "debug"},
    "extraArgs": ["--token-audience", "people"],
    "env": [{"name": "A", "value": "b"}],
    "envFrom": [{"secretRef": {"name": "cloud"}}],
    "volumes": [{"name": "ca", "configMap": {"name": "ca"}}],
    "volumeMounts": [{"name": "ca", "mountPath": "/ca"}],
    "serviceAccount": {"annotations": {"a": "b"}},
    "podLabels": {"team": "delivery"},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"operator": "Exists"}],
    "affinity": {"podAntiAffinity": {}},
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {}}
    ],
    "priorityClassName": "system-cluster-critical",
    "podDisruptionBudget": {"enabled": True},
    "networkPolicy": {
        "enabled": True,
        "metricsFrom": [{"namespaceSelector": {}}],
        "webFrom": [{"podSelector": {}}],
        "egress": [{"ports": [{"port": 443}]}],
    },
    "podMonitor": {"enabled": True, "interval": "30s", "labels": {"release": "prometheus"}},
    "serviceMonitor": {"enabled": True, "interval": "1m"},
}


# --- the same as `rollway install` ---------------------------------------------------------------------------------


SAME: list[tuple[Document, str]] = [
    ({}, ""),
    ({"providers": ["istio"], "flagger": False}, "--provider istio --no-flagger"),
    (
        {"providers": ["nginx", "alb", "kuma", "knative"], "metrics": ["job", "keptn"]},
        "--provider nginx --provider alb --provider kuma --provider knative --metrics job,keptn",
    ),
    ({"watchNamespace": "shop", "providers": ["kuma"]}, "--watch-namespace shop --provider kuma"),
    (
        {"web": {"enabled": True, "dashboard": True, "externalUrl": URL + "/"}, "admission": {"mode": "closed"}},
        f"--web --dashboard --external-url {URL} --admission closed",
    ),
    (
        {
            "watchNamespace": "shop",
            "web": {"enabled": True, "dashboard": True, "readOnly": True, "externalUrl": URL},
            "admission": {"mode": "open"},
            "flagger": False,
        },
        f"--watch-namespace shop --web --dashboard --read-only --external-url {URL} --admission open --no-flagger",
    ),
    (
        {
            "metricsServer": "http://prometheus:9090",
            "defaultProvider": "gatewayapi:v1",
            "crossNamespaceRefs": False,
            "eventWebhook": "http://events.shop/",
            "refuseAddresses": ["10.0.0.0/8", "::/0"],
            "allowAddresses": ["10.1.0.0/16"],
        },
        "--metrics-server http://prometheus:9090 --default-provider gatewayapi:v1 --no-cross-namespace-refs "
        "--event-webhook http://events.shop/ --refuse-addresses 10.0.0.0/8,::/0 --allow-addresses 10.1.0.0/16",
    ),
]


@pytest.mark.parametrize(("values", "line"), SAME, ids=[line or "defaults" for _, line in SAME])
def test_the_chart_is_what_install_prints(capsys: pytest.CaptureFixture[str], values: Document, line: str) -> None:
    assert rollway.main(["install", "--image", "rollway:0.1.0", *line.split()]) == ExitCode.FINE
    printed = list(yaml.safe_load_all(capsys.readouterr().out))
    wanted = normal([document for document in printed if document["kind"] != "Namespace"])
    found = normal(rendered(values))
    assert found.keys() == wanted.keys()
    for name, document in wanted.items():
        assert found[name] == document


def normal(documents: list[Document]) -> dict[tuple[str, str, str], Document]:
    """By kind, namespace and name, without the labels that are Helm's, and with rules as a set."""
    for document in documents:
        labels = document["metadata"]["labels"]
        for key in ("helm.sh/chart", *(f"app.kubernetes.io/{name}" for name in ("instance", "version", "managed-by"))):
            labels.pop(key, None)
        if document["kind"] in ("Role", "ClusterRole"):
            document["rules"] = {json.dumps(rule, sort_keys=True) for rule in document["rules"]}
    named = {(one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]): one for one in documents}
    assert len(named) == len(documents)
    return named


def test_what_is_generated_is_what_the_code_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().err


def test_the_chart_has_the_version_of_the_package() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    package = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert (chart["version"], chart["appVersion"]) == (package, package)


# --- values ----------------------------------------------------------------------------------------------------------


def test_helm_finds_nothing_wrong_with_it(tmp_path: Path) -> None:
    everything = tmp_path / "values.yaml"
    everything.write_text(yaml.safe_dump(EVERYTHING))
    for more in ((), ("--values", str(everything))):
        done = helm("lint", "--strict", "--kube-version", "1.30.0", str(CHART), *more)
        assert done.returncode == 0, done.stdout
        assert "WARNING" not in done.stdout


def test_every_value_is_in_the_schema_and_every_other_refused() -> None:
    def paths(schema: Document, *at: str) -> set[str]:
        inner = schema.get("properties")
        return {".".join(at)} if inner is None else {p for key, one in inner.items() for p in paths(one, *at, key)}

    schema = json.loads((CHART / "values.schema.json").read_text())
    assert {path for path, _, _ in described((CHART / "values.yaml").read_text())} == paths(schema) - {"global"}
    assert schema["properties"]["providers"]["items"]["enum"] == sorted(ROUTES)
    assert schema["properties"]["metrics"]["items"]["enum"] == sorted(METRICS)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"replica": 2}, "replica "),
        ({"admission": {"mode": "ajar"}}, "mode"),
        ({"providers": ["istia"]}, "providers"),
        ({"watchNamespace": "Shop!"}, "watchNamespace"),
        ({"refuseAddresses": ["everything"]}, "refuseAddresses"),
        ({"web": {"externalUrl": "rollway.example.com"}}, "externalUrl"),
        ({"web": {"dashboard": True}}, "are about `web.enabled`: say that as well"),
    ],
)
def test_what_cannot_be_is_refused(values: Document, said: str) -> None:
    done = template(values)
    assert done.returncode != 0
    assert said in done.stderr


def test_every_value_arrives() -> None:
    found = rendered(EVERYTHING)
    (deployment,) = of_kind("Deployment", found)
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert deployment["spec"]["replicas"] == 2
    assert container["image"] == "registry.example.com/rollway@sha256:" + "0" * 64
    assert container["args"][1:5] == [
        *("--admission", f"0.0.0.0:{ADMISSION_PORT}"),
        *("--admission-certificates", container["volumeMounts"][0]["mountPath"]),
    ]
    assert container["args"][5:7] == ["--web", f"0.0.0.0:{WEB_PORT}"]
    assert container["args"][10:] == [
        *("--history", "5", "--workers", "4", "--log-format", "console", "--log-level", "debug"),
        *("--token-audience", "people"),
    ]
    assert [volume["name"] for volume in pod["volumes"]] == ["certificates", "ca"]
    for field in ("nodeSelector", "tolerations", "affinity", "topologySpreadConstraints", "priorityClassName"):
        assert pod[field] == EVERYTHING[field]
    assert deployment["spec"]["template"]["metadata"]["labels"]["team"] == "delivery"
    assert "rollway-controller-admission" not in {role["metadata"]["name"] for role in of_kind("Role", found)}
    (policy,) = of_kind("NetworkPolicy", found)
    assert [rule["ports"][0]["port"] for rule in policy["spec"]["ingress"]] == ["http", "web", "admission"]


def test_the_controller_has_the_options_that_it_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    (deployment,) = of_kind("Deployment", rendered(EVERYTHING))
    rollway.main(["controller", "--help"])
    shown = capsys.readouterr().out
    args: list[str] = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    assert [word for word in args if word.startswith("--") and word not in shown] == []


def test_what_somebody_else_looks_after_is_left_out() -> None:
    off: dict[str, Any] = {"create": False}
    kinds = {
        document["kind"] for document in rendered({"crds": {"install": False}, "rbac": off, "serviceAccount": off})
    }
    assert kinds == {"Deployment"}


def test_a_monitor_keeps_the_labels_of_rollouts() -> None:
    """Without honorLabels `namespace` would be that of the pod, and that of the rollout `exported_namespace`."""
    found = rendered(EVERYTHING)
    (pods,), (service,) = of_kind("PodMonitor", found), of_kind("ServiceMonitor", found)
    assert pods["spec"]["podMetricsEndpoints"][0]["honorLabels"]
    assert service["spec"]["endpoints"][0]["honorLabels"]


def test_a_value_without_a_comment_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`web\.port` has no comment"):
        with_values("", "# The web.\nweb:\n  port: 1\n")


# --- in a cluster ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [{}, EVERYTHING, {"watchNamespace": "default", "admission": {"mode": "open"}}])
def test_the_api_server_takes_every_object(control_plane: ControlPlane, namespace: str, values: Document) -> None:
    control_plane.install_crds("prometheus-operator")
    documents = rendered(values, namespace)
    flags = ("--server-side", "--dry-run=server", "--validate=strict", "--force-conflicts")
    done = control_plane.kubectl("apply", *flags, "-f", "-", stdin=yaml.safe_dump_all(documents))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("serverside-applied") == len(documents)
    assert "Warning" not in done.stderr


def test_it_is_installed_upgraded_rolled_back_and_uninstalled_under_the_restricted_profile(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    """By Helm itself, in a namespace that lets no other pods in."""
    control_plane.install_crds("rollway")
    label = "pod-security.kubernetes.io/enforce=restricted"
    assert control_plane.kubectl("label", "namespace", namespace, label).returncode == 0
    values = tmp_path / "values.yaml"
    common: Document = {"watchNamespace": namespace, "crds": {"install": False}, "podAnnotations": {}}

    def run(command: str, *line: str, **more: Any) -> str:
        values.write_text(yaml.safe_dump({**common, **more}))
        given = ("--values", str(values)) if command in ("install", "upgrade") else ()
        last = ("--namespace", namespace, "--wait", "--timeout", "60s")
        done = helm(command, "rollway", *line, *given, *last, kubeconfig=control_plane.kubeconfig)
        assert done.returncode == 0, done.stderr
        assert "violate PodSecurity" not in done.stderr
        return done.stdout

    def controller() -> Document:
        found: Document = control_plane.api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/rollway-controller")
        return found

    assert f"looks after the namespace {namespace}" in run("install", str(CHART), providers=["nginx"])
    assert controller()["status"]["readyReplicas"] == 1
    run("upgrade", str(CHART), providers=["istio"], replicas=2)
    assert controller()["spec"]["replicas"] == 2
    assert groups_of(control_plane, namespace) >= {"networking.istio.io"}
    run("rollback", "1")
    assert controller()["spec"]["replicas"] == 1
    assert "networking.istio.io" not in groups_of(control_plane, namespace)
    run("uninstall")
    left = control_plane.kubectl("get", "deploy,sa,role,rolebinding", "-n", namespace, "-o", "name").stdout.split()
    assert [name for name in left if "rollway" in name] == []


def test_definitions_are_upgraded_and_stay_and_an_installation_of_ours_is_taken_over(
    bare_api_server: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    """From `rollway install` to Helm, with what belongs to the whole cluster; whom the controller said to trust is
    left alone. Nothing moves there, so there are no pods."""
    definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/rollouts.rollway.dev"
    assert rollway.main(["install", "--image", "x", "--admission", "closed", "--web"]) == ExitCode.FINE
    done = bare_api_server.kubectl("apply", "--server-side", "-f", "-", stdin=capsys.readouterr().out)
    assert done.returncode == 0, done.stderr
    older = {"spec": {"names": {"categories": ["older"]}}}
    patch(bare_api_server, "crd", "rollouts.rollway.dev", "merge", older)

    def run(*line: str) -> None:
        done = helm(*line, "--namespace", "rollway-system", kubeconfig=bare_api_server.kubeconfig)
        assert done.returncode == 0, done.stderr

    on = ("--set", "admission.mode=closed,web.enabled=true")
    run("install", "rollway", str(CHART), "--take-ownership", *on)
    assert bare_api_server.api.get(definition)["spec"]["names"]["categories"] == ["rollway"]
    trusted = b64encode(bare_api_server.api.authority).decode()
    trust = [{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": trusted}]
    patch(bare_api_server, "validatingwebhookconfiguration", "rollway", "json", trust)
    run("upgrade", "rollway", str(CHART), *on, "--set", "providers={istio},admission.mode=open")
    (webhook,) = bare_api_server.api.get(WEBHOOK)["webhooks"]
    assert (webhook["failurePolicy"], webhook["clientConfig"].get("caBundle")) == ("Ignore", trusted)
    run("uninstall", "rollway")
    assert bare_api_server.api.get(definition)["spec"]["names"]["categories"] == ["rollway"]
    kinds = "clusterroles,clusterrolebindings,validatingwebhookconfigurations"
    left = bare_api_server.kubectl("get", kinds, "-l", "app.kubernetes.io/part-of=rollway", "-o", "name")
    assert (left.returncode, left.stdout) == (0, "")


def patch(control_plane: ControlPlane, kind: str, name: str, how: str, change: object) -> None:
    done = control_plane.kubectl("patch", kind, name, "--type", how, "-p", json.dumps(change))
    assert done.returncode == 0, done.stderr


def groups_of(control_plane: ControlPlane, namespace: str) -> set[str]:
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles/rollway-controller"
    return {group for rule in control_plane.api.get(path)["rules"] for group in rule["apiGroups"]}


def test_a_packed_chart_has_all_that_it_needs(tmp_path: Path) -> None:
    done = helm("package", str(CHART), "--destination", str(tmp_path))
    assert done.returncode == 0, done.stderr
    (packed,) = tmp_path.glob("rollway-*.tgz")
    unpacked = tmp_path / "out"
    shutil.unpack_archive(packed, unpacked, filter="data")
    there = {path.relative_to(unpacked / "rollway") for path in unpacked.rglob("*") if path.is_file()}
    assert there >= {path.relative_to(CHART) for path in CHART.rglob("*") if path.is_file()} - {Path(".helmignore")}
