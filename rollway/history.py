"""`rollway history`: what a rollout in a cluster has tried, and what came of it."""

from typing import Annotated

from rollway.cluster.data import Output
from rollway.cluster.options import Context, Kubeconfig, Namespace
from rollway.parameters import Argument, Option
from rollway.terminal import Stop


def command(
    name: Annotated[str | None, Argument("The rollout, `rollout/NAME` or `canary/NAME`.", "NAME")] = None,
    number: Annotated[int | None, Argument("One run, by its number: all that is kept of it.", "RUN")] = None,
    output: Annotated[Output, Option("--output", "As text, json, yaml, or names only.", short="-o")] = Output.TEXT,
    everything: Annotated[bool, Option("--all", "All runs of all rollouts, as JSON, one a line.")] = False,
    everywhere: Annotated[bool, Option("--all-namespaces", "With --all: in all namespaces.", short="-A")] = False,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> int:
    """Show the runs of a rollout, newest first, or all that is kept of one.

    Each run is one attempt to roll out one revision. The record of one has every decision with its time, the
    canary's weight then, and the values that the decision was made on. Times are in UTC.

    As JSON or YAML there is all of it, the series of the checks' values included, in the form
    `rollway.dev/history/1`; `rollway report` draws it.

    \b
    Examples:
      rollway history checkout
      rollway history checkout 3
      rollway history checkout 3 -o json > checkout-3.json
      rollway history --all -A >> rollouts.jsonl

    Exit codes: 0 fine, 2 wrong usage, no such rollout or run, or no cluster.
    """
    from rollway.cluster.session import Where, needs_cluster_extra, run

    if everything == (name is not None):
        raise Stop("say which rollout, or `--all`" + ("; not both" if everything else ""))
    if everywhere and not everything:
        raise Stop("`--all-namespaces` goes with `--all`")
    if everywhere and namespace is not None:
        raise Stop("`--all-namespaces` shows every rollout: it goes with no namespace")
    if everything and output not in (Output.TEXT, Output.JSON):
        raise Stop("`--all` is JSON, one run a line: it goes with no other `--output`")
    needs_cluster_extra()
    from rollway.cluster.showing import history, history_of_all

    where = Where(kubeconfig, context, namespace)
    if name is None:
        return run(where, lambda api, place: history_of_all(api, None if everywhere else place))
    return run(where, lambda api, place: history(api, place, name, number, output))
