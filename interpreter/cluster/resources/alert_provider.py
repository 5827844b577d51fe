"""`AlertProvider`: where messages go, kept apart from the policies that send them. It has the form of Flagger's own."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from interpreter.cluster.resources.metric_template import SecretRef
from interpreter.cluster.resources.model import AGE, Column, Definition, Metadata, Model, rules

AlertType = Literal[
    "slack", "msteams", "discord", "rocket", "gchat", "alertmanager", "pagerduty", "webhook", "cloudevents"
]


class AlertProviderSpec(Model):
    """Where messages go."""

    model_config = rules(
        (
            "has(self.address) != has(self.secretRef)",
            "the address of an alert provider stands either in `address` or in a Secret, under its key `address`, "
            "named by `secretRef`: give one of them, and only one",
        ),
    )

    type: AlertType
    """The kind of channel."""
    channel: Annotated[str, Field(max_length=253)] = ""
    """The channel there, for those that have several."""
    username: Annotated[str, Field(max_length=253)] = ""
    """The name that messages come under."""
    address: Annotated[str, Field(min_length=1, max_length=2048)] | None = None
    """Where to send messages, as a URL. One that holds a credential belongs into a Secret."""
    proxy: Annotated[str, Field(max_length=2048)] = ""
    """The HTTP proxy to go through, as a URL."""
    secret_ref: SecretRef | None = None
    """The Secret with the address under `address` and, if one is needed, a token under `token`. A token alone is enough
    for `slack` (of a bot) and `pagerduty` (an integration key)."""


class AlertProvider(Model):
    """Where messages go."""

    metadata: Metadata
    spec: AlertProviderSpec


DEFINITION = Definition(
    kind="AlertProvider",
    plural="alertproviders",
    short_names=("rwalert",),
    description="An AlertProvider is a channel that messages about rollouts are sent to.",
    spec=AlertProviderSpec,
    status=None,
    columns=(Column("Type", "string", ".spec.type"), AGE),
)
