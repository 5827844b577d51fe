"""`wrk`: as much HTTP load as goes. Pure. What it measured is written by a script of ours in its own Lua, whose
functions are described in github.com/wg/wrk, SCRIPTING; method and body reach it as arguments."""

from __future__ import annotations

import json

from interpreter.tester.kinds.command import judge as by_exit_code
from interpreter.tester.kinds.fields import Fields
from interpreter.tester.kinds.load import Load, read_load, read_thresholds
from interpreter.tester.payload import BadRequest
from interpreter.tester.plan import Ended, Plan, Summary, Verdict

SCRIPT = "summary.lua"
_MARK = "rollway-summary "
_LUA = """\
function init(args)
  wrk.method = args[1]
  if args[2] and args[2] ~= "" then wrk.body = args[2] end
end
function done(summary, latency)
  local e = summary.errors
  local format = '%s{"requests":%d,"errors":%d,"seconds":%f,"p50_ms":%f,"p95_ms":%f,"p99_ms":%f}\\n'
  local unanswered = e.connect + e.read + e.write + e.timeout
  io.write(string.format(format, "MARK", summary.requests + unanswered, unanswered + e.status,
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3))
end
"""


def wrk(fields: Fields) -> Plan:
    """Raises `BadRequest`."""
    load = read_load(fields)
    if load.rate is not None or load.requests is not None:
        raise BadRequest("wrk makes as many requests as it can: it takes no `rate` and no `requests`, but hey does")
    thresholds = read_thresholds(fields)

    def judge(ended: Ended) -> Verdict:
        measured = _summary(ended.output)
        if ended.code != 0 or measured is None:
            return by_exit_code(ended)._replace(passed=False)
        return thresholds.judge(measured)

    argv = ("wrk", *_options(load), "-s", SCRIPT, load.url, "--", load.method, load.body)
    return Plan(
        "wrk", argv, ("wrk",), f"wrk: {load.url}, {load.words}", judge, timeout_s=load.timeout_s,
        files={SCRIPT: _LUA.replace("MARK", _MARK)},
    )  # fmt: skip


def _options(load: Load) -> tuple[str, ...]:
    threads = min(load.concurrency, 2)
    options = ["-t", str(threads), "-c", str(load.concurrency), "-d", f"{max(1, round(load.seconds or 1))}s"]
    for name, value in load.headers.items():
        options += ["-H", f"{name}: {value}"]
    return tuple(options)


def _summary(text: str) -> Summary | None:
    lines = [line for line in text.splitlines() if line.startswith(_MARK)]
    return Summary(**json.loads(lines[-1].removeprefix(_MARK))) if lines else None
