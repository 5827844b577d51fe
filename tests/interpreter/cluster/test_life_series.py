"""The checks of a run stand in its object, once, through restarts and after its end; the history is bounded."""

from __future__ import annotations

import json
from typing import Any

from interpreter import series, state_json
from interpreter.objects import Manifest
from tests.interpreter.cluster.hooks import Hooks
from tests.interpreter.cluster.life import Life, life
from tests.rollway.cluster.test_with_the_interpreter import done

FAST = 20.0
POLICY = """
{webhooks}
rollout web in NAMESPACE {{
  target deployment/web
  service {{ port 80; target_port http }}
  traffic istio
  analysis {{ every 10s; tolerate 3 failures; call smoke; call load }}
  steps {{ shift to 10%; hold 20m; promote }}
}}
"""


async def _run(at_work: Life, number: int) -> Manifest:
    return await at_work.get("RolloutRun", f"web-{number}", "rollway.dev/v1alpha1")


async def _checks(at_work: Life, number: int = 1) -> Any:
    run = await at_work.find("RolloutRun", f"web-{number}", "rollway.dev/v1alpha1")  # made a moment after the push
    return series.from_data((run or {}).get("status", {}).get("checks"))


async def _rows(at_work: Life, least: int) -> None:
    async def there() -> bool:
        return len((await _checks(at_work)).rows) >= least

    await at_work.so(there, f"{least} checks are on record")


async def test_checks_are_kept_through_a_restart_and_after_the_end(
    kubeconfig: str, namespace: str, hooks: Hooks
) -> None:
    async with life(kubeconfig, namespace, speed=FAST, history=2) as at_work:
        await at_work.deployment()
        await at_work.rollout(POLICY.format(webhooks=hooks.webhook("smoke", "load")))
        await at_work.phase("Initialized")
        await at_work.push("web:2")
        await _rows(at_work, 2)
        before = await _checks(at_work)

        await at_work.kill()
        await at_work.start()
        await _rows(at_work, len(before.rows) + 2)
        after = await _checks(at_work)
        assert after.rows[: len(before.rows)] == before.rows
        assert [line.name for line in after.lines] == ["call smoke", "call load"]

        hooks.shut.add("load")
        await at_work.phase("Failed")
        revision = (await at_work.status())["revision"]
        run = await _run(at_work, 1)
        checks = await _checks(at_work)
        assert [row.values for row in checks.rows][-3:] == [(1.0, 0.0)] * 3
        assert state_json.decode(run["status"]["state"]).run.series.rows == ()  # type: ignore[union-attr]

        # What the memory of a process has left out of a run that is over is not lost when that is written again.
        await at_work.stop()
        await at_work.start()
        await at_work.annotate(abort=json.dumps({"revision": revision, "by": "late"}))
        await at_work.so(lambda: _said(at_work, "SignalIgnored"), "the late signal is said to be ignored")
        assert await _checks(at_work) == checks
        code, out, err = await done(at_work, "history", "web", "1", "-o", "json")
        assert code == 0, err
        told = json.loads(out)
        assert told["format"] == "rollway.dev/history/1"
        assert len(told["series"]["points"]) == len(checks.rows)
        assert told["outcome"] == "rolled_back"

        # Two runs are kept, and the first primary's, from which the primary has its revision.
        for number, image in ((2, "web:3"), (3, "web:4")):
            await at_work.push(image)
            await at_work.so(lambda number=number: _failed(at_work, number), f"run {number} fails")  # type: ignore[misc]
        await at_work.so(lambda: _kept(at_work, {"web-0", "web-2", "web-3"}), "the oldest run is gone")


async def _said(at_work: Life, what: str) -> bool:
    run = await _run(at_work, 1)
    return any(entry["what"] == what for entry in run["status"]["log"])


async def _failed(at_work: Life, number: int) -> bool:
    run = await at_work.find("RolloutRun", f"web-{number}", "rollway.dev/v1alpha1")
    return bool(run and run.get("status", {}).get("outcome") == "rolled_back")


async def _kept(at_work: Life, names: set[str]) -> bool:
    return {run["metadata"]["name"] for run in await at_work.all_of("RolloutRun")} == names
