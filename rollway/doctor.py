"""`rollway doctor`: what is amiss with an installation, and what to do about it."""

from typing import Annotated

from rollway.cluster.data import Output
from rollway.cluster.options import Context, Kubeconfig
from rollway.parameters import Option
from rollway.terminal import Stop


def command(
    namespace: Annotated[
        str | None,
        Option("--namespace", "Where the controller is; looked for in all namespaces, if unsaid.", "NAME", "-n"),
    ] = None,
    provider: Annotated[
        list[str] | None,
        Option(
            "--provider", "A traffic provider that policies will use, beside those that they do; repeatable.", "NAME"
        ),
    ] = None,
    output: Annotated[Output, Option("--output", "As text, json or yaml.", short="-o")] = Output.TEXT,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> int:
    """Say what is installed, reachable and permitted, what is missing, and what to do.

    Looks at the definitions, the controller and its pods, its Lease, the admission webhook and whom it trusts, a
    Flagger beside it, the data planes that your policies route by, the metric server, and each right that the
    controller's ServiceAccount needs. Nothing is changed. What you may not see yourself is said to be unseen.

    \b
    Examples:
      rollway doctor
      rollway doctor --provider istio
      rollway doctor -n rollway-system -o json

    Exit codes: 0 nothing is wrong, 1 something is, 2 wrong usage, or no cluster.
    """
    from rollway.cluster.session import Where, needs_cluster_extra, run

    if output is Output.NAME:
        raise Stop("what is found has no names: `--output` is text, json or yaml")
    needs_cluster_extra()
    from interpreter.cluster.access import ROUTES
    from rollway.cluster.doctor import examine

    asked = tuple(dict.fromkeys(name for each in provider or () for name in each.split(",")))
    unknown = next((name for name in asked if name not in ROUTES), None)
    if unknown is not None:
        raise Stop(f"there is no traffic provider `{unknown}` for a cluster; there are {', '.join(sorted(ROUTES))}")
    return run(Where(kubeconfig, context, namespace), lambda api, _: examine(api, namespace, asked, output))
