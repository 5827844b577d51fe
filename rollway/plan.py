"""`rollway plan`: what a policy would do, before it does anything."""

import json
from typing import Annotated, Any

from rollway.exit_codes import ExitCode
from rollway.parameters import Argument, Option
from rollway.policies import compiled, rollouts
from rollway.terminal import put


def command(
    paths: Annotated[
        list[str], Argument("Files, folders with `*.rollout` in them, or `-` for standard input.", "PATH")
    ],
    rollout: Annotated[str | None, Option("--rollout", "Which of several rollouts.", "NAME")] = None,
    as_json: Annotated[bool, Option("--json", "Print the plan as JSON: one array with one object a rollout.")] = False,
) -> int:
    """Say what a policy would do: steps, times, exposure, queries.

    For every step: when it begins and ends at the soonest (every check passes at once) and at the latest
    (every tolerated failure is used up), what share of requests the canary has, what judges it, and what
    can end the rollout there. Beneath the table: the time to promotion, the waits that have no limit, how
    many requests a breach can hit before the traffic is back, and the queries and calls made an hour.

    \b
    Examples:
      rollway plan checkout.rollout
      rollway plan policies/ --json

    Exit codes: 0 fine, 1 the policy has errors, 2 wrong usage or unreadable input.
    """
    from interpreter.plan import plan
    from interpreter.plan_table import data, text

    policies = compiled(paths)
    plans = [plan(found.program) for _, found in rollouts(policies, rollout, doing="plan")]
    if as_json:
        shown: list[dict[str, Any]] = [data(one) for one in plans]
        put(json.dumps(shown, indent=2, ensure_ascii=False) + "\n")
    else:
        put("\n".join(text(one) for one in plans))
    return policies.code or ExitCode.FINE
