"""`render` from files and from a cluster: what a person gets, and what a wrong line is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from rollway.__main__ import main
from rollway.exit_codes import ExitCode
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.test_rendering import DEPLOYMENT, KEYS, POLICY, SETTINGS
from tests.rollway.cluster import objects, writing

MATCHING = POLICY.replace("shift to 10%", 'route to canary when header "x-user" =~ "^beta-"').replace(
    "promote }", "hold 5m; promote }"
)
CANARY = yaml.safe_dump(objects.canary("checkout", "shop"))


class Shell:
    """A folder with files in it, and the command that reads them."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def file(self, name: str, *texts: object) -> str:
        """A file of these texts or objects, and its path."""
        parts = [text if isinstance(text, str) else yaml.safe_dump(text) for text in texts]
        (self.folder / name).write_text("---\n".join(parts))
        return str(self.folder / name)

    def render(self, *line: str) -> tuple[int, list[Any], str]:
        """The exit code, the objects printed, and what was said."""
        self._capsys.readouterr()
        code = main(["render", *line])
        out, err = self._capsys.readouterr()
        return code, [one for one in yaml.safe_load_all(out) if one], err


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, capsys)


def of_kind(found: list[Any], kind: str) -> Any:
    [one] = [each for each in found if each["kind"] == kind]
    return one


def weights(found: list[Any]) -> list[int]:
    return [route["weight"] for route in of_kind(found, "VirtualService")["spec"]["http"][0]["route"]]


@pytest.mark.parametrize("written", ["20%", "20", "20.0%"])
def test_a_weight_is_in_the_route(shell: Shell, written: str) -> None:
    code, found, said = shell.render(shell.file("p.rollout", POLICY), "--weight", written)
    assert code == ExitCode.FINE
    assert weights(found) == [80, 20]
    assert "Deployment `shop/checkout` is not there" in said


def test_the_target_has_its_primary_printed_and_no_secret(shell: Shell) -> None:
    target = shell.file("d.yaml", DEPLOYMENT, SETTINGS, KEYS)
    code, found, said = shell.render(shell.file("p.rollout", POLICY), "--target", target)
    assert code == ExitCode.FINE
    assert of_kind(found, "Deployment")["metadata"]["name"] == "checkout-primary"
    assert of_kind(found, "ConfigMap")["metadata"]["name"] == "settings-primary"
    assert "note: Secret `shop/keys-primary` is a copy of Secret `shop/keys`, and is not shown\n" in said
    assert "c2VjcmV0" not in str(found) + said


def test_objects_without_a_namespace_are_in_the_policys(shell: Shell) -> None:
    target = shell.file("d.yaml", DEPLOYMENT.replace("namespace: shop, ", ""))
    _, found, _ = shell.render(shell.file("p.rollout", POLICY), "--target", target)
    assert of_kind(found, "Deployment")["metadata"]["namespace"] == "shop"


def test_a_mirror_and_the_policys_own_matches(shell: Shell) -> None:
    policy = shell.file("p.rollout", MATCHING)
    _, found, _ = shell.render(policy, "--mirror", "10%")
    assert of_kind(found, "VirtualService")["spec"]["http"][0]["mirrorPercentage"] == {"value": 10}
    _, found, _ = shell.render(policy, "--match", "policy")
    assert "x-user" in str(of_kind(found, "VirtualService")["spec"]["http"][0]["match"])


def test_matches_as_they_are_typed(shell: Shell) -> None:
    policy = shell.file("p.rollout", POLICY)
    line = ("--weight", "5%", "--match", 'x-user=be"ta', "--match", 'cookie "canary" == "always" and query "q" exists')
    code, found, _ = shell.render(policy, *line)
    assert code == ExitCode.FINE
    said = [rule.get("match") for rule in of_kind(found, "VirtualService")["spec"]["http"]]
    assert said[0][0]["headers"] == {"x-user": {"exact": 'be"ta'}}
    assert "canary=always" in str(said[0][1]["headers"])
    assert "q" in said[0][1]["queryParams"]


