"""`rollway history`: what a rollout in a cluster has tried, and what came of it."""

from typing import Annotated

from rollway.cluster.data import Output
from rollway.cluster.options import Context, Kubeconfig, Name, Namespace
from rollway.parameters import Argument, Option


def command(
    name: Name,
    number: Annotated[int | None, Argument("One run, by its number: all that is kept of it.", "RUN")] = None,
    output: Annotated[Output, Option("--output", "As text, json, yaml, or names only.", short="-o")] = Output.TEXT,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> int:
    """Show the runs of a rollout, newest first, or all that is kept of one.

    Each run is one attempt to roll out one revision. The record of one has every decision with its time, the
    canary's weight then, and the values that the decision was made on. Times are in UTC.

    \b
    Examples:
      rollway history checkout
      rollway history checkout 3
      rollway history checkout 3 -o json

    Exit codes: 0 fine, 2 wrong usage, no such rollout or run, or no cluster.
    """
    from rollway.cluster.session import Where, needs_cluster_extra, run

    needs_cluster_extra()
    from rollway.cluster.showing import history

    return run(Where(kubeconfig, context, namespace), lambda api, place: history(api, place, name, number, output))
