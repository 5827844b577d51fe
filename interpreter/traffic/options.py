"""The options of a `traffic` block, read with types: what all providers understand by `hosts`, `retries`, and so on.

`Program.traffic.options` is plain JSON under the language's own keys (`dsl.capabilities.OPTIONS`). What stands inside
comes from two places: a `.rollout` file, whose maps have keys in snake case (`per_try_timeout`) and durations in the
spelling of the language (`1d`, `90s`); and an imported Canary, whose maps are the data plane's own JSON
(`perTryTimeout`). Both spellings of a key are understood, here and nowhere else. `match` and `traffic_policy` are the
data plane's own JSON in either case, and are passed on as they are.

Every reader raises `TrafficError` with the option's name if the value cannot be used. Durations come out as whole
milliseconds; `duration_text` writes one as Go, Istio and the Gateway API read it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, NamedTuple

from dsl.ir import Program
from interpreter.traffic.provider import TrafficError

_UNITS_MS = {"d": 86_400_000.0, "h": 3_600_000.0, "m": 60_000.0, "s": 1000.0, "ms": 1.0, "us": 0.001, "ns": 0.000_001}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|ns|d|h|m|s)")
_GO_UNITS = (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))


class Retries(NamedTuple):
    """How the data plane tries again. None and "" stand for what is not said."""

    attempts: int | None = None
    per_try_timeout_ms: int | None = None
    retry_on: str = ""
    backoff_ms: int | None = None


class Rewrite(NamedTuple):
    """`type` is `ReplaceFullPath` or `ReplacePrefixMatch`, for the data planes that tell the two apart."""

    uri: str = ""
    authority: str = ""
    type: str = "ReplaceFullPath"


class HeaderEdits(NamedTuple):
    """What is done to the headers of a request or a response. Names are as the user wrote them."""

    add: Mapping[str, str] = {}
    set: Mapping[str, str] = {}
    remove: tuple[str, ...] = ()


class Headers(NamedTuple):
    request: HeaderEdits = HeaderEdits()
    response: HeaderEdits = HeaderEdits()


class Cors(NamedTuple):
    """`allow_origins` are tests on the Origin header, each a map with one key of `exact`, `prefix` and `regex`."""

    allow_origins: tuple[Mapping[str, str], ...] = ()
    allow_methods: tuple[str, ...] = ()
    allow_headers: tuple[str, ...] = ()
    expose_headers: tuple[str, ...] = ()
    allow_credentials: bool | None = None
    max_age_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one Program's `traffic` block. What is not set is empty, None or False."""

    program: Program

    @property
    def hosts(self) -> tuple[str, ...]:
        return self._texts("hosts")

    @property
    def gateways(self) -> tuple[str, ...]:
        """Istio's gateways: `namespace/name`, `name` or `mesh`."""
        return self._texts("gateways")

    @property
    def gateway_refs(self) -> tuple[dict[str, Any], ...]:
        """The Gateway API's parent references, with its own keys: `group`, `kind`, `namespace`, `name`, `sectionName`
        and `port`, as far as given."""
        return tuple(_camel(item) for item in self._maps("gateway_refs"))

    @property
    def mirror_to(self) -> tuple[dict[str, Any], ...]:
        """Backend references: `group`, `kind`, `namespace`, `name` and `port`, as far as given. Flagger wraps each in
        a `backendRef`, which is taken off."""
        return tuple(_camel(item.get("backendRef", item)) for item in self._maps("mirror_to"))

    @property
    def match(self) -> tuple[dict[str, Any], ...]:
        """Which requests belong to the service: alternatives, each as the data plane (in a Canary: Istio) writes it."""
        return self._maps("match")

    @property
    def traffic_policy(self) -> dict[str, Any]:
        """The `trafficPolicy` of a DestinationRule."""
        return self._map("traffic_policy")

    @property
    def rewrite(self) -> Rewrite | None:
        found = self._inner("rewrite")
        if found is None:
            return None
        return Rewrite(found.text("uri"), found.text("authority"), found.text("type") or "ReplaceFullPath")

    @property
    def retries(self) -> Retries | None:
        found = self._inner("retries")
        if found is None:
            return None
        attempts = found.number("attempts")
        return Retries(attempts, found.duration("per_try_timeout"), found.text("retry_on"), found.duration("backoff"))

    @property
    def timeout_ms(self) -> int | None:
        """How long a request may take; None for the data plane's own limit."""
        return self._top.duration("timeout")

    @property
    def backend_timeout_ms(self) -> int | None:
        """How long one try at a backend may take."""
        return self._top.duration("backend_timeout")

    @property
    def headers(self) -> Headers:
        found = self._inner("headers")
        return Headers() if found is None else Headers(found.edits("request"), found.edits("response"))

    @property
    def cors(self) -> Cors | None:
        found = self._inner("cors")
        if found is None:
            return None
        exact = tuple({"exact": origin} for origin in found.texts("allow_origin"))
        return Cors(
            allow_origins=(*found.tests("allow_origins"), *exact),
            allow_methods=found.texts("allow_methods"),
            allow_headers=found.texts("allow_headers"),
            expose_headers=found.texts("expose_headers"),
            allow_credentials=found.flag("allow_credentials"),
            max_age_ms=found.duration("max_age"),
        )

    @property
    def delegation(self) -> bool:
        return bool(self._top.flag("delegation"))

    @property
    def port(self) -> int | None:
        """The port that the routes send to, where it is not the service's."""
        return self._top.number("port")

    @property
    def api(self) -> str:
        return self._top.text("api")

    @property
    def ingress(self) -> str:
        return self._top.text("ingress")

    @property
    def annotation_prefix(self) -> str:
        """What the Ingress controller's annotations begin with, where that was changed; without the slash."""
        return self._top.text("annotation_prefix").rstrip("/")

    @property
    def ingress_class(self) -> str:
        return self._top.text("ingress_class")

    @property
    def route(self) -> str:
        """The user's route object whose traffic is split; empty if the provider keeps one of its own."""
        return self._top.text("route")

    @property
    def mesh(self) -> str:
        return self._top.text("mesh")

    @property
    def rule(self) -> str:
        """The rule inside `route`; empty if it has but one."""
        return self._top.text("rule")

    @property
    def backends(self) -> tuple[str, ...]:
        """Other virtual services that the workload calls."""
        return self._texts("backends")

    @property
    def upstream(self) -> str:
        """The Upstream whose settings are copied, as `namespace/name` or a name in the rollout's namespace."""
        return self._top.text("upstream")

    @property
    def _top(self) -> _Values:
        return _Values(self.program.traffic.provider, "", self.program.traffic.options)

    def _inner(self, key: str) -> _Values | None:
        value = self._map(key)
        return _Values(self.program.traffic.provider, f"{key}.", value) if value else None

    def _map(self, key: str) -> dict[str, Any]:
        return self._top.mapping(key)

    def _maps(self, key: str) -> tuple[dict[str, Any], ...]:
        return self._top.mappings(key)

    def _texts(self, key: str) -> tuple[str, ...]:
        return self._top.texts(key)