def test_the_baseline_is_shown_if_it_is_asked_for(shell: Shell) -> None:
    policy = shell.file("p.rollout", POLICY.replace("traffic istio", "traffic istio\n  baseline"))
    code, found, said = shell.render(policy, "--weight", "10%")
    assert code == ExitCode.FINE, said
    assert "`--baseline` shows it" in said
    assert "checkout-baseline" not in str(found)
    target = shell.file("d.yaml", DEPLOYMENT)
    code, found, said = shell.render(policy, "--weight", "10%", "--baseline", "--target", target)
    assert code == ExitCode.FINE, said
    assert weights(found) == [80, 10, 10]
    kinds = {one["kind"] for one in found if one["metadata"]["name"] == "checkout-baseline"}
    assert kinds >= {"Deployment", "Service"}
    assert "ownerReferences" not in str(found)


def test_another_provider(shell: Shell) -> None:
    policy = shell.file("p.rollout", POLICY)
    _, found, _ = shell.render(policy, "--provider", "kubernetes")
    assert {one["kind"] for one in found} == {"Service"}
    code, _, said = shell.render(policy, "--provider", "carrier-pigeon")
    assert code == ExitCode.USAGE
    assert said.startswith("rollway: there is no traffic provider `carrier-pigeon`; there is istio, ")


@pytest.mark.parametrize("rollout", [CANARY, objects.rollout("checkout", "shop")], ids=["canary", "rollout"])
def test_manifests_are_rendered_with_what_else_is_in_their_file(shell: Shell, rollout: object) -> None:
    code, found, _ = shell.render(shell.file("all.yaml", rollout, DEPLOYMENT), "--weight", "20%")
    assert code == ExitCode.FINE
    assert weights(found) == [80, 20]
    assert of_kind(found, "Deployment")["metadata"]["name"] == "checkout-primary"


def test_one_of_several_rollouts(shell: Shell) -> None:
    policy = shell.file("p.rollout", POLICY + POLICY.replace("rollout checkout", "rollout pay").partition('http"')[2])
    code, _, said = shell.render(policy)
    assert code == ExitCode.USAGE
    assert said == "rollway: there are several rollouts, `checkout`, `pay`: choose one with --rollout\n"
    _, found, _ = shell.render(policy, "--rollout", "pay")
    assert of_kind(found, "VirtualService")["metadata"]["labels"]["rollway.dev/rollout"] == "pay"


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        (("p.rollout", "--weight", "120%"), 2, "`--weight` is a share such as `20%`, from 0% to 100%, not `120%`"),
        (("p.rollout", "--mirror", "some"), 2, "`--mirror` is a share such as `20%`"),
        (("p.rollout", "--match", "policy"), 2, "no step of `checkout` matches requests, so `--match policy` has noth"),
        (("p.rollout", "--match", "beta"), 2, "`--match beta` is no condition ("),
        (("p.rollout", "--match", "x=1", "--provider", "smi"), 1, "`smi` cannot "),
        (("p.rollout", "--mirror", "5%", "--provider", "nginx"), 1, "`nginx` cannot "),
        (("p.rollout", "--baseline"), 1, "`checkout` has no `baseline` in its policy, so there is none to show"),
        (("p.rollout", "--sticky"), 2, "no step of `checkout` is sticky, so `--sticky` has nothing to take"),
        (("p.rollout", "--rollout", "pay"), 2, "there is no rollout `pay` in `p.rollout`; there is `checkout`"),
        (("p.rollout", "--target", "s.yaml"), 2, "`--target` holds ConfigMap `shop/settings`, and the policy's target"),
        (("p.rollout", "--provider", "kubernetes", "--weight", "20%"), 1, "a Kubernetes Service gives all requests"),
        (("p.rollout", "--existing", "x.yaml"), 2, "cannot read `x.yaml`: no such file"),
        (("p.rollout", "--existing", "odd.yaml"), 2, "`odd.yaml` holds what is no object of Kubernetes"),
        (("s.yaml",), 2, "there is no rollout in `s.yaml`, so there is nothing to render"),
        (("checkout", "--target", "s.yaml"), 2, "there is no file `checkout`; of a rollout in the cluster"),
        (("ref.yaml",), 2, "a Rollout whose text is elsewhere (`spec.sourceRef`) cannot be rendered from its file"),
    ],
)
def test_what_cannot_be_rendered_is_told_why(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, line: tuple[str, ...], code: int, said: str
) -> None:
    monkeypatch.chdir(shell.folder)
    shell.file("p.rollout", POLICY)
    shell.file("s.yaml", SETTINGS)
    shell.file("odd.yaml", {"apiVersion": "v1", "kind": "Service"})
    reference = objects.rollout("checkout", "shop")
    reference["spec"] = {"sourceRef": {"name": "policies"}}
    shell.file("ref.yaml", reference)
    ended, found, told = shell.render(*line)
    assert (ended, found) == (code, [])
    assert told.splitlines()[-1].startswith(f"rollway: {said}")


