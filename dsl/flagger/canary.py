"""A Canary as Flagger understands it: typed, its defaults filled in, with all that Flagger says of it by name.

`read_canary` is the only way in. A field that means nothing, or that cannot work, is a `Problem`; nothing raises.
Durations are milliseconds. What only a data plane understands (`service.match`, `trafficPolicy`) stays plain JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dsl.flagger.fields import CANARY
from dsl.flagger.matching import Test, read_matches
from dsl.flagger.planes import Plane, read_plane
from dsl.flagger.problems import Problems
from dsl.flagger.reading import go_duration, read

API_VERSION = "flagger.app/v1beta1"
KUBERNETES_ITERATIONS = 10
_LEAST_INTERVAL_MS = 10_000
_MINUTE_MS = 60_000
_KNATIVE = "serving.knative.dev/"
SUCCESS_RATE, DURATION = "request-success-rate", "request-duration"
_STEPS = ("iterations", "stepWeight", "stepWeights")


@dataclass(frozen=True, slots=True)
class Reference:
    """Another object; `api_version` only where it decides something."""

    kind: str
    name: str
    api_version: str = ""
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Scaler:
    """`autoscalerRef`."""

    ref: Reference
    low: int | None = None
    high: int | None = None
    queries: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Metric:
    """One entry of `analysis.metrics`; exactly one of built-in, `query` and `template` is what it asks.

    `low` and `high` are inclusive, None where there is no such bound. `path` is where it stands.
    """

    name: str
    window_ms: int
    low: float | None
    high: float | None
    path: str
    query: str = ""
    template: Reference | None = None
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def builtin(self) -> bool:
        return not self.query and self.template is None


@dataclass(frozen=True, slots=True)
class Hook:
    """One entry of `analysis.webhooks`; `type` is never empty."""

    name: str
    type: str
    url: str
    path: str
    timeout_ms: int = 10_000
    retries: int = 0
    insecure: bool = False
    mute: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alert:
    """One entry of `analysis.alerts`; `provider` names an AlertProvider."""

    name: str
    severity: str
    provider: Reference


@dataclass(frozen=True, slots=True)
class Affinity:
    """`analysis.sessionAffinity`; `attributes` are the rest of the cookie, by their names in Flagger."""

    cookie: str
    max_age_ms: int
    attributes: Mapping[str, str | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Analysis:
    """What is checked, and how the traffic moves. One of `iterations` and `weights` says that."""

    every_ms: int
    threshold: int
    iterations: int = 0
    weights: tuple[int, ...] = ()
    step: int = 0
    promote_step: int = 0
    mirror: int | None = None
    matches: tuple[tuple[Test, ...], ...] = ()
    metrics: tuple[Metric, ...] = ()
    alerts: tuple[Alert, ...] = ()
    hooks: tuple[Hook, ...] = ()
    affinity: Affinity | None = None
    ready_primary: int = 100
    ready_canary: int = 100

    def hooks_of(self, *types: str) -> tuple[Hook, ...]:
        return tuple(hook for hook in self.hooks if hook.type in types)


@dataclass(frozen=True, slots=True)
class Canary:
    """A whole Canary. `service` is `spec.service` as plain data, durations in milliseconds."""

    name: str
    namespace: str
    plane: Plane
    target: Reference
    service: Mapping[str, Any]
    analysis: Analysis
    scaler: Scaler | None = None
    ingress: str = ""
    route: str = ""
    upstream: str = ""
    mesh: str = ""
    metrics_server: str = ""
    deadline_ms: int = 600_000
    skip_analysis: bool = False
    revert_on_deletion: bool = False
    suspend: bool = False


def read_canary(manifest: Mapping[str, Any], default_provider: str, problems: Problems) -> Canary | None:
    """The Canary in a manifest; None if something in it keeps it from being carried out. `default_provider` is what
    Flagger's flag `-mesh-provider` would say."""
    identity = read_identity(manifest, "Canary", problems)
    raw = manifest.get("spec")
    _outdated(manifest, raw, problems)
    if problems.fatal or identity is None:
        return None
    spec = read(raw if raw is not None else {}, CANARY, "spec", problems)
    if spec is None or "targetRef" not in spec or "analysis" not in spec:
        return None
    if spec.get("provider"):
        plane = read_plane(spec["provider"], "spec.provider", problems)
    else:
        plane = read_plane(default_provider, "spec.provider", problems)
    if plane is None or problems.fatal:
        return None
    return _Reader(*identity, manifest, spec, plane, problems).canary()


