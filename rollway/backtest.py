"""`rollway backtest`: a policy's checks, against what a Prometheus still knows of the past."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rollway.exit_codes import ExitCode
from rollway.parameters import Argument, Option
from rollway.policies import compiled, rollouts
from rollway.terminal import Stop, put, reason, say

if TYPE_CHECKING:
    from dsl.ir import Program
    from interpreter.backtest.history import History, Names
    from interpreter.backtest.moments import Span
    from interpreter.backtest.telling import About

MOST_ROLLOUTS = 2000


def command(
    path: Annotated[str, Argument("A file with a rollout in it, or `-` for standard input.", "PATH")],
    rollout: Annotated[str | None, Option("--rollout", "Which of several rollouts.", "NAME")] = None,
    prometheus: Annotated[str | None, Option("--prometheus", "The Prometheus that has the history.", "URL")] = None,
    since: Annotated[str | None, Option("--from", "When the rollout begins.", "WHEN")] = None,
    until: Annotated[str, Option("--to", "Where the history ends.", "WHEN")] = "now",
    quiet_since: Annotated[
        str | None, Option("--quiet-since", "Count false alarms from here to `--to`, where nothing was wrong.", "WHEN")
    ] = None,
    every: Annotated[str, Option("--every", "How often a rollout begins in quiet times.", "DURATION")] = "6h",
    seed: Annotated[str, Option("--seed", "A number for the draws of quiet times.", "SEED")] = "1",
    canary: Annotated[
        str | None, Option("--canary-workload", "What the canary's workload was called then.", "NAME")
    ] = None,
    primary: Annotated[
        str | None, Option("--primary-workload", "What the primary's workload was called then.", "NAME")
    ] = None,
    baseline: Annotated[
        str | None, Option("--baseline-workload", "What the baseline's workload was called then.", "NAME")
    ] = None,
    variables: Annotated[
        list[str] | None, Option("--var", "Another value for a variable of the queries; may be repeated.", "NAME=VALUE")
    ] = None,
    credentials: Annotated[
        str | None,
        Option("--credentials", "A file with a bearer token, or a folder with the keys of a Secret as files.", "PATH"),
    ] = None,
    as_json: Annotated[bool, Option("--json", "Print the result as JSON: one object.")] = False,
    html: Annotated[str | None, Option("--html", "Write a report with charts, all in one file.", "FILE")] = None,
) -> int:
    """Run a policy's checks against the past of a Prometheus.

    With `--from`, as if a rollout had begun then: both arms as they were, the policy's own schedule, judge and
    counting. It says at which minute the rollout would have been ended and why, or that it would have been
    promoted. With `--quiet-since`, a rollout of nothing new begins every six hours, its canary's requests drawn
    at random out of the primary's real ones; it says how many would have been ended by a false alarm.

    A moment is a date and a time (`2026-11-01T10:00Z`, in UTC where it names no zone), seconds since 1970, `now`,
    or a length of time ago: `90m`, `2w`. Webhooks and gates are not asked; checks that ask anything but a
    Prometheus are left out and named. Metric servers and Secrets of the policy make way for `--prometheus` and
    `--credentials` (as files: `token`, `username`, `password`, `ca.crt`, `tls.crt`, `tls.key`, `tenant`).

    \b
    Examples:
      rollway backtest checkout.rollout --prometheus http://localhost:9090 --from 2026-11-01T10:00Z
      rollway backtest checkout.rollout --prometheus http://localhost:9090 --quiet-since 2w --html report.html
      rollway backtest checkout.rollout --prometheus http://localhost:9090 --from 3h \\
        --canary-workload checkout-v2 --primary-workload checkout-v1

    Exit codes: 0 promoted, or no more false alarms than promised; 1 not promoted, more false alarms than
    promised, or the policy has errors; 2 wrong usage, unreadable input, a server that cannot be asked, or no data.
    """
    if prometheus is None or not prometheus.startswith(("http://", "https://")):
        raise Stop("`--prometheus` says where the history is: an address such as `http://localhost:9090`")
    if (since is None) == (quiet_since is None):
        raise Stop("say from when: `--from` for one rollout, or `--quiet-since` to count false alarms")
    program = _program(path, rollout)
    if program is None:
        return ExitCode.FINDINGS
    return _asked(
        program,
        prometheus,
        _Wanted(_span(since or quiet_since or "", until), quiet_since is not None, _every(every), _seed(seed)),
        _names((canary, primary, baseline), variables or []),
        _secret(credentials),
        _Output(as_json, html),
    )


class _Wanted:
    """What is to be looked at: one rollout, or in quiet times one `every_ms`."""

    def __init__(self, within: "Span", quiet: bool, every_ms: int, seed: int) -> None:
        self.within, self.quiet, self.every_ms, self.seed = within, quiet, every_ms, seed
        if quiet and within.length_ms / every_ms > MOST_ROLLOUTS:
            raise Stop(f"that is more than {MOST_ROLLOUTS:,} rollouts: begin them less often with `--every`")


class _Output:
    """Where the result goes."""

    def __init__(self, as_json: bool, html: str | None) -> None:
        self.as_json, self.html = as_json, html

    def put(self, text: str, data: object) -> None:
        import json

        put(json.dumps(data, indent=2, ensure_ascii=False) + "\n" if self.as_json else text)

    def write(self, page: str) -> None:
        if self.html is None:
            return
        try:
            Path(self.html).write_text(page, encoding="utf-8")
        except OSError as error:
            raise Stop(f"cannot write `{self.html}`: {reason(error)}") from error
        say(f"rollway: the report is in {self.html}")


def _asked(
    program: "Program", server: str, wanted: _Wanted, names: "Names", secret: dict[str, str], output: _Output
) -> int:
    from interpreter.backtest.checkable import assumed, checkable
    from interpreter.backtest.history import History, HistoryError
    from interpreter.backtest.telling import About
    from interpreter.masking import safe_url

    found = checkable(program)
    if not found.remaining:
        why = "; ".join(f"`{one.check}`: {one.why}" for one in found.left_out)
        raise Stop(f"`{program.name}` has no check that a Prometheus could answer" + (f": {why}" if why else ""))
    about = About(found.program, safe_url(server), wanted.within, found.left_out, assumed(program), seed=wanted.seed)
    try:
        with History(found.program, server, wanted.within, names, secret) as history:
            return (_quiet if wanted.quiet else _once)(about, history, wanted, output)
    except HistoryError as error:
        raise Stop(f"the history cannot be asked: {error}") from error


def _once(about: "About", history: "History", wanted: _Wanted, output: _Output) -> int:
    from interpreter.backtest import graphs, telling
    from interpreter.backtest.replay import once
    from rollway.backtest_report import page

    replay = once(about.program, history, wanted.within)
    covered = telling.coverage(replay.seen)
    if covered and not any(one.with_data for one in covered):
        raise Stop(_nothing(about, history))
    output.put(telling.text(about, replay), telling.data(about, replay))
    if output.html is not None:
        drawn = graphs.graphs(about.program, replay, wanted.within, history.step_ms, history.answer)
        output.write(page(about, replay, drawn))
    return ExitCode.FINE if replay.story.outcome == "promoted" else ExitCode.FINDINGS


def _quiet(about: "About", history: "History", wanted: _Wanted, output: _Output) -> int:
    from dsl.ir import Unit
    from interpreter.backtest import graphs, telling
    from interpreter.backtest.replay import over_and_over, starts
    from interpreter.backtest.tally import SURPRISING, tally
    from rollway.backtest_report import quiet_page

    replays = over_and_over(about.program, history, wanted.within, wanted.every_ms, wanted.seed)
    seen = [one for replay in replays for one in replay.seen]
    if seen and not any(one.with_data for one in telling.coverage(seen)):
        raise Stop(_nothing(about, history))
    asked = dict.fromkeys(one.question.metric for one in seen)
    counted = (Unit.EVENTS, Unit.HISTOGRAM, Unit.RATE)
    about = about._replace(
        numbers=tuple(name for name in asked if about.program.metrics[name].unit not in counted),
        every_ms=starts(wanted.within, wanted.every_ms, history.step_ms).step,
    )
    found = tally(about.program, replays)
    output.put(telling.quiet_text(about, found), telling.quiet_data(about, found))
    if output.html is not None:
        drawn = graphs.overview(about.program, wanted.within, history.step_ms, history.answer)
        one_in = graphs.stride(wanted.within, history.step_ms)
        output.write(quiet_page(about, found, replays, drawn, one_in))
    too_many = found.surprise is not None and found.surprise < SURPRISING
    return ExitCode.FINDINGS if too_many else ExitCode.FINE


def _nothing(about: "About", history: "History") -> str:
    from interpreter.backtest.moments import written

    within = about.within
    query = history.example
    known = history.unknown()
    why = (
        f"{'; '.join(known)}. Was it called otherwise then"
        if known
        else "Is that longer ago than it keeps data (its retention), or was the workload called otherwise then"
    )
    return (
        f"{about.server} has no data of any metric between {written(within.from_ms)} and {written(within.to_ms)}. "
        f"{why[0].upper()}{why[1:]} "
        f"(`--canary-workload`, `--primary-workload`, `--var`)? A query that was asked: {query}"
    )


# --- what the line says -------------------------------------------------------------------------------------------


def _program(path: str, rollout: str | None) -> "Program | None":
    policies = compiled([path])
    chosen = rollouts(policies, rollout, doing="backtest")
    if policies.code == ExitCode.USAGE:
        raise Stop("there is nothing to replay", ExitCode.USAGE)
    if not chosen:
        return None
    if len(chosen) > 1:
        names = ", ".join(f"`{found.program.name}`" for _, found in chosen)
        raise Stop(f"there are several rollouts, {names}: choose one with --rollout")
    return chosen[0][1].program


def _span(since: str, until: str) -> "Span":
    from interpreter.backtest.moments import SpanError, span

    try:
        return span(since, until, time.time_ns() // 1_000_000)
    except SpanError as error:
        raise Stop(str(error)) from error


def _every(text: str) -> int:
    from interpreter.backtest.moments import SpanError, length

    try:
        return length(text)
    except SpanError as error:
        raise Stop(f"`--every`: {error}") from error


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise Stop("`--seed` is a whole number, such as 1")
    return int(text)


def _names(workloads: tuple[str | None, str | None, str | None], given: list[str]) -> "Names":
    from interpreter.backtest.history import Names

    pairs = [pair.partition("=") for pair in given]
    for name, equals, _ in pairs:
        if not (name and equals):
            raise Stop("`--var` is a name and a value such as `namespace=shop`")
    return Names(*workloads, {name: value for name, _, value in pairs})


def _secret(path: str | None) -> dict[str, str]:
    """A file is a bearer token; a folder holds the keys of a Secret, as Kubernetes mounts one."""
    if path is None:
        return {}
    where = Path(path)
    try:
        if not where.is_dir():
            return {"token": where.read_text(encoding="utf-8").strip()}
        files = [file for file in where.iterdir() if file.is_file() and not file.name.startswith(".")]
        return {file.name: file.read_text(encoding="utf-8") for file in files}
    except OSError as error:
        raise Stop(f"cannot read `{path}`: {reason(error)}") from error
    except UnicodeDecodeError as error:
        raise Stop(f"`{path}` is not text, as a token and a Secret's keys are") from error
