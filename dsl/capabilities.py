"""What each traffic provider can do: one table, read by the linter, the docs, the admission webhook and the renderers.

A row says what the *data plane* can be made to do through the objects that its renderer writes, and only where that
is certain. The linter refuses what a row does not grant, at the line that asks for it, so a policy that lints clean
runs on its provider.

Words of the table. `granularity` is the smallest difference in weight that the data plane can hold, in percent;
0 means that the weight is not set but comes about (by counting pods); `mirror_step` is that of a mirror. Operators are
those of the language: `==`, `=~` (regular expression), `^=` (prefix), `exists`. `several` is whether alternatives
(`or`) can stand beside one another, `together` whether one alternative may hold more than one test (`and`),
`one_of_each` whether there can be but one header and one cookie, `apart` whether a match and a share of the rest
exclude one another, `cookie_value` the only value that a cookie can be tested for. `baseline` is whether a third arm
can have a part of the traffic. `apis` are the values of the setting `api`, where it has certain ones; with some of them
another row holds (`VARIANTS`). `required` are settings that a `traffic` block must have, unless it has the one called
`spared_by`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

NOTHING: frozenset[str] = frozenset()
EVERY_OPERATOR = frozenset({"==", "=~", "^=", "exists"})
WILDCARD_OPERATORS = frozenset({"==", "^=", "exists"})

HTTP = frozenset({"http", "https", "http2", "grpc"})
HTTP_AND_TCP = HTTP | {"tcp"}


class Option(NamedTuple):
    """A setting of a `traffic` block: the kind of value it takes, in words a reader knows, and what it is for."""

    kind: str
    doc: str


OPTIONS: Mapping[str, Option] = {
    "port": Option("number", "the port that the routes send to, where it is not the service's"),
    "hosts": Option("list", "the host names that the routes answer to"),
    "gateways": Option("list", "the gateways that carry the routes, as namespace/name, or mesh"),
    "gateway_refs": Option("list", "the Gateways that the routes attach to, each a map with a name"),
    "match": Option("list", "which requests belong to the service at all"),
    "rewrite": Option("map", "rewrite the path or the authority"),
    "retries": Option("map", "how the data plane tries again"),
    "timeout": Option("duration", "how long a request may take"),
    "backend_timeout": Option("duration", "how long one try at a backend may take"),
    "cors": Option("map", "the cross-origin policy"),
    "headers": Option("map", "headers to add, set or remove on requests and responses"),
    "backends": Option("list", "other virtual services that the workload calls"),
    "traffic_policy": Option("map", "connection pools, load balancing, outlier detection and TLS"),
    "delegation": Option("bool", "let another route delegate to this one: neither hosts nor gateways of its own"),
    "ingress": Option("name", "the Ingress whose traffic is split"),
    "ingress_class": Option("name", "the ingress class of what is written"),
    "annotation_prefix": Option("name", "what the annotations of the Ingress controller begin with"),
    "route": Option("name", "the route object of yours whose traffic is split"),
    "rule": Option("name", "the rule inside that route"),
    "upstream": Option("name", "the Upstream whose settings are copied"),
    "mesh": Option("name", "the mesh that the routes belong to"),
    "api": Option("name", "the API version to write, where there are several"),
    "mirror_to": Option("list", "further backends that get a copy of each request"),
}


class Capability(NamedTuple):
    """One row of the table."""

    title: str
    weights: bool = True
    granularity: float = 0.01
    mirror: bool = False
    mirror_share: bool = False
    mirror_step: float = 0.01
    header: frozenset[str] = NOTHING
    cookie: frozenset[str] = NOTHING
    query: frozenset[str] = NOTHING
    several: bool = False
    together: bool = False
    one_of_each: bool = False
    apart: bool = False
    once: bool = False
    cookie_value: str = ""
    sticky: bool = False
    baseline: bool = False
    protocols: frozenset[str] = HTTP
    required: tuple[str, ...] = ()
    spared_by: str = ""
    options: tuple[str, ...] = ()
    apis: tuple[str, ...] = ()
    note: str = ""

    @property
    def matches(self) -> bool:
        """Whether requests can be sent to the canary by what they carry."""
        return bool(self.header or self.cookie or self.query)

    def operators(self, kind: str) -> frozenset[str]:
        """The operators on a `header`, `cookie` or `query` test."""
        return {"header": self.header, "cookie": self.cookie, "query": self.query}.get(kind, NOTHING)

    @property
    def takes(self) -> frozenset[str]:
        """The settings that a `traffic` block for it may hold."""
        return frozenset((*self.required, *self.options, "port"))


PROVIDERS: Mapping[str, Capability] = {
    "istio": Capability(
        "Istio",
        mirror=True,
        mirror_share=True,
        header=EVERY_OPERATOR,
        cookie=EVERY_OPERATOR,
        query=EVERY_OPERATOR,
        several=True,
        together=True,
        once=True,
        sticky=True,
        baseline=True,
        protocols=HTTP_AND_TCP,
        options=(
            "hosts",
            "gateways",
            "match",
            "rewrite",
            "retries",
            "timeout",
            "cors",
            "headers",
            "traffic_policy",
            "delegation",
            "route",
            "rule",
        ),
        note="a TCP service takes weights only",
    ),
    "gateway_api": Capability(
        "Gateway API",
        mirror=True,
        mirror_share=True,
        header=EVERY_OPERATOR,
        cookie=EVERY_OPERATOR,
        query=EVERY_OPERATOR,
        several=True,
        together=True,
        once=True,
        sticky=True,
        baseline=True,
        required=("gateway_refs",),
        spared_by="route",
        options=(
            "hosts",
            "match",
            "rewrite",
            "retries",
            "timeout",
            "backend_timeout",
            "cors",
            "headers",
            "mirror_to",
            "route",
            "rule",
            "api",
        ),
        note="expressions, cookies given by `sticky` and a mirror's share are optional features of an implementation",
    ),
    "linkerd": Capability(
        "Linkerd",
        header=EVERY_OPERATOR,
        cookie=EVERY_OPERATOR,
        query=EVERY_OPERATOR,
        several=True,
        together=True,
        once=True,
        sticky=True,
        baseline=True,
        options=("hosts", "timeout", "retries", "headers", "match", "route", "rule", "api"),
        apis=("v1beta2", "v1beta3", "v1", "smi"),
        note="with `api smi` there are weights only; cookies given by `sticky` need Linkerd 2.14, `retries` 2.16",
    ),
    "smi": Capability(
        "Service Mesh Interface",
        baseline=True,
        protocols=HTTP_AND_TCP,
        options=("hosts", "gateways", "api"),
        apis=("v1alpha1", "v1alpha2", "v1alpha3", "v1alpha4"),
        note="with `api v1alpha4` or `api v1alpha3` requests are matched by headers and cookies, where the mesh can",
    ),
    "osm": Capability(
        "Open Service Mesh",
        baseline=True,
        protocols=HTTP_AND_TCP,
        options=("hosts",),
        note="one TrafficSplit of a Service, and no more",
    ),
    "appmesh": Capability(
        "AWS App Mesh",
        granularity=1,
        header=EVERY_OPERATOR,
        cookie=EVERY_OPERATOR,
        query=frozenset({"=="}),
        several=True,
        together=True,
        once=True,
        baseline=True,
        protocols=frozenset({"http", "http2", "grpc", "tcp"}),
        options=("hosts", "match", "retries", "timeout", "backends", "api"),
        apis=("v1beta2",),
        note="a test on a header holds 255 characters; a tcp service takes weights only",
    ),
    "gloo": Capability(
        "Gloo Edge",
        mirror=True,
        mirror_share=True,
        header=EVERY_OPERATOR,
        cookie=EVERY_OPERATOR,
        query=EVERY_OPERATOR,
        several=True,
        together=True,
        sticky=True,
        baseline=True,
        options=("match", "rewrite", "retries", "timeout", "cors", "headers", "upstream", "route", "rule"),
        note="a VirtualService of yours delegates to the RouteTable",
    ),
    "contour": Capability(
        "Contour",
        mirror=True,
        mirror_share=True,
        mirror_step=1,
        header=EVERY_OPERATOR,
        cookie=EVERY_OPERATOR,
        query=EVERY_OPERATOR,
        several=True,
        together=True,
        sticky=True,
        baseline=True,
        options=("hosts", "match", "rewrite", "retries", "timeout", "headers", "ingress_class", "cors", "route"),
        note="a cookie given by `sticky` takes the place of the application's own in the one answer that gives it",
    ),
    "nginx": Capability(
        "ingress-nginx",
        header=EVERY_OPERATOR,
        cookie=frozenset({"=="}),
        several=True,
        one_of_each=True,
        cookie_value="always",
        required=("ingress",),
        options=("ingress_class", "annotation_prefix"),
        note="one header and one cookie at most; the cookie's value must be `always`",
    ),
    "traefik": Capability(
        "Traefik",
        mirror=True,
        mirror_share=True,
        mirror_step=1,
        header=EVERY_OPERATOR,
        cookie=EVERY_OPERATOR,
        query=EVERY_OPERATOR,
        several=True,
        together=True,
        sticky=True,
        baseline=True,
        options=("route", "api"),
        apis=("v3", "v2"),
        note="requests are matched, and users kept, beside the IngressRoute that `route` names",
    ),
    "kuma": Capability(
        "Kuma",
        mirror=True,
        mirror_share=True,
        header=EVERY_OPERATOR,
        cookie=EVERY_OPERATOR,
        query=EVERY_OPERATOR,
        several=True,
        together=True,
        once=True,
        baseline=True,
        options=("mesh", "match", "headers", "rewrite", "api"),
        apis=("MeshHTTPRoute", "TrafficRoute"),
        note="a MeshHTTPRoute needs a mesh with MeshServices; older versions have `api TrafficRoute`",
    ),
    "skipper": Capability(
        "Skipper",
        mirror=True,
        mirror_share=True,
        header=EVERY_OPERATOR,
        cookie=EVERY_OPERATOR,
        query=EVERY_OPERATOR,
        several=True,
        together=True,
        sticky=True,
        baseline=True,
        required=("ingress",),
        options=("ingress_class",),
    ),
    "apisix": Capability(
        "Apache APISIX",
        mirror=True,
        mirror_share=True,
        header=EVERY_OPERATOR,
        cookie=EVERY_OPERATOR,
        query=EVERY_OPERATOR,
        several=True,
        together=True,
        sticky=True,
        baseline=True,
        required=("route",),
        options=("rule",),
        note="the route is read and never written; cookies given by `sticky` need APISIX 3",
    ),
    "knative": Capability("Knative Serving", granularity=1),
    "kubernetes": Capability(
        "Kubernetes",
        weights=False,
        protocols=HTTP_AND_TCP,
        note="a Service cannot split traffic: the canary is tested out of sight, then all traffic moves at once",
    ),
    "replicas": Capability(
        "replica ratio",
        granularity=0,
        protocols=HTTP_AND_TCP,
        note="weights come about by counting pods behind one Service: the nearest that the pods allow",
    ),
    "alb": Capability(
        "AWS Application Load Balancer",
        granularity=0.1,
        header=EVERY_OPERATOR,
        cookie=EVERY_OPERATOR,
        query=WILDCARD_OPERATORS,
        several=True,
        together=True,
        sticky=True,
        baseline=True,
        required=("ingress",),
        options=("annotation_prefix",),
        note="a client stays with whichever arm answered it, by a cookie that the load balancer names, 7 days at most",
    ),
    "haproxy": Capability(
        "HAProxy Kubernetes Ingress Controller",
        header=EVERY_OPERATOR,
        cookie=EVERY_OPERATOR,
        query=EVERY_OPERATOR,
        apart=True,
        required=("ingress",),
        options=("ingress_class",),
        note="one test, or a share: the controller of HAProxy Technologies, with the annotation `route-acl`",
    ),
    "local": Capability(
        "local proxy",
        mirror=True,
        mirror_share=True,
        header=EVERY_OPERATOR,
        cookie=EVERY_OPERATOR,
        query=EVERY_OPERATOR,
        several=True,
        together=True,
        sticky=True,
        baseline=True,
        protocols=frozenset({"http"}),
        note="for `rollway run --local`",
    ),
}


_SMI_MATCHING = PROVIDERS["smi"]._replace(
    header=EVERY_OPERATOR,
    cookie=EVERY_OPERATOR,
    several=True,
    together=True,
    once=True,
    apart=True,
    note="a TrafficSplit is for the requests that match, or for all of them: no match and share at once",
)
PLAIN_TRAEFIK = PROVIDERS["traefik"]._replace(
    header=NOTHING, cookie=NOTHING, query=NOTHING, several=False, together=False, sticky=False
)
WITHOUT_ROUTE: Mapping[str, Capability] = {"traefik": PLAIN_TRAEFIK}
"""Rows of those that can do less without the setting `route`."""

VARIANTS: Mapping[tuple[str, str], Capability] = {
    ("kuma", "TrafficRoute"): Capability(
        "Kuma's TrafficRoute",
        header=EVERY_OPERATOR,
        cookie=EVERY_OPERATOR,
        several=True,
        together=True,
        once=True,
        baseline=True,
        protocols=HTTP_AND_TCP,
        options=("mesh", "api"),
        apis=PROVIDERS["kuma"].apis,
        note="queries and mirrors, and other changes to requests, can be had without `api TrafficRoute`",
    ),
    ("linkerd", "smi"): Capability(
        "Linkerd's TrafficSplit",
        baseline=True,
        protocols=HTTP_AND_TCP,
        options=("hosts", "api"),
        apis=PROVIDERS["linkerd"].apis,
        note="requests can be matched, and users kept, without `api smi`",
    ),
    ("traefik", "v2"): PLAIN_TRAEFIK._replace(title="Traefik v2", note="its IngressRoutes are left alone"),
    ("smi", "v1alpha3"): _SMI_MATCHING,
    ("smi", "v1alpha4"): _SMI_MATCHING,
}
"""By provider and its setting `api`: the rows of those that can do more with it, or less."""


def row_of(provider: str, options: Mapping[str, Any]) -> Capability | None:
    """What holds for a `traffic` block: the row of its provider, or of the variant that its `api` makes of it. None if
    there is no such provider."""
    found = VARIANTS.get((provider, str(options.get("api", "")))) or PROVIDERS.get(provider)
    return found if options.get("route") else WITHOUT_ROUTE.get(provider, found)


def can_all(wish: str) -> list[str]:
    """The providers that have a yes for `weights`, `mirror`, `sticky`, `baseline`, `header`, `cookie` or `query`, in
    order."""
    return [name for name, row in PROVIDERS.items() if getattr(row, wish) and name != "local"]


COUNTED_KINDS = frozenset({"deployment", "statefulset"})
"""Kinds of targets, in lower case, whose pods `replicas` can count."""
KNATIVE = "serving.knative.dev"


class Asked(NamedTuple):
    """What of a rollout has to suit its provider beside its steps: its target, whether it names an autoscaler, and
    whether a step of it scales the canary."""

    kind: str
    api_version: str = ""
    scaler: bool = False
    scales: bool = False

    @property
    def of_knative(self) -> bool:
        """Whether the target is a Service of Knative's."""
        return self.kind.lower() == "service" and self.api_version.partition("/")[0] == KNATIVE