class _Values(NamedTuple):
    """A map of options, and where it stands."""

    provider: str
    where: str
    values: Mapping[str, Any]

    def get(self, key: str) -> Any:
        """The value under the key in snake case or camel case; None if there is none."""
        value = self.values.get(key)
        return self.values.get(camel_case(key)) if value is None else value

    def wrong(self, key: str, wanted: str) -> TrafficError:
        shown = repr(self.get(key))
        short = shown if len(shown) <= 60 else f"{shown[:57]}..."
        return TrafficError(f"traffic {self.provider}: the option `{self.where}{key}` is {short}; write {wanted}")

    def text(self, key: str) -> str:
        value = self.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.wrong(key, "a text")
        return value

    def number(self, key: str) -> int | None:
        value = self.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise self.wrong(key, "a whole number")
        return value

    def flag(self, key: str) -> bool | None:
        value = self.get(key)
        if value is not None and not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def duration(self, key: str) -> int | None:
        """Milliseconds, from a number of them or from a text such as `1m30s`. Fractions are rounded up."""
        value = self.get(key)
        if value is None:
            return None
        milliseconds = _milliseconds(value)
        if milliseconds is None:
            raise self.wrong(key, "a duration, such as 1s")
        return milliseconds

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.get(key)
        if value is None:
            return ()
        if not _is_list(value) or not all(isinstance(item, str) for item in value):
            raise self.wrong(key, "a list of texts")
        return tuple(value)

    def mapping(self, key: str) -> dict[str, Any]:
        value = self.get(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise self.wrong(key, "a map")
        return deepcopy(dict(value))

    def mappings(self, key: str) -> tuple[dict[str, Any], ...]:
        value = self.get(key)
        if value is None:
            return ()
        if not _is_list(value) or not all(isinstance(item, Mapping) for item in value):
            raise self.wrong(key, "a list of maps")
        return tuple(deepcopy(dict(item)) for item in value)

    def tests(self, key: str) -> tuple[Mapping[str, str], ...]:
        """Tests on a text: a plain text stands for an exact one."""
        value = self.get(key)
        if value is None:
            return ()
        if not _is_list(value) or not all(isinstance(item, str | Mapping) for item in value):
            raise self.wrong(key, "a list of texts, or of maps with `exact`, `prefix` or `regex`")
        return tuple({"exact": item} if isinstance(item, str) else dict(item) for item in value)

    def edits(self, key: str) -> HeaderEdits:
        inner = _Values(self.provider, f"{self.where}{key}.", self.mapping(key))
        return HeaderEdits(inner.pairs("add"), inner.pairs("set"), inner.texts("remove"))

    def pairs(self, key: str) -> Mapping[str, str]:
        value = self.mapping(key)
        if not all(isinstance(item, str) for item in value.values()):
            raise self.wrong(key, "a map of texts")
        return value


def camel_case(key: str) -> str:
    """`per_try_timeout` as Kubernetes objects spell it, `perTryTimeout`."""
    first, *others = key.split("_")
    return first + "".join(word.capitalize() for word in others)


def duration_text(milliseconds: int) -> str:
    """As Go writes durations, without fractions: `1m30s`, `500ms`, `0s`."""
    rest, parts = milliseconds, []
    for unit, length in _GO_UNITS:
        count, rest = divmod(rest, length)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def _camel(value: Mapping[str, Any]) -> dict[str, Any]:
    return {camel_case(key): item for key, item in value.items()}


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _milliseconds(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if value >= 0 else None
    if not isinstance(value, str) or not value or _PART.sub("", value):
        return None
    total = sum(float(count) * _UNITS_MS[unit] for count, unit in _PART.findall(value))
    return -int(-total // 1)


def text_test(test: Any, where: str) -> tuple[str, str]:
    """The one test in `{exact: text}`, or the same with `prefix`, `suffix` or `regex`, of the option `match`; `where`
    is what it tests. Raises `TrafficError`."""
    if isinstance(test, Mapping) and len(test) == 1:
        ((how, text),) = test.items()
        if how in ("exact", "prefix", "suffix", "regex") and isinstance(text, str):
            return how, text
    raise TrafficError(f"`match` has {where} {test!r}; write one of exact, prefix, suffix and regex with a text")
