"""`rollway controller`: the interpreter in a cluster."""

import asyncio
import os
import signal
import socket
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from rollway.exit_codes import ExitCode
from rollway.parameters import Option
from rollway.terminal import Stop, reason

if TYPE_CHECKING:
    from interpreter.admission.service import AdmissionSettings
    from interpreter.cluster.controller import Settings
    from rollway.serving import Web

_IN_POD = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"


def command(
    namespace: Annotated[
        str | None, Option("--namespace", "Look after this namespace only; without it, after all.", "NAME")
    ] = None,
    metrics_server: Annotated[
        str | None, Option("--metrics-server", "The Prometheus to ask where a policy names none.", "URL")
    ] = None,
    provider: Annotated[
        str, Option("--default-provider", "The traffic provider of Flagger Canaries that name none.", "NAME")
    ] = "istio",
    flagger: Annotated[bool, Option("--flagger/--no-flagger", "Carry out the Canaries of Flagger as well.")] = True,
    cross_namespace_refs: Annotated[
        bool,
        Option(
            "--cross-namespace-refs/--no-cross-namespace-refs",
            "Let policies name MetricTemplates and AlertProviders of other namespaces.",
        ),
    ] = True,
    listen: Annotated[
        str, Option("--listen", "Where /healthz, /readyz and /metrics are; port 0 is any.", "HOST:PORT")
    ] = "0.0.0.0:8080",
    workers: Annotated[int, Option("--workers", "How many rollouts are looked at side by side.", "N")] = 8,
    history: Annotated[
        int, Option("--history", "How many runs of each rollout are kept, the one under way included.", "N")
    ] = 10,
    elect: Annotated[
        bool, Option("--leader-election/--no-leader-election", "Work only while holding the Lease.")
    ] = True,
    lease_namespace: Annotated[
        str | None, Option("--lease-namespace", "Where the Lease is; by default the pod's own namespace.", "NAME")
    ] = None,
    kubeconfig: Annotated[
        str | None, Option("--kubeconfig", "Who to speak to, and as whom; in a pod, its service account.", "FILE")
    ] = None,
    context: Annotated[str | None, Option("--context", "Which context of the kubeconfig.", "NAME")] = None,
    event_webhook: Annotated[
        str,
        Option(
            "--event-webhook",
            "Where the events go of Flagger Canaries that have no hook for them; Flagger's variable for it does too.",
            "URL",
        ),
    ] = "",
    refuse: Annotated[
        str,
        Option(
            "--refuse-addresses",
            "Networks that no webhook, gate, channel or metric server of a policy may be in, beside this machine, its "
            "link and the metadata of clouds.",
            "CIDR,…",
        ),
    ] = "",
    allow: Annotated[
        str,
        Option("--allow-addresses", "Networks that they may be in though a wider one is refused.", "CIDR,…"),
    ] = "",
    web: Annotated[
        str | None,
        Option("--web", "Serve the API and links here, on every replica; port 0 is any. Off, if unsaid.", "HOST:PORT"),
    ] = None,
    dashboard: Annotated[bool, Option("--dashboard", "Serve the pages there as well.")] = False,
    external_url: Annotated[
        str | None,
        Option("--external-url", "How people reach it; messages then have links to approve and roll back by.", "URL"),
    ] = None,
    read_only: Annotated[bool, Option("--read-only", "Decide nothing there.")] = False,
    tls_cert: Annotated[
        str | None, Option("--web-tls-cert", "Its certificate, with its chain, as PEM.", "FILE")
    ] = None,
    tls_key: Annotated[str | None, Option("--web-tls-key", "The key of the certificate.", "FILE")] = None,
    audience: Annotated[
        str,
        Option("--token-audience", "Whom tokens must be made for; if unsaid, the API server itself.", "NAME"),
    ] = "",
    admission: Annotated[
        str | None,
        Option("--admission", "Answer the API server here about policies it is to take. Off, if unsaid.", "HOST:PORT"),
    ] = None,
    admission_service: Annotated[
        str,
        Option("--admission-service", "The Service by which the API server comes here, in our namespace.", "NAME"),
    ] = "rollway-admission",
    admission_certificates: Annotated[
        str | None,
        Option(
            "--admission-certificates",
            "Where cert-manager's `tls.crt` and `tls.key` are; if unsaid, we make and renew our own.",
            "FOLDER",
        ),
    ] = None,
    log_format: Annotated[str, Option("--log-format", "`json`, or `console` for people.", "FORMAT")] = "json",
    log_level: Annotated[str, Option("--log-level", "`debug`, `info`, `warning` or `error`.", "LEVEL")] = "info",
) -> int:
    """Carry out the rollouts of a cluster, until it is told to stop.

    Watches Rollouts (and Flagger's Canaries), and does what their policies say. Several may run side by side: the one
    that holds the Lease works, the others wait. SIGTERM ends it in order: what is being written is written whole,
    the Lease is given back, and the next one goes on from there. `rollway install` prints what a cluster needs.

    \b
    Examples:
      rollway controller --metrics-server http://prometheus.monitoring:9090
      rollway controller --namespace shop --no-leader-election --log-format console
      rollway controller --web 0.0.0.0:8443 --dashboard --external-url https://rollway.example.com
      rollway controller --admission 0.0.0.0:9443
      rollway controller --refuse-addresses 0.0.0.0/0,::/0 --allow-addresses 10.0.0.0/8

    Exit codes: 0 told to stop, 1 the cluster cannot be reached or does not allow it, 2 wrong usage.
    """
    from rollway.cluster.session import needs_cluster_extra

    needs_cluster_extra()
    host, _, port = listen.rpartition(":")
    if not port.isdecimal():
        raise Stop(f"`--listen {listen}` names no port: say it as HOST:PORT")
    if not 1 <= history <= 100:
        raise Stop("`--history` is a number of runs from 1 to 100")
    from interpreter.addresses import AddressProblem, addresses
    from interpreter.cluster.controller import Settings
    from interpreter.cluster.logging import LEVELS, set_up
    from rollway.serving import Web, external, place

    if log_format not in ("json", "console") or log_level not in LEVELS:
        raise Stop(f"`--log-format` is json or console, and `--log-level` one of {', '.join(LEVELS)}")
    try:
        reach = addresses(refuse, allow)
    except AddressProblem as problem:
        raise Stop(f"`--refuse-addresses` and `--allow-addresses`: {problem}") from problem
    set_up("json" if log_format == "json" else "console", log_level)

    settings = Settings(
        identity=f"{socket.gethostname()}-{os.getpid()}",
        namespace=namespace,
        lease_namespace=lease_namespace or _own_namespace() or namespace or "rollway-system",
        elect=elect,
        metrics_server=metrics_server,
        default_provider=provider,
        flagger=flagger,
        cross_namespace_refs=cross_namespace_refs,
        workers=workers,
        history=history,
        host=host or "0.0.0.0",  # noqa: S104 - the kubelet asks from outside the pod
        port=int(port),
        addresses=reach,
        event_webhook=_web_address(event_webhook or os.environ.get("EVENT_WEBHOOK_URL", ""), "--event-webhook"),
    )
    if web is None and (dashboard or external_url or read_only or tls_cert or tls_key or audience):
        raise Stop("`--dashboard`, `--external-url` and their likes are about `--web`: say where it is to listen")
    if (tls_cert is None) is not (tls_key is None):
        raise Stop("`--web-tls-cert` and `--web-tls-key` go together")
    served = None
    if web is not None:
        at = place(web, "--web")
        served = Web(
            *at,
            dashboard=dashboard,
            external_url=external(external_url),
            read_only=read_only,
            certificate=tls_cert,
            key=tls_key,
            audience=audience,
            namespace=namespace,
            keys_namespace=settings.lease_namespace,
        )
    admitting = None
    if admission is not None:
        from interpreter.admission.service import AdmissionSettings

        admitting = AdmissionSettings(
            *place(admission, "--admission"),
            namespace=settings.lease_namespace,
            names=(f"{admission_service}.{settings.lease_namespace}.svc",),
            certificates=admission_certificates,
            default_provider=provider,
            cross_namespace_refs=cross_namespace_refs,
        )
    return asyncio.run(_run(settings, served, admitting, kubeconfig, context))


