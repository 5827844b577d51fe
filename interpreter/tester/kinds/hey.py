"""`hey`: HTTP load at a rate, by a number of workers. Pure. Its options: github.com/rakyll/hey, `hey -h`."""

from __future__ import annotations

from interpreter.tester.kinds import report
from interpreter.tester.kinds.command import judge as by_exit_code
from interpreter.tester.kinds.fields import Fields
from interpreter.tester.kinds.load import Load, read_load, read_thresholds
from interpreter.tester.payload import BadRequest
from interpreter.tester.plan import Ended, Plan, Verdict


def hey(fields: Fields) -> Plan:
    """Raises `BadRequest`."""
    load = read_load(fields)
    if load.requests is not None and load.requests < load.concurrency:
        raise BadRequest(f"`requests` must not be fewer than `concurrency`, which is {load.concurrency}")
    thresholds = read_thresholds(fields)

    def judge(ended: Ended) -> Verdict:
        measured = report.summary(ended.output, _good, errors_have_status=False)
        if ended.code != 0 or measured is None:
            return by_exit_code(ended)._replace(passed=False)
        return thresholds.judge(measured)

    argv = ("hey", *_options(load), load.url)
    return Plan("hey", argv, ("hey",), f"hey: {load.url}, {load.words}", judge, timeout_s=load.timeout_s)


def _options(load: Load) -> tuple[str, ...]:
    options = ["-c", str(load.concurrency), "-m", load.method]
    options += ["-n", str(load.requests)] if load.requests is not None else ["-z", f"{load.seconds:g}s"]
    if load.rate is not None:
        options += ["-q", f"{load.rate / load.concurrency:g}"]  # hey's is that of one worker
    for name, value in load.headers.items():
        options += ["-host", value] if name == "Host" else ["-H", f"{name}: {value}"]
    if load.body:
        options += ["-d", load.body]
    return tuple(options)


def _good(status: str) -> bool:
    return status.isdecimal() and int(status) < 400
