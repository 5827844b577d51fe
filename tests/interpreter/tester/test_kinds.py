"""Protects what becomes of a webhook's metadata: the command line, and the answer to what is wrong."""

from __future__ import annotations

import json
from pathlib import PurePosixPath

import pytest

from interpreter.tester.kinds.registry import plan_of
from interpreter.tester.kinds.report import summary
from interpreter.tester.payload import BadRequest, Payload, read
from interpreter.tester.plan import Ended, Plan, Summary

URL = "http://podinfo-canary.test:9898/"


def plan(**metadata: str) -> Plan:
    return plan_of(Payload("podinfo", "test", metadata), PurePosixPath("/scripts"))


def test_a_task_without_a_type_is_a_command_in_the_background() -> None:
    made = plan(cmd=f"hey -z 1m {URL}")
    assert (made.kind, made.waits, made.argv, made.programs) == ("cmd", False, ("hey", "-z", "1m", URL), ("hey",))


def test_what_only_a_shell_understands_goes_to_the_shell_that_flagger_uses() -> None:
    assert plan(cmd="echo $HOME").argv == ("sh", "-c", "echo $HOME")
    made = plan(type="bash", cmd="echo $HOME")
    assert (made.argv, made.waits, made.programs) == (("bash", "-c", "echo $HOME"), True, ())
    assert "stands for what a shell would put there" in made.shell


@pytest.mark.parametrize("kind", ["helm", "helmv3"])
def test_helm_is_given_words_and_no_shell(kind: str) -> None:
    made = plan(type=kind, cmd="test podinfo -n 'a b'; rm -rf /", returnCmdOutput="true")
    assert made.argv == ("helm", "test", "podinfo", "-n", "a b;", "rm", "-rf", "/")
    assert (made.programs, made.waits, made.returns_output, made.shell) == (("helm",), True, True, "")


def test_hey() -> None:
    made = plan(
        type="hey", url=URL, duration="1m30s", rate="20", concurrency="4", method="POST", body="a=1",
        host="app.example", **{"header.X-Canary": "insider"},
    )  # fmt: skip
    assert made.argv == (
        "hey", "-c", "4", "-m", "POST", "-z", "90s", "-q", "5", "-H", "X-Canary: insider", "-host", "app.example",
        "-d", "a=1", URL,
    )  # fmt: skip
    assert (made.waits, made.timeout_s) == (True, 150)


def test_ghz_knows_the_protocol_of_health() -> None:
    made = plan(type="ghz", target="podinfo:9999", call="grpc.health.v1.Health/Check", requests="10", wait="false")
    assert made.argv[:6] == ("ghz", "--insecure", "--proto", "health.proto", "--call", "grpc.health.v1.Health/Check")
    assert "health.proto" in made.files
    assert (made.waits, made.tells) == (False, True)


def test_a_script_of_the_operators_is_named_and_one_of_the_policys_needs_the_operators_leave() -> None:
    assert plan(type="k6", scriptFile="shop.js").argv[-1] == "/scripts/shop.js"
    assert plan(type="k6", scriptFile="shop.js").shell == ""
    assert "is a program" in plan(type="k6", script="export default function () {}").shell
    assert "is a program" in plan(type="locust", script="import os").shell


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({}, "metadata not found in payload"),
        ({"type": "cmd"}, "`cmd` is missing"),
        ({"type": "nonsense"}, "unknown task type `nonsense`: there are cmd, bash, helm"),
        ({"type": "concord"}, "no tasks of type `concord`"),
        ({"type": "ngrinder"}, "no tasks of type `ngrinder`"),
        ({"type": "hey"}, "`url` is missing"),
        ({"type": "hey", "url": "-o/etc/passwd"}, "`url` in the metadata must be an address"),
        ({"type": "hey", "url": "http://x/ -o y"}, "must be an address"),
        ({"type": "hey", "url": "file:///etc/passwd"}, "must be an address"),
        ({"type": "hey", "url": "http://x:99999/"}, "must be an address"),
        ({"type": "hey", "url": URL, "duration": "soon"}, "`duration` in the metadata must be a duration"),
        ({"type": "hey", "url": URL, "duration": "1m", "requests": "5"}, "not both"),
        ({"type": "hey", "url": URL, "requests": "1", "concurrency": "9"}, "must not be fewer"),
        ({"type": "hey", "url": URL, "durration": "1m"}, "did you mean `duration`?"),
        ({"type": "hey", "url": URL, "method": "-x"}, "must be a method"),
        ({"type": "hey", "url": URL, "header.X": "a\r\nY: b"}, "must be the name of a header"),
        ({"type": "hey", "url": URL, "maxErrorRate": "0.5"}, "a percentage"),
        ({"type": "hey", "url": URL, "concurrency": "99999"}, "a number from 1 to 10000"),
        ({"type": "wrk", "url": URL, "rate": "5"}, "but hey does"),
        ({"type": "ghz", "target": "--config=x", "call": "a.B/C"}, "a host and a port"),
        ({"type": "ghz", "target": "x:1", "call": "a.B/C", "body": "no"}, "must be JSON"),
        ({"type": "k6", "scriptFile": "../../etc/passwd"}, "the bare name of a file"),
        ({"type": "k6", "scriptFile": "a.js", "script": "x"}, "not both"),
        ({"type": "locust", "scriptFile": "a.py", "env.LD_PRELOAD": "x"}, "must begin with `env.TEST_`"),
    ],
)
def test_what_is_wrong_is_said(metadata: dict[str, str], said: str) -> None:
    with pytest.raises(BadRequest) as refused:
        plan(**metadata)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "no JSON"),
        (b"[]", "no JSON object"),
        (b"[" * 100_000, "no JSON"),
        (json.dumps({"name": "../x", "namespace": "test"}).encode(), "`name` must be"),
        (json.dumps({"name": "x", "namespace": "a.b"}).encode(), "`namespace` must be"),
        (json.dumps({"name": "x\n", "namespace": "a"}).encode(), "cannot be shown"),
        (json.dumps({"namespace": "a"}).encode(), "`name` must be"),
        (json.dumps({"name": "x", "namespace": "a", "metadata": ["b"]}).encode(), "an object of texts"),
        (json.dumps({"name": "x", "namespace": "a", "metadata": {"cmd": ["b"]}}).encode(), "`cmd` is none"),
        (json.dumps({"name": "x", "namespace": "a", "metadata": {"cmd": "a\0b"}}).encode(), "no command line"),
        (json.dumps({"name": "x", "namespace": "a", "metadata": {str(n): "" for n in range(65)}}).encode(), "64"),
    ],
)
def test_a_payload_that_is_none_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read(body)
    assert said in str(refused.value)


