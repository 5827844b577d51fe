"""`ghz`: gRPC load. Pure. Its options: ghz.sh/docs/options.

What is called is found by the server's reflection, or in a `.proto` file among the operator's scripts.
"""

from __future__ import annotations

import json
import re

from interpreter.tester.kinds import report
from interpreter.tester.kinds.command import judge as by_exit_code
from interpreter.tester.kinds.fields import Fields
from interpreter.tester.kinds.load import GRACE_S, Load, read_load, read_thresholds
from interpreter.tester.payload import BadRequest
from interpreter.tester.plan import Ended, Plan, Verdict

_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})?:[0-9]{1,5}|\[[0-9a-fA-F:]{2,45}\]:[0-9]{1,5}"
_CALL = r"[A-Za-z_][\w.]{0,250}[./][A-Za-z_]\w{0,100}"
HEALTH = "health.proto"
_HEALTH_PROTO = """\
syntax = "proto3";
package grpc.health.v1;
message HealthCheckRequest { string service = 1; }
message HealthCheckResponse { int32 status = 1; }
service Health { rpc Check(HealthCheckRequest) returns (HealthCheckResponse); }
"""
"""What the health protocol is in gRPC (grpc/health/v1); an enum goes over the wire as an int32."""


def ghz(fields: Fields, script: str = "") -> Plan:
    """`script` is the path of the operator's `.proto` file, if one is named. Raises `BadRequest`."""
    target = fields.word("target", _HOST, "a host and a port, such as `podinfo-canary.test:9999`")
    if not target:
        fields.needed("target")
    call = fields.word("call", _CALL, "a method, such as `grpc.health.v1.Health.Check`")
    if not call:
        fields.needed("call")
    load, thresholds = read_load(fields, needs_url=False), read_thresholds(fields)
    if load.url:
        raise BadRequest("ghz calls a `target`, HOST:PORT, and no `url`")
    if load.body:
        _check_json(load.body)
    files: dict[str, str] = {}
    proto: tuple[str, ...] = ("--proto", script) if script else ()
    if not script and re.match(r"grpc\.health\.v1\.Health[./]Check$", call):
        files, proto = {HEALTH: _HEALTH_PROTO}, ("--proto", HEALTH)
    tls = () if fields.flag("tls") else ("--insecure",)

    def judge(ended: Ended) -> Verdict:
        measured = report.summary(ended.output, lambda status: status == "OK", errors_have_status=True)
        if ended.code != 0 or measured is None:
            return by_exit_code(ended)._replace(passed=False)
        return thresholds.judge(measured)

    argv = ("ghz", *tls, *proto, "--call", call, *_options(load), target)
    return Plan(
        "ghz", argv, ("ghz",), f"ghz: {call} of {target}, {load.words}", judge, files=files,
        timeout_s=load.seconds + GRACE_S if load.seconds is not None else None,
    )  # fmt: skip


def _options(load: Load) -> tuple[str, ...]:
    options = ["-c", str(load.concurrency), "--connections", str(min(load.concurrency, 10))]
    if load.requests is not None:
        options += ["-n", str(max(load.requests, load.concurrency))]
    else:
        options += ["-z", f"{load.seconds:g}s", "--duration-stop", "wait"]
    if load.rate is not None:
        options += ["-r", str(max(1, round(load.rate)))]
    if load.headers:
        options += ["-m", json.dumps(load.headers)]
    return (*options, "-d", load.body or "{}")


def _check_json(body: str) -> None:
    try:
        json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest("`body` in the metadata must be JSON: ghz makes the message from it") from error
