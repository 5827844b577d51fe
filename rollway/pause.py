"""`rollway pause`: stay at this traffic."""

from rollway.cluster.options import Context, Kubeconfig, Name, Namespace, NoWait, Reason, Revision, Step, Wait


def command(
    name: Name,
    revision: Revision = None,
    step: Step = None,
    reason: Reason = "",
    wait: Wait = "10s",
    no_wait: NoWait = False,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> int:
    """Hold the rollout where it is, at its present traffic.

    Nothing moves until `rollway resume`, `promote` or `abort`. To freeze a rollout in its manifest instead, set
    `spec.suspend`.

    \b
    Examples:
      rollway pause checkout --reason "looking at the graphs"

    Exit codes: 0 done, 1 the interpreter ignored it, 2 wrong usage, no such rollout, or
    nothing to pause now, 4 the interpreter has not taken it in time: it stands.
    """
    from rollway.cluster.asking import Request
    from rollway.cluster.session import Where, needs_cluster_extra

    needs_cluster_extra()
    from rollway.cluster.verbs import Line, ask

    request = Request("pause", revision, step, reason)
    return ask(Line(Where(kubeconfig, context, namespace), name, request, None if no_wait else wait))
