"""Prints the path of a Traefik for the tests: `$ROLLWAY_TRAEFIK`, or the one kept from last time, or else built from
its Go module. With --kept nothing is built.

Most of what a Traefik is built from is the software kits of clouds: for certificates (the DNS providers of lego), and
for Amazon's containers. A copy of the module without them builds in a fraction of the time. The module has one package
of types too few, for it is a module of its own that was never published; it is empty where it comes from, too.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.goprograms import UnavailableError, alone, cache, compiler, say

MODULE, VERSION = "github.com/traefik/traefik/v3", "v3.7.9"
SUM = "h1:RxOqG3Wtvl1F5yCDr2ZxAg21YU3QCh/m0tae3Su4BZ8="
LEGO, LEGO_VERSION = "github.com/go-acme/lego/v4", "v4.35.2"
GO = (1, 26)

_EXT = "pkg/config/dynamic/ext"
_INSTEAD: Mapping[str, str] = {
    "lego/providers/dns/zz_gen_dns_providers.go": """package dns

import (
	"errors"

	"github.com/go-acme/lego/v4/challenge"
)

func NewDNSChallengeProviderByName(string) (challenge.Provider, error) {
	return nil, errors.New("left out")
}
""",
    "traefik/pkg/provider/ecs/ecs.go": """package ecs

import (
	"github.com/traefik/traefik/v3/pkg/config/dynamic"
	"github.com/traefik/traefik/v3/pkg/safe"
)

const ProviderName = "ecs"

type Provider struct{}

func (p *Provider) SetDefaults() {}

func (p *Provider) Init() error { return nil }

func (p *Provider) Provide(chan<- dynamic.Message, *safe.Pool) error { return nil }
""",
    f"traefik/{_EXT}/go.mod": "module github.com/traefik/traefik/dynamic/ext\n\ngo 1.22\n",
    f"traefik/{_EXT}/ext.go": """package ext

type HTTP struct{}

type Router struct{}

type RouterIng struct{}

func (RouterIng) ToRouter() Router { return Router{} }
""",
}
_LEFT_OUT = ("traefik/pkg/provider/ecs/config.go", "traefik/pkg/provider/ecs/label.go")


def find(*, may_build: bool, environment: Mapping[str, str] = os.environ) -> Path:
    """The program. Raises UnavailableError."""
    if named := environment.get("ROLLWAY_TRAEFIK"):
        if not (Path(named).is_file() and os.access(named, os.X_OK)):
            raise UnavailableError(f"ROLLWAY_TRAEFIK is `{named}`, which is no program")
        return Path(named)
    room = cache(environment) / "traefik"
    program = room / _digest() / "traefik"
    if os.access(program, os.X_OK):
        return program
    if not may_build:
        raise UnavailableError("run `make traefik`")
    room.mkdir(parents=True, exist_ok=True)
    with alone(room / "lock"):
        if not os.access(program, os.X_OK):
            _build(program, room)
    return program


def _digest() -> str:
    parts = (VERSION, SUM, LEGO_VERSION, *_INSTEAD.values(), platform.system(), platform.machine())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _build(program: Path, room: Path) -> None:
    go = compiler(GO)
    with tempfile.TemporaryDirectory(prefix="new-", dir=room) as work:
        _copy(_downloaded(go, MODULE, VERSION, Path(work), SUM), Path(work, "traefik"))
        _copy(_downloaded(go, LEGO, LEGO_VERSION, Path(work)), Path(work, "lego"))
        for name in _LEFT_OUT:
            Path(work, name).unlink()
        for name, text in _INSTEAD.items():
            Path(work, name).parent.mkdir(exist_ok=True)
            Path(work, name).write_text(text)
        source, made = Path(work, "traefik"), Path(work, "made")
        _go(go, source, "mod", "edit", "-replace", f"{LEGO}=../lego")
        say(f"building traefik ({MODULE} {VERSION})")
        flags = ("-trimpath", "-buildvcs=false", "-mod=readonly", "-p", "2", "-ldflags", "-s -w")
        _go(go, source, "build", *flags, "-o", str(made), "./cmd/traefik")
        program.parent.mkdir(exist_ok=True)
        made.replace(program)


def _downloaded(go: Path, module: str, version: str, folder: Path, checksum: str = "") -> Path:
    """The folder of a module. That of lego is named in Traefik's own go.sum."""
    found = json.loads(_go(go, folder, "mod", "download", "-json", f"{module}@{version}"))
    if checksum and found["Sum"] != checksum:
        raise UnavailableError(f"{module} {version} is not what it was: its sum is {found['Sum']}")
    return Path(found["Dir"])


def _copy(source: Path, target: Path) -> None:
    """Modules are kept without the right to write."""
    shutil.copytree(source, target, copy_function=shutil.copyfile)
    for folder in (target, *(path for path in target.rglob("*") if path.is_dir())):
        folder.chmod(0o755)


def _go(go: Path, folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off", "CGO_ENABLED": "0"}
    environment.pop("GOROOT", None)  # another Go's; each knows its own
    done = subprocess.run(
        (str(go), *arguments), cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode != 0:
        raise UnavailableError(f"go {' '.join(arguments[:2])} failed; what Go said about it stands above")
    return done.stdout


def main() -> int:
    try:
        print(find(may_build="--kept" not in sys.argv[1:]))
    except UnavailableError as error:
        print(f"no Traefik for the tests: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