def unfit(provider: str, asked: Asked) -> tuple[str, str]:
    """Why this provider cannot serve such a rollout, and what is to be done, in words; both empty if it can."""
    if provider == "replicas":
        return _uncounted(asked)
    if provider == "knative":
        return _not_for_knative(asked)
    if asked.of_knative and provider != "local":
        return "the target is a Service of Knative's, which splits its own traffic", "write `traffic knative`"
    return "", ""


def _uncounted(asked: Asked) -> tuple[str, str]:
    if asked.kind.lower() not in COUNTED_KINDS or asked.api_version not in ("", "apps/v1"):
        why = f"`replicas` counts the pods of a Deployment or a StatefulSet, and the target is of the kind {asked.kind}"
        return why, "take another traffic provider, or another target"
    if asked.scaler:
        why = "`replicas` splits traffic by counting pods, and an autoscaler changes their number"
        return why, "take `scaler` out, and the autoscaler away, or take another traffic provider"
    if asked.scales:
        why = "with `replicas` the number of canaries is the weight, and cannot be another one"
        return why, "take `scale canary` out"
    return "", ""


def _not_for_knative(asked: Asked) -> tuple[str, str]:
    if not asked.of_knative:
        why = f"`knative` splits the traffic of a Service of Knative's, and the target is of the kind {asked.kind}"
        return why, "write `target serving.knative.dev/v1/Service/NAME`, or take another traffic provider"
    if asked.scaler or asked.scales:
        why = "Knative scales its revisions itself"
        return why, "take `scaler` and `scale canary` out; the annotations of the Service's template have the bounds"
    return "", ""


COPIED_KINDS = frozenset({"deployment", "statefulset"})
"""Kinds of targets, in lower case, of which a baseline can be run."""


def without_baseline(provider: str, kind: str) -> str:
    """Why a rollout of this kind of target, on this provider, can have no baseline, in words; empty if it can."""
    if provider == "local":
        return ""
    if kind.lower() == "daemonset":
        return "a DaemonSet runs one pod on every node, so it can have no baseline of the canary's size"
    if kind.lower() not in COPIED_KINDS:
        return f"a target of the kind {kind} can have no baseline, only a Deployment or a StatefulSet can"
    row = PROVIDERS.get(provider)
    return "" if row is None or row.baseline else f"`{provider}` cannot give a baseline a part of the traffic"
