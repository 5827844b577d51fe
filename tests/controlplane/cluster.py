"""What a test has in its hands: a cluster, ways to ask it things as anybody, and what was asked of it."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.controlplane.api import Api, Json
from tests.controlplane.audit import AuditLog, Mark, Request
from tests.controlplane.definitions import OURS, Definitions, absent
from tests.controlplane.plane import write_kubeconfig


class ControlPlane:
    """`kubeconfig` and `api` are the administrator's; `about` says in a few words what this is."""

    def __init__(
        self,
        kubeconfig: Path,
        folder: Path,
        where: str,
        *,
        binaries: Path | None = None,
        audit_log: Path | None = None,
        moves: bool = True,
    ) -> None:
        """`folder` is for what is written on the way. `moves`: there are controllers, and nodes with pods."""
        self.kubeconfig = kubeconfig
        self.moves = moves
        self.api = Api(kubeconfig)
        self.server = self.api.server
        self.version: str = self.api.get("/version")["gitVersion"]
        self.about = f"Kubernetes {self.version} ({where})"
        self._folder = folder
        self._binaries = binaries
        self._log = audit_log
        self._definitions = Definitions(self.api, folder)

    def close(self) -> None:
        self.api.close()

    def make_namespace(self) -> str:
        """A fresh one, with its default service account if the cluster has somebody who makes those."""
        name = f"t-{secrets.token_hex(5)}"
        self.api.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        if self.moves:
            self.api.until(f"/api/v1/namespaces/{name}/serviceaccounts/default", bool)
        return name

    def drop_namespace(self, name: str) -> None:
        """Asked for, not waited for."""
        self.api.delete(f"/api/v1/namespaces/{name}")

    def as_service_account(
        self, namespace: str, name: str, rules: Sequence[Json], cluster_rules: Sequence[Json] = ()
    ) -> Path:
        """The kubeconfig of a service account that may do what `rules` (of RBAC) allow, and nothing else.

        `rules` hold in the namespace, `cluster_rules` everywhere. Both are gone with the namespace. The token lasts an
        hour. Calling it again for the same account sets its rules anew.
        """
        inside = f"/api/v1/namespaces/{namespace}"
        self.api.apply(f"{inside}/serviceaccounts/{name}", _document("v1", "ServiceAccount", name))
        owner = self.api.get(inside)["metadata"]
        owned = [{"apiVersion": "v1", "kind": "Namespace", "name": namespace, "uid": owner["uid"]}]
        rbac = "/apis/rbac.authorization.k8s.io/v1"
        subjects = [{"kind": "ServiceAccount", "name": name, "namespace": namespace}]
        for prefix, kind, called, allowed in (
            (f"{rbac}/namespaces/{namespace}/", "Role", name, rules),
            (f"{rbac}/", "ClusterRole", f"{namespace}-{name}", cluster_rules),
        ):
            role = _document("rbac.authorization.k8s.io/v1", kind, called, rules=list(allowed))
            binding = _document(
                "rbac.authorization.k8s.io/v1",
                f"{kind}Binding",
                called,
                subjects=subjects,
                roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": called},
            )
            if kind == "ClusterRole":
                role["metadata"]["ownerReferences"] = binding["metadata"]["ownerReferences"] = owned
            self.api.apply(f"{prefix}{kind.lower()}s/{called}", role)
            self.api.apply(f"{prefix}{kind.lower()}bindings/{called}", binding)
        return self.kubeconfig_of(namespace, name)

    def kubeconfig_of(self, namespace: str, name: str) -> Path:
        """Of a service account that there is, with a token that lasts an hour."""
        inside = f"/api/v1/namespaces/{namespace}"
        asked = {"spec": {"expirationSeconds": 3600}}
        token = self.api.call("POST", f"{inside}/serviceaccounts/{name}/token", asked)["status"]["token"]
        path = self._folder / f"{namespace}-{name}.kubeconfig"
        return write_kubeconfig(path, self.server, self.api.authority, token, namespace)

    def kubectl(
        self, *arguments: str, kubeconfig: Path | None = None, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl, as the administrator unless said otherwise; whether it went well is for the caller to see."""
        program = self.kubectl_program
        environment = {
            **os.environ,
            "KUBECACHEDIR": str(self._folder / "kubectl"),
            "KUBECONFIG": str(kubeconfig or self.kubeconfig),
        }
        return subprocess.run(
            (program, *arguments), input=stdin or "", capture_output=True, text=True, check=False, env=environment
        )

    @property
    def kubectl_program(self) -> str:
        """Raises FileNotFoundError."""
        beside = self._binaries / "kubectl" if self._binaries is not None else None
        found = str(beside) if beside is not None and beside.exists() else shutil.which("kubectl")
        if found is None:
            raise FileNotFoundError("there is no kubectl, neither beside the control plane's programs nor on PATH")
        return found

    def install_crds(self, *names: str) -> tuple[str, ...]:
        """Have CustomResourceDefinitions established; returns their names. Done once a session, by whoever is first.

        A name is a folder of the reference (`istio`), a file in it (`smi/osm_trafficsplits.yaml`), a path, or `rollway`
        for ours. Raises ValueError if there is no such thing, or if another version of one of them is installed: a test
        of that takes `bare_api_server`, which nobody else sees.
        """
        why = absent()
        if why is not None and set(names) != {OURS}:
            pytest.skip(why)
        return self._definitions.install(*names)

    def remove_crds(self, *names: str) -> None:
        """Definitions by their own names, and all objects of them; for a cluster that nobody else sees."""
        self._definitions.remove(*names)

    def mark(self) -> Mark:
        """From here on. Leaves the test out on a cluster that is not ours, which does not show its audit log."""
        return self._audit.mark()

    def requests(self, since: Mark, **wanted: str) -> list[Request]:
        """The requests answered since then, in order, each once, without those of the plane's own programs.

        `wanted` names fields of Request and the values that they must have (`resource="pods"`,
        `user="system:serviceaccount:NAMESPACE:NAME"`). A watch counts from its beginning.
        """
        found = self._audit.requests(since)
        return [each for each in found if all(getattr(each, name) == wanted[name] for name in wanted)]

    @property
    def audit_log(self) -> Path:
        """One JSON object of audit.k8s.io/v1 a line. Leaves the test out on a cluster that is not ours."""
        return self._audit.path

    @property
    def _audit(self) -> AuditLog:
        if self._log is None:
            pytest.skip("the cluster that KUBECONFIG names does not show its audit log")
        return AuditLog(self.api, self._log)

    def need_played_pods(self) -> None:
        """Leaves the test out on a cluster that is not ours, where pods do not do what annotations say."""
        if self._binaries is None:
            pytest.skip("the cluster that KUBECONFIG names has real pods, which do not fail when they are told to")


def _document(version: str, kind: str, name: str, **rest: object) -> Json:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **rest}
