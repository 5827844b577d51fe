"""The kinds of channels: which service each one is."""

from __future__ import annotations

from collections.abc import Mapping

from interpreter.channels import (
    alertmanager,
    cloudevents,
    discord,
    gchat,
    msteams,
    pagerduty,
    rocket,
    slack,
    webhook,
)
from interpreter.channels.request import Service

SERVICES: Mapping[str, Service] = {
    "slack": slack.SERVICE,
    "msteams": msteams.SERVICE,
    "discord": discord.SERVICE,
    "rocket": rocket.SERVICE,
    "gchat": gchat.SERVICE,
    "alertmanager": alertmanager.SERVICE,
    "pagerduty": pagerduty.SERVICE,
    "webhook": webhook.SERVICE,
    "cloudevents": cloudevents.SERVICE,
}
OPEN = frozenset({"alertmanager", "webhook", "cloudevents"})
"""Kinds whose address may stand in the policy, so that they need no Secret."""
