"""A small client of the Kubernetes API for the tests: JSON in, JSON out, and an error that says what the server said.

It is not the interpreter's client, so that a test which asks whether that one did right does not ask it itself.
"""

from __future__ import annotations

import base64
import ssl
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import httpx
import yaml

PATIENCE_S = 30.0
APPLY = "application/apply-patch+yaml"

Json = dict[str, Any]


class ApiError(Exception):
    """The server refused; `status` is the HTTP status, `body` its own words (a `Status`), if it had any."""

    def __init__(self, method: str, path: str, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(f"{method} {path}: {status}: {body.get('message', body)}")
        self.status, self.body = status, body


class Api:
    """As whom a kubeconfig says. A token, or a client certificate; not a program that is to be asked for one."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        context = _named(config, "context", config["current-context"])
        cluster = _named(config, "cluster", context["cluster"])
        user = _named(config, "user", context["user"])
        self.server: str = cluster["server"]
        self.namespace: str = context.get("namespace", "default")
        self.authority = _authority(cluster)
        self.token: str = user.get("token", "")
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        self._client = httpx.Client(
            base_url=self.server, headers=headers, verify=_tls(self.authority, user), trust_env=False, timeout=60
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()

    def call(self, method: str, path: str, body: object = None, *, kind: str = "application/json") -> Any:
        """What the server answers. `path` may have a query. Raises ApiError, and httpx.HTTPError if nobody answers."""
        headers = {"Content-Type": kind} if body is not None else {}
        answer = self._client.request(method, path, headers=headers, json=body)
        is_json = "json" in answer.headers.get("Content-Type", "")
        if answer.status_code >= 400:
            raise ApiError(method, path, answer.status_code, answer.json() if is_json else {"message": answer.text})
        return answer.json() if is_json else answer.text

    def get(self, path: str) -> Any:
        return self.call("GET", path)

    def delete(self, path: str, propagation: str = "Background") -> Any:
        return self.call(
            "DELETE", path, {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
        )

    def merge(self, path: str, patch: object) -> Any:
        """A JSON merge patch."""
        return self.call("PATCH", path, patch, kind="application/merge-patch+json")

    def apply(self, path: str, document: object, manager: str = "test") -> Any:
        """Server-side apply, by force; `path` is that of the object."""
        return self.call("PATCH", f"{path}?fieldManager={manager}&force=true", document, kind=APPLY)

    def answers(self, path: str) -> bool:
        """Is there such a thing, and somebody who says so?"""
        try:
            self.get(path)
        except (ApiError, httpx.HTTPError):
            return False
        return True

    def until(self, path: str, holds: Callable[[Any], object], patience_s: float = PATIENCE_S) -> Any:
        """The object, once `holds` is true of it; it need not be there yet. AssertionError has its last state."""
        limit = time.monotonic() + patience_s
        while True:
            try:
                seen: Any = self.get(path)
                if holds(seen):
                    return seen
            except ApiError as error:
                if error.status != 404:
                    raise
                seen = str(error)
            if time.monotonic() > limit:
                raise AssertionError(f"{path} did not come to be so within {patience_s:.0f} s; it is {seen}")
            time.sleep(0.05)

    def until_gone(self, path: str, patience_s: float = PATIENCE_S) -> None:
        """Return once there is no such object. Raises AssertionError."""
        limit = time.monotonic() + patience_s
        while self.answers(path):
            if time.monotonic() > limit:
                raise AssertionError(f"{path} is still there after {patience_s:.0f} s")
            time.sleep(0.05)


def _named(config: Json, kind: str, name: str) -> Json:
    found: Json = next(each[kind] for each in config[f"{kind}s"] if each["name"] == name)
    return found


def _authority(cluster: Json) -> bytes:
    """The certificates that vouch for the server."""
    if text := cluster.get("certificate-authority-data"):
        return base64.b64decode(text)
    if "certificate-authority" not in cluster:
        raise ValueError(f"the kubeconfig names no certificate authority for {cluster['server']}; it needs one")
    return Path(cluster["certificate-authority"]).read_bytes()


def _tls(authority: bytes, user: Json) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authority.decode())
    if "client-certificate" in user:
        context.load_cert_chain(user["client-certificate"], user["client-key"])
    elif "client-certificate-data" in user:
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = Path(folder, "certificate"), Path(folder, "key")
            certificate.write_bytes(base64.b64decode(user["client-certificate-data"]))
            key.write_bytes(base64.b64decode(user["client-key-data"]))
            context.load_cert_chain(certificate, key)
    return context