def read_identity(
    manifest: Mapping[str, Any], kind: str, problems: Problems, versions: tuple[str, ...] = (API_VERSION,)
) -> tuple[str, str] | None:
    """Name and namespace (`default` if not said) of an object of that kind."""
    version, metadata = manifest.get("apiVersion"), manifest.get("metadata")
    if manifest.get("kind") != kind:
        problems.error("kind", f"is not {kind}")
        return None
    if version not in versions:
        said = f"is `{version}`" if isinstance(version, str) else "is not there"
        problems.error("apiVersion", f"{said}, and {API_VERSION} is read", f"write `apiVersion: {API_VERSION}`")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    namespace = metadata.get("namespace") if isinstance(metadata, Mapping) else None
    if not isinstance(name, str) or not _is_name(name):
        problems.error("metadata.name", "is required, and is not there" if not name else "is no name of an object")
        return None
    if namespace is not None and (not isinstance(namespace, str) or not _is_name(namespace)):
        problems.error("metadata.namespace", "is no name of a namespace")
        return None
    return name, namespace or "default"


def _is_name(text: str) -> bool:
    """Whether it could name an object: what an API server lets through, or a little more."""
    return 0 < len(text) <= 253 and all(sign.isascii() and (sign.isalnum() or sign in "-.") for sign in text)


def _outdated(manifest: Mapping[str, Any], spec: object, problems: Problems) -> None:
    if isinstance(spec, Mapping) and "canaryAnalysis" in spec:
        problems.error(
            "spec.canaryAnalysis",
            "is what `spec.analysis` was called before flagger.app/v1beta1",
            "rename it to `analysis`",
        )
    if manifest.get("apiVersion") == "flagger.app/v1alpha3":
        problems.error(
            "apiVersion",
            "is of a Flagger before 1.0",
            f"write `{API_VERSION}`, `analysis` for `canaryAnalysis`, and `thresholdRange` for a metric's `threshold`",
        )


