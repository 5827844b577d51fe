"""Every field of Flagger's objects, as its CRDs have them (1.44), with the shape of its value. Tables, no code."""

from __future__ import annotations

from dsl.flagger.reading import Anything, Flag, Keys, Listed, Number, Port, Shape, Text, Texts, Time, Whole
from dsl.meaning.words import QUERY_PROVIDERS as OUR_QUERY_PROVIDERS

TARGET_KINDS = ("DaemonSet", "Deployment", "Service")
HOOK_TYPES = (
    "",
    "confirm-rollout",
    "pre-rollout",
    "rollout",
    "confirm-traffic-increase",
    "confirm-promotion",
    "rollback",
    "post-rollout",
    "event",
)
QUERY_PROVIDERS = (
    "prometheus",
    "influxdb",
    "datadog",
    "externalmetrics",
    "stackdriver",
    "cloudwatch",
    "newrelic",
    "graphite",
    "dynatrace",
    "keptn",
    "splunk",
)
ALERT_TYPES = ("slack", "msteams", "discord", "rocket", "gchat")

_NAME = Text(empty=False)


def _reference(kinds: tuple[str, ...], **more: Text) -> Keys:
    fields = {"apiVersion": Text(), "kind": Text(kinds), "name": _NAME, **more}
    return Keys(fields, ("kind", "name"))


_METADATA = Keys({"labels": Texts(), "annotations": Texts()})
_HEADER_EDITS = Keys({"add": Texts(), "set": Texts(), "remove": Listed(Text())})
_BACKEND: dict[str, Shape] = {
    "group": Text(),
    "kind": Text(),
    "name": _NAME,
    "namespace": Text(),
    "port": Whole(1, 65535),
}

SERVICE = Keys(
    {
        "name": _NAME,
        "port": Whole(1, 65535),
        "portName": _NAME,
        "targetPort": Port(),
        "appProtocol": Text(),
        "trafficDistribution": Text(("PreferClose", "PreferSameZone", "PreferSameNode")),
        "portDiscovery": Flag(),
        "headless": Flag(),
        "timeout": Time(),
        "backendTimeout": Time(),
        "meshName": Text(),
        "backends": Listed(Text()),
        "hosts": Listed(Text()),
        "delegation": Flag(),
        "match": Listed(Anything()),
        "retries": Keys({"attempts": Whole(0), "perTryTimeout": Time(), "retryOn": Text()}),
        "rewrite": Keys({"uri": Text(), "authority": Text(), "type": Text(("ReplaceFullPath", "ReplacePrefixMatch"))}),
        "mirror": Listed(Keys({"backendRef": Keys(_BACKEND, ("name",))}, ("backendRef",))),
        "headers": Keys({"request": _HEADER_EDITS, "response": _HEADER_EDITS}),
        "gateways": Listed(Text()),
        "gatewayRefs": Listed(Keys({**_BACKEND, "sectionName": Text()}, ("name",))),
        "corsPolicy": Keys(
            {
                "allowCredentials": Flag(),
                "allowHeaders": Listed(Text()),
                "allowMethods": Listed(Text()),
                "allowOrigin": Listed(Text()),
                "allowOrigins": Listed(Anything()),
                "exposeHeaders": Listed(Text()),
                "maxAge": Time(),
            }
        ),
        "trafficPolicy": Anything(),
        "apex": _METADATA,
        "primary": _METADATA,
        "canary": _METADATA,
        "unmanagedMetadata": Keys({"labels": Listed(Text()), "annotations": Listed(Text())}),
    }
)

HEADER_MATCH = Keys({"exact": Text(), "prefix": Text(), "suffix": Text(), "regex": Text()})
"""Of one header, cookie or query parameter; the names of those are the keys of the map that holds it."""

METRIC = Keys(
    {
        "name": _NAME,
        "interval": Time(),
        "threshold": Number(),
        "thresholdRange": Keys({"min": Number(), "max": Number()}),
        "query": Text(),
        "templateRef": Keys({"name": _NAME, "namespace": Text()}, ("name",)),
        "templateVariables": Texts(),
    },
    ("name",),
)

