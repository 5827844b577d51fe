"""`k6`: a script of the operator's, or of the policy's, or one of ours that requests one address. Pure.

The result is k6's own `--summary-export` (a file with the metrics' values). A script's thresholds count: k6 ends with
exit code 99 if one is crossed (grafana.com/docs/k6, "Thresholds").
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from interpreter.tester.kinds.command import judge as by_exit_code
from interpreter.tester.kinds.fields import Fields
from interpreter.tester.kinds.load import Load, Thresholds, read_load, read_thresholds
from interpreter.tester.payload import BadRequest
from interpreter.tester.plan import Ended, Plan, Summary, Verdict

SCRIPT, RESULT = "script.js", "result.json"
CROSSED = 99
_STATS = "avg,med,p(50),p(95),p(99)"
_OWN = """\
import http from "k6/http";
const asked = JSON.parse(open("load.json"));
export const options = { scenarios: { load: asked.scenario } };
export default function () {
  http.request(asked.method, asked.url, asked.body || null, { headers: asked.headers });
}
"""


def k6(fields: Fields, script: str = "") -> Plan:
    """`script` is the path of the operator's file, if one is named. Raises `BadRequest`."""
    inline = fields.body("script")
    if inline and script:
        raise BadRequest("say `script` or `scriptFile`, not both")
    own = not (inline or script)
    load, thresholds = read_load(fields, needs_url=own), read_thresholds(fields)
    variables = fields.pairs("env")
    environment = {"K6_NO_USAGE_REPORT": "true", "K6_WEB_DASHBOARD": "false", "HOME": "."}
    files, options = _script(load, inline) if not script else ({}, ())
    if not own:
        options = tuple(_options(fields, load))
    argv = (
        *("k6", "run", "--quiet", "--no-color", "--no-usage-report", "--address", "", "--summary-export", RESULT),
        *("--summary-trend-stats", _STATS, *options),
        *(word for name, value in variables.items() for word in ("-e", f"{name}={value}")),
        script or SCRIPT,
    )
    return Plan(
        "k6", argv, ("k6",), f"k6: {load.url + ', ' + load.words if own else script or 'a script of the policy'}",
        lambda ended: _judge(ended, thresholds), files=files, environment=environment,
        shell="the metadata brings a `script` of its own, and that is a program" if inline else "",
        timeout_s=load.timeout_s if own else None,
    )  # fmt: skip


def _script(load: Load, inline: str) -> tuple[dict[str, str], tuple[str, ...]]:
    if inline:
        return {SCRIPT: inline}, ()
    asked = {
        "url": load.url,
        "method": load.method,
        "headers": dict(load.headers),
        "body": load.body,
        "scenario": _scenario(load),
    }
    return {SCRIPT: _OWN, "load.json": json.dumps(asked)}, ()


def _scenario(load: Load) -> dict[str, Any]:
    if load.requests is not None:
        shared = {"vus": load.concurrency, "iterations": max(load.requests, load.concurrency)}
        return {"executor": "shared-iterations", **shared, "maxDuration": "24h"}
    if load.rate is None:
        return {"executor": "constant-vus", "vus": load.concurrency, "duration": f"{load.seconds:g}s"}
    return {
        "executor": "constant-arrival-rate",
        "rate": max(1, round(load.rate * 60)),
        "timeUnit": "1m",
        "duration": f"{load.seconds:g}s",
        "preAllocatedVUs": load.concurrency,
    }


def _options(fields: Fields, load: Load) -> list[str]:
    """What is said of the load goes before what the script says."""
    options = []
    if fields.text("concurrency"):
        options += ["--vus", str(load.concurrency)]
    if fields.text("duration"):
        options += ["--duration", f"{load.seconds:g}s"]
    if load.requests is not None:
        options += ["--iterations", str(load.requests)]
    if load.rate is not None:
        options += ["--rps", str(max(1, round(load.rate)))]
    return options


def _judge(ended: Ended, thresholds: Thresholds) -> Verdict:
    measured = _summary(ended.file(RESULT))
    if ended.code == CROSSED:
        said = " ".join(line.strip() for line in ended.output.splitlines() if "thresholds on metrics" in line)
        crossed = said.partition("msg=")[2].strip('"') or "a threshold of the script was crossed"
        return Verdict(False, f"{crossed} ({measured.words()})" if measured else crossed, measured)
    if ended.code != 0:
        return by_exit_code(ended)
    if measured is None:
        return Verdict(True, "the script ended well, and made no request of HTTP")
    return thresholds.judge(measured)


def _summary(text: str | None) -> Summary | None:
    """None of a script that made no request."""
    try:
        metrics: Mapping[str, Any] = json.loads(text or "{}").get("metrics", {})
        requests, times = metrics.get("http_reqs"), metrics.get("http_req_duration", {})
        if not requests:
            return None
        count, rate = int(requests["count"]), float(requests["rate"])
        failed = metrics.get("http_req_failed", {})
        errors = int(failed.get("passes", 0))  # of a rate k6 counts what is true, and calls that a pass
        seconds = count / rate if rate else None
        return Summary(count, errors, seconds, times.get("p(50)"), times.get("p(95)"), times.get("p(99)"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
