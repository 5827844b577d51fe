"""A rollout from the command line, with the real interpreter at work: what the commands rely on is what it does."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from rollway.exit_codes import ExitCode
from tests.controlplane.cluster import ControlPlane
from tests.interpreter.cluster.life import Life, life

ROOT = Path(__file__).resolve().parents[3]
LIMIT_S = 120
POLICY = """
rollout web in NAMESPACE {
  target deployment/web
  service { port 80; target_port http }
  traffic istio
  steps { shift to 10%; wait for approval; shift to 50%; wait for approval; promote }
}
"""


async def rollway(at_work: Life, *line: str) -> asyncio.subprocess.Process:
    """A command that is under way."""
    where = ("-n", at_work.namespace, "--kubeconfig", at_work.kubeconfig)
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "rollway",
        *line,
        *where,
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def ended(process: asyncio.subprocess.Process) -> tuple[int, str, str]:
    async with asyncio.timeout(LIMIT_S):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def done(at_work: Life, *line: str) -> tuple[int, str, str]:
    return await ended(await rollway(at_work, *line))


async def test_a_rollout_is_watched_approved_and_aborted(control_plane: ControlPlane, namespace: str) -> None:
    control_plane.install_crds("rollway", "istio")
    async with life(str(control_plane.kubeconfig), namespace, speed=20.0) as at_work:
        await at_work.deployment()
        await at_work.rollout(POLICY)
        await at_work.phase("Initialized")
        code, _, err = await done(at_work, "status", "web", "--watch", "--timeout", "2m")
        assert code == ExitCode.FINE, err

        await at_work.push("web:2")
        watch = await rollway(at_work, "status", "web", "--watch", "--timeout", "5m")
        await at_work.until(lambda seen: seen.get("weight") == 10 and "waiting for approval" in seen.get("reason", ""))
        code, out, err = await done(at_work, "approve", "web", "--reason", "CHG-1", "--wait", "60s")
        assert code == ExitCode.FINE, err
        assert "Approved         approved by admin (cli): CHG-1\n" in out

        # One approval is for one wait.
        await at_work.until(lambda seen: seen.get("weight") == 50 and "waiting for approval" in seen.get("reason", ""))
        code, out, err = await done(at_work, "pause", "web", "--wait", "60s")
        assert code == ExitCode.FINE, err
        assert "Paused " in out
        code, out, err = await done(at_work, "resume", "web", "--wait", "60s")
        assert code == ExitCode.FINE, err
        code, out, err = await done(at_work, "approve", "web", "--wait", "60s")
        assert code == ExitCode.FINE, err
        code, out, err = await ended(watch)
        assert code == ExitCode.FINE, err
        assert " Promoted " in out
        assert out.count(" Approved ") == 2

        await at_work.push("web:3")
        await at_work.until(lambda seen: seen.get("weight") == 10 and "waiting for approval" in seen.get("reason", ""))
        watch = await rollway(at_work, "status", "web", "--watch", "--timeout", "5m")
        code, out, err = await done(at_work, "abort", "web", "--reason", "no", "--wait", "60s")
        assert code == ExitCode.FINE, err
        code, out, err = await ended(watch)
        assert code == ExitCode.FINDINGS, err
        assert "rolled back" in err
        code, out, _ = await done(at_work, "history", "web")
        assert [line.split()[0] for line in out.splitlines()] == ["RUN", "2", "1", "0"]
        code, out, err = await done(at_work, "retry", "web", "--wait", "60s")
        assert code == ExitCode.FINE, err
        code, out, err = await done(at_work, "render", "web")
        assert code == ExitCode.FINE, err
        assert "VirtualService" in out
