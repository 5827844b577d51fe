"""`rollway promote`: without the rest of the steps."""

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
    """Promote the revision now, without the rest of the steps.

    What the policy still wants to see is not waited for. A rollout whose canary is not ready yet is promoted
    once it is.

    \b
    Examples:
      rollway promote checkout --reason "hotfix for INC-42"
      rollway promote canary/cart -n shop

    Exit codes: 0 done, 1 the interpreter ignored it, 2 wrong usage, no such rollout, or
    nothing to promote now, 4 the interpreter has not taken it in time: it stands.
    """
    from rollway.cluster.asking import Request
    from rollway.cluster.session import Where, needs_cluster_extra

    needs_cluster_extra()
    from rollway.cluster.verbs import Line, ask

    request = Request("promote", revision, step, reason)
    return ask(Line(Where(kubeconfig, context, namespace), name, request, None if no_wait else wait))
