"""`rollway plan`: what a policy would do, before it does anything."""

import json
from typing import TYPE_CHECKING, Annotated, Any

from rollway.exit_codes import ExitCode
from rollway.parameters import Argument, Option
from rollway.policies import compiled, rollouts
from rollway.terminal import Stop, put

if TYPE_CHECKING:
    from dsl.ir import Program
    from interpreter.outlook.chances import Chances
    from interpreter.outlook.traffic import Wanted


def command(
    paths: Annotated[
        list[str], Argument("Files, folders with `*.rollout` in them, or `-` for standard input.", "PATH")
    ],
    rollout: Annotated[str | None, Option("--rollout", "Which of several rollouts.", "NAME")] = None,
    rps: Annotated[
        str | None, Option("--rps", "Requests a second that the service gets: work out what the checks promise.", "N")
    ] = None,
    errors: Annotated[
        str | None, Option("--errors", "The share of them that is bad while all is well.", "0.2%")
    ] = None,
    latency: Annotated[str | None, Option("--latency", "Their median latency, 100ms by default.", "120ms")] = None,
    slow: Annotated[
        str | None, Option("--slow", "Their 99th percentile, 3.2 times the median by default.", "900ms")
    ] = None,
    prometheus: Annotated[
        str | None, Option("--prometheus", "Ask this Prometheus for the primary's traffic instead.", "URL")
    ] = None,
    window: Annotated[str | None, Option("--window", "As it was in the last hour, or so long.", "1h")] = None,
    runs: Annotated[
        str | None, Option("--runs", "Rollouts to draw of each kind; by default as many as take seconds.", "N")
    ] = None,
    as_json: Annotated[bool, Option("--json", "Print the plan as JSON: one array with one object a rollout.")] = False,
) -> int:
    """Say what a policy would do: steps, times, exposure, queries.

    For every step: when it begins and ends at the soonest (every check passes at once) and at the latest
    (every tolerated failure is used up), what share of requests the canary has, what judges it, and what
    can end the rollout there. Beneath the table: the time to promotion, the waits that have no limit, how
    many requests a breach can hit before the traffic is back, and the queries and calls made an hour.

    With `--rps` and `--errors`, or `--prometheus`, also what the checks promise at this traffic: how often
    each of them ends a healthy release, how many requests of the canary it needs to notice one point more
    errors or a tenth more latency, and which of them are hopeless. Many rollouts are drawn by chance for it,
    from a fixed seed, and judged as a real one is.

    \b
    Examples:
      rollway plan checkout.rollout
      rollway plan checkout.rollout --rps 50 --errors 0.2% --latency 120ms --slow 900ms
      rollway plan checkout.rollout --prometheus http://localhost:9090 --window 1d
      rollway plan policies/ --json

    Exit codes: 0 fine, 1 the policy has errors, 2 wrong usage or unreadable input.
    """
    from interpreter.plan import plan
    from interpreter.plan_table import data, text

    wanted = None
    if any(given is not None for given in (rps, errors, latency, slow, prometheus, window, runs)):
        wanted = _wanted(rps, errors, latency, slow, prometheus, window, runs)
    policies = compiled(paths)
    shown: list[dict[str, Any]] = []
    told: list[str] = []
    for _, found in rollouts(policies, rollout, doing="plan"):
        planned = plan(found.program)
        one, words = data(planned), text(planned)
        if wanted is not None:
            more, more_words = _chances(found.program, wanted)
            one["chances"] = more
            words += f"\n{more_words}"
        shown.append(one)
        told.append(words)
    put(json.dumps(shown, indent=2, ensure_ascii=False) + "\n" if as_json else "\n".join(told))
    return policies.code or ExitCode.FINE


def _wanted(*given: str | None) -> "Wanted":
    """What the options ask for. Raises `Stop` for what makes no sense."""
    from interpreter.outlook.traffic import Unusable, wanted

    try:
        return wanted(*given)
    except Unusable as problem:
        raise Stop(str(problem)) from problem


def _chances(program: "Program", wanted: "Wanted") -> tuple[dict[str, Any], str]:
    """What the checks of a rollout promise, as data and as text."""
    from interpreter.outlook.chances import chances
    from interpreter.outlook.telling import data, text
    from interpreter.outlook.traffic import Unusable, traffic

    try:
        service, words = traffic(program, wanted)
    except Unusable as problem:
        raise Stop(f"`{program.name}`: {problem}") from problem
    found: Chances = chances(program, service, number=wanted.runs)
    return data(found, words), text(found, words)
