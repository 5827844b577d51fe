"""What a test has in its hands: a cluster, ways to ask it things as anybody, and what was asked of it."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.controlplane.api import PATIENCE_S, Api, Json
from tests.controlplane.plane import write_kubeconfig

REPOSITORY = Path(__file__).parents[2]
OURS = "rollway"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class Request(NamedTuple):
    """One request, as the audit log has it. `verb` is the API's (get, list, watch, create, update, patch, delete)."""

    verb: str
    user: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    uri: str
    status: int
    agent: str


class Mark(NamedTuple):
    """A place in the audit log."""

    offset: int


class NoAuditLogError(Exception):
    """A cluster that is not ours does not tell what it was asked."""


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
        self._audit_log = audit_log

    def close(self) -> None:
        self.api.close()

    # Namespaces and identities

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
        asked = {"spec": {"expirationSeconds": 3600}}
        token = self.api.call("POST", f"{inside}/serviceaccounts/{name}/token", asked)["status"]["token"]
        path = self._folder / f"{namespace}-{name}.kubeconfig"
        return write_kubeconfig(path, self.server, _authority(self.kubeconfig), token, namespace)

    def kubectl(
        self, *arguments: str, kubeconfig: Path | None = None, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl, as the administrator unless said otherwise; whether it went well is for the caller to see."""
        program = self.kubectl_program
        environment = {**os.environ, "KUBECONFIG": str(kubeconfig or self.kubeconfig), "HOME": str(self._folder)}
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

    # Custom resources

    def install_crds(self, *names: str) -> tuple[str, ...]:
        """Have CustomResourceDefinitions established; returns their names. Done once a session, by whoever is first.

        A name is a folder of the reference (`istio`), a file in it (`smi/osm_trafficsplits.yaml`), a path, or `rollway`
        for ours. Raises ValueError if another version of one of them has been installed: a test of that takes
        `bare_api_server`, which nobody else sees.
        """
        with _alone(self._folder / "crds.lock"):
            record = self._folder / "crds.json"
            known: dict[str, str] = json.loads(record.read_text()) if record.exists() else {}
            wanted = [document for name in names for document in _documents(name)]
            new = []
            for document in wanted:
                name = document["metadata"]["name"]
                digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
                if known.get(name, digest) != digest:
                    raise ValueError(f"another {name} is installed; a test of this one takes `bare_api_server`")
                if name not in known:
                    self.api.apply(f"{CRDS}/{name}", document)
                    new.append(document)
                    known[name] = digest
            for document in new:
                self._until_served(document)
            record.write_text(json.dumps(known))
        return tuple(document["metadata"]["name"] for document in wanted)

    def _until_served(self, document: Json) -> None:
        spec = document["spec"]
        self.api.until(f"{CRDS}/{document['metadata']['name']}", _is_established)
        for version in spec["versions"]:
            if version["served"]:
                path = f"/apis/{spec['group']}/{version['name']}"
                plural = spec["names"]["plural"]
                self.api.until(path, lambda seen, plural=plural: any(r["name"] == plural for r in seen["resources"]))
                self.api.until(f"{path}/{plural}?limit=1", bool)

    # What was asked

    def mark(self) -> Mark:
        """From here on. Raises NoAuditLogError for a cluster that is not ours."""
        return Mark(self._end_of_log())

    def requests(self, since: Mark, **wanted: str) -> list[Request]:
        """The requests answered since then, in order, each once, without those of the plane's own programs.

        `wanted` names fields of Request and the values that they must have (`resource="pods"`,
        `user="system:serviceaccount:NAMESPACE:NAME"`). A watch counts from its beginning.
        """
        end = self._end_of_log()
        with self.audit_log.open("rb") as file:
            file.seek(since.offset)
            lines = file.read(end - since.offset).splitlines()
        return [each for each in _requests(lines) if all(getattr(each, name) == wanted[name] for name in wanted)]

    @property
    def audit_log(self) -> Path:
        """One JSON object a line, of audit.k8s.io/v1. Raises NoAuditLogError for a cluster that is not ours."""
        if self._audit_log is None:
            raise NoAuditLogError("the cluster that KUBECONFIG names does not show its audit log")
        return self._audit_log

    def _end_of_log(self) -> int:
        """Where the log ends, once it has all that was answered before: a request of our own has come out of it."""
        log, word = self.audit_log, secrets.token_hex(8)
        start = log.stat().st_size if log.exists() else 0
        self.api.get(f"/api/v1/namespaces?limit=1&{_MARK}={word}")
        limit = time.monotonic() + PATIENCE_S
        while True:
            with log.open("rb") as file:
                file.seek(start)
                text = file.read()
            found = text.find(word.encode())
            if found >= 0 and (line_end := text.find(b"\n", found)) >= 0:
                return start + line_end + 1
            if time.monotonic() > limit:
                raise AssertionError(f"the audit log does not say what was asked {PATIENCE_S:.0f} s ago")
            time.sleep(0.01)


_MARK = "rollway-test-mark"


def reference() -> Path:
    """Where the other projects' definitions lie: `$ROLLWAY_REFERENCE`, or `shared/reference` beside the repository."""
    named = os.environ.get("ROLLWAY_REFERENCE")
    return Path(named) if named else REPOSITORY.parent / "shared" / "reference"


def _documents(name: str) -> Iterator[Json]:
    place = REPOSITORY / "crds" if name == OURS else Path(name)
    if not place.exists():
        place = reference() / "crds" / name
    files = sorted(place.glob("*.yaml")) if place.is_dir() else [place]
    if not files or not files[0].exists():
        raise ValueError(f"there are no definitions in {place}; ROLLWAY_REFERENCE can name the reference's folder")
    for file in files:
        for document in yaml.load_all(file.read_text(), yaml.CSafeLoader):
            if document and document["kind"] == "CustomResourceDefinition":
                yield document


def _requests(lines: Iterable[bytes]) -> Iterator[Request]:
    seen: set[str] = set()
    for line in lines:
        event = json.loads(line)
        if event["auditID"] in seen or _MARK in event["requestURI"]:
            continue
        seen.add(event["auditID"])
        target: Mapping[str, Any] = event.get("objectRef") or {}
        parts = (target.get(name, "") for name in ("apiGroup", "resource", "subresource", "namespace", "name"))
        yield Request(
            event["verb"],
            event["user"]["username"],
            *parts,
            event["requestURI"],
            event.get("responseStatus", {}).get("code", 0),
            event.get("userAgent", ""),
        )


def _is_established(definition: Json) -> bool:
    conditions = definition.get("status", {}).get("conditions", [])
    return any((each["type"], each["status"]) == ("Established", "True") for each in conditions)


def _document(version: str, kind: str, name: str, **rest: object) -> Json:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **rest}


def _authority(kubeconfig: Path) -> bytes:
    """The certificates that vouch for the server that a kubeconfig names."""
    cluster = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]
    if text := cluster.get("certificate-authority-data"):
        return base64.b64decode(text)
    return Path(cluster["certificate-authority"]).read_bytes()


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
