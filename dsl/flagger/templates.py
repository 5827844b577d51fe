"""MetricTemplates and AlertProviders: typed, for the importer and for the cluster's shell.

Flagger's and ours (`rollway.dev/v1alpha1`) have one form. They differ in the query: a Go template in Flagger's, one of
the language in ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dsl.flagger.fields import ALERT_PROVIDER, METRIC_TEMPLATE, OUR_ALERT_PROVIDER, OUR_METRIC_TEMPLATE
from dsl.flagger.identity import API_VERSION, read_identity
from dsl.flagger.problems import Problems
from dsl.flagger.queries import translated
from dsl.flagger.reading import Keys, Listed, Text, read

OURS = "rollway.dev/v1alpha1"


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
    insecure_skip_verify: bool = False

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


def read_metric_template(manifest: Mapping[str, Any]) -> MetricTemplate | str:
    """The MetricTemplate in a manifest, or in words why it cannot be used."""
    problems = Problems()
    return metric_template(manifest, problems) or problems.words


def metric_template(manifest: Mapping[str, Any], problems: Problems) -> MetricTemplate | None:
    """The MetricTemplate in a manifest; None, with the reasons, if it cannot be used."""
    shape = OUR_METRIC_TEMPLATE if manifest.get("apiVersion") == OURS else METRIC_TEMPLATE
    found = _spec(manifest, "MetricTemplate", shape, problems)
    if found is None:
        return None
    (name, namespace), data = found
    provider = data["provider"]
    query = data["query"]
    template = MetricTemplate(
        name=name,
        namespace=namespace,
        provider=provider["type"],
        query=query if manifest["apiVersion"] == OURS else translated(query, "spec.query", problems),
        address=provider.get("address", ""),
        headers=_headers(provider.get("headers", {}), problems),
        secret=provider.get("secretRef", {}).get("name", ""),
        region=provider.get("region", ""),
        insecure_skip_verify=provider.get("insecureSkipVerify", False),
    )
    return None if problems.fatal else template


def read_alert_provider(manifest: Mapping[str, Any]) -> AlertProvider | str:
    """The AlertProvider in a manifest, or in words why it cannot be used."""
    problems = Problems()
    return alert_provider(manifest, problems) or problems.words


def alert_provider(manifest: Mapping[str, Any], problems: Problems) -> AlertProvider | None:
    """The AlertProvider in a manifest; None, with the reasons, if it cannot be used."""
    shape = OUR_ALERT_PROVIDER if manifest.get("apiVersion") == OURS else ALERT_PROVIDER
    found = _spec(manifest, "AlertProvider", shape, problems)
    if found is None:
        return None
    (name, namespace), data = found
    secret = data.get("secretRef", {}).get("name", "")
    if secret and data.get("address"):
        help = "keep the address in the Secret, under the key `address`"
        problems.error("spec.address", "stands beside `secretRef`, and only one of them can be", help)
    if not secret and not data.get("address"):
        help = "add `secretRef` with the name of a Secret that has the key `address`"
        problems.error("spec.secretRef", "is not there, nor is `address`", help)
    texts = {key: data[key] for key in ("type", "channel", "username", "address", "proxy") if key in data}
    return None if problems.fatal else AlertProvider(name, namespace, secret=secret, **texts)


def _spec(
    manifest: Mapping[str, Any], kind: str, shape: Keys, problems: Problems
) -> tuple[tuple[str, str], dict[str, Any]] | None:
    identity = read_identity(manifest, kind, problems, (API_VERSION, OURS))
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
