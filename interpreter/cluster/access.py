"""What the controller must be allowed to do, and no more: a table of RBAC rules, each with its reason. Pure.

Nothing here is `*`, but the names of external metrics, which are resources that nobody knows beforehand. Routes are
granted for the data planes that are named, and Flagger's objects only where Flagger's Canaries are carried out. Objects
are made by server-side apply, for which the API server wants `create` and `patch`; `update` is needed for nothing but
objects of Flagger's that are taken over whole. What the controller owns is deleted by the garbage collector, so
`delete` is rare. Leases are granted in the controller's own namespace alone.

A target of a kind that is not built in is granted by whoever installs that kind: a ClusterRole of get, list, watch,
create and patch on it, bound to the controller's ServiceAccount.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from interpreter.cluster.names import GROUP

CORE = ""
FLAGGER = "flagger.app"
READ = ("get", "list", "watch")


class Rule(NamedTuple):
    """Verbs on resources of one API group. `why` is for the person who reads the role. A `cluster` rule is about what
    has no namespace, which no Role can grant; `only` narrows it to objects of these names."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    why: str
    cluster: bool = False
    only: tuple[str, ...] = ()


_SPLITS = ("split.smi-spec.io", ("trafficsplits",))

ROUTES: Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "alb": (("networking.k8s.io", ("ingresses",)),),
    "apisix": (("apisix.apache.org", ("apisixroutes", "apisixupstreams")),),
    "knative": (),
    "kubernetes": (),
    "kuma": (("kuma.io", ("meshhttproutes",)),),
    "istio": (("networking.istio.io", ("virtualservices", "destinationrules")),),
    "contour": (("projectcontour.io", ("httpproxies",)),),
    "gateway_api": (("gateway.networking.k8s.io", ("httproutes", "grpcroutes")),),
    "appmesh": (("appmesh.k8s.aws", ("virtualnodes", "virtualrouters", "virtualservices")),),
    "gloo": (("gateway.solo.io", ("routetables",)), ("gloo.solo.io", ("upstreams",))),
    "haproxy": (("networking.k8s.io", ("ingresses",)), (CORE, ("services",))),
    "nginx": (("networking.k8s.io", ("ingresses",)),),
    "replicas": (),
    "skipper": (("networking.k8s.io", ("ingresses",)),),
    "traefik": tuple((group, ("ingressroutes", "traefikservices")) for group in ("traefik.io", "traefik.containo.us")),
    "linkerd": (("policy.linkerd.io", ("httproutes",)), ("gateway.networking.k8s.io", ("httproutes",)), _SPLITS),
    "smi": (_SPLITS, ("specs.smi-spec.io", ("httproutegroups",))),
    "osm": (_SPLITS,),
}
"""Of each traffic provider, the groups and resources that its routes are made of; Services everybody has."""

ASKED: Mapping[str, tuple[Rule, ...]] = {
    "gateway_api": (Rule("gateway.networking.k8s.io", ("gateways",), READ, "to know what takes a route"),),
}
"""Of traffic providers that ask what a data plane can do."""

WITHOUT_NAMESPACE: Mapping[str, tuple[Rule, ...]] = {
    "gateway_api": (
        Rule("gateway.networking.k8s.io", ("gatewayclasses",), READ, "to know what a Gateway can do", cluster=True),
    ),
    "kuma": (
        Rule("kuma.io", ("trafficroutes",), (*READ, "create", "patch", "delete"), "to route traffic", cluster=True),
        Rule("kuma.io", ("meshes",), READ, "to know what a mesh has", cluster=True),
    ),
}
"""Of traffic providers with routes, or with what is read for them, that have no namespace."""

TARGETS: Mapping[str, tuple[Rule, ...]] = {
    "knative": (Rule("serving.knative.dev", ("services",), (*READ, "patch"), "to share out the traffic of targets"),),
}
"""Of traffic providers whose routes are the targets themselves."""

METRICS: Mapping[str, tuple[Rule, ...]] = {
    "externalmetrics": (Rule("external.metrics.k8s.io", ("*",), ("get", "list"), "to ask for external metrics"),),
    "job": (
        Rule(
            "batch", ("jobs",), (*READ, "create", "delete"), "to run Jobs as checks, and end those not needed any more"
        ),
    ),
    "keptn": (
        Rule("metrics.keptn.sh", ("keptnmetrics",), ("get",), "to ask for Keptn's metrics"),
        Rule("metrics.keptn.sh", ("analyses",), ("get", "create", "delete"), "to have Keptn analyse"),
    ),
}
"""Of each metric provider that is asked through the API server, what is needed beside what everybody has."""

LEASES: tuple[Rule, ...] = (
    Rule("coordination.k8s.io", ("leases",), ("create",), "to be elected"),
    Rule("coordination.k8s.io", ("leases",), ("get", "update"), "to stay so", only=("rollway-controller",)),
)
"""In the controller's own namespace."""


