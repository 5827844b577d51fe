"""Protects `rollway install`: what it prints is taken by a real API server, grants nothing that it need not, and is
enough for the controller to live on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from interpreter.cluster.access import LEASES, ROUTES, Rule, rules
from interpreter.cluster.controller import LEASE
from interpreter.cluster.manifests import NAME
from interpreter.traffic.registry import PROVIDERS
from rollway.__main__ import main
from rollway.exit_codes import ExitCode
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.cluster.life import life

POLICY = """
    import "std/http"

    rollout web in {namespace} {{
      target   deployment/web
      service  {{ port 80 }}
      traffic  kubernetes
      steps    {{ promote }}
    }}
"""


def printed(capsys: pytest.CaptureFixture[str], *line: str) -> str:
    assert main(["install", *line]) == ExitCode.FINE
    said = capsys.readouterr()
    assert said.err == ""
    return said.out


def installed(capsys: pytest.CaptureFixture[str], *line: str) -> dict[str, list[dict[str, Any]]]:
    """What is printed, by kind."""
    found: dict[str, list[dict[str, Any]]] = {}
    for document in yaml.safe_load_all(printed(capsys, *line)):
        found.setdefault(document["kind"], []).append(document)
    return found


def granted(capsys: pytest.CaptureFixture[str], *line: str) -> list[dict[str, Any]]:
    found = installed(capsys, *line)
    roles = [*found.get("ClusterRole", []), *found.get("Role", [])]
    return [rule for role in roles for rule in role["rules"]]


def test_the_api_server_takes_it(
    capsys: pytest.CaptureFixture[str], control_plane: ControlPlane, namespace: str
) -> None:
    for line in (
        ("--namespace", namespace),
        ("--namespace", namespace, "--watch-namespace", namespace, "--provider", "istio", "--no-flagger"),
        ("--namespace", namespace, "--watch-namespace", "default", "--metrics-server", "http://prometheus:9090"),
        ("--namespace", namespace, "--admission", "open"),
        ("--namespace", namespace, "--watch-namespace", namespace, "--admission", "closed", "--no-flagger"),
    ):
        text = printed(capsys, *line)
        flags = ("--server-side", "--dry-run=server", "--validate=strict", "--force-conflicts")
        done = control_plane.kubectl("apply", *flags, "-f", "-", stdin=text)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("serverside-applied") == text.count("\nkind: ")
        assert "Warning" not in done.stderr


@pytest.mark.parametrize(
    "line", [(), ("--watch-namespace", "shop"), ("--provider", "nginx", "--no-flagger"), ("--admission", "closed")]
)
def test_nothing_is_granted_wholesale(capsys: pytest.CaptureFixture[str], line: tuple[str, ...]) -> None:
    rules = granted(capsys, *line)
    assert rules
    for rule in rules:
        assert "*" not in (*rule["apiGroups"], *rule["resources"], *rule["verbs"]), rule
        assert not {"escalate", "bind", "impersonate", "deletecollection"} & set(rule["verbs"]), rule
        assert "rbac.authorization.k8s.io" not in rule["apiGroups"], rule
    for binding in (b for kind, each in installed(capsys, *line).items() if kind.endswith("Binding") for b in each):
        assert binding["roleRef"]["name"].startswith(NAME)
        assert [subject["kind"] for subject in binding["subjects"]] == ["ServiceAccount"]


def test_one_namespace_gets_a_role_and_nothing_of_the_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    found = installed(capsys, "--watch-namespace", "shop")
    assert "ClusterRole" not in found
    assert "ClusterRoleBinding" not in found
    assert {role["metadata"]["namespace"] for role in found["Role"]} == {"rollway-system", "shop"}
    (controller,) = found["Deployment"]
    assert controller["spec"]["template"]["spec"]["containers"][0]["args"] == ["controller", "--namespace", "shop"]


def test_a_guest_in_a_namespace_leaves_it_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Namespace" not in installed(capsys, "--namespace", "shop", "--watch-namespace", "shop")
    (made,) = installed(capsys)["Namespace"]
    assert made["metadata"]["name"] == "rollway-system"


def test_the_routes_are_those_of_the_providers_that_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    def groups(*line: str) -> set[str]:
        return {group for rule in granted(capsys, *line) for group in rule["apiGroups"]}

    assert "networking.istio.io" in groups()
    assert "networking.istio.io" in groups("--provider", "istio", "--provider", "nginx")
    assert not {"networking.istio.io", "flagger.app"} & groups("--provider", "nginx", "--no-flagger")
    assert "networking.k8s.io" in groups("--provider", "nginx")


def test_every_provider_that_can_run_has_its_routes_granted() -> None:
    assert set(PROVIDERS) <= set(ROUTES)


def test_without_flagger_nothing_is_overwritten() -> None:
    own = {"rolloutruns/status", "rollouts/finalizers"}
    for rule in rules(ROUTES, flagger=False):
        assert rule.group != "flagger.app"
        assert "update" not in rule.verbs or set(rule.resources) <= own, rule


def test_secrets_are_never_deleted() -> None:
    for rule in rules(ROUTES, flagger=True):
        assert "delete" not in rule.verbs or not {"secrets", "configmaps", "daemonsets"} & {*rule.resources}


def test_services_are_deleted_where_one_is_a_route_alone() -> None:
    deleting = [
        provider
        for provider in ROUTES
        if any("delete" in rule.verbs and "services" in rule.resources for rule in rules([provider], flagger=True))
    ]
    assert deleting == ["haproxy"]


def test_workloads_are_deleted_for_baselines_alone() -> None:
    (found,) = [rule for rule in rules(ROUTES, flagger=True) if rule.group == "apps" and "delete" in rule.verbs]
    assert found.verbs == ("delete",)
    assert "baseline" in found.why


def test_the_lease_is_the_one_that_the_controller_asks_for(capsys: pytest.CaptureFixture[str]) -> None:
    leases = [rule for rule in granted(capsys) if rule["apiGroups"] == ["coordination.k8s.io"]]
    assert [rule.get("resourceNames") for rule in leases if "update" in rule["verbs"]] == [[LEASE]]


def test_the_controller_has_no_more_rights_on_its_node_than_in_the_cluster(capsys: pytest.CaptureFixture[str]) -> None:
    (controller,) = installed(capsys, "--image", "rollway:7")["Deployment"]
    pod = controller["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == "rollway:7"
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {probe: container[probe]["httpGet"]["path"] for probe in ("livenessProbe", "readinessProbe")} == {
        "livenessProbe": "/healthz",
        "readinessProbe": "/readyz",
    }
    assert container["resources"]["limits"]["memory"]


def test_a_value_cannot_be_taken_for_anything_else(capsys: pytest.CaptureFixture[str]) -> None:
    (controller,) = installed(capsys, "--image", 'x"\nhostNetwork: true # $namespace', "--metrics-server", "a: b")[
        "Deployment"
    ]
    pod = controller["spec"]["template"]["spec"]
    assert "hostNetwork" not in pod
    assert pod["containers"][0]["image"] == 'x"\nhostNetwork: true # $namespace'
    assert pod["containers"][0]["args"] == ["controller", "--metrics-server", "a: b"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("--namespace", "Shop!"), "`--namespace Shop!` is no name of a namespace"),
        (("--watch-namespace", "-a"), "`--watch-namespace -a` is no name of a namespace"),
        (("--provider", "istia"), "there is no traffic provider `istia` for a cluster; there are alb, apisix"),
    ],
)
def test_what_cannot_be_is_refused(capsys: pytest.CaptureFixture[str], line: tuple[str, ...], said: str) -> None:
    option, value = line
    assert main(["install", f"{option}={value}"]) == ExitCode.USAGE
    refusal = capsys.readouterr()
    assert refusal.out == ""
    assert said in refusal.err


def test_it_can_be_written_to_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    target = tmp_path / "rollway.yaml"
    assert main(["install", "--output", str(target)]) == ExitCode.FINE
    assert target.read_text() == printed(capsys)


# --- enough to live on ------------------------------------------------------------------------------------------


def rbac(those: tuple[Rule, ...]) -> list[dict[str, Any]]:
    return [
        {
            "apiGroups": [rule.group],
            "resources": list(rule.resources),
            "verbs": list(rule.verbs),
            **({"resourceNames": list(rule.only)} if rule.only else {}),
        }
        for rule in those
    ]


async def test_a_rollout_lives_on_what_is_granted(control_plane: ControlPlane, namespace: str) -> None:
    """From the first primary to a promotion, as the ServiceAccount, with not one request refused."""
    control_plane.install_crds("rollway", "flagger")
    within = tuple(rule for rule in rules(["kubernetes"], flagger=True) if not rule.cluster)
    account = control_plane.as_service_account(namespace, NAME, rbac((*LEASES, *within)))
    mark = control_plane.mark()
    async with life(str(control_plane.kubeconfig), namespace, start=False) as person:
        await person.deployment()
        await person.rollout(POLICY.format(namespace=namespace))
        async with life(str(account), namespace, elect=True, lease_namespace=namespace):
            await person.phase("Initialized")
            await person.deployment(image="web:2")
            await person.phase("Succeeded")
    asked = control_plane.requests(mark, user=f"system:serviceaccount:{namespace}:{NAME}")
    assert asked
    assert [request for request in asked if request.status == 403] == []


def test_a_cluster_that_moves_over_from_flagger_keeps_its_flags(capsys: pytest.CaptureFixture[str]) -> None:
    """`-metrics-server` and `-mesh-provider`."""
    (controller,) = installed(
        capsys, "--metrics-server", "http://prometheus:9090", "--default-provider", "gatewayapi:v1"
    )["Deployment"]
    (container,) = controller["spec"]["template"]["spec"]["containers"]
    assert container["args"] == [
        *("controller", "--metrics-server", "http://prometheus:9090"),
        *("--default-provider", "gatewayapi:v1"),
    ]


def test_metric_providers_of_the_api_server_are_granted_by_name_alone(capsys: pytest.CaptureFixture[str]) -> None:
    def groups(*line: str) -> set[str]:
        return {group for rule in granted(capsys, *line) for group in rule["apiGroups"]}

    theirs = {"batch", "metrics.keptn.sh", "external.metrics.k8s.io"}
    assert not theirs & groups()
    assert theirs & groups("--metrics", "job") == {"batch"}
    assert theirs & groups("--metrics", "job,keptn", "--metrics", "externalmetrics") == theirs
    wild = [rule for rule in granted(capsys, "--metrics", "externalmetrics") if "*" in rule["resources"]]
    assert [(rule["apiGroups"], rule["verbs"]) for rule in wild] == [(["external.metrics.k8s.io"], ["get", "list"])]


def test_a_metric_provider_that_needs_no_rights_is_not_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install", "--metrics", "datadog"]) == ExitCode.USAGE
    assert "those that need some are externalmetrics, job, keptn" in capsys.readouterr().err


def test_references_to_other_namespaces_can_be_switched_off(capsys: pytest.CaptureFixture[str]) -> None:
    (controller,) = installed(capsys, "--no-cross-namespace-refs")["Deployment"]
    (container,) = controller["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["controller", "--no-cross-namespace-refs"]


def test_where_the_controller_calls_nothing_is_its_own_argument(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--event-webhook", "http://events.shop/"]
    made = installed(capsys, *given, "--refuse-addresses", "10.0.0.0/8", "--allow-addresses", "10.1.0.0/16,127.0.0.1")
    (controller,) = made["Deployment"]
    given += ["--refuse-addresses", "10.0.0.0/8", "--allow-addresses", "10.1.0.0/16,127.0.0.1"]
    assert controller["spec"]["template"]["spec"]["containers"][0]["args"] == ["controller", *given]


def test_what_is_no_network_is_not_installed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install", "--refuse-addresses", "10.0.0.1/8"]) == ExitCode.USAGE
    assert "`10.0.0.1/8` has bits behind its prefix: write 10.0.0.0/8" in capsys.readouterr().err


def test_what_is_served_to_people_is_asked_for_and_has_the_rights_that_it_needs_and_no_more(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def installed(*line: str) -> tuple[list[str], set[str], list[str]]:
        """The arguments of the controller, the names of its roles, and the kinds of objects."""
        assert main(["install", "--image", "x", *line]) == ExitCode.FINE
        documents = list(yaml.safe_load_all(capsys.readouterr().out))
        (controller,) = (one for one in documents if one["kind"] == "Deployment")
        roles = {one["metadata"]["name"] for one in documents if one["kind"] in ("Role", "ClusterRole")}
        (container,) = controller["spec"]["template"]["spec"]["containers"]
        return container["args"], roles, [one["kind"] for one in documents]

    args, roles, kinds = installed()
    assert not {"--web", "--dashboard"} & set(args)
    assert "Service" not in kinds
    assert roles == {"rollway-controller", "rollway-controller-leases"}

    url = "https://rollway.example.com"
    args, roles, kinds = installed("--web", "--dashboard", "--external-url", url)
    assert args[-5:] == ["--web", "0.0.0.0:8081", "--dashboard", "--external-url", url]
    assert kinds[-1] == "Service"
    assert {"rollway-controller-web", "rollway-controller-links"} <= roles

    _, roles, _ = installed("--web", "--read-only", "--external-url", url)
    assert "rollway-controller-links" not in roles
    assert main(["install", "--dashboard"]) == ExitCode.USAGE
    assert "say that as well" in capsys.readouterr().err
