"""`make demo-cluster`: a rollout in a cluster, all of it real but for what runs in the pods, on this machine.

    python -m tests.e2e.demo              the demo
    python -m tests.e2e.demo --crash      the same, and the controller is killed in the middle of it

What is needed is fetched or built first: the programs come from Go modules and from Debian, and stay in the user's
cache. Then this program becomes itself once more, in a network of its own. Exit codes: 0 it went as it should, 1 it did
not, or something is missing, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.controlplane import fetch as control_plane
from tests.controlplane.plane import PlaneError
from tests.e2e import network
from tests.e2e.account import Account, wrong
from tests.e2e.load import NOBODY
from tests.e2e.stage import Programs, StageError, stage
from tests.e2e.story import Story
from tests.goprograms import UnavailableError, say
from tests.prometheus.server import FETCH
from tests.servers.recipes import SKIPPER


def main(words: list[str]) -> int:
    """See above."""
    parser = argparse.ArgumentParser(prog="demo-cluster", description="A rollout in a cluster, on this machine.")
    parser.add_argument("--crash", action="store_true", help="kill the controller in the middle")
    parser.add_argument("--inside", nargs=3, metavar="PROGRAM", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args(words)
    try:
        if given.inside:
            return inside(Programs(*given.inside), crash=given.crash)
        line = command(programs(may_build=True), crash=given.crash)
        os.execvp(line[0], line)  # so that Ctrl-C and the exit code are that of the story itself
    except (UnavailableError, StageError, PlaneError) as error:
        say(f"demo-cluster: {error}")
        return 1
    except KeyboardInterrupt:
        return 130


def programs(*, may_build: bool) -> Programs:
    """Raises UnavailableError."""
    if may_build:
        try:
            return programs(may_build=False)
        except UnavailableError:
            say("the first time, Kubernetes and Skipper are built from their Go modules: about ten minutes, once")
    looked = subprocess.run((FETCH, *(() if may_build else ("--kept",))), capture_output=True, text=True, check=False)
    if looked.returncode != 0:
        raise UnavailableError(looked.stderr.strip())
    return Programs(
        control_plane.find(may_build=may_build), SKIPPER.find(may_make=may_build), Path(looked.stdout.strip())
    )


def command(found: Programs, *, crash: bool) -> tuple[str, ...]:
    """The command that plays the story in a network of its own. Raises UnavailableError."""
    words = (*network.way_in(), sys.executable, "-m", "tests.e2e.demo", "--inside", *map(str, found))
    return (*words, "--crash") if crash else words


def inside(found: Programs, *, crash: bool) -> int:
    """The story, in a network where nobody else is."""
    network.set_up()
    began = time.monotonic()

    def tell(text: str) -> None:
        print(f"{time.monotonic() - began:5.0f}s  {text}", flush=True)

    with tempfile.TemporaryDirectory(prefix="rollway-stage-") as folder:
        account = _play(found, Path(folder), tell, crash=crash)
    faults = [*wrong(account), *(f"still running: {line}" for line in network.processes())]
    print(f"\n{table(account)}\n")
    for fault in faults:
        print(f"WRONG: {fault}")
    if not faults:
        tell("as it should be; all is down, nothing is left running")
    return 1 if faults else 0


def _play(found: Programs, folder: Path, tell: Callable[[str], None], *, crash: bool) -> Account:
    with stage(found, folder, tell) as built:
        return asyncio.run(Story(built, tell, crash=crash).told())


def table(account: Account) -> str:
    """Every request, by part of the story and by who answered it."""
    answers = sorted(account.by_load)
    heads = [f"{f'version {one.version}' if one.version != NOBODY else 'nobody'}: {one.status}" for one in answers]
    rows = [(part, *(str(counts[one]) for one in answers)) for part, counts in account.by_part.items()]
    rows.append(("all, at the load", *(str(account.by_load[one]) for one in answers)))
    rows.append(("all, at the pods", *(str(account.by_pods[one]) for one in answers)))
    lines = [("requests answered", *heads), *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    shown = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    shares = [
        f"at {share.weight:g}% version {share.version} got {share.to_canary} of {share.requests} requests"
        f" ({100 * share.to_canary / share.requests:.1f}%)"
        for share in account.shares
        if share.requests
    ]
    exposed = f"the bad version got {account.exposed} requests; `rollway plan` says {account.at_worst:g} at worst"
    return "\n".join([*shown, "", *shares, exposed])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
