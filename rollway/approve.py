"""`rollway approve`: the yes that a rollout waits for."""

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
    """Approve the revision that waits for it.

    The approval is for one revision, the one that is shown, and for the wait that the rollout is at. Given
    before the rollout waits for one, it is kept until it does. It goes into the object as an annotation, so that
    the cluster's RBAC says who may, and its audit log who did.

    \b
    Examples:
      rollway approve checkout
      rollway approve checkout -n shop --revision ff87463d6c --reason "CHG-1234"

    Exit codes: 0 done, 1 the interpreter ignored it, 2 wrong usage, no such rollout, or
    nothing to approve now, 4 the interpreter has not taken it in time: it stands.
    """
    from rollway.cluster.asking import Request
    from rollway.cluster.session import Where, needs_cluster_extra

    needs_cluster_extra()
    from rollway.cluster.verbs import Line, ask

    request = Request("approve", revision, step, reason)
    return ask(Line(Where(kubeconfig, context, namespace), name, request, None if no_wait else wait))