def test_numbers_and_booleans_are_taken_for_their_texts() -> None:
    body = json.dumps({"name": "x", "namespace": "a", "metadata": {"rate": 5, "wait": False}}).encode()
    assert read(body).metadata == {"rate": "5", "wait": "false"}


HEY_REPORT = """
Summary:
  Total:	1.0508 secs
  Slowest:	0.0438 secs

Latency distribution:
  50%% in 0.0061 secs
  95%% in 0.0400 secs
  0%% in 0.0000 secs

Status code distribution:
  [200]	18 responses
  [500]	2 responses

Error distribution:
  [4]	Get "http://127.0.0.1:1/": dial tcp 127.0.0.1:1: connect: connection refused
"""


def test_heys_report_is_read_with_the_requests_that_were_never_answered() -> None:
    read = summary(HEY_REPORT, lambda status: int(status) < 400, errors_have_status=False)
    assert read == Summary(24, 6, 1.0508, 6.1, 40.0, 43.8)


def test_output_before_the_report_does_not_count() -> None:
    before = "Summary:\n  Total:	9.0 secs\n  [200]	99 responses\n"
    read = summary(before + HEY_REPORT, lambda status: True, errors_have_status=True)
    assert read is not None
    assert read.requests == 20


@pytest.mark.parametrize(
    ("thresholds", "passed", "said"),
    [
        ({}, True, "24 requests, 6 errors (25.00%)"),
        ({"maxErrorRate": "25%"}, True, "24 requests"),
        ({"maxErrorRate": "10%"}, False, "25.00% errors, at most 10% allowed"),
        ({"maxP95": "39ms"}, False, "p95 is 40ms, at most 39ms allowed"),
        ({"maxP95": "40ms", "maxP50": "10ms", "maxP99": "1s"}, True, "24 requests"),
        ({"minRequests": "25"}, False, "24 requests, at least 25 wanted"),
        ({"minRate": "1000"}, False, "22.8 requests a second, at least 1000 wanted"),
    ],
)
def test_thresholds(thresholds: dict[str, str], passed: bool, said: str) -> None:
    verdict = plan(type="hey", url=URL, **thresholds).judge(Ended(0, HEY_REPORT))
    assert (verdict.passed, said in verdict.reason) == (passed, True), verdict


def test_a_load_of_which_nothing_arrives_fails_without_any_threshold() -> None:
    report = 'Summary:\n  Total:	1.0 secs\nError distribution:\n  [4]	Get "x": refused\n'
    verdict = plan(type="hey", url=URL).judge(Ended(0, report))
    assert (verdict.passed, verdict.reason.startswith("every request failed")) == (False, True)


def test_a_tool_that_ends_without_a_report_has_failed() -> None:
    assert not plan(type="hey", url=URL).judge(Ended(0, "nothing")).passed
    assert not plan(type="wrk", url=URL).judge(Ended(0, "nothing")).passed
    assert not plan(type="locust", url=URL).judge(Ended(0, "nothing")).passed
