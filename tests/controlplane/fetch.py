"""Prints the folder of the control plane's programs for the tests: `$KUBEBUILDER_ASSETS`, or the ones kept from last
time, or else built from the Go modules beside this file, or else what `setup-envtest` has. With --kept none is built.

The released binaries, which are what `KUBEBUILDER_ASSETS` and `setup-envtest` are about, are etcd, kube-apiserver and
kubectl only: tests that need Deployments to roll then have nothing to run against.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.goprograms import Recipe, UnavailableError, built, cache, kept

KUBERNETES = "k8s.io/kubernetes"
NEEDED = ("etcd", "kube-apiserver")


def recipe() -> Recipe:
    """All programs; Kubernetes's are told their version, which they do not know by themselves."""
    plain = Recipe(
        Path(__file__).parent,
        {
            "etcd": "go.etcd.io/etcd/server/v3",
            **{
                name: f"{KUBERNETES}/cmd/{name}"
                for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
            },
            "kwok": "sigs.k8s.io/kwok/cmd/kwok",
        },
    )
    version = plain.version_of(KUBERNETES)
    major, minor, _ = version.removeprefix("v").split(".")
    settings = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    told = " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in settings.items())
    return plain._replace(flags=("-ldflags", f"-s -w {told}"))


def find(*, may_build: bool, environment: Mapping[str, str] = os.environ) -> Path:
    """The folder. Raises UnavailableError."""
    if assets := environment.get("KUBEBUILDER_ASSETS"):
        missing = [name for name in NEEDED if not os.access(Path(assets, name), os.X_OK)]
        if missing:
            raise UnavailableError(f"KUBEBUILDER_ASSETS is `{assets}`, where there is no {' and no '.join(missing)}")
        return Path(assets)
    room = cache(environment) / "controlplane"
    if there := kept(recipe(), room):
        return there
    if not may_build:
        raise UnavailableError("run `make controlplane`")
    try:
        return built(recipe(), room)
    except UnavailableError as error:
        if released := _released():
            return released
        raise UnavailableError(
            f"{error}; or name a folder with etcd and kube-apiserver in KUBEBUILDER_ASSETS"
        ) from None


def _released() -> Path | None:
    """What envtest's own tool has, or downloads; None if there is no such tool, or it has nothing."""
    if shutil.which("setup-envtest") is None:
        return None
    major, minor, _ = recipe().version_of(KUBERNETES).removeprefix("v").split(".")
    command = ("setup-envtest", "use", f"{major}.{minor}", "--print", "path")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return Path(done.stdout.strip()) if done.returncode == 0 else None


def main() -> int:
    try:
        print(find(may_build="--kept" not in sys.argv[1:]))
    except UnavailableError as error:
        print(f"no control plane for the tests: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
