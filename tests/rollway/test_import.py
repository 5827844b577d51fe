"""Protects `rollway import flagger`: policies that lint, refusals at the field, exit codes that scripts can go by."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from rollway.__main__ import main
from rollway.exit_codes import ExitCode
from tests.dsl.flagger.manifests import canary

TEMPLATE = """\
apiVersion: flagger.app/v1beta1
kind: MetricTemplate
metadata: {name: errors, namespace: test}
spec:
  provider: {type: prometheus, address: "http://prometheus:9090", secretRef: {name: token}}
  query: |
    sum(rate(errors_total{app="{{ target }}"}[{{ interval }}]))
"""
METRIC = {"name": "errors", "templateRef": {"name": "errors"}, "thresholdRange": {"max": 1}, "interval": "1m"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.yaml").write_text(yaml.safe_dump(canary({"metrics": [METRIC]})))
    (tmp_path / "bad.yaml").write_text(yaml.safe_dump(canary({"interval": "soon"}), sort_keys=False))
    (tmp_path / "plain.yaml").write_text(yaml.safe_dump(canary(provider=None)))
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    return tmp_path


def test_a_policy_that_lints(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    assert main(["import", "flagger", "plain.yaml", "--provider", "linkerd", "-o", "x.rollout"]) == ExitCode.FINE
    assert capsys.readouterr() == ("", "")
    assert "traffic linkerd { api smi }" in " ".join((folder / "x.rollout").read_text().split())
    assert main(["lint", "--fail-on", "error", "x.rollout"]) == ExitCode.FINE
    assert main(["fmt", "--check", "x.rollout"]) == ExitCode.FINE


def test_a_template_beside_its_canary_is_written_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "flagger", "good.yaml", "template.yaml"]) == ExitCode.FINE
    text = " ".join(capsys.readouterr().out.split())
    assert 'metric errors returns number { prometheus """sum(rate(errors_total' in text
    assert 'server "http://prometheus:9090" secret "token" }' in text
    assert "require errors <= 1 over 1m" in text


def test_a_template_elsewhere_is_referred_to(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "flagger", "good.yaml"]) == ExitCode.FINE
    assert 'metric errors from template "test/errors" returns number' in capsys.readouterr().out


def test_what_is_refused_is_shown_at_its_field(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", "flagger", "plain.yaml", "bad.yaml"]) == ExitCode.FINDINGS
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "error[RW901]: `spec.analysis.interval` is `soon`, which is no duration" in printed.err
    assert " --> bad.yaml:" in printed.err
    assert "interval: soon" in printed.err
    assert "= help: write one such as `30s` or `1m`" in printed.err


def test_a_warning_stands_beside_the_policy(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "mirror.yaml").write_text(yaml.safe_dump(canary({"mirror": True}, provider="linkerd")))
    assert main(["import", "flagger", "mirror.yaml"]) == ExitCode.FINE
    printed = capsys.readouterr()
    assert "rollout podinfo in test {" in printed.out
    assert "warning[RW902]: `spec.analysis.mirror`" in printed.err


def test_a_credential_in_a_hook_is_still_an_error(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    hook = {"name": "h", "url": "http://h/", "metadata": {"cmd": "curl -u admin:hunter2-hunter2 http://x/"}}
    (folder / "secret.yaml").write_text(yaml.safe_dump(canary({"webhooks": [hook]})))
    assert main(["import", "flagger", "secret.yaml"]) == ExitCode.FINDINGS
    assert "the policy has 1 error, which must be mended before it is used" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        (["nothing.yaml"], ExitCode.USAGE, "cannot read `nothing.yaml`"),
        (["good.yaml", "--provider", "isto"], ExitCode.USAGE, "did you mean `istio`?"),
        (["other.yaml"], ExitCode.FINDINGS, "there is no Canary, MetricTemplate or AlertProvider"),
        (["bytes.yaml"], ExitCode.FINDINGS, "not UTF-8"),
        (["broken.yaml"], ExitCode.FINDINGS, "this is not YAML"),
    ],
)
def test_what_goes_wrong(
    line: list[str], code: ExitCode, said: str, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    (folder / "other.yaml").write_text("apiVersion: v1\nkind: Service\n")
    (folder / "bytes.yaml").write_bytes(b"a: \xe9\n")
    (folder / "broken.yaml").write_text("a: [\n")
    assert main(["import", "flagger", *line]) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err