def _web_address(url: str, option: str) -> str:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        known = not url or (parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0)
    except ValueError:
        known = False
    if not known:
        raise Stop(f"`{option}` is no address of a web server: it begins with http:// or https://")
    return url


def _own_namespace() -> str | None:
    try:
        with open(_IN_POD, encoding="utf-8") as file:
            return file.read().strip() or None
    except OSError:
        return None


async def _run(
    settings: "Settings",
    web: "Web | None",
    admission: "AdmissionSettings | None",
    kubeconfig: str | None,
    context: str | None,
) -> int:
    from interpreter.admission.service import AdmissionService
    from interpreter.cluster.connection import ConnectionConfigError, connect
    from interpreter.cluster.controller import Controller
    from interpreter.cluster.errors import ApiError
    from interpreter.web.certificate import CertificateTrouble
    from rollway.serving import serving

    ready = {}
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        async with await connect(kubeconfig, context) as api, AsyncExitStack() as stack:
            if web is not None:
                served = await stack.enter_async_context(serving(web, kubeconfig, context, stop))
                settings = replace(settings, make_link=served.make_link)
            if admission is not None:
                service = await stack.enter_async_context(AdmissionService(api, admission))
                ready["admission"] = service.unready
            await Controller(api, settings, ready).run(stop)
    except (ConnectionConfigError, CertificateTrouble) as error:
        raise Stop(str(error)) from error
    except ApiError as error:
        raise Stop(str(error), ExitCode.FINDINGS) from error
    except OSError as error:
        raise Stop(reason(error)) from error
    return ExitCode.FINE
