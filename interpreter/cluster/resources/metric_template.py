"""`MetricTemplate`: a query of a metric provider, kept apart from the policies that use it.

It has the form of Flagger's own, so that one can be made of the other by its `apiVersion`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from interpreter.cluster.resources.model import AGE, Column, Definition, Metadata, Model, Name

ProviderType = Literal[
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
]


class SecretRef(Model):
    """A Secret of the same namespace."""

    name: Name
    """Its name."""


class MetricProvider(Model):
    """Whom to ask."""

    type: ProviderType
    """The kind of provider."""
    address: Annotated[str, Field(max_length=2048)] = ""
    """Where it is, as a URL, for those providers that do not have the one address."""
    headers: dict[str, list[str]] = Field(default_factory=dict)
    """Headers to send with each query. Credentials belong into the Secret."""
    secret_ref: SecretRef | None = None
    """The Secret with its credentials."""
    region: str = ""
    """The region, for providers that have regions."""
    insecure_skip_verify: bool = False
    """Do not check the certificate of the provider."""


class MetricTemplateSpec(Model):
    """Whom to ask, and what."""

    provider: MetricProvider
    """Whom to ask."""
    query: Annotated[str, Field(min_length=1, max_length=65536)]
    """What to ask: a template of a query that gives one number."""


class MetricTemplate(Model):
    """A query."""

    metadata: Metadata
    spec: MetricTemplateSpec


DEFINITION = Definition(
    kind="MetricTemplate",
    plural="metrictemplates",
    short_names=("rwmetric",),
    description="A MetricTemplate is a query that policies use by its name.",
    spec=MetricTemplateSpec,
    status=None,
    columns=(Column("Provider", "string", ".spec.provider.type"), AGE),
)
