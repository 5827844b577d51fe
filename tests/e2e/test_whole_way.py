"""All the way: a real control plane, pods with servers at their own addresses, a real Skipper that finds them in
EndpointSlices, a real Prometheus that scrapes it, the controller as a process with the rights of an installation, and
load. A good version is promoted though the controller is killed in the middle, a bad one is rolled back, and of every
request it is known who answered it. What must be true of all that is in `account.py`.
"""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.e2e.demo import command, programs
from tests.e2e.network import ROOT, processes
from tests.goprograms import UnavailableError

LIMIT_S = 300
"""Three times what it takes on a machine that is busy with other things."""


def command_line() -> tuple[str, ...]:
    """Where something is missing the test fails in CI, and is left out elsewhere."""
    try:
        return command(programs(may_build=False), crash=True)
    except UnavailableError as error:
        missing = pytest.fail if os.environ.get("CI") else pytest.skip
        missing(str(error))


@pytest.mark.timeout(LIMIT_S + 30)
def test_a_good_version_is_promoted_and_a_bad_one_rolled_back_with_every_request_counted() -> None:
    line = command_line()
    environment = {key: value for key, value in os.environ.items() if key != "KUBECONFIG"}
    done = subprocess.run(
        line,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    print(done.stdout)
    assert done.returncode == 0
    assert "nothing is left running" in done.stdout


def test_processes_of_this_network_are_seen() -> None:
    """Or else it would be no use to say that none are left."""
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            assert "sleep 60" in processes()
        finally:
            process.kill()
