"""A Canary from its manifest. What means nothing, or cannot work, is a `Problem` at its field; nothing raises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dsl.flagger.analysis import read_analysis
from dsl.flagger.fields import CANARY
from dsl.flagger.identity import read_identity
from dsl.flagger.model import Canary, Reference, Scaler
from dsl.flagger.planes import Plane, read_plane
from dsl.flagger.problems import Problems
from dsl.flagger.reading import read

KNATIVE = "serving.knative.dev/"
"""How the `apiVersion` of a Service of Knative begins."""


def read_canary(manifest: Mapping[str, Any], default_provider: str, problems: Problems) -> Canary | None:
    """The Canary in a manifest; None if something in it keeps it from being carried out. `default_provider` is what
    Flagger's flag `-mesh-provider` would say."""
    identity = read_identity(manifest, "Canary", problems)
    raw = manifest.get("spec")
    _outdated(raw, problems)
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


def _outdated(spec: object, problems: Problems) -> None:
    if isinstance(spec, Mapping) and "canaryAnalysis" in spec:
        problems.error(
            "spec.canaryAnalysis",
            "is what `spec.analysis` was called before flagger.app/v1beta1",
            "rename it to `analysis`",
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

    def canary(self) -> Canary | None:
        spec = self.spec
        target = _reference(spec["targetRef"])
        service = spec.get("service", {})
        self._target(target, service)
        self._references()
        protocol = service.get("appProtocol", "")
        analysis = read_analysis(spec["analysis"], self.namespace, self.plane, protocol, self.problems)
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
        knative = target.kind == "Service" and target.api_version.startswith(KNATIVE)
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
        if self.plane.flagger == "appmesh" and not self.spec.get("service", {}).get("meshName"):
            self.problems.error("spec.service.meshName", "is not there, and the provider `appmesh` needs it")


def _reference(raw: Mapping[str, Any]) -> Reference:
    return Reference(raw["kind"], raw["name"], raw.get("apiVersion", ""), raw.get("namespace", ""))


def _scaler(raw: Mapping[str, Any]) -> Scaler:
    replicas = raw.get("primaryScalerReplicas", {})
    queries = raw.get("primaryScalerQueries", {})
    return Scaler(_reference(raw), replicas.get("minReplicas"), replicas.get("maxReplicas"), queries)
