"""A real control plane on this machine: etcd, kube-apiserver, and where they are to be had kube-controller-manager,
kube-scheduler and KWOK, which plays two nodes and the kubelets on them.

All of it listens on the loopback interface, on ports that were free a moment ago (and on others if they no longer are),
and lives in one folder. The API server makes its own certificate; everybody is known by a token. Requests are written
to an audit log, without those of the plane's own programs. Each program leads a process group of its own and dies with
the process that started it, even one killed with `kill -9`; `running` ends them all.

Pods are what `stages.yaml` says. A pod that is bound to a node is Ready a moment later. Its annotations, given in the
pod template or added to the living pod, make it do otherwise:

  kwok.test/fail: ImagePullBackOff   it stays Pending, its containers wait for an image that cannot be had
  kwok.test/fail: CrashLoopBackOff   it runs, its containers have died with exit code 1 five times and wait
  kwok.test/fail: OOMKilled          the same, and they died for want of memory
  kwok.test/fail: NotReady           it runs, and its readiness probe fails
  kwok.test/fail: Failed             it has ended, in phase Failed (for a pod of a Job too)
  kwok.test/words: no route          what the containers of a pod that Failed have written last
  kwok.test/ready-after: 2s          it is Ready only after this time
  kwok.test/gone-after: 2s           once deleted, it is terminating for this time

With the annotation gone it is Ready again (but one that has Failed stays so). A pod of a Job succeeds. What needs no
play is real: a pod that asks for more than a node has (32 CPUs, 64Gi, 500 pods), or for a node that there is not, is
Unschedulable because the scheduler says so.

Two things are left out on purpose: node-lifecycle, since nobody beats these nodes' hearts, and the taints that it would
take away again. The garbage collector learns of a new kind within half a minute, as it does in any cluster.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Network
from pathlib import Path
from typing import NamedTuple

from interpreter.local.keeper import Keeper, die_with_parent
from interpreter.local.processes import free_port, tail
from tests.controlplane.api import Api, ApiError, Json

ETCD, API_SERVER = "etcd", "kube-apiserver"
MANAGER, SCHEDULER, KWOK = "kube-controller-manager", "kube-scheduler", "kwok"
NEEDED = (ETCD, API_SERVER)
WORKERS = (MANAGER, SCHEDULER, KWOK)
NODES = ("node-a", "node-b")
PODS = IPv4Network("10.32.0.0/16")
"""Where KWOK takes the addresses of pods from. They lead nowhere, unless somebody makes them (`tests.e2e.network`)."""
ADMIN = "admin"
PATIENCE_S = 90.0
MOST_STARTS = 3
OURS = "rollway:plane"
"""The group of the plane's own programs, whose requests are not written down."""

_HERE = Path(__file__).parent
_READY_EVERY_S = 0.05


class PlaneError(Exception):
    """The plane does not start; the text says which program, and what it wrote last."""


class Layout(NamedTuple):
    """Where things lie in the plane's folder."""

    folder: Path

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "admin.kubeconfig"

    @property
    def audit_log(self) -> Path:
        return self.folder / "audit.jsonl"

    @property
    def certificate(self) -> Path:
        return self.folder / "certs" / "apiserver.crt"

    def log(self, program: str) -> Path:
        return self.folder / f"{program}.log"


def programs_in(folder: Path) -> tuple[str, ...]:
    """Which of the five programs a folder holds."""
    return tuple(name for name in (*NEEDED, *WORKERS) if os.access(folder / name, os.X_OK))


