"""What a webhook sends: who asks (name and namespace of a rollout), and what for (`metadata`). Pure.

The form is Flagger's: `{"name", "namespace", "phase", "checksum", "metadata": {TEXT: TEXT}}`; other fields are for
other receivers and not looked at. Names are held to what Kubernetes allows, for they become keys of gates and stand in
logs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

MOST_KEYS = 64
MOST_KEY = 100
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


class BadRequest(ValueError):
    """What was sent cannot be carried out; the text says why, and is the answer."""


class Payload(NamedTuple):
    """A call. `checksum` tells revisions apart; empty if the caller says none."""

    name: str
    namespace: str
    metadata: Mapping[str, str]
    phase: str = ""
    checksum: str = ""

    @property
    def owner(self) -> str:
        """`namespace/name`, as people write it."""
        return f"{self.namespace}/{self.name}"


def read(body: bytes) -> Payload:
    """A call from the body of a request. Raises `BadRequest`."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest("the body is no JSON: send what Flagger's webhooks send") from error
    if not isinstance(data, dict):
        raise BadRequest("the body is no JSON object: send what Flagger's webhooks send")
    name, namespace = _text(data, "name"), _text(data, "namespace")
    if not _NAME.fullmatch(name):
        raise BadRequest("`name` must be the name of a rollout: small letters, digits, dashes and dots")
    if not _LABEL.fullmatch(namespace):
        raise BadRequest("`namespace` must be the name of a namespace: small letters, digits and dashes")
    return Payload(name, namespace, _metadata(data.get("metadata")), _text(data, "phase"), _text(data, "checksum"))


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    if value is not None and not isinstance(value, str):
        raise BadRequest(f"`{key}` must be a text")
    if value and not value.isprintable():
        raise BadRequest(f"`{key}` holds characters that cannot be shown")
    return (value or "")[:500]


def _metadata(data: Any) -> dict[str, str]:
    if data is None:
        return {}
    if not isinstance(data, dict) or len(data) > MOST_KEYS:
        raise BadRequest(f"`metadata` must be an object of texts, {MOST_KEYS} at most")
    found = {}
    for key, value in data.items():
        if isinstance(value, bool):
            value = "true" if value else "false"
        if isinstance(value, (int, float)):
            value = str(value)
        if not isinstance(value, str):
            raise BadRequest(f"`metadata` must be an object of texts, and `{key[:MOST_KEY]}` is none")
        if len(key) > MOST_KEY or not key.isprintable() or "\0" in value:
            raise BadRequest("`metadata` holds a key that is too long, or characters that no command line can have")
        found[key] = value
    return found
