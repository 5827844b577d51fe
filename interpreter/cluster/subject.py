"""The workload that a rollout is about, as the caches have it: the target, its primary, and what they are made of.

Reads only what informers already hold, so that looking costs nothing. Names: the target is `T`, its primary
`T-primary`, its baseline `T-baseline`; the Services are `A`, `A-primary`, `A-canary` and `A-baseline`, `A` being the
Program's service.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from copy import copy

from dsl.ir import Program, WorkloadRef
from interpreter.cluster.api import Api
from interpreter.cluster.caches import Caches
from interpreter.cluster.errors import Forbidden
from interpreter.objects import Manifest, Objects, Ref, ref_of
from interpreter.traffic.provider import Site, TrafficProvider, refs_of
from interpreter.traffic.registry import provider
from interpreter.traffic.replicas import NAME as COUNTED
from interpreter.workloads.configs import ConfigRef, is_tracked, references
from interpreter.workloads.kind import Snapshot, WorkloadKind
from interpreter.workloads.knative import KnativeKind
from interpreter.workloads.leads import pod_labels
from interpreter.workloads.metadata import BASELINE, PLAIN, PRIMARY, Naming
from interpreter.workloads.ports import service_port
from interpreter.workloads.registry import BUILT_IN, kind_of, ref_of_workload
from interpreter.workloads.revision import revision_of
from interpreter.workloads.scalers import primary_ref, target_ref
from interpreter.workloads.services import baseline_refs, discovered_ports, service_names, service_refs

_WORKLOADS = ("DaemonSet", "Deployment", "StatefulSet")
_HPA = "autoscaling/v2", "HorizontalPodAutoscaler"


class Subject:
    """One rollout's workload. `crd` is the CustomResourceDefinition of a target that is not built in."""

    def __init__(self, program: Program, caches: Caches, crd: Manifest | None = None, naming: Naming = PLAIN) -> None:
        self.program = program
        self.kind: WorkloadKind = kind_of(program.target, crd, naming)
        self.provider: TrafficProvider = provider(program.traffic.provider)
        self.target_ref = ref_of_workload(program.target, program.namespace)
        self.in_one = isinstance(self.kind, KnativeKind)
        """Whether one object is target and primary."""
        self.primary_ref = self.target_ref._replace(name=f"{self.target_ref.name}{'' if self.in_one else PRIMARY}")
        self.baseline_ref = self.target_ref._replace(name=f"{self.target_ref.name}{BASELINE}")
        self.naming = naming
        self._caches = caches
        self._seen: tuple[object, ...] = ()
        self._snapshot: Snapshot | None = None

    def on(self, program: Program) -> Subject:
        """The same workload as another policy has its traffic routed."""
        other = copy(self)
        other.program, other.provider = program, provider(program.traffic.provider)
        return other

    # --- what there is ------------------------------------------------------------------------------------------

    @property
    def target(self) -> Manifest | None:
        return self._caches.get(self.target_ref)

    @property
    def primary(self) -> Manifest | None:
        return self._caches.get(self.primary_ref)

    @property
    def baseline(self) -> Manifest | None:
        return self._caches.get(self.baseline_ref)

    def objects(self, refs: tuple[Ref, ...]) -> Objects:
        """Those that exist, as far as can be seen from here."""
        found = ((ref, self._caches.find(ref)) for ref in refs)
        return {ref: manifest for ref, manifest in found if manifest is not None}

    @property
    def service_refs(self) -> tuple[Ref, ...]:
        return service_refs(self.program, self.target)

    @property
    def baseline_service_refs(self) -> tuple[Ref, ...]:
        return baseline_refs(self.program, self.target)

    @property
    def apex_ref(self) -> Ref:
        return Ref("v1", "Service", self.program.namespace, service_names(self.program)[0])

    # --- what it is made of -------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot | None:
        """What the target is made of now; None if there is no target. Made anew only when something has changed."""
        target = self.target
        if target is None:
            return None
        configs = self.configs(self.kind.template(target))
        seen = (target["metadata"]["uid"], target["metadata"].get("resourceVersion"), tuple(sorted(configs.items())))
        if self._snapshot is None or seen != self._seen:
            template = self.kind.template(target)
            self._snapshot = Snapshot(revision_of(template, configs), template, dict(configs))
            self._seen = seen
        return self._snapshot

    def snapshot_configs(self) -> Mapping[str, str]:
        """The tracked ConfigMaps and Secrets of the target as it is now."""
        snapshot = self.snapshot()
        return snapshot.configs if snapshot is not None else {}

    def config_refs(self, template: Mapping[str, object]) -> tuple[ConfigRef, ...]:
        """The ConfigMaps and Secrets that a template names, if this rollout tracks them."""
        return references(dict(template), self.program.namespace) if self.program.track_configs else ()

    def configs(self, template: Mapping[str, object]) -> dict[str, str]:
        """Of each tracked ConfigMap and Secret that exists, the digest of its data."""
        digests: dict[str, str] = {}
        for config in self.config_refs(template):
            found = self._caches.get(config.ref)
            if found is not None and is_tracked(found):
                digests[config.key] = str(found["digest"])
        return digests

    # --- where its traffic goes ---------------------------------------------------------------------------------

    def site(self, session: str, *, baseline: bool = False, whole: bool = False) -> Site:
        """What a traffic provider must know. Needs the target: its labels and ports are in the Services. `baseline` is
        whether one is to get traffic, `whole` whether the primary keeps all of its pods."""
        target = self.target
        label, value = ("app", self.program.target.name) if target is None else self.kind.label(target)
        apex, primary, canary = service_names(self.program)
        service = self._caches.find(self.apex_ref)
        return Site(
            program=self.program,
            apex=apex,
            primary=primary,
            canary=canary,
            port=service_port(self.program, target, service),
            ports=() if target is None else discovered_ports(self.program, target, service),
            session=session,
            label=label,
            workload=value,
            baseline=self.baseline_service_refs[0].name if baseline else "",
            whole=whole,
            neighbours=self._neighbours() if self.provider.name == COUNTED else {},
            scalers=self._scalers() if self.provider.name == COUNTED else (),
        )

    def routes(self, site: Site) -> Objects:
        """What the provider renders from, as far as it exists and, where it is only asked, may be seen."""
        own = self.objects(self.provider.refs(site))
        return {**self._glimpse(refs_of(self.provider, site, self._glimpse)), **own}

    def further(self) -> tuple[Ref, ...]:
        """What the provider asks beside, as far as it is known yet. It may be forbidden to see."""
        site = self.site("")
        own = self.provider.refs(site)
        return tuple(ref for ref in refs_of(self.provider, site, self._glimpse) if ref not in own)

    def _glimpse(self, refs: tuple[Ref, ...]) -> Objects:
        found: dict[Ref, Manifest] = {}
        for ref in refs:
            with suppress(Forbidden):
                found.update(self.objects((ref,)))
        return found

    def _scalers(self) -> tuple[str, ...]:
        """The autoscalers of target and primary, whoever made them: KEDA makes such too."""
        if not self._caches.watches(*_HPA):
            return ()
        aims = {(ref.kind, ref.name) for ref in (self.target_ref, self.primary_ref)}
        found = self._caches.select(*_HPA, self.program.namespace)
        aimed = ((one["metadata"]["name"], one["spec"]["scaleTargetRef"]) for one in found)
        return tuple(sorted(name for name, aim in aimed if (aim.get("kind"), aim.get("name")) in aims))

    def _neighbours(self) -> dict[str, dict[str, str]]:
        """The labels of the pods of the other workloads here, of those kinds that are watched."""
        ours = {self.target_ref, self.primary_ref, self.baseline_ref}
        namespace = self.program.namespace
        kinds = [kind for kind in _WORKLOADS if self._caches.watches("apps/v1", kind)]
        found = [one for kind in kinds for one in self._caches.select("apps/v1", kind, namespace)]
        labelled = {ref: pod_labels(one) for one in found if (ref := ref_of(one)) not in ours}
        return {f"{ref.kind} `{ref.name}`": labels for ref, labels in labelled.items()}

    def refs(self) -> tuple[Ref, ...]:
        """Everything whose change can matter to this rollout, but for what is `further`."""
        refs = [self.target_ref, self.primary_ref, self.baseline_ref, *self.service_refs, *self.baseline_service_refs]
        refs += self.provider.refs(self.site(""))
        target = self.target
        if target is not None:
            for config in self.config_refs(self.kind.template(target)):
                refs += [config.ref, config.primary_ref]
        refs += [ref for ref in (target_ref(self.program), primary_ref(self.program)) if ref is not None]
        if self.provider.name == COUNTED:  # so that all workloads are seen: no other pods may be counted
            refs += [self.target_ref._replace(kind=kind) for kind in _WORKLOADS]
            refs.append(Ref(*_HPA, self.program.namespace, self.target_ref.name))
        return tuple(dict.fromkeys(refs))


async def custom_resource(api: Api, workload: WorkloadRef) -> Manifest | None:
    """The CustomResourceDefinition of a target that is not built in; it says where replicas and selector stand."""
    if workload.kind.lower() in BUILT_IN:
        return None
    resource = await api.discovery.resource(workload.api_version, workload.kind)
    name = f"{resource.plural}.{workload.api_version.partition('/')[0]}"
    return await api.get(Ref("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", name))
