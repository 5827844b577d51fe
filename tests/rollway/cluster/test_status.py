"""`status` and `history` against a real API server, with the test in the interpreter's place."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from interpreter.workloads.revision import cleaned
from rollway.__main__ import main
from rollway.exit_codes import ExitCode
from tests.controlplane.cluster import ControlPlane
from tests.rollway.cluster import objects, writing
from tests.rollway.cluster.conftest import Cluster, on_terminal

ROOT = Path(__file__).resolve().parents[3]
TEMPLATE = {
    "metadata": {"labels": {"app": "checkout"}},
    "spec": {"containers": [{"name": "app", "image": "registry.example/app:1"}]},
}


# --- what is seen once ------------------------------------------------------------------------------------------


def test_the_table_has_rollouts_and_canaries(cluster: Cluster) -> None:
    cluster.rollout(reason="holding")
    owner = cluster.canary()
    cluster.run(owner, reason="waiting for gate `load`")
    said = cluster.rollway("status")
    assert said.code == ExitCode.FINE
    head, cart, checkout = said.out.splitlines()
    assert head.split() == ["NAME", "PHASE", "STEP", "WEIGHT", "FAILED", "REVISION", "AGE", "WAITING", "FOR"]
    assert cart.startswith("canary/cart  Progressing  4 ramp 10% to 50% by 20%")
    assert cart.endswith("waiting for gate `load`")
    assert checkout.startswith("checkout     Progressing  4 ramp 10% to 50% by 20%  30%")


def test_names_and_data_for_scripts(cluster: Cluster) -> None:
    owner, _ = cluster.waiting()
    cluster.canary()
    assert cluster.rollway("status", "-o", "name").out == "canary.flagger.app/cart\nrollout.rollway.dev/checkout\n"
    rows = json.loads(cluster.rollway("status", "-o", "json").out)
    assert [(row["kind"], row["name"], row["phase"], row["weight"]) for row in rows] == [
        ("Canary", "cart", "Progressing", 0),
        ("Rollout", "checkout", "WaitingPromotion", 50),
    ]
    whole = yaml.safe_load(cluster.rollway("status", "checkout", "-o", "yaml").out)
    assert whole["step"]["number"] == objects.WAITS + 1
    assert whole["possible"] == ["approve", "promote", "abort", "pause"]
    assert whole["steps"][objects.WAITS] == "wait for approval"
    assert whole["lastCheck"]["results"][1]["values"] == {"latency(0.99)": "740ms"}
    assert whole["run"]["log"][-1]["what"] == "CheckFailed"
    assert cluster.rollway("status", "checkout", "-o", "name").out == "rollout.rollway.dev/checkout\n"
    del owner


def test_the_page_of_one(cluster: Cluster) -> None:
    cluster.waiting()
    said = cluster.rollway("status", "rollout/checkout")
    assert said.code == ExitCode.FINE
    assert said.out.startswith(f"checkout in {cluster.namespace}: WaitingPromotion\nrevision       ff87463d6c ")
    assert f"rollway approve checkout -n {cluster.namespace} --revision ff87463d6c" in said.out


def test_the_history_and_a_record(cluster: Cluster) -> None:
    owner, _ = cluster.waiting()
    cluster.run(owner, 1, "Failed", outcome="rolled_back", reason="3 failed checks")
    lines = cluster.rollway("history", "checkout").out.splitlines()
    assert [line.split()[0] for line in lines] == ["RUN", "2", "1"]
    assert lines[2].endswith("3 failed checks")
    record = cluster.rollway("history", "checkout", "1")
    assert record.out.startswith(f"checkout in {cluster.namespace}: run 1\nrevision        ff87463d6c\n")
    assert "2026-11-23 10:05:00Z  3  30%  TrafficRouted  canary weight 30%\n" in record.out
    data = json.loads(cluster.rollway("history", "checkout", "1", "-o", "json").out)
    assert (data["outcome"], data["highestWeight"], len(data["log"])) == ("rolled_back", 30, 4)
    absent = cluster.rollway("history", "checkout", "7")
    assert absent.code == ExitCode.USAGE
    assert f"there is no run 7 of `checkout` in `{cluster.namespace}`; kept are 2, 1" in absent.err


# --- what is wrong ----------------------------------------------------------------------------------------------


def test_no_such_rollout_is_told_what_there_is(cluster: Cluster) -> None:
    where = f"in namespace `{cluster.namespace}`"
    nothing = f"rollway: there is no rollout `checkout` {where}, nor any other; "
    assert cluster.rollway("status", "checkout").err.startswith(nothing)
    cluster.rollout()
    assert cluster.rollway("status", "chekcout").err == (
        f"rollway: there is no rollout `chekcout` {where}; did you mean `checkout`?\n"
    )
    assert cluster.rollway("status", "zzz").err == f"rollway: there is no rollout `zzz` {where}; it has `checkout`\n"
    assert cluster.rollway("status", "canary/checkout").err.startswith(
        f"rollway: there is no Canary `checkout` {where}"
    )
    assert "names no rollout" in cluster.rollway("status", "deployment/checkout").err


def test_two_kinds_of_one_name_are_told_apart(cluster: Cluster) -> None:
    cluster.rollout("cart")
    cluster.canary("cart")
    said = cluster.rollway("status", "cart")
    assert said.code == ExitCode.USAGE
    assert said.err == (
        f"rollway: `cart` in `{cluster.namespace}` is a Rollout and a Canary: say `rollout/cart` or `canary/cart`\n"
    )
    assert cluster.rollway("status", "canary/cart", "-o", "name").out == "canary.flagger.app/cart\n"
    assert cluster.rollway("status", "rollout/cart", "-o", "name").out == "rollout.rollway.dev/cart\n"


def test_who_may_not_look_is_told_so(cluster: Cluster) -> None:
    kubeconfig = cluster.plane.as_service_account(cluster.namespace, "nobody", [])
    said = cluster.rollway("status", kubeconfig=kubeconfig)
    assert said.code == ExitCode.USAGE
    assert 'cannot list resource "rollouts" in API group "rollway.dev"' in said.err


def test_who_may_look_at_one_kind_sees_that_and_is_told_of_the_other(cluster: Cluster) -> None:
    cluster.rollout()
    cluster.canary()
    rules = [{"apiGroups": ["rollway.dev"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]
    kubeconfig = cluster.plane.as_service_account(cluster.namespace, "ours", rules)
    said = cluster.rollway("status", kubeconfig=kubeconfig)
    assert said.code == ExitCode.FINE
    assert "checkout" in said.out
    assert said.err.startswith("note: ")
    assert 'cannot list resource "canaries"' in said.err
    assert cluster.rollway("status", "checkout", kubeconfig=kubeconfig).code == ExitCode.FINE
    assert 'cannot get resource "canaries"' in cluster.rollway("status", "cart", kubeconfig=kubeconfig).err
    assert cluster.rollway("status", "--watch", "--timeout", "1s", kubeconfig=kubeconfig).code == ExitCode.FINE


def test_a_cluster_without_the_definitions_is_told_how_to_get_them(
    bare_api_server: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = Cluster(bare_api_server, "default", capsys)
    said = cluster.rollway("status")
    assert said.code == ExitCode.USAGE
    assert said.err == (
        "rollway: the API server serves no Rollout in rollway.dev/v1alpha1: "
        "`rollway install | kubectl apply -f -` installs what is missing\n"
    )
    assert "the definitions that come with Flagger" in cluster.rollway("abort", "canary/cart").err
    bare_api_server.install_crds("flagger")
    assert cluster.rollway("status").err == "there is no rollout in namespace `default`\n"
    cluster.close()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("status", "--kubeconfig", "/nowhere/config"), "there is no kubeconfig /nowhere/config"),
        (("status", "a", "-A"), "`--all-namespaces` shows every rollout: it goes with neither a name nor a namespace"),
        (("status", "--timeout", "1m"), "`--revision` and `--timeout` go with `--watch`"),
        (("status", "a", "--watch", "-o", "json"), "`--watch` is for people to see: it goes with no `--output`"),
        (("status", "--watch", "--revision", "1"), "`--revision` is that of one rollout: name it"),
        (("status", "a", "--watch", "--timeout", "soon"), "`--timeout` is a length of time such as `90s`"),
        (("approve", "a", "--wait", "1m30"), "`--wait` is a length of time such as `90s` or `1h30m`, not `1m30`"),
    ],
)
def test_a_wrong_line_is_told_what_is_right(
    line: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(list(line)) == ExitCode.USAGE
    told = capsys.readouterr().err
    assert told.startswith(f"rollway: {said}")
    assert told.count("\n") == 1


def test_a_cluster_that_does_not_answer_is_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "clusters": [{"name": "a", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "a", "user": {"token": "t"}}],
    }
    (tmp_path / "config").write_text(json.dumps(config))
    assert main(["status", "--kubeconfig", str(tmp_path / "config")]) == ExitCode.USAGE
    said = capsys.readouterr().err
    assert "https://127.0.0.1:1 cannot be reached" in said
    assert "is it the right cluster? `--context` and `--kubeconfig` choose another" in said


# --- what is watched --------------------------------------------------------------------------------------------


def test_a_watch_ends_with_the_rollout_and_tells_each_thing_once(cluster: Cluster) -> None:
    owner, run = cluster.waiting()
    approved = {"at": "2026-11-23T10:09:00Z", "step": 6, "weight": 50, "what": "Approved", "text": "approved by anna"}
    promoted = {"at": "2026-11-23T10:10:00Z", "step": 7, "weight": 0, "what": "Promoted", "text": "it is promoted"}

    def interpreter() -> None:
        writing.status(cluster.api, run, log=[*objects.LOG, approved])
        writing.status(cluster.api, owner, phase="Promoting", reason="")
        writing.status(cluster.api, run, log=[*objects.LOG, approved, promoted], outcome="promoted", reason="")
        writing.status(cluster.api, owner, phase="Succeeded", step=None, weight=0)

    process = watching(cluster, "checkout")
    assert process.stdout is not None
    first = process.stdout.readline() + process.stdout.readline()
    assert "Check            fail at 50%: success_rate >= 99% (success_rate 99.8%); fail: latency" in first
    assert f"{cluster.namespace}/checkout WaitingPromotion step 7, 50%: waiting for approval" in first
    interpreter()
    out, err = process.communicate(timeout=60)
    assert process.returncode == ExitCode.FINE
    said = [line[11:] for line in out.splitlines()]
    assert said[-1] == f"Succeeded        {cluster.namespace}/checkout Succeeded 0%"
    assert [line for line in said if line.startswith(("Approved", "Promoted"))] == [
        "Approved         approved by anna",
        "Promoted         it is promoted",
    ]
    assert err == f"checkout in {cluster.namespace}: promoted ff87463d6c\n"


def test_a_rollback_ends_a_watch_with_an_error(cluster: Cluster) -> None:
    owner = cluster.rollout(phase="Failed", step=None, reason="3 failed checks")
    cluster.run(owner, phase="Failed", outcome="rolled_back", reason="3 failed checks")
    said = cluster.rollway("status", "checkout", "--watch", "--timeout", "1m")
    assert said.code == ExitCode.FINDINGS
    assert said.err == f"checkout in {cluster.namespace}: rolled back ff87463d6c: 3 failed checks\n"


def test_a_watch_that_takes_too_long_says_where_it_stands(cluster: Cluster) -> None:
    cluster.waiting()
    said = cluster.rollway("status", "checkout", "--watch", "--timeout", "1s")
    assert said.code == ExitCode.WAITING
    assert said.err.startswith(f"not at rest after 1s: checkout in {cluster.namespace}: WaitingPromotion ff87463d6c")


def test_a_watch_of_what_is_deleted_ends(cluster: Cluster) -> None:
    owner, _ = cluster.waiting()
    process = watching(cluster, "checkout")
    assert process.stdout is not None
    process.stdout.readline()
    cluster.api.delete(writing.path(owner))
    _, err = process.communicate(timeout=60)
    assert process.returncode == ExitCode.FINDINGS
    assert err == f"checkout in {cluster.namespace} has been deleted\n"


def test_a_target_that_has_changed_is_waited_for(cluster: Cluster) -> None:
    """`kubectl set image … && rollway status --watch`: the last rollout's success is not this one's."""
    deployment = target(cluster)
    owner = cluster.rollout(phase="Succeeded", step=None)
    run = objects.run(owner, phase="Succeeded", outcome="promoted")
    run["spec"]["template"] = cleaned(deployment["spec"]["template"])
    writing.write(cluster.api, run)
    assert cluster.rollway("status", "checkout", "--watch", "--timeout", "1m").code == ExitCode.FINE
    image = [{"name": "app", "image": "registry.example/app:2"}]
    cluster.api.merge(writing.path(deployment), {"spec": {"template": {"spec": {"containers": image}}}})
    assert cluster.rollway("status", "checkout", "--watch", "--timeout", "1s").code == ExitCode.WAITING


def test_a_revision_that_is_named_is_waited_for(cluster: Cluster) -> None:
    owner = cluster.rollout(phase="Succeeded", step=None, lastPromotedSpec="ff87463d6c")
    cluster.run(owner, 1, "Failed", outcome="rolled_back")
    record = objects.run(owner, 2, "Terminated", outcome="superseded")
    record["spec"]["revision"] = "1111111111"
    writing.write(cluster.api, record)

    def watched(revision: str) -> int:
        return cluster.rollway("status", "checkout", "--watch", "--revision", revision, "--timeout", "1s").code

    assert watched("ff87463d6c") == ExitCode.FINDINGS
    assert watched("1111111111") == ExitCode.FINDINGS
    assert watched("2222222222") == ExitCode.WAITING
    cluster.run(owner, 3, "Succeeded", outcome="promoted")
    assert watched("ff87463d6c") == ExitCode.FINE


def test_all_rollouts_can_be_watched(cluster: Cluster) -> None:
    cluster.rollout(reason="holding")
    cluster.canary()
    said = cluster.rollway("status", "--watch", "--timeout", "1s")
    assert said.code == ExitCode.FINE
    assert f"{cluster.namespace}/checkout Progressing step 4, 30%: holding" in said.out
    assert f"{cluster.namespace}/canary/cart Progressing" in said.out


def watching(cluster: Cluster, name: str) -> subprocess.Popen[str]:
    """`status NAME --watch` in a process of its own."""
    where = ["-n", cluster.namespace, "--kubeconfig", str(cluster.kubeconfig)]
    return subprocess.Popen(
        [sys.executable, "-m", "rollway", "status", name, "--watch", "--timeout", "2m", *where],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def target(cluster: Cluster) -> dict[str, object]:
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "checkout"}}, "template": TEMPLATE}
    metadata = {"name": "checkout", "namespace": cluster.namespace}
    return writing.write(
        cluster.api, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
    )


def test_on_a_terminal_a_watch_is_a_picture_that_stays_to_the_end(cluster: Cluster) -> None:
    owner = cluster.rollout(phase="Failed", step=None, reason="3 failed checks")
    cluster.run(owner, phase="Failed", outcome="rolled_back", reason="3 failed checks")
    said, code = on_terminal(cluster, b"", "status", "checkout", "--watch")
    assert code == ExitCode.FINDINGS
    assert f"checkout in {cluster.namespace}: Failed" in said
    assert "╰──" in said
    assert said.rstrip().endswith("rolled back ff87463d6c: 3 failed checks")