class _Reader:
    """From a spec whose fields have their shapes to a Canary that makes sense as a whole."""

    def __init__(
        self,
        name: str,
        namespace: str,
        manifest: Mapping[str, Any],
        spec: Mapping[str, Any],
        plane: Plane,
        problems: Problems,
    ) -> None:
        self.name, self.namespace, self.spec, self.plane, self.problems = name, namespace, spec, plane, problems
        self.manifest = manifest
        self.raw: Mapping[str, Any] = spec["analysis"]

    def canary(self) -> Canary | None:
        spec = self.spec
        target = _reference(spec["targetRef"])
        service = spec.get("service", {})
        self._target(target, service)
        self._references()
        analysis = self._analysis()
        if self.problems.fatal or analysis is None:
            return None
        annotations = self.manifest["metadata"].get("annotations")
        mesh = annotations.get("kuma.io/mesh") if isinstance(annotations, Mapping) else None
        deadline = spec.get("progressDeadlineSeconds", 0)
        upstream = spec.get("upstreamRef", {})
        within = upstream.get("namespace", "")
        return Canary(
            name=self.name,
            namespace=self.namespace,
            plane=self.plane,
            target=target,
            service=service,
            analysis=analysis,
            scaler=_scaler(spec["autoscalerRef"]) if "autoscalerRef" in spec else None,
            ingress=spec.get("ingressRef", {}).get("name", ""),
            route=spec.get("routeRef", {}).get("name", ""),
            upstream="/".join(filter(None, (within, upstream.get("name", "")))),
            mesh=mesh if isinstance(mesh, str) and self.plane.provider == "kuma" else service.get("meshName", ""),
            metrics_server=spec.get("metricsServer", ""),
            deadline_ms=min(deadline, 31_536_000) * 1000 if deadline > 0 else 600_000,
            skip_analysis=spec.get("skipAnalysis", False),
            revert_on_deletion=spec.get("revertOnDeletion", False),
            suspend=spec.get("suspend", False),
        )

    # --- what is rolled out -----------------------------------------------------------------------------------

    def _target(self, target: Reference, service: Mapping[str, Any]) -> None:
        knative = target.kind == "Service" and target.api_version.startswith(_KNATIVE)
        if knative and self.plane.provider != "knative":
            self.problems.error(
                "spec.provider",
                f"is `{self.plane.flagger}`, and the target is a Service of Knative",
                "write `provider: knative`",
            )
        if self.plane.provider == "knative" and not knative:
            self.problems.error(
                "spec.targetRef",
                "is no Service of Knative, and the provider is `knative`",
                "write `apiVersion: serving.knative.dev/v1` and `kind: Service`, or name another provider",
            )
        if "port" not in service and not knative:
            self.problems.error("spec.service.port", "is required, and is not there", "write the port of the Service")
        scaler = self.spec.get("autoscalerRef", {}).get("primaryScalerReplicas", {})
        if scaler.get("minReplicas", 1) > scaler.get("maxReplicas", 10**9):
            self.problems.error(
                "spec.autoscalerRef.primaryScalerReplicas", "has a minimum above its maximum", "swap the two"
            )

    def _references(self) -> None:
        needs = {
            "ingress": ("ingressRef", "name the Ingress whose traffic is split"),
            "route": ("routeRef", "name the route whose traffic is split"),
            "gateway_refs": ("service.gatewayRefs", "name the Gateways that the routes attach to"),
        }
        for option in self.plane.can.required:
            name, help = needs[option]
            holder: Any = self.spec
            for part in name.split("."):
                holder = holder.get(part) if isinstance(holder, Mapping) else None
            if not holder:
                self.problems.error(
                    f"spec.{name}", f"is not there, and the provider `{self.plane.flagger}` needs it", help
                )
        if self.plane == Plane("appmesh", "v1beta1", self.plane.flagger) and not self.spec.get("service", {}).get(
            "meshName"
        ):
            self.problems.error("spec.service.meshName", "is not there, and the provider `appmesh` needs it")

    # --- the analysis -----------------------------------------------------------------------------------------

    def _analysis(self) -> Analysis | None:
        raw, problems = self.raw, self.problems
        every = self._every()
        weights = self._strategy()
        metrics = tuple(
            found
            for index, item in enumerate(raw.get("metrics", []))
            if (found := self._metric(item, f"spec.analysis.metrics[{index}]")) is not None
        )
        hooks = tuple(
            found
            for index, item in enumerate(raw.get("webhooks", []))
            if (found := self._hook(item, f"spec.analysis.webhooks[{index}]")) is not None
        )
        affinity = self._affinity()
        iterations = max(0, raw.get("iterations", 0))
        if self.plane.provider == "kubernetes" and iterations < 1:
            iterations, weights = KUBERNETES_ITERATIONS, ()
        matches = self._matches(iterations)
        if problems.fatal:
            return None
        return Analysis(
            every_ms=every,
            threshold=max(1, raw["threshold"]),
            iterations=iterations,
            weights=weights,
            step=raw.get("stepWeight", 0) if weights else 0,
            promote_step=min(100, max(0, raw.get("stepWeightPromotion", 0))) if self.plane.can.weights else 0,
            mirror=self._mirror(),
            matches=matches,
            metrics=metrics,
            alerts=tuple(self._alert(item) for item in raw.get("alerts", [])),
            hooks=hooks,
            affinity=affinity,
            ready_primary=raw.get("primaryReadyThreshold", 100),
            ready_canary=raw.get("canaryReadyThreshold", 100),
        )

    def _every(self) -> int:
        every: int = self.raw.get("interval", _MINUTE_MS)
        if every < _LEAST_INTERVAL_MS:
            self.problems.warn("spec.analysis.interval", "is below 10s, the least: 10s are taken")
        return max(_LEAST_INTERVAL_MS, every)

    def _strategy(self) -> tuple[int, ...]:
        """The weights that the canary goes through; none for A/B and blue/green."""
        raw, problems, path = self.raw, self.problems, "spec.analysis"
        kinds = [name for name in _STEPS if name in raw]
        if not kinds:
            problems.error(
                path, f"has no steps: none of {', '.join(_STEPS)}", "add `stepWeight: 10` and `maxWeight: 50`"
            )
            return ()
        if len(kinds) > 1:
            problems.error(
                f"{path}.{kinds[1]}", f"stands beside `{kinds[0]}`, and only one of them can be", "take one of them out"
            )
            return ()
        if self.plane.provider == "kubernetes":
            self._no_weights(kinds[0])
            return ()
        match kinds[0]:
            case "iterations":
                if raw["iterations"] < 1:
                    problems.error(f"{path}.iterations", f"is {raw['iterations']}: the canary would never be promoted")
                elif self.plane.provider == "knative":
                    problems.error(f"{path}.iterations", "cannot be had with `knative`", "use `stepWeight`")
                return ()
            case "stepWeight":
                return self._even_steps(raw["stepWeight"], raw.get("maxWeight") or 100)
            case _:
                return self._listed_steps(raw["stepWeights"])

    def _no_weights(self, kind: str) -> None:
        iterations = self.raw.get("iterations", 0)
        if iterations < 1:
            said = f"`{kind}` gives no number of checks, and Services cannot split traffic"
            self.problems.warn(
                f"spec.analysis.{kind}", f"{said}: {KUBERNETES_ITERATIONS} checks are made", "write `iterations: 10`"
            )

    def _even_steps(self, step: int, most: int) -> tuple[int, ...]:
        if step < 1:
            self.problems.error("spec.analysis.stepWeight", f"is {step}: the canary would never get any traffic")
            return ()
        return (*range(step, most, step), most)

    def _listed_steps(self, steps: list[int]) -> tuple[int, ...]:
        path = "spec.analysis.stepWeights"
        if not steps:
            self.problems.error(path, "is empty: the canary would never get any traffic")
        for index in range(1, len(steps)):
            if steps[index] <= steps[index - 1]:
                self.problems.error(f"{path}[{index}]", f"is {steps[index]}, after {steps[index - 1]}", "let them rise")
                break
        return tuple(steps)

    def _mirror(self) -> int | None:
        raw = self.raw
        if not raw.get("mirror", False):
            return None
        share: int = raw.get("mirrorWeight") or 100
        can, protocol = self.plane.can, self.spec.get("service", {}).get("appProtocol", "")
        if not can.mirror or protocol == "tcp":
            self.problems.warn(
                "spec.analysis.mirror",
                f"`{self.plane.flagger}` cannot mirror {'tcp ' if can.mirror else ''}requests: that step is left out",
                "take `mirror` out (Flagger would never get past it, or pass it over)",
            )
            return None
        return share

    def _matches(self, iterations: int) -> tuple[tuple[Test, ...], ...]:
        raw, path = self.raw.get("match", []), "spec.analysis.match"
        if not raw:
            return ()
        if self.plane.provider == "kubernetes":
            self.problems.warn(path, "Services cannot tell requests apart: it is left out", "take `match` out")
            return ()
        if iterations < 1:
            self.problems.error(path, "needs `iterations`", "write `iterations: 10` for the steps that there are")
            return ()
        if not self.plane.matches:
            self.problems.error(
                path,
                f"`{self.plane.flagger}` cannot tell requests apart (with Flagger all traffic would go to the canary)",
                "take `match` out, or use another provider",
            )
            return ()
        return read_matches(raw, path, self.plane, self.problems)

    def _metric(self, item: Mapping[str, Any], path: str) -> Metric | None:
        template, query, name = item.get("templateRef"), item.get("query", ""), item["name"]
        builtin = template is None and not query
        if builtin and name not in (SUCCESS_RATE, DURATION):
            self.problems.error(
                f"{path}.templateRef",
                f"is not there: `{name}` is no built-in metric ({SUCCESS_RATE}, {DURATION}) and has no query",
                "add `templateRef` with the name of a MetricTemplate",
            )
            return None
        low, high = self._bounds(item, path, name)
        reference = None
        if template is not None:
            reference = Reference("MetricTemplate", template["name"], "", template.get("namespace") or self.namespace)
            if query:
                self.problems.warn(f"{path}.query", "is passed over, for there is a `templateRef`")
                query = ""
            if "interval" not in item:
                self.problems.warn(f"{path}.interval", "is not there: 1m is taken (Flagger would put in nothing)")
        window = item.get("interval") or _MINUTE_MS
        return Metric(name, window, low, high, path, query, reference, item.get("templateVariables", {}))

    def _bounds(self, item: Mapping[str, Any], path: str, name: str) -> tuple[float | None, float | None]:
        bounds = item.get("thresholdRange")
        floor = name == SUCCESS_RATE
        if bounds is None:
            if "threshold" not in item:
                self._no_bounds(path, name)
            value = item.get("threshold", 0.0)
            low, high = (value, None) if floor else (None, value)
            where = f"{path}.threshold"
        else:
            low, high, where = bounds.get("min"), bounds.get("max"), f"{path}.thresholdRange"
            if low is None and high is None:
                self.problems.error(where, "has neither `min` nor `max`", "write one of them")
        if low is not None and high is not None and low > high:
            self.problems.error(where, f"has a `min` of {low:g} above its `max` of {high:g}", "swap the two")
        builtin = item.get("templateRef") is None and not item.get("query")
        if builtin:
            self._possible(low, high, where, name)
        return low, high

    def _no_bounds(self, path: str, name: str) -> None:
        path = f"{path}.thresholdRange"
        if name == DURATION:
            self.problems.error(path, "is not there, and no answer takes 0 ms", "write `thresholdRange: {max: 500}`")
        elif name == SUCCESS_RATE:
            self.problems.warn(path, "is not there: any success rate will do", "write `thresholdRange: {min: 99}`")
        else:
            self.problems.warn(
                path, "is not there: 0 is the most, as it is for Flagger", "write `thresholdRange: {max: 0}` to say so"
            )

    def _possible(self, low: float | None, high: float | None, path: str, name: str) -> None:
        """Bounds that no value can keep."""
        if name == SUCCESS_RATE and ((low or 0) > 100 or (high is not None and high < 0)):
            self.problems.error(path, "can be met by no success rate, for that is in percent, from 0 to 100")
        if name == DURATION and high is not None and high < 1:
            self.problems.error(
                path,
                f"allows {high:g} ms: durations are in whole milliseconds",
                f"write {high * 1000:g} for {high:g} s",
            )
        elif name == DURATION and any(bound is not None and bound % 1 for bound in (low, high)):
            self.problems.warn(path, "is taken in whole milliseconds: what is behind the point is dropped")

    def _hook(self, item: Mapping[str, Any], path: str) -> Hook | None:
        said, timeout = item.get("timeout", ""), 10_000
        if len(said) >= 2:
            read_ms = go_duration(said)
            if not read_ms or read_ms > 86_400_000:
                self.problems.error(
                    f"{path}.timeout", f"is `{said[:40]}`, which is no time to wait", "write a duration such as `30s`"
                )
                return None
            timeout = read_ms
        if not item["url"].startswith(("http://", "https://")):
            self.problems.error(
                f"{path}.url", "is no address that can be called", "let it begin with http:// or https://"
            )
            return None
        return Hook(
            name=item["name"],
            type=item.get("type") or "rollout",
            url=item["url"],
            path=path,
            timeout_ms=timeout,
            retries=min(100, max(0, item.get("retries", 0))),
            insecure=item.get("disableTLS", False),
            mute=item.get("muteAlert", False),
            metadata=item.get("metadata", {}),
        )

    def _alert(self, item: Mapping[str, Any]) -> Alert:
        ref = item["providerRef"]
        provider = Reference("AlertProvider", ref["name"], "", ref.get("namespace") or self.namespace)
        return Alert(item["name"], item.get("severity") or "info", provider)

    def _affinity(self) -> Affinity | None:
        raw, path = self.raw.get("sessionAffinity"), "spec.analysis.sessionAffinity"
        if raw is None:
            return None
        if raw["cookieName"] == raw.get("primaryCookieName"):
            self.problems.error(f"{path}.primaryCookieName", "is the same as `cookieName`", "give it another name")
        if not self.plane.can.sticky or self.spec.get("service", {}).get("appProtocol") == "tcp":
            self.problems.warn(path, f"`{self.plane.flagger}` cannot keep users by a cookie: it is left out")
            return None
        names = ("primaryCookieName", "domain", "path", "sameSite", "httpOnly", "secure", "partitioned")
        attributes = {name: raw[name] for name in names if raw.get(name)}
        return Affinity(raw["cookieName"], (max(0, raw.get("maxAge", 0)) or 86_400) * 1000, attributes)


def _reference(raw: Mapping[str, Any]) -> Reference:
    return Reference(raw["kind"], raw["name"], raw.get("apiVersion", ""), raw.get("namespace", ""))


def _scaler(raw: Mapping[str, Any]) -> Scaler:
    replicas = raw.get("primaryScalerReplicas", {})
    queries = raw.get("primaryScalerQueries", {})
    return Scaler(_reference(raw), replicas.get("minReplicas"), replicas.get("maxReplicas"), queries)
