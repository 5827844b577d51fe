"""Whether the metric server answers that the controller is told to ask.

One in the cluster is asked by way of the API server (`services/proxy`), any other from here, which is not where the
controller is: what is not reached from here may well be from there.
"""

from __future__ import annotations

import time
from urllib.parse import SplitResult, urlsplit

from interpreter.cluster.api import Api
from interpreter.cluster.errors import ApiError, Forbidden
from interpreter.objects import Ref
from interpreter.providers.prometheus import Prometheus
from interpreter.providers.provider import ProviderError, RenderedQuery, guarded
from rollway.cluster.doctor.controllers import Controller
from rollway.cluster.doctor.finding import Area, Finding, Findings, Verdict

_PORTS = {"http": 80, "https": 443}


async def metrics_server(api: Api, one: Controller) -> Findings:
    """What became of asking it."""
    url = one.value("--metrics-server")
    if url is None:
        said = f"the controller {one} has no --metrics-server: policies must say themselves whom to ask"
        yield _finding(Verdict.NOTE, said)
        return
    parts = urlsplit(url)
    service = service_of(parts)
    if service is None:
        yield await _from_here(url, parts)
    elif await api.get(service) is None:
        said = f"the metric server of the controller {one} is to be {service}, which does not exist"
        yield _finding(Verdict.WRONG, said, "install it, or name another with --metrics-server")
    else:
        yield await _by_proxy(api, service, parts)


def service_of(url: SplitResult) -> Ref | None:
    """The Service that `NAME.NAMESPACE`, `NAME.NAMESPACE.svc` and so on mean; None for other hosts."""
    words = (url.hostname or "").split(".")
    inside = len(words) == 2 or words[2:3] == ["svc"]
    return Ref("v1", "Service", words[1], words[0]) if inside and not words[-1].isdecimal() else None


async def _by_proxy(api: Api, service: Ref, url: SplitResult) -> Finding:
    port = url.port or _PORTS.get(url.scheme, 80)
    name = f"{'https:' if url.scheme == 'https' else ''}{service.name}:{port}"
    path = f"/api/v1/namespaces/{service.namespace}/services/{name}/proxy{url.path.rstrip('/')}/api/v1/query"
    try:
        answer = await api.raw("GET", path, {"query": "1"})
    except Forbidden:
        return _finding(Verdict.UNSEEN, f"the metric server {service}: you may not ask it by way of the API server")
    except ApiError as error:
        do = f"kubectl -n {service.namespace} get endpointslices -l kubernetes.io/service-name={service.name}"
        return _finding(Verdict.WRONG, f"the metric server {service} does not answer: {error.message}", do)
    if answer.get("status") == "success":
        return _finding(Verdict.OK, f"the metric server {service} answers")
    return _finding(Verdict.NOTE, f"the metric server {service} answers, but not as a Prometheus")


async def _from_here(url: str, parts: SplitResult) -> Finding:
    where = f"the metric server {parts.hostname}"
    prometheus = Prometheus(url)
    try:
        await guarded(prometheus, RenderedQuery("1", int(time.time() * 1000), 60_000), timeout=5.0, tries=1)
    except ProviderError as error:
        said = f"{where} was not reached from here, which is not where the controller is: {error}"
        return _finding(Verdict.UNSEEN, said)
    finally:
        await prometheus.close()
    return _finding(Verdict.OK, f"{where} answers, asked from here")


def _finding(verdict: Verdict, what: str, do: str = "") -> Finding:
    return Finding(Area.REACHABLE, verdict, what, do)
