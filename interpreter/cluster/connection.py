"""How the API server is found, and with whose credentials.

In this order: a kubeconfig that is named; the files that `KUBECONFIG` lists; the service account of our pod;
`~/.kube/config`. Tokens in files are read again every minute, for the kubelet changes them while we run, and at once
after a 401. Certificates are always checked, unless the kubeconfig says `insecure-skip-tls-verify`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import ConfigException, load_kube_config
from kubernetes.aio.config.incluster_config import InClusterConfigLoader

from interpreter.cluster.api import TIMEOUT_S, Api
from interpreter.masking import mask

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TOKEN_S = 60.0


class ConnectionConfigError(Exception):
    """There are no credentials, or they cannot be used. The message says which file, what is wrong, and what to do."""


class TokenFile:
    """A bearer token that somebody else keeps fresh in a file."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._token = ""
        self._read_at: float | None = None

    def token(self) -> str:
        """What stands in the file, or stood there a minute ago at most. A file that cannot be read leaves the old."""
        now = self._clock()
        if self._read_at is None or now - self._read_at >= TOKEN_S:
            try:
                self._token = self._path.read_text(encoding="ascii").strip() or self._token
                self._read_at = now
            except (OSError, ValueError) as trouble:
                if not self._token:
                    raise ConnectionConfigError(f"the token file {self._path} cannot be read: {trouble}") from trouble
        return self._token

    def expire(self) -> None:
        """Read it anew next time."""
        self._read_at = None


async def connect(kubeconfig: str | None = None, context: str | None = None, *, seconds: float = TIMEOUT_S) -> Api:
    """Connection to the cluster, with `seconds` for each request; none is sent yet. Raises `ConnectionConfigError`."""
    configuration: Any = Configuration()
    configuration.connection_pool_maxsize = 0  # every watch holds a connection; requests are limited by the Api
    # Chain and host are still checked. The strict profile of Python 3.13 refuses authorities that clusters have.
    configuration.disable_strict_ssl_verification = True
    files = _kubeconfigs(kubeconfig)
    if files is None:
        namespace, tokens = _in_cluster(configuration, context), TokenFile(ACCOUNT / "token")
        _keep_fresh(configuration, tokens)
        return Api(ApiClient(configuration), namespace=namespace, renew=tokens.expire, timeout=seconds)
    namespace, renew = await _from_files(configuration, files, context)
    return Api(ApiClient(configuration), namespace=namespace, renew=renew, timeout=seconds)


def _kubeconfigs(kubeconfig: str | None) -> str | None:
    """The kubeconfigs to read, separated as in PATH; None for the pod's service account."""
    if kubeconfig:
        if not Path(kubeconfig).expanduser().is_file():
            raise ConnectionConfigError(f"there is no kubeconfig {kubeconfig}")
        return kubeconfig
    if listed := os.environ.get("KUBECONFIG"):
        there = [name for name in listed.split(os.pathsep) if name and Path(name).expanduser().is_file()]
        if not there:
            raise ConnectionConfigError(f"KUBECONFIG is `{listed}`, and there is no such file")
        return os.pathsep.join(there)
    if os.environ.get("KUBERNETES_SERVICE_HOST") and (ACCOUNT / "token").is_file():
        return None
    usual = Path("~/.kube/config").expanduser()
    if usual.is_file():
        return str(usual)
    raise ConnectionConfigError(
        f"there is no cluster to connect to: no {usual}, no KUBECONFIG, and no service account of a pod; "
        "give a kubeconfig with `--kubeconfig FILE`"
    )


def _in_cluster(configuration: Any, context: str | None) -> str:
    if context:
        raise ConnectionConfigError(f"there is no context `{context}` in a pod; give a kubeconfig that has it")
    make: Any = InClusterConfigLoader
    loader = make(str(ACCOUNT / "token"), str(ACCOUNT / "ca.crt"), try_refresh_token=False)
    try:
        loader.load_and_set(configuration)
        return (ACCOUNT / "namespace").read_text(encoding="utf-8").strip() or "default"
    except (ConfigException, OSError) as trouble:
        raise ConnectionConfigError(f"the service account in {ACCOUNT} cannot be used: {trouble}") from trouble


async def _from_files(configuration: Any, files: str, context: str | None) -> tuple[str, Callable[[], None] | None]:
    """Load a context. The namespace that it names, and what makes its token be read anew."""
    try:
        load: Any = load_kube_config
        loader = await load(files, context, configuration, persist_config=False)
    except (ConfigException, yaml.YAMLError, OSError, ValueError, TypeError, AttributeError) as trouble:
        why = mask(" ".join(str(trouble).split()))
        raise ConnectionConfigError(f"the kubeconfig {files} cannot be used: {why}") from trouble
    chosen = loader.current_context["context"]
    user = _user(loader)
    if "exec" in user and not configuration.api_key and not configuration.cert_file:
        command = user["exec"].get("command", "")
        raise ConnectionConfigError(
            f"`{command}`, which the kubeconfig {files} names, gave no credentials: run it to see"
        )
    namespace = str(chosen.get("namespace") or "default")
    if "token" not in user and "tokenFile" in user and "exec" not in user:
        tokens = TokenFile(_beside(files, user["tokenFile"]))
        _keep_fresh(configuration, tokens)
        return namespace, tokens.expire
    if "exec" in user and configuration.api_key:
        return namespace, _keep_asking(configuration, loader)
    return namespace, None


def _beside(files: str, name: str) -> Path:
    """A file that a kubeconfig names: a relative name begins at the first kubeconfig's folder."""
    return Path(files.split(os.pathsep, maxsplit=1)[0]).expanduser().parent / name


def _user(loader: Any) -> dict[str, Any]:
    node = loader._user
    return dict(node.value) if node is not None else {}


def _keep_fresh(configuration: Any, tokens: TokenFile) -> None:
    def refresh(fresh: Any) -> None:
        fresh.api_key["BearerToken"] = f"Bearer {tokens.token()}"

    refresh(configuration)
    configuration.refresh_api_key_hook = refresh


def _keep_asking(configuration: Any, loader: Any) -> Callable[[], None]:
    """Run the credential plugin again when its token runs out, or was refused."""
    refused = False

    async def refresh(fresh: Any) -> None:
        nonlocal refused
        if refused:
            vars(loader).pop("exec_plugin_expiry", None)
        if refused or hasattr(loader, "exec_plugin_expiry"):  # without an expiry it would be run for every request
            refused = False
            await loader.load_from_exec_plugin()
            fresh.api_key["BearerToken"] = loader.token

    def renew() -> None:
        nonlocal refused
        refused = True

    configuration.refresh_api_key_hook = refresh
    return renew
