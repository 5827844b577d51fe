"""The table of commands: what each is called, where it lives, and the line that help shows for it.

A module is imported when its command is invoked, never before; it holds one function, `command`. A `quick` command has
its parameters as `rollway.parameters` describes them and can be run without Typer.
"""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One command."""

    module: str
    help: str
    group: str
    quick: bool = False


WRITE, TRY, STEER, LOOK_UP = "Write a policy", "Try it", "Watch and steer it in a cluster", "Look things up"

COMMANDS: dict[str, Row] = {
    "lint": Row("rollway.lint", "Find what is wrong with policies, before anything runs.", WRITE, quick=True),
    "fmt": Row("rollway.fmt", "Lay policies out in the one canonical form.", WRITE, quick=True),
    "compile": Row(
        "rollway.compile", "Turn a policy into a Program, or into a Kubernetes manifest.", WRITE, quick=True
    ),
    "import": Row("rollway.import_", "Turn Flagger's Canaries into policies.", WRITE),
    "plan": Row("rollway.plan", "Say what a policy would do: steps, times, exposure, queries.", TRY, quick=True),
    "render": Row("rollway.render", "Print the objects that a routing is made of: Services, primary, routes.", TRY),
    "simulate": Row("rollway.simulate", "Run a policy in virtual time against a scenario.", TRY, quick=True),
    "test": Row("rollway.test", "Run the `test` blocks of policies.", TRY, quick=True),
    "backtest": Row("rollway.backtest", "Run a policy's checks against the past of a Prometheus.", TRY),
    "run": Row("rollway.run", "Run a rollout with real processes and real traffic on this machine.", TRY),
    "submit": Row("rollway.submit", "Bring a further revision to a run on this machine.", TRY),
    "signal": Row("rollway.signal", "Approve, abort, promote, retry, pause or resume a run on this machine.", TRY),
    "demo": Row("rollway.demo", "Watch a good revision promoted and a bad one rolled back.", TRY),
    "status": Row("rollway.status", "Show where rollouts stand, once or until they have come to rest.", STEER),
    "dashboard": Row("rollway.dashboard.command", "Show rollouts on a page in the browser, and decide there.", STEER),
    "history": Row("rollway.history", "Show the runs of a rollout, or all that is kept of one.", STEER),
    "report": Row("rollway.report", "Write the report of a run: a page with charts, in one file.", STEER),
    "approve": Row("rollway.approve", "Approve the revision that waits for it.", STEER),
    "abort": Row("rollway.abort", "End a rollout, with all traffic back on the primary.", STEER),
    "promote": Row("rollway.promote", "Promote a revision now, without the rest of the steps.", STEER),
    "retry": Row("rollway.retry", "Try the revision that failed once more.", STEER),
    "pause": Row("rollway.pause", "Hold a rollout where it is, at its present traffic.", STEER),
    "resume": Row("rollway.resume", "Go on with a rollout that was paused by hand.", STEER),
    "install": Row(
        "rollway.install", "Print what a cluster needs: definitions, rights, the controller.", STEER, quick=True
    ),
    "doctor": Row("rollway.doctor", "Say what is amiss with an installation, and what to do.", STEER),
    "controller": Row(
        "rollway.controller", "Carry out the rollouts of a cluster: the interpreter, as a process.", STEER
    ),
    "tester": Row("rollway.tester", "Run load tests, acceptance tests and gates for webhooks.", STEER),
    "explain": Row("rollway.explain", "Explain a code, with an example before and after.", LOOK_UP, quick=True),
    "schema": Row("rollway.schema", "Print the JSON Schema of a Program.", LOOK_UP, quick=True),
    "version": Row("rollway.version", "Print the version.", LOOK_UP, quick=True),
}