def test_what_the_data_plane_needs_and_is_not_there_is_asked_for(shell: Shell) -> None:
    policy = shell.file("p.rollout", POLICY.replace("traffic istio", "traffic istio { route shop-routes }"))
    code, _, said = shell.render(policy, "--weight", "20%")
    assert code == ExitCode.FINDINGS
    assert "VirtualService `shop/shop-routes`" in said
    assert "`--existing FILE` gives it" in said


def test_errors_in_a_policy_and_in_yaml_are_shown_at_their_place(shell: Shell) -> None:
    code, _, said = shell.render(shell.file("p.rollout", POLICY.replace("promote }", "promot }")))
    assert code == ExitCode.FINDINGS
    assert "p.rollout:8:" in said
    code, _, said = shell.render(shell.file("c.yaml", CANARY.replace("threshold: 5", "threshold: many")))
    assert code == ExitCode.FINDINGS
    assert "threshold" in said
    code, _, said = shell.render(shell.file("broken.yaml", "kind: [\n"))
    assert code == ExitCode.FINDINGS
    assert "broken.yaml:" in said


def test_what_is_printed_is_taken_by_the_api_server(
    control_plane: ControlPlane, namespace: str, shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    control_plane.install_crds("istio")
    place = ("in shop", f"in {namespace}")
    policy = shell.file("p.rollout", POLICY.replace(*place))
    target = shell.file("d.yaml", DEPLOYMENT.replace("namespace: shop, uid: u1, ", ""))
    assert main(["render", policy, "--weight", "20%", "--mirror", "10%", "--target", target]) == ExitCode.FINE
    done = control_plane.kubectl("apply", "--server-side", "-f", "-", stdin=capsys.readouterr().out)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("serverside-applied") == 7


def test_a_rollout_in_the_cluster_is_rendered_from_what_is_there(
    control_plane: ControlPlane, namespace: str, shell: Shell
) -> None:
    control_plane.install_crds("rollway", "istio")
    target = yaml.safe_load(DEPLOYMENT)
    target["metadata"] = {"name": "checkout", "namespace": namespace}
    target["spec"]["replicas"] = 0
    writing.write(control_plane.api, target)
    owner = writing.write(control_plane.api, objects.rollout(namespace=namespace))
    where = ("-n", namespace, "--kubeconfig", str(control_plane.kubeconfig))
    code, found, said = shell.render("checkout", *where)
    assert code == ExitCode.FINE, said
    assert weights(found) == [70, 30]
    primary = of_kind(found, "Deployment")
    assert primary["metadata"]["name"] == "checkout-primary"
    assert "uid" not in primary["metadata"]

    record = objects.run(owner)
    record["spec"]["program"]["service"]["name"] = "pinned"
    writing.write(control_plane.api, record)
    _, found, _ = shell.render("checkout", "--weight", "0%", *where)
    assert {one["metadata"]["name"] for one in found if one["kind"] == "Service"} == {
        "pinned",
        "pinned-primary",
        "pinned-canary",
    }