JUDGE: tuple[Rule, ...] = (
    Rule("authentication.k8s.io", ("tokenreviews",), ("create",), "to know who asks", cluster=True),
    Rule("authorization.k8s.io", ("subjectaccessreviews",), ("create",), "to know what they may", cluster=True),
)
"""Of the web server, in the whole cluster: it has no rights of its own to give away."""

PAGES: tuple[Rule, ...] = (
    Rule("apps", ("replicasets",), ("list",), "to show pods in their sets"),
    Rule("events.k8s.io", ("events",), ("list",), "to show what happened"),
)
"""Of the pages, where there are rollouts, beside what everybody has."""

LINK_KEYS: tuple[Rule, ...] = (
    Rule(CORE, ("secrets",), ("create",), "to make the keys of links"),
    Rule(CORE, ("secrets",), ("get", "patch"), "to sign links, and to renew their keys", only=("rollway-link-keys",)),
)
"""Of links in messages, in the controller's own namespace."""

ADMISSION_SECRET: tuple[Rule, ...] = (
    Rule(CORE, ("secrets",), ("create",), "to make a certificate for the admission webhook"),
    Rule(CORE, ("secrets",), ("get", "update"), "to renew it", only=("rollway-admission",)),
)
"""In the controller's own namespace, where the API server asks it about policies."""

ADMISSION: tuple[Rule, ...] = (
    Rule(
        "admissionregistration.k8s.io",
        ("validatingwebhookconfigurations",),
        ("get", "patch"),
        "to tell the API server whom to trust",
        cluster=True,
        only=("rollway",),
    ),
    Rule(GROUP, ("clusterrolloutlibraries",), READ, "to hold policies to the guardrails that bind all", cluster=True),
)
"""The same, in the whole cluster."""


def rules(providers: Iterable[str], *, flagger: bool, metrics: Iterable[str] = ()) -> tuple[Rule, ...]:
    """What is to be granted where there are rollouts that use these traffic providers, and of the metric providers of
    `METRICS` these. Raises `KeyError` for a provider that is none."""
    make = (*READ, "create", "patch", *(("update",) if flagger else ()))
    named = tuple(dict.fromkeys(providers))
    routes = dict.fromkeys(route for provider in named for route in ROUTES[provider])
    return (
        *_OURS,
        Rule("apps", ("deployments", "daemonsets", "statefulsets"), make, "to scale targets, and to keep primaries"),
        Rule("apps", ("deployments", "statefulsets"), ("delete",), "to remove baselines, whose Services go with them"),
        Rule(CORE, ("services",), make, "to lead traffic to primary and canary"),
        Rule(CORE, ("configmaps", "secrets"), make, "to track what pods are made of, and to copy it for primaries"),
        Rule(CORE, ("pods",), ("list",), "to say why a workload is not ready"),
        Rule("autoscaling", ("horizontalpodautoscalers",), make, "to scale primaries as targets are scaled"),
        Rule("keda.sh", ("scaledobjects",), make, "to scale primaries as targets are scaled"),
        Rule("events.k8s.io", ("events",), ("create", "patch"), "to tell what happens"),
        *(Rule(group, resources, (*make, "delete"), "to route traffic") for group, resources in routes),
        *(rule for provider in named for rule in ASKED.get(provider, ())),
        *(rule for provider in named for rule in WITHOUT_NAMESPACE.get(provider, ())),
        *(rule for provider in named for rule in TARGETS.get(provider, ())),
        *(rule for name in dict.fromkeys(metrics) for rule in METRICS[name]),
        *(_FLAGGERS if flagger else ()),
    )


_OURS = (
    Rule(
        GROUP, ("rollouts",), (*READ, "create", "patch", "delete"), "to carry them out, and to keep some for workloads"
    ),
    Rule(GROUP, ("rollouts/status",), ("patch",), "to show where they are"),
    Rule(GROUP, ("rollouts/finalizers",), ("update",), "to own what is made for them"),
    Rule(GROUP, ("rolloutruns",), (*READ, "create", "delete"), "to keep what was decided, up to a limit"),
    Rule(GROUP, ("rolloutruns/status",), ("update",), "to keep the state of a run"),
    Rule(GROUP, ("rolloutlibraries", "metrictemplates", "alertproviders"), READ, "to read what policies name"),
    Rule(GROUP, ("rolloutlibraries/status",), ("patch",), "to show what is wrong with them"),
    Rule(GROUP, ("clusterrolloutlibraries",), READ, "to read what policies name", cluster=True),
    Rule(GROUP, ("clusterrolloutlibraries/status",), ("patch",), "to show what is wrong with them", cluster=True),
    Rule("apiextensions.k8s.io", ("customresourcedefinitions",), READ, "to know what is installed", cluster=True),
)

_FLAGGERS = (
    Rule(FLAGGER, ("canaries",), (*READ, "patch"), "to carry them out"),
    Rule(FLAGGER, ("canaries/status",), ("patch",), "to show where they are"),
    Rule(FLAGGER, ("canaries/finalizers",), ("update",), "to own what is made for them"),
    Rule(FLAGGER, ("metrictemplates", "alertproviders"), READ, "to read what Canaries name"),
)
