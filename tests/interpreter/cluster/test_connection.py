"""How the cluster and the credentials are found."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from interpreter.cluster import connection
from interpreter.cluster.api import ApiError
from interpreter.cluster.connection import ConnectionConfigError, TokenFile, connect
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.cluster.tools import connected


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No credentials of whoever runs the tests."""
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(connection, "ACCOUNT", tmp_path / "account")
    return tmp_path


async def test_nothing_is_found() -> None:
    with pytest.raises(ConnectionConfigError, match="give a kubeconfig with `--kubeconfig FILE`"):
        await connect()
    with pytest.raises(ConnectionConfigError, match="there is no kubeconfig /nowhere/config"):
        await connect("/nowhere/config")


async def test_a_context_that_is_not_there(control_plane: ControlPlane) -> None:
    with pytest.raises(ConnectionConfigError, match=r"cannot be used: .*elsewhere"):
        await connect(str(control_plane.kubeconfig), "elsewhere")


@pytest.mark.parametrize("text", ["", "[]", "{", "apiVersion: v1\nkind: Config\n"])
async def test_a_file_that_is_no_kubeconfig(nowhere: Path, text: str) -> None:
    (nowhere / "config").write_text(text)
    with pytest.raises(ConnectionConfigError, match="config cannot be used"):
        await connect(str(nowhere / "config"))


@pytest.mark.parametrize("by", ["name", "variable", "home"])
async def test_a_kubeconfig_by_name_by_variable_and_at_home(
    control_plane: ControlPlane, nowhere: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    named = None
    if by == "name":
        named = str(control_plane.kubeconfig)
    elif by == "variable":
        monkeypatch.setenv("KUBECONFIG", f"{nowhere}/none:{control_plane.kubeconfig}")
    else:
        (nowhere / ".kube").mkdir()
        (nowhere / ".kube" / "config").write_text(control_plane.kubeconfig.read_text())
    async with await connect(named) as api:
        assert (await api.raw("GET", "/version"))["gitVersion"] == control_plane.version


async def test_the_service_account_of_a_pod(
    control_plane: ControlPlane, namespace: str, nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}]
    config = yaml.safe_load(control_plane.as_service_account(namespace, "pod", rules).read_text())
    async with connected(control_plane.kubeconfig) as api:
        bundle: str = api._client.configuration.ssl_ca_cert
    folder = nowhere / "account"
    folder.mkdir()
    (folder / "ca.crt").write_bytes((nowhere / bundle).read_bytes())
    (folder / "namespace").write_text(namespace)
    (folder / "token").write_text("stale")
    host, _, port = control_plane.server.removeprefix("https://").partition(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    async with await connect() as api:
        assert api.namespace == namespace
        with pytest.raises(ApiError, match="the credentials are wrong or have run out"):
            await api.list(("v1", "ConfigMap"), namespace)
        (folder / "token").write_text(config["users"][0]["user"]["token"] + "\n")
        await api.list(("v1", "ConfigMap"), namespace)


async def test_a_token_file_of_a_kubeconfig_is_read_again(control_plane: ControlPlane, nowhere: Path) -> None:
    config = yaml.safe_load(control_plane.kubeconfig.read_text())
    token = config["users"][0]["user"].pop("token")
    config["users"][0]["user"]["tokenFile"] = "token"
    (nowhere / "config").write_text(yaml.safe_dump(config))
    (nowhere / "token").write_text("stale")
    async with await connect(str(nowhere / "config")) as api:
        with pytest.raises(ApiError):
            await api.raw("GET", "/version/nothing")
        (nowhere / "token").write_text(token)
        await api.list(("v1", "Namespace"))


async def test_a_credential_plugin_that_gives_nothing_is_named(control_plane: ControlPlane, nowhere: Path) -> None:
    config = yaml.safe_load(control_plane.kubeconfig.read_text())
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin", "interactiveMode": "Never"}
    config["users"][0]["user"] = {"exec": plugin}
    (nowhere / "config").write_text(yaml.safe_dump(config))
    with pytest.raises(ConnectionConfigError, match=r"`no-such-plugin`.* gave no credentials"):
        await connect(str(nowhere / "config"))


async def test_a_list_of_kubeconfigs_none_of_which_is_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere/one:/nowhere/other")
    with pytest.raises(ConnectionConfigError, match="KUBECONFIG is `/nowhere/one:/nowhere/other`, and there is no"):
        await connect()


def test_a_token_is_read_again_after_a_minute_and_kept_if_it_cannot_be(tmp_path: Path) -> None:
    now = 0.0
    path = tmp_path / "token"
    tokens = TokenFile(path, clock=lambda: now)
    with pytest.raises(ConnectionConfigError, match="cannot be read"):
        tokens.token()
    path.write_text("one\n")
    assert tokens.token() == "one"
    path.write_text("two")
    now = 59
    assert tokens.token() == "one"
    now = 60
    assert tokens.token() == "two"
    path.unlink()
    now = 120
    assert tokens.token() == "two"
    path.write_text("three")
    tokens.expire()
    assert tokens.token() == "three"