@contextmanager
def running(binaries: Path, folder: Path, programs: tuple[str, ...] | None = None) -> Iterator[Layout]:
    """A plane of the named programs (default: all that there are), ready, and ended with the block.

    Raises PlaneError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    layout = Layout(folder)
    tokens = _tokens(layout)
    programs = programs_in(binaries) if programs is None else programs
    for left in range(MOST_STARTS - 1, -1, -1):
        with ExitStack() as stack:
            run = _Run(binaries, layout, stack)
            try:
                _start_api_server(run, tokens)
                _start_workers(run, tokens, programs)
            except _PortTakenError as error:
                if left:
                    continue
                raise PlaneError(str(error)) from None
            yield layout
            return


class _PortTakenError(Exception):
    """A program ended because somebody else was quicker to take its port."""


class _Run:
    """The programs of one start."""

    def __init__(self, binaries: Path, layout: Layout, stack: ExitStack) -> None:
        self._binaries, self.layout = binaries, layout
        self._keeper = Keeper()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        stack.callback(self._end)

    def start(self, program: str, *arguments: str) -> None:
        log = self.layout.log(program)
        try:
            with log.open("wb") as file:
                process = subprocess.Popen(
                    (str(self._binaries / program), *arguments),
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=file,
                    cwd=self.layout.folder,
                    # Nothing of the caller's: neither a proxy nor a cluster of its own.
                    env={"PATH": os.defpath, "HOME": str(self.layout.folder)},
                    start_new_session=True,
                    preexec_fn=die_with_parent(),  # noqa: PLW1509 - it does nothing but a system call
                )
        except OSError as error:
            raise PlaneError(f"{program} cannot be started: {error}") from error
        self._keeper.started(process.pid)
        self._processes[program] = process

    def until(self, what: str, happened: Callable[[], bool]) -> None:
        """Wait for it, as long as all programs live."""
        limit = time.monotonic() + PATIENCE_S
        while not happened():
            for program, process in self._processes.items():
                if process.poll() is not None:
                    raise self._death(program, process.returncode)
            if time.monotonic() > limit:
                raise PlaneError(f"{what}: not within {PATIENCE_S:.0f} s; {self._last_words(self._newest())}")
            time.sleep(_READY_EVERY_S)

    def _death(self, program: str, code: int) -> Exception:
        text = f"{program} ended with {code}; {self._last_words(program)}"
        taken = "address already in use" in self.layout.log(program).read_text(errors="replace")
        return _PortTakenError(text) if taken else PlaneError(text)

    def _newest(self) -> str:
        return list(self._processes)[-1]

    def _last_words(self, program: str) -> str:
        return f"the last words of {program}: {' | '.join(tail(self.layout.log(program), 5)) or 'none'}"

    def _end(self) -> None:
        self._keeper.close()
        for process in self._processes.values():
            process.wait()


def _start_api_server(run: _Run, tokens: Mapping[str, str]) -> None:
    folder = run.layout.folder
    etcd, peers, port = free_port(), free_port(), free_port()
    run.start(
        ETCD,
        f"--data-dir={folder}/etcd-{port}",
        "--unsafe-no-fsync",
        "--log-level=warn",
        f"--listen-client-urls=http://127.0.0.1:{etcd}",
        f"--advertise-client-urls=http://127.0.0.1:{etcd}",
        f"--listen-peer-urls=http://127.0.0.1:{peers}",
        f"--initial-advertise-peer-urls=http://127.0.0.1:{peers}",
        f"--initial-cluster=default=http://127.0.0.1:{peers}",
    )
    run.start(
        API_SERVER,
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        f"--cert-dir={folder}/certs",
        f"--token-auth-file={folder}/tokens.csv",
        "--authorization-mode=RBAC",
        "--disable-admission-plugins=TaintNodesByCondition",
        "--endpoint-reconciler-type=none",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={folder}/accounts.pem",
        f"--service-account-signing-key-file={folder}/accounts.pem",
        f"--audit-policy-file={_HERE / 'audit.yaml'}",
        f"--audit-log-path={run.layout.audit_log}",
        "--profiling=false",
    )
    run.until(f"{API_SERVER} has a certificate", run.layout.certificate.exists)
    server = f"https://127.0.0.1:{port}"
    for name, token in tokens.items():
        write_kubeconfig(folder / f"{name}.kubeconfig", server, run.layout.certificate.read_bytes(), token)
    with Api(run.layout.kubeconfig) as api:
        run.until(f"{API_SERVER} is ready", lambda: api.answers("/readyz"))


def _start_workers(run: _Run, tokens: Mapping[str, str], programs: tuple[str, ...]) -> None:
    folder = run.layout.folder
    if MANAGER in programs:
        run.start(
            MANAGER,
            f"--kubeconfig={folder}/{MANAGER}.kubeconfig",
            "--leader-elect=false",
            "--secure-port=0",
            f"--service-account-private-key-file={folder}/accounts.pem",
            f"--root-ca-file={run.layout.certificate}",
            "--controllers=*,-node-lifecycle-controller",
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
        )
    if SCHEDULER in programs:
        run.start(SCHEDULER, f"--kubeconfig={folder}/{SCHEDULER}.kubeconfig", "--leader-elect=false", "--secure-port=0")
    if KWOK in programs:
        run.start(
            KWOK,
            f"--kubeconfig={folder}/{KWOK}.kubeconfig",
            f"--config={_HERE / 'stages.yaml'}",
            "--manage-all-nodes",
            "--node-lease-duration-seconds=0",
            "--node-ip=127.0.0.1",
            f"--cidr={PODS}",
        )
    with Api(run.layout.kubeconfig) as api:
        if KWOK in programs:
            for name in NODES:
                _make_node(api, name)
            for name in NODES:
                run.until(f"{KWOK} plays {name}", lambda name=name: _is_ready(api.get(f"/api/v1/nodes/{name}")))
        if MANAGER in programs:
            account = "/api/v1/namespaces/default/serviceaccounts/default"
            run.until(f"{MANAGER} has made the default service account", lambda: api.answers(account))


def _make_node(api: Api, name: str) -> None:
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "topology.kubernetes.io/zone": f"zone-{name[-1]}",
            },
        },
    }
    try:
        api.call("POST", "/api/v1/nodes", node)
    except ApiError as error:
        if error.status != 409:
            raise


def _is_ready(node: Json) -> bool:
    conditions = node.get("status", {}).get("conditions", [])
    return any((each["type"], each["status"]) == ("Ready", "True") for each in conditions)


def write_kubeconfig(path: Path, server: str, authority: bytes, token: str, namespace: str = "default") -> Path:
    """A kubeconfig, readable by its owner only: server, the certificate that vouches for it, and a token."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "plane",
        "contexts": [{"name": "plane", "context": {"cluster": "plane", "user": "user", "namespace": namespace}}],
        "clusters": [
            {
                "name": "plane",
                "cluster": {"server": server, "certificate-authority-data": base64.b64encode(authority).decode()},
            }
        ],
        "users": [{"name": "user", "user": {"token": token}}],
    }
    _write_secret(path, json.dumps(config))
    return path


def _tokens(layout: Layout) -> dict[str, str]:
    """Everybody's token, in the file that the API server reads; and the key that service accounts' are signed by."""
    tokens = {name: secrets.token_urlsafe(24) for name in (ADMIN, *WORKERS)}
    lines = [
        f'{token},{ADMIN},{ADMIN},"system:masters"'
        if name == ADMIN
        else f'{token},system:{name},{name},"system:masters,{OURS}"'
        for name, token in tokens.items()
    ]
    _write_secret(layout.folder / "tokens.csv", "\n".join(lines) + "\n")
    _write_secret(layout.folder / "accounts.pem", _ec_key())
    return tokens


def _ec_key() -> str:
    """A private key on the curve P-256 (RFC 5915). It names no public key: who reads it computes that."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    scalar = (secrets.randbelow(order - 1) + 1).to_bytes(32, "big")
    der = bytes.fromhex("303102010104 20") + scalar + bytes.fromhex("a00a06082a8648ce3d030107")
    text = base64.b64encode(der).decode()
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN EC PRIVATE KEY-----\n{lines}\n-----END EC PRIVATE KEY-----\n"


def _write_secret(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
