"""The objects that make up an installation, as YAML: the controller, and what it is allowed to do.

The files beside this one are the text, with `$name` where a value goes. A value is put in as JSON, which is YAML, so
that none can be taken for anything but one string.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from string import Template
from typing import Literal

from interpreter.cluster.access import ADMISSION, ADMISSION_SECRET, JUDGE, LEASES, LINK_KEYS, PAGES, ROUTES, Rule, rules

NAME = "rollway-controller"
WEB_PORT = 8081
ADMISSION_PORT = 9443
_PORT_LINES = "            - name: {}\n              containerPort: {}"
_SELECTOR_LINES = "    namespaceSelector:\n      matchLabels:\n        kubernetes.io/metadata.name: {}"
_FLAGGER_LINES = """\
      - apiGroups: ["flagger.app"]
        apiVersions: ["v1beta1"]
        operations: ["CREATE", "UPDATE"]
        resources: ["canaries", "metrictemplates", "alertproviders"]"""


@dataclass(frozen=True, slots=True)
class Web:
    """What the controller serves to people: the API, and the pages and links if they are wanted."""

    dashboard: bool = False
    external_url: str | None = None
    read_only: bool = False

    @property
    def links(self) -> bool:
        """Whether messages have links."""
        return self.external_url is not None and not self.read_only


@dataclass(frozen=True, slots=True)
class Installation:
    """What is to be installed. `watched` is the one namespace that is looked after, None for all; `providers` are the
    data planes whose routes may be written, `metrics` the metric providers that are asked through the API server. `web`
    is None where nothing is served but health and metrics. `admission` is what becomes of an object when the API server
    has no answer from us, None where it is not to ask. `refused` and `allowed` are networks, with commas between."""

    image: str
    namespace: str = "rollway-system"
    watched: str | None = None
    providers: tuple[str, ...] = tuple(ROUTES)
    metrics: tuple[str, ...] = ()
    flagger: bool = True
    metrics_server: str | None = None
    default_provider: str | None = None
    cross_namespace_refs: bool = True
    web: Web | None = None
    admission: Literal["open", "closed"] | None = None
    event_webhook: str = ""
    refused: str = ""
    allowed: str = ""


def documents(wanted: Installation) -> list[str]:
    """One YAML document each, in the order in which they are to be applied; the definitions (`crds`) go before them.

    A controller in the very namespace that it looks after is a guest there: the namespace is not made, nor labelled.
    """
    namespace = _scalar(wanted.namespace)
    guest = wanted.namespace == wanted.watched
    return [
        *(() if guest else (_filled("namespace", namespace=namespace),)),
        _filled("account", namespace=namespace),
        _role(wanted, NAME + "-leases", LEASES, within=wanted.namespace),
        *_access(wanted),
        *_web_access(wanted),
        _without_blanks(
            _filled(
                "controller",
                namespace=namespace,
                image=_scalar(wanted.image),
                args=json.dumps(_arguments(wanted)),
                ports=_ports(wanted),
            )
        ),
        *(() if wanted.web is None else (_filled("web", namespace=namespace),)),
        *_admission(wanted),
    ]


def _ports(wanted: Installation) -> str:
    served = {"web": WEB_PORT} if wanted.web is not None else {}
    if wanted.admission is not None:
        served["admission"] = ADMISSION_PORT
    return "\n".join(_PORT_LINES.format(name, port) for name, port in served.items())


def _admission(wanted: Installation) -> Iterable[str]:
    """What the API server is told, and that we may keep a certificate and tell it whom to trust."""
    if wanted.admission is None:
        return
    yield _role(wanted, NAME + "-admission", ADMISSION_SECRET, within=wanted.namespace)
    yield _role(wanted, f"{NAME}-admission-{wanted.namespace}", ADMISSION, within=None)
    yield _filled("admission_service", namespace=_scalar(wanted.namespace))
    yield _without_blanks(
        _filled(
            "admission",
            namespace=_scalar(wanted.namespace),
            failure="Ignore" if wanted.admission == "open" else "Fail",
            selector="" if wanted.watched is None else _SELECTOR_LINES.format(_scalar(wanted.watched)),
            flagger=_FLAGGER_LINES if wanted.flagger else "",
        )
    )


def _access(wanted: Installation) -> Iterable[str]:
    granted = rules(wanted.providers, flagger=wanted.flagger, metrics=wanted.metrics)
    if wanted.watched is None:
        yield _role(wanted, NAME, granted, within=None)
    else:
        yield _role(wanted, NAME, (rule for rule in granted if not rule.cluster), within=wanted.watched)


def _web_access(wanted: Installation) -> Iterable[str]:
    """Who asks and what they may is asked of the cluster, so that needs a ClusterRole, whatever is looked after."""
    if wanted.web is None:
        return
    name = f"{NAME}-web" if wanted.watched is None else f"{NAME}-web-{wanted.namespace}"
    yield _role(wanted, name, JUDGE, within=None)
    if wanted.web.dashboard:
        yield _role(wanted, NAME + "-pages", PAGES, within=wanted.watched)
    if wanted.web.links:
        yield _role(wanted, NAME + "-links", LINK_KEYS, within=wanted.namespace)


def _arguments(wanted: Installation) -> list[str]:
    given = ["controller"]
    if wanted.watched is not None:
        given += ["--namespace", wanted.watched]
    if wanted.metrics_server is not None:
        given += ["--metrics-server", wanted.metrics_server]
    if wanted.default_provider is not None:
        given += ["--default-provider", wanted.default_provider]
    if not wanted.flagger:
        given.append("--no-flagger")
    if not wanted.cross_namespace_refs:
        given.append("--no-cross-namespace-refs")
    if wanted.event_webhook:
        given += ["--event-webhook", wanted.event_webhook]
    if wanted.refused:
        given += ["--refuse-addresses", wanted.refused]
    if wanted.allowed:
        given += ["--allow-addresses", wanted.allowed]
    if wanted.admission is not None:
        given += ["--admission", f"0.0.0.0:{ADMISSION_PORT}"]
    if wanted.web is not None:
        given += ["--web", f"0.0.0.0:{WEB_PORT}"]
        given += ["--dashboard"] if wanted.web.dashboard else []
        given += ["--external-url", wanted.web.external_url] if wanted.web.external_url is not None else []
        given += ["--read-only"] if wanted.web.read_only else []
    return given


def _role(wanted: Installation, name: str, granted: Iterable[Rule], *, within: str | None) -> str:
    """A Role of a namespace, or a ClusterRole, and its binding to the controller."""
    text = _filled(
        "role",
        kind="ClusterRole" if within is None else "Role",
        name=_scalar(name),
        place="" if within is None else f"  namespace: {_scalar(within)}",
        rules="\n".join(_rule(rule) for rule in granted),
        namespace=_scalar(wanted.namespace),
    )
    return _without_blanks(text)


def _without_blanks(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if line.strip())


def _rule(rule: Rule) -> str:
    lines = [
        f"  # {rule.why}",
        f"  - apiGroups: {json.dumps([rule.group])}",
        f"    resources: {json.dumps(list(rule.resources))}",
        f"    verbs: {json.dumps(list(rule.verbs))}",
    ]
    if rule.only:
        lines.append(f"    resourceNames: {json.dumps(list(rule.only))}")
    return "\n".join(lines)


def _filled(name: str, /, **values: str) -> str:
    return Template(files(__name__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")).substitute(values)


def _scalar(value: str) -> str:
    return json.dumps(value)
