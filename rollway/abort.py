"""`rollway abort`: send all traffic back to the primary."""

from typing import Annotated

from rollway.cluster.options import Context, Kubeconfig, Name, Namespace, NoWait, Reason, Revision, Step, Wait
from rollway.parameters import Option


def command(
    name: Name,
    revision: Revision = None,
    step: Step = None,
    reason: Reason = "",
    yes: Annotated[bool, Option("--yes", "Do it without a question.", short="-y")] = False,
    wait: Wait = "10s",
    no_wait: NoWait = False,
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> int:
    """End the rollout, with all traffic back on the primary.

    The rollout is rolled back as after a failed analysis: traffic first, then the canary is scaled down. On a terminal
    it is asked for once more before it is done.

    \b
    Examples:
      rollway abort checkout
      rollway abort checkout --yes --reason "the checkout page is slow"

    Exit codes: 0 done, 1 the interpreter ignored it, 2 wrong usage, no such rollout, or
    nothing to abort now, 4 the interpreter has not taken it in time: it stands.
    """
    from rollway.cluster.asking import Request
    from rollway.cluster.session import Where, needs_cluster_extra

    needs_cluster_extra()
    from rollway.cluster.verbs import Line, ask

    request = Request("abort", revision, step, reason)
    return ask(Line(Where(kubeconfig, context, namespace), name, request, None if no_wait else wait, confirm=not yes))