HOOK = Keys(
    {
        "name": _NAME,
        "type": Text(HOOK_TYPES),
        "url": _NAME,
        "timeout": Text(),
        "retries": Whole(),
        "disableTLS": Flag(),
        "muteAlert": Flag(),
        "metadata": Texts(),
    },
    ("name", "url"),
)

ALERT = Keys(
    {
        "name": Text(),
        "severity": Text(("", "info", "warn", "error")),
        "providerRef": Keys({"name": _NAME, "namespace": Text()}, ("name",)),
    },
    ("name", "providerRef"),
)

AFFINITY = Keys(
    {
        "cookieName": _NAME,
        "primaryCookieName": Text(),
        "maxAge": Whole(),
        "domain": Text(),
        "httpOnly": Flag(),
        "partitioned": Flag(),
        "path": Text(),
        "sameSite": Text(("Strict", "Lax", "None")),
        "secure": Flag(),
    },
    ("cookieName",),
)

ANALYSIS = Keys(
    {
        "interval": Time(),
        "iterations": Whole(),
        "threshold": Whole(),
        "maxWeight": Whole(0, 100),
        "stepWeight": Whole(),
        "stepWeights": Listed(Whole(1, 100)),
        "stepWeightPromotion": Whole(),
        "mirror": Flag(),
        "mirrorWeight": Whole(0, 100),
        "primaryReadyThreshold": Whole(0, 100),
        "canaryReadyThreshold": Whole(0, 100),
        "match": Listed(Anything()),
        "metrics": Listed(METRIC),
        "alerts": Listed(ALERT),
        "webhooks": Listed(HOOK),
        "sessionAffinity": AFFINITY,
    },
    ("interval", "threshold"),
)
"""`match` is taken apart in `dsl.flagger.matching`."""

CANARY = Keys(
    {
        "provider": Text(),
        "metricsServer": Text(),
        "progressDeadlineSeconds": Whole(),
        "targetRef": _reference(TARGET_KINDS),
        "autoscalerRef": Keys(
            {
                "apiVersion": Text(),
                "kind": Text(("HorizontalPodAutoscaler", "ScaledObject")),
                "name": _NAME,
                "primaryScalerQueries": Texts(),
                "primaryScalerReplicas": Keys({"minReplicas": Whole(1), "maxReplicas": Whole(1)}),
            },
            ("kind", "name"),
        ),
        "ingressRef": _reference(("Ingress",)),
        "routeRef": _reference(("ApisixRoute",)),
        "upstreamRef": _reference(("Upstream",), namespace=Text()),
        "service": SERVICE,
        "analysis": ANALYSIS,
        "skipAnalysis": Flag(),
        "revertOnDeletion": Flag(),
        "suspend": Flag(),
    },
    ("targetRef", "analysis"),
)


def _metric_template(types: tuple[str, ...]) -> Keys:
    provider: dict[str, Shape] = {
        "type": Text(types),
        "address": Text(),
        "headers": Anything(),
        "secretRef": Keys({"name": _NAME}, ("name",)),
        "region": Text(),
        "insecureSkipVerify": Flag(),
    }
    return Keys({"provider": Keys(provider, ("type",)), "query": _NAME}, ("provider", "query"))


METRIC_TEMPLATE = _metric_template(QUERY_PROVIDERS)
OUR_METRIC_TEMPLATE = _metric_template(OUR_QUERY_PROVIDERS)


def _alert_provider(types: tuple[str, ...]) -> Keys:
    texts = {name: Text() for name in ("channel", "username", "address", "proxy")}
    return Keys({"type": Text(types), **texts, "secretRef": Keys({"name": _NAME}, ("name",))}, ("type",))


ALERT_PROVIDER = _alert_provider(ALERT_TYPES)
OUR_ALERT_PROVIDER = _alert_provider((*ALERT_TYPES, "alertmanager", "pagerduty", "webhook", "cloudevents"))
