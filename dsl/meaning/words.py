"""The small vocabularies of the language: words that may stand in one place, and what to say of any other."""

from __future__ import annotations

from collections.abc import Collection

from dsl import syntax
from dsl.findings import listed
from dsl.meaning.frames import Frame

QUERY_PROVIDERS = (
    "prometheus",
    "datadog",
    "newrelic",
    "dynatrace",
    "cloudwatch",
    "graphite",
    "influxdb",
    "stackdriver",
    "splunk",
    "keptn",
    "externalmetrics",
    "loki",
    "elasticsearch",
    "honeycomb",
    "sentry",
    "web",
    "kayenta",
    "job",
)
CHANNEL_KINDS = (
    "slack",
    "msteams",
    "discord",
    "rocket",
    "gchat",
    "alertmanager",
    "pagerduty",
    "webhook",
    "cloudevents",
    "provider",
)
SEVERITIES = ("info", "warn", "error")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVENTS = ("start", "pause", "promoted", "rollback", "finished")
KINDS = {
    "deployment": "Deployment",
    "daemonset": "DaemonSet",
    "statefulset": "StatefulSet",
    "service": "Service",
}
SCALERS = {"hpa": "HorizontalPodAutoscaler", "scaledobject": "ScaledObject"}


def one_of(name: syntax.Name, words: Collection[str], what: str, frame: Frame) -> str | None:
    """The word, if it is one of those that may stand there; else None, reported."""
    if name.text in words:
        return name.text
    frame.findings.unknown(
        "RW213",
        f"`{name.text}` is no {what}",
        name.text,
        name.span,
        words,
        other=f"it is {listed(words, 'or')}" if len(words) <= 8 else f"they are {listed(words)}",
    )
    frame.bench.spoilt = True
    return None


def api_of(item: syntax.Traffic) -> str:
    """The word of the setting `api`, empty if none stands there: on it depends what other settings there are."""
    for each in item.fields:
        if isinstance(each, syntax.Field) and each.name.text == "api":
            match each.value:
                case syntax.Ref():
                    return each.value.segments[0].name.text
                case syntax.Word():
                    return each.value.text
                case syntax.String():
                    return each.value.value
    return ""
