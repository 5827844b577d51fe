"""MetricTemplates and AlertProviders: typed, for the importer and for the cluster's shell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dsl.flagger.canary import read_identity
from dsl.flagger.fields import ALERT_PROVIDER, METRIC_TEMPLATE
from dsl.flagger.problems import Problems
from dsl.flagger.queries import translated
from dsl.flagger.reading import Listed, Text, read


@dataclass(frozen=True, slots=True)
class MetricTemplate:
    """`query` is a template of the language, with the variables of `dsl.embedded.jinja_check.QUERY_VARIABLES`.

    `secret` is the name of a Secret in the template's own namespace. A header with several values has them joined by
    commas, as HTTP has it.
    """

    name: str
    namespace: str
    provider: str
    query: str
    address: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    secret: str = ""
    region: str = ""
    insecure: bool = False

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class AlertProvider:
    """Where alerts go. One of `address` and `secret` is set; the Secret has the keys `address` and `token`."""

    name: str
    namespace: str
    type: str
    channel: str = ""
    username: str = ""
    address: str = ""
    proxy: str = ""
    secret: str = ""

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"


def read_metric_template(manifest: Mapping[str, Any], problems: Problems) -> MetricTemplate | None:
    """The MetricTemplate in a manifest; None, with the reasons, if it cannot be used."""
    spec = _spec(manifest, "MetricTemplate", METRIC_TEMPLATE, problems)
    if spec is None:
        return None
    (name, namespace), data = spec
    provider = data["provider"]
    return MetricTemplate(
        name=name,
        namespace=namespace,
        provider=provider["type"],
        query=translated(data["query"], "spec.query", problems),
        address=provider.get("address", ""),
        headers=_headers(provider.get("headers", {}), problems),
        secret=provider.get("secretRef", {}).get("name", ""),
        region=provider.get("region", ""),
        insecure=provider.get("insecureSkipVerify", False),
    )


def read_alert_provider(manifest: Mapping[str, Any], problems: Problems) -> AlertProvider | None:
    """The AlertProvider in a manifest; None, with the reasons, if it cannot be used."""
    spec = _spec(manifest, "AlertProvider", ALERT_PROVIDER, problems)
    if spec is None:
        return None
    (name, namespace), data = spec
    secret = data.get("secretRef", {}).get("name", "")
    if bool(secret) == bool(data.get("address")):
        path = "spec.secretRef" if secret else "spec.address"
        said = "stands beside `address`, and only one of them can be" if secret else "is not there, nor is `secretRef`"
        problems.error(path, said, "keep the address in the Secret" if secret else "name a Secret with the key `address`")
    texts = {key: data[key] for key in ("type", "channel", "username", "address", "proxy") if key in data}
    return AlertProvider(name, namespace, secret=secret, **texts)


def _spec(
    manifest: Mapping[str, Any], kind: str, shape: Any, problems: Problems
) -> tuple[tuple[str, str], dict[str, Any]] | None:
    identity = read_identity(manifest, kind, problems)
    raw = manifest.get("spec")
    spec = read(raw if raw is not None else {}, shape, "spec", problems)
    return None if identity is None or spec is None or problems.fatal else (identity, spec)


def _headers(raw: object, problems: Problems) -> dict[str, str]:
    """From names to lists of values, as in Go's `http.Header`."""
    if not isinstance(raw, Mapping):
        problems.error("spec.provider.headers", "is no object")
        return {}
    found: dict[str, str] = {}
    for name, values in raw.items():
        path = f"spec.provider.headers.{name}"
        texts = read([values] if isinstance(values, str) else values, Listed(Text()), path, problems)
        if texts is not None:
            found[str(name)] = ", ".join(texts)
    return found
