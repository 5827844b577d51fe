"""The kinds of tasks by the `type` that a webhook's metadata names, and what is said of those that are not carried.

A kind that takes a script of the operator's is given its path: `scriptFile` names a file in the folder of `--scripts`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from interpreter.tester.kinds.command import bash, cmd, helm, kubectl
from interpreter.tester.kinds.fields import Fields
from interpreter.tester.kinds.ghz import ghz
from interpreter.tester.kinds.hey import hey
from interpreter.tester.kinds.k6 import k6
from interpreter.tester.kinds.locust import locust
from interpreter.tester.kinds.wrk import wrk
from interpreter.tester.payload import BadRequest, Payload
from interpreter.tester.plan import Plan

LINES: Mapping[str, Callable[[Fields], Plan]] = {
    "cmd": cmd,
    "bash": bash,
    "helm": helm,
    "helmv3": helm,
    "kubectl": kubectl,
}
"""Those of Flagger's loadtester. What else stands in their metadata is not looked at, as there."""
LOADS: Mapping[str, Callable[[Fields], Plan]] = {"hey": hey, "wrk": wrk}
SCRIPTED: Mapping[str, Callable[[Fields, str], Plan]] = {"k6": k6, "locust": locust, "ghz": ghz}
KINDS = (*LINES, *LOADS, *SCRIPTED)
ELSEWHERE = {
    "concord": "Concord is reached by a webhook of its own: call its API, or let a `bash` task ask it with curl",
    "ngrinder": "nGrinder is reached by a webhook of its own; or use `k6`, `locust`, `hey` or `wrk` here",
}
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")


def plan_of(payload: Payload, scripts: PurePosixPath | None) -> Plan:
    """What is to be run for a call. Raises `BadRequest`."""
    if not payload.metadata:
        raise BadRequest("metadata not found in payload: say in it what is to be run, such as `cmd: hey …`")
    kind = payload.metadata.get("type", "cmd")
    fields = Fields(kind, payload.metadata)
    if kind in LINES:
        return LINES[kind](fields)
    if kind in ELSEWHERE:
        raise BadRequest(f"this tester has no tasks of type `{kind}`: {ELSEWHERE[kind]}")
    if kind not in KINDS:
        raise BadRequest(f"unknown task type `{kind[:50]}`: there are {', '.join(KINDS)}")
    waits, limit = fields.flag("wait", default=True), fields.seconds("timeout")
    returned, logged = fields.flag("returnCmdOutput"), fields.flag("logCmdOutput")
    plan = SCRIPTED[kind](fields, _script(fields, scripts)) if kind in SCRIPTED else LOADS[kind](fields)
    fields.done()
    return replace(
        plan,
        waits=waits,
        tells=not waits,
        timeout_s=limit or plan.timeout_s,
        returns_output=returned,
        logs_output=logged,
    )


def _script(fields: Fields, scripts: PurePosixPath | None) -> str:
    name = fields.text("scriptFile")
    if not name:
        return ""
    if scripts is None:
        raise BadRequest("`scriptFile` names a file of the operator's, and this tester has none: see `--scripts`")
    if not _FILE.fullmatch(name):
        raise BadRequest("`scriptFile` must be the bare name of a file: letters, digits, dots and dashes")
    return str(scripts / name)
