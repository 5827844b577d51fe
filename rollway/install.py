"""`rollway install`: everything that a cluster needs, as YAML for `kubectl apply`."""

import re
from typing import Annotated, Literal

from rollway.exit_codes import ExitCode
from rollway.parameters import Option
from rollway.terminal import Stop, put

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def command(
    namespace: Annotated[
        str, Option("--namespace", "Where the controller runs; made, unless it is the one that is watched.", "NAME")
    ] = "rollway-system",
    watch_namespace: Annotated[
        str | None,
        Option("--watch-namespace", "Look after this namespace only, with a Role instead of a ClusterRole.", "NAME"),
    ] = None,
    image: Annotated[
        str | None, Option("--image", "The controller's image; `rollway:VERSION` if unsaid.", "IMAGE")
    ] = None,
    provider: Annotated[
        list[str] | None,
        Option("--provider", "A traffic provider that policies use; may be repeated. All, if unsaid.", "NAME"),
    ] = None,
    metrics: Annotated[
        list[str] | None,
        Option(
            "--metrics",
            "A metric provider that is asked through the API server; may be repeated; none, if unsaid.",
            "NAME",
        ),
    ] = None,
    metrics_server: Annotated[
        str | None, Option("--metrics-server", "The Prometheus to ask where a policy names none.", "URL")
    ] = None,
    default_provider: Annotated[
        str | None,
        Option(
            "--default-provider", "The traffic provider of Flagger Canaries that name none; istio, if unsaid.", "NAME"
        ),
    ] = None,
    no_flagger: Annotated[bool, Option("--no-flagger", "Leave the Canaries of Flagger alone.")] = False,
    no_cross_namespace_refs: Annotated[
        bool,
        Option("--no-cross-namespace-refs", "Refuse policies that name a template or provider of another namespace."),
    ] = False,
    web: Annotated[bool, Option("--web", "Have the controller serve the API, with a Service for it.")] = False,
    dashboard: Annotated[bool, Option("--dashboard", "And the pages.")] = False,
    external_url: Annotated[
        str | None, Option("--external-url", "How people reach it; messages then have links.", "URL")
    ] = None,
    read_only: Annotated[bool, Option("--read-only", "Decide nothing there.")] = False,
    admission: Annotated[
        str | None,
        Option(
            "--admission",
            "Have the API server ask about each policy before it takes it; without an answer it is taken (`open`) or "
            "not (`closed`).",
            "open|closed",
        ),
    ] = None,
    event_webhook: Annotated[
        str, Option("--event-webhook", "Where the events go of Flagger Canaries that have no hook for them.", "URL")
    ] = "",
    refuse: Annotated[
        str, Option("--refuse-addresses", "Networks in which the controller calls nothing; it has a list.", "CIDR,…")
    ] = "",
    allow: Annotated[
        str, Option("--allow-addresses", "Networks in which it does, though a wider one is refused.", "CIDR,…")
    ] = "",
    output: Annotated[str | None, Option("--output", "Write to this file instead of standard output.", "FILE")] = None,
) -> int:
    """Print what a cluster needs to carry out rollouts: definitions, rights, and the controller.

    The rights are as narrow as what you name: the routes of the traffic providers, and Flagger's objects unless you
    say `--no-flagger`. Metric servers that are asked over HTTP need none; `--metrics` is for what the API server
    answers: externalmetrics, keptn, and job, which lets policies run pods. Nothing is applied; read it, keep it in
    Git, and give it to kubectl. Library policies of the whole cluster and targets of kinds that are not built in need
    a ClusterRole, so not `--watch-namespace`. With `--web` the controller may ask the API server whose a token is and
    what its owner may.

    \b
    Examples:
      rollway install --image registry.example.com/rollway:1 | kubectl apply --server-side -f -
      rollway install --provider istio --no-flagger --metrics-server http://prometheus.monitoring:9090
      rollway install --metrics job --metrics keptn
      rollway install --admission closed
      rollway install --web --dashboard --external-url https://rollway.example.com
      rollway install --namespace shop --watch-namespace shop

    Exit codes: 0 fine, 2 wrong usage.
    """
    import crds
    from interpreter.addresses import AddressProblem, addresses
    from interpreter.cluster.access import METRICS, ROUTES
    from interpreter.cluster.manifests import Installation, Web, documents
    from rollway.serving import external

    for option, name in (("--namespace", namespace), ("--watch-namespace", watch_namespace)):
        if name is not None and not _LABEL.fullmatch(name):
            raise Stop(
                f"`{option} {name}` is no name of a namespace: those have at most 63 small letters, digits and dashes"
            )
    unknown = next((name for name in provider or () if name not in ROUTES), None)
    if unknown is not None:
        raise Stop(f"there is no traffic provider `{unknown}` for a cluster; there are {', '.join(sorted(ROUTES))}")
    asked = [name for each in metrics or () for name in each.split(",")]
    unknown = next((name for name in asked if name not in METRICS), None)
    if unknown is not None:
        known = ", ".join(sorted(METRICS))
        raise Stop(f"`--metrics {unknown}` needs no rights, or is no metric provider; those that need some are {known}")
    if not web and (dashboard or external_url or read_only):
        raise Stop("`--dashboard`, `--external-url` and `--read-only` are about `--web`: say that as well")
    try:
        addresses(refuse, allow)
    except AddressProblem as problem:
        raise Stop(f"`--refuse-addresses` and `--allow-addresses`: {problem}") from problem
    wanted = Installation(
        image=image or _own_image(),
        namespace=namespace,
        watched=watch_namespace,
        providers=tuple(dict.fromkeys(provider or ROUTES)),
        metrics=tuple(asked),
        flagger=not no_flagger,
        cross_namespace_refs=not no_cross_namespace_refs,
        metrics_server=metrics_server,
        default_provider=default_provider,
        web=Web(dashboard, external(external_url), read_only) if web else None,
        admission=_fail(admission),
        event_webhook=event_webhook,
        refused=refuse,
        allowed=allow,
    )
    text = "---\n".join([*crds.definitions().values(), *documents(wanted)])
    if output is None:
        put(text)
    else:
        from rollway.files import write

        write(output, text)
    return ExitCode.FINE


def _fail(admission: str | None) -> Literal["open", "closed"] | None:
    match admission:
        case None | "open" | "closed":
            return admission
        case _:
            raise Stop(f"`--admission {admission}`: it fails `open`, or it fails `closed`")


def _own_image() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"rollway:{version('rollway')}"
    except PackageNotFoundError as error:
        raise Stop("this rollway is not installed, so it has no version: name the image by `--image`") from error
