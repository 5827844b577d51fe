"""`locust`: a locustfile of the operator's, or of the policy's, or one of ours that requests one address. Pure.

The result is what `--json-file` leaves: one entry a request name, with a histogram of response times
(docs.locust.io, "Command line options"). Exit code 1 is Locust's for requests that failed.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from interpreter.tester.kinds.command import judge as by_exit_code
from interpreter.tester.kinds.fields import Fields
from interpreter.tester.kinds.load import Load, Thresholds, read_load, read_thresholds
from interpreter.tester.payload import BadRequest
from interpreter.tester.plan import Ended, Plan, Summary, Verdict

SCRIPT, RESULT = "locustfile.py", "result"
_FAILED = 1
_OWN = """\
import json

from locust import FastHttpUser, constant_throughput, task

with open("load.json", encoding="utf-8") as file:
    asked = json.load(file)


class Visitor(FastHttpUser):
    host = asked["url"]
    wait_time = constant_throughput(asked["each"]) if asked["each"] else lambda self: 0

    @task
    def visit(self):
        self.client.request(asked["method"], asked["url"], headers=asked["headers"], data=asked["body"] or None)
"""


def locust(fields: Fields, script: str = "") -> Plan:
    """`script` is the path of the operator's file, if one is named. Raises `BadRequest`."""
    inline = fields.body("script")
    if inline and script:
        raise BadRequest("say `script` or `scriptFile`, not both")
    own = not (inline or script)
    load, thresholds = read_load(fields, needs_url=own), read_thresholds(fields)
    if load.requests is not None:
        raise BadRequest("locust runs for a time: say `duration`, not `requests`")
    if load.rate is not None and not own:
        raise BadRequest("how fast a locustfile goes, it says itself: `rate` goes with `url` alone")
    argv = (
        *("locust", "-f", script or SCRIPT, "--headless", "--only-summary", "--json-file", RESULT),
        *("-u", str(load.concurrency), "-r", str(load.concurrency), "-t", f"{max(1, round(load.seconds or 1))}s"),
        *(("-H", load.url) if load.url and not own else ()),
    )
    return Plan(
        "locust", argv, ("locust",), f"locust: {script or load.url or 'a script of the policy'}, {load.words}",
        lambda ended: _judge(ended, thresholds), timeout_s=load.timeout_s,
        files={SCRIPT: inline} if inline else _files(load) if own else {},
        environment=_environment(fields),
        shell="the metadata brings a `script` of its own, and that is a program" if inline else "",
    )  # fmt: skip


def _environment(fields: Fields) -> dict[str, str]:
    """What a locustfile is told. Other names would reach Python itself, and the loader of programs."""
    given = fields.pairs("env")
    for name in given:
        if not name.startswith("TEST_"):
            raise BadRequest(f"`env.{name}` must begin with `env.TEST_`: it becomes a variable of the process")
    return given


def _files(load: Load) -> dict[str, str]:
    asked = {
        "url": load.url,
        "method": load.method,
        "headers": dict(load.headers),
        "body": load.body,
        "each": load.rate / load.concurrency if load.rate is not None else None,
    }
    return {SCRIPT: _OWN, "load.json": json.dumps(asked)}


def _judge(ended: Ended, thresholds: Thresholds) -> Verdict:
    measured = _summary(ended.file(f"{RESULT}.json"))
    if measured is None or ended.code not in (0, _FAILED):
        return by_exit_code(ended)._replace(passed=False)
    return thresholds.judge(measured)


def _summary(text: str | None) -> Summary | None:
    try:
        entries: list[dict[str, Any]] = json.loads(text or "")
        times: Counter[float] = Counter()
        for entry in entries:
            times.update({float(ms): int(count) for ms, count in entry["response_times"].items()})
        requests = sum(int(entry["num_requests"]) for entry in entries)
        errors = sum(int(entry["num_failures"]) for entry in entries)
        began = min((float(entry["start_time"]) for entry in entries), default=0.0)
        ended = max((float(entry["last_request_timestamp"] or began) for entry in entries), default=0.0)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    p50, p95, p99 = (percentile(times, share) for share in (0.5, 0.95, 0.99))
    return Summary(requests, errors, ended - began or None, p50, p95, p99)


def percentile(times: Counter[float], share: float) -> float | None:
    """The least time that this share of all is not above; None of nothing."""
    total, seen = sum(times.values()), 0
    for value in sorted(times):
        seen += times[value]
        if seen >= share * total:
            return value
    return None
