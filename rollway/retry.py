"""`rollway retry`: the same revision again."""

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
    """Try the revision that failed once more.

    The rollout begins again from its first step. After a promotion that failed, the promotion is tried again.

    \b
    Examples:
      rollway retry checkout
      rollway retry checkout --reason "the database is back"

    Exit codes: 0 done, 1 the interpreter ignored it, 2 wrong usage, no such rollout, or
    nothing to retry now, 4 the interpreter has not taken it in time: it stands.
    """
    from rollway.cluster.asking import Request
    from rollway.cluster.session import Where, needs_cluster_extra

    needs_cluster_extra()
    from rollway.cluster.verbs import Line, ask

    request = Request("retry", revision, step, reason)
    return ask(Line(Where(kubeconfig, context, namespace), name, request, None if no_wait else wait))
