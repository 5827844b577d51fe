"""`rollway dashboard` as people start it: an address that lets in, and an end by Ctrl-C also while somebody looks."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from pathlib import Path

import httpx
import pytest

from rollway.__main__ import main
from rollway.exit_codes import ExitCode
from tests.controlplane.cluster import ControlPlane
from tests.rollway.cluster import objects, writing

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 60.0


async def test_it_prints_an_address_serves_it_and_ends(control_plane: ControlPlane, namespace: str) -> None:
    control_plane.install_crds("rollway")
    writing.write(control_plane.api, objects.rollout("checkout", namespace))
    words = ("dashboard", "-n", namespace, "--kubeconfig", str(control_plane.kubeconfig))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "rollway",
        *words,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE_S):
            address = (await process.stdout.readline()).decode().strip()
            assert address.startswith("http://127.0.0.1:")
            base = address[: address.index("/login")]
            async with httpx.AsyncClient(trust_env=False, follow_redirects=True) as client:
                assert (await client.get(f"{base}/stream")).status_code == 401
                page = await client.get(address)
                assert "checkout" in page.text
                said = await client.get(f"{base}/api/v1/rollouts?namespace={namespace}")
                assert [one["name"] for one in said.json()["items"]] == ["checkout"]
                async with client.stream("GET", f"{base}/stream"):
                    process.send_signal(signal.SIGINT)
                    out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert (process.returncode, out) == (ExitCode.FINE, b"")
    assert err.decode().startswith("open this address")
    assert b"Traceback" not in err


def test_a_port_that_is_taken_or_is_none(control_plane: ControlPlane, capsys: pytest.CaptureFixture[str]) -> None:
    control_plane.install_crds("rollway")
    where = ("--kubeconfig", str(control_plane.kubeconfig))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        assert main(["dashboard", "--port", port, *where]) == ExitCode.USAGE
    assert "`--port` chooses another" in capsys.readouterr().err
    assert main(["dashboard", "--port", "70000", *where]) == ExitCode.USAGE
    assert "`--port` is 0 to 65535, not 70000" in capsys.readouterr().err
