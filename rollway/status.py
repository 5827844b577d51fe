"""`rollway status`: where rollouts in a cluster stand."""

from typing import Annotated

from rollway.cluster.data import Output
from rollway.cluster.options import Context, Kubeconfig, Namespace, seconds
from rollway.parameters import Argument, Option
from rollway.terminal import Stop


def command(
    name: Annotated[
        str | None, Argument("The rollout, `rollout/NAME` or `canary/NAME`; all if none is named.", "NAME")
    ] = None,
    watch: Annotated[bool, Option("--watch", "Go on showing it, until it has come to rest.", short="-w")] = False,
    revision: Annotated[
        str | None, Option("--revision", "With --watch: until the rollout of this revision is over.", "REVISION")
    ] = None,
    timeout: Annotated[
        str | None, Option("--timeout", "With --watch: no longer than this, such as `30m`.", "DURATION")
    ] = None,
    output: Annotated[Output, Option("--output", "As text, json, yaml, or names only.", short="-o")] = Output.TEXT,
    everywhere: Annotated[bool, Option("--all-namespaces", "In all namespaces.", short="-A")] = False,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> int:
    """Show where rollouts in a cluster stand.

    Without a name: a table of all Rollouts and Flagger Canaries. With one: its steps, the canary's share, the values
    that the last check saw, what happened, and what can be done now.

    With --watch it is followed as it changes. On a terminal that is a picture, elsewhere a line for each
    thing that happens. It ends when the rollout has come to rest, so that a pipeline can wait for it. If the
    target has just been changed, it is the rollout of this change that is waited for.

    \b
    Examples:
      rollway status
      rollway status checkout -n shop
      kubectl set image deployment/checkout app=app:2 && rollway status checkout --watch --timeout 1h

    Exit codes: 0 shown; with --watch promoted, or at rest and well; 1 with --watch rolled back, failed or
    deleted, 2 wrong usage, no such rollout or no cluster, 4 with --watch not at rest in time, 130 stopped by Ctrl-C.
    """
    from rollway.cluster.session import Where, needs_cluster_extra, run

    if everywhere and (name is not None or namespace is not None):
        raise Stop("`--all-namespaces` shows every rollout: it goes with neither a name nor a namespace")
    if not watch and (revision is not None or timeout is not None):
        raise Stop("`--revision` and `--timeout` go with `--watch`")
    if watch and output is not Output.TEXT:
        raise Stop("`--watch` is for people to see: it goes with no `--output`")
    if revision is not None and name is None:
        raise Stop("`--revision` is that of one rollout: name it")
    limit_s = seconds(timeout, "--timeout") if timeout is not None else None
    needs_cluster_extra()
    from rollway.cluster import showing

    where = Where(kubeconfig, context, namespace)
    if name is not None:
        if watch:
            return run(where, lambda api, place: showing.watch(api, place, name, revision, limit_s))
        return run(where, lambda api, place: showing.status_of(api, place, name, output))
    if watch:
        return run(where, lambda api, place: showing.watch_all(api, None if everywhere else place, limit_s))
    return run(where, lambda api, place: showing.status_of_all(api, None if everywhere else place, output))
