"""What would be applied to a cluster for a routing: Services, the primary with its configs and scaler, routes. Pure.

This is what the interpreter in a cluster puts together from the same parts (`interpreter.workloads`,
`interpreter.traffic`), for objects that are given instead of watched. Two things that only a running cluster has are
left out: the owner of each object, and the digest of what was applied.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from dsl.capabilities import without_baseline
from dsl.ir import Program
from interpreter.cluster.names import MANAGED_BY, MANAGER, ROLLOUT
from interpreter.cluster.stripping import digests_only
from interpreter.desired import Routing
from interpreter.objects import Apply, Change, Edit, Manifest, Objects, Ref, ref_of_change
from interpreter.traffic.provider import Site, TrafficError, TrafficProvider
from interpreter.traffic.registry import provider
from interpreter.traffic.replicas import NAME as COUNTED
from interpreter.workloads import configs, ratio, scalers
from interpreter.workloads.baseline import baseline
from interpreter.workloads.configs import ConfigRef
from interpreter.workloads.kind import Snapshot, WorkloadError, WorkloadKind
from interpreter.workloads.knative import KnativeKind
from interpreter.workloads.leads import Leads, in_common
from interpreter.workloads.metadata import BASELINE, PRIMARY
from interpreter.workloads.ports import service_port
from interpreter.workloads.registry import BUILT_IN, kind_of, misfit, ref_of_workload
from interpreter.workloads.revision import revision_of
from interpreter.workloads.services import baseline_services, discovered_ports, service_names, services

SERVICES_ALONE = "kubernetes"
"""The provider that has nothing but the Services to route with."""
CRD = "CustomResourceDefinition"


class Rendered(NamedTuple):
    """What would be done, each object once, in order; and what could not be said for want of an object, in words."""

    changes: tuple[Change, ...]
    notes: tuple[str, ...]


class CannotRender(Exception):
    """The policy cannot be carried out with these objects. `lacking` are objects that it reads and was not given."""

    def __init__(self, message: str, lacking: tuple[Ref, ...] = ()) -> None:
        super().__init__(message)
        self.lacking = lacking


def render(
    program: Program, routing: Routing, given: Objects, session: str = "", *, baseline: bool = False
) -> Rendered:
    """What would be done while this routing is to hold. `given` are the objects that exist; the target may be missing,
    and what is made of it is then left out. `session` is the value of the sticky cookie, `baseline` whether a baseline
    has its part. Raises `CannotRender`."""
    if baseline and not program.baseline:
        raise CannotRender(f"`{program.name}` has no `baseline` in its policy, so there is none to show")
    why = misfit(program)
    if baseline and not why:
        why = without_baseline(program.traffic.provider, program.target.kind)
    if why:
        raise CannotRender(why)
    try:
        return _Rendering(program, given, session, baseline=baseline).all(routing)
    except WorkloadError as error:
        raise CannotRender(str(error)) from error


def wanted(program: Program, given: Objects) -> tuple[Ref, ...]:
    """Every object that `render` reads, as far as can be told from those that are given: ask again with those found.
    Raises `CannotRender`."""
    try:
        return tuple(dict.fromkeys(_Rendering(program, given, "").reads()))
    except (WorkloadError, TrafficError) as error:
        raise CannotRender(str(error)) from error


class _Rendering:
    """One rendering, while it is being put together."""

    def __init__(self, program: Program, given: Objects, session: str, *, baseline: bool = False) -> None:
        self.program = program
        self.baseline = baseline
        self.given = given
        self.kind: WorkloadKind = kind_of(program.target, _definition(program, given))
        self.target_ref = ref_of_workload(program.target, program.namespace)
        self.target = given.get(self.target_ref)
        self.notes: list[str] = []
        self.site = self._site(session)

    def all(self, routing: Routing) -> Rendered:
        """Services first, for they are before what is behind them; routes last."""
        done: dict[Ref, Change] = {}
        primary = [*self._primary(routing)]
        for change in (*self._services(routing, primary), *primary, *self._scaler()):
            done[ref_of_change(change)] = change
        for change in self._baseline(done):
            done[ref_of_change(change)] = change
        for change in self._routes(routing, done):
            done[ref_of_change(change)] = change
        if self.program.baseline and not self.baseline:
            self.notes.append("the baseline is made for each run, beside the canary; `--baseline` shows it")
        return Rendered(tuple(map(self._labelled, done.values())), tuple(self.notes))

    def reads(self) -> Iterator[Ref]:
        yield self.target_ref
        yield self.target_ref._replace(name=self.target_ref.name + PRIMARY)
        for name in service_names(self.program):
            yield Ref("v1", "Service", self.program.namespace, name)
        if self.target is not None:
            yield from (config.ref for config in self._config_refs(self.target))
        scaler = scalers.target_ref(self.program)
        if scaler is not None:
            yield scaler
        yield from self._provider().refs(self.site)

    # --- workloads ----------------------------------------------------------------------------------------------

    def _services(self, routing: Routing, primary: list[Change]) -> tuple[Change, ...]:
        target, (label, value) = self.target, (self.site.label, self.site.workload)
        if target is None:
            self.notes.append(
                f"{self.target_ref} is not there: pods are taken to be labelled `{label}={value}`, and its primary is "
                "left out"
            )
            target = _stand_in(self.target_ref, label, value)
        on_canary = self.program.traffic.provider in (SERVICES_ALONE, COUNTED) and routing.weight >= 100
        leads = Leads.TARGET if on_canary else Leads.PRIMARY
        common: dict[str, str] = {}
        if self._counts(routing):
            apex = self.given.get(Ref("v1", "Service", self.program.namespace, self.site.apex))
            leads, common = Leads.BOTH, in_common(apex, (label, value), target, _manifest(primary[-1]))
        return services(self.program, label, value, target, self.given, leads, common)

    def _counts(self, routing: Routing) -> bool:
        """Whether a share of the traffic comes about by counting pods. Raises `CannotRender` where there are none."""
        if self.program.traffic.provider != COUNTED or not 0 < routing.weight < 100:
            return False
        if self.target is None:
            why = f"the pods that a share of {routing.weight:g}% takes cannot be counted without the target"
            raise CannotRender(why, (self.target_ref,))
        return True

    def _primary(self, routing: Routing) -> Iterator[Change]:
        if self.target is None or isinstance(self.kind, KnativeKind):
            return
        template = self.kind.template(self.target)
        known = dict(self._configs(self.target))
        snapshot = Snapshot(revision_of(template, known), template, known)
        for config in self._config_refs(self.target):
            if config.key in known:
                yield from self._copy(config)
        existing = self.given.get(self.target_ref._replace(name=self.target_ref.name + PRIMARY))
        made = self.kind.primary(self.program, self.target, snapshot, self._replicas(existing), existing)
        if self._counts(routing):
            whole = ratio.total(existing or made)
            told = ratio.said(whole, routing.weight)
            self.notes += [told] if told else []
            sized = ratio.sized(made, ratio.counts(whole, routing.weight).primary)
            made = _manifest(sized) if sized is not None else made
        yield Apply(made)

    def _baseline(self, done: dict[Ref, Change]) -> Iterator[Change]:
        """A copy of the primary as it is, if there is one to be seen, and its Services, without what owns them."""
        if not self.baseline:
            return
        primary_ref = self.target_ref._replace(name=self.target_ref.name + PRIMARY)
        primary = self.given.get(primary_ref) or (_manifest(done[primary_ref]) if primary_ref in done else None)
        label = (self.site.label, self.site.workload)
        target = self.target or _stand_in(self.target_ref, *label)
        workload: Manifest = {**target, "metadata": {**target["metadata"], "uid": ""}}
        if self.target is None or primary is None:
            self.notes.append("the baseline's workload is left out with the primary")
        else:
            replicas = max(1, self.kind.replicas(self.target))
            self.notes.append(f"the baseline has as many pods as the canary; {replicas} is the target's number now")
            yield Apply(baseline(self.target, primary, label, replicas=replicas, run=0))
        for change in baseline_services(self.program, *label, target, self.given, workload):
            manifest = _manifest(change)
            metadata = {key: value for key, value in manifest["metadata"].items() if key != "ownerReferences"}
            yield Apply({**manifest, "metadata": metadata})

    def _replicas(self, existing: Manifest | None) -> int | None:
        if existing is None:
            return max(1, self.kind.replicas(self.target or {}))
        return None if self.program.scaler is not None else self.kind.replicas(existing)

    def _config_refs(self, target: Manifest) -> tuple[ConfigRef, ...]:
        if not self.program.track_configs:
            return ()
        return configs.references(self.kind.template(target), self.program.namespace)

    def _configs(self, target: Manifest) -> Iterator[tuple[str, str]]:
        """Of each tracked ConfigMap and Secret that is given, the digest of its data."""
        for config in self._config_refs(target):
            found = self.given.get(config.ref)
            if found is None:
                self.notes.append(
                    f"{config.ref} is not there: if it exists in the cluster, the primary gets a copy of it"
                )
            elif configs.is_tracked(found):
                yield config.key, str(digests_only(found)["digest"])

    def _copy(self, config: ConfigRef) -> Iterator[Change]:
        if config.ref.kind == "Secret":
            self.notes.append(f"{config.primary_ref} is a copy of {config.ref}, and is not shown")
        else:
            yield Apply(configs.copy(self.given[config.ref], config.primary_ref.name))

    def _scaler(self) -> Iterator[Change]:
        ref = scalers.target_ref(self.program)
        if ref is None:
            return
        found = self.given.get(ref)
        if found is None:
            self.notes.append(f"{ref} is not there: the primary's copy of it is left out")
            return
        yield Apply(scalers.primary_scaler(self.program, found))

    # --- routes -------------------------------------------------------------------------------------------------

    def _routes(self, routing: Routing, done: dict[Ref, Change]) -> tuple[Change, ...]:
        there = {**self.given, **{ref: _manifest(change) for ref, change in done.items()}}
        refs: tuple[Ref, ...] = ()
        try:
            plane = self._provider()
            refs = plane.refs(self.site)
            changes = plane.render(self.site, routing, there)
            if self.program.traffic.provider == COUNTED:  # the Service is done: it does not wait for pods here
                return tuple(change for change in changes if ref_of_change(change) == self.target_ref)
            return changes
        except TrafficError as error:
            raise CannotRender(str(error), tuple(ref for ref in refs if ref not in there)) from error

    def _provider(self) -> TrafficProvider:
        return provider(self.program.traffic.provider)

    def _site(self, session: str) -> Site:
        program, target = self.program, self.target
        label, value = ("app", program.target.name) if target is None else self.kind.label(target)
        apex, primary, canary = service_names(program)
        service = self.given.get(Ref("v1", "Service", program.namespace, apex))
        return Site(
            program=program,
            apex=apex,
            primary=primary,
            canary=canary,
            port=service_port(program, target, service),
            ports=() if target is None else discovered_ports(program, target, service),
            session=session,
            label=label,
            workload=value,
            baseline=f"{apex}{BASELINE}" if self.baseline else "",
        )

    def _labelled(self, change: Change) -> Change:
        if not isinstance(change, Apply):
            return change
        metadata = change.manifest["metadata"]
        labels = {**(metadata.get("labels") or {}), ROLLOUT: self.program.name, MANAGED_BY: MANAGER}
        return Apply({**change.manifest, "metadata": {**metadata, "labels": labels}})


def _definition(program: Program, given: Objects) -> Manifest | None:
    """The CustomResourceDefinition of a target that is not built in, if it is given."""
    if program.target.kind.lower() in BUILT_IN:
        return None
    group = program.target.api_version.partition("/")[0]
    for manifest in given.values():
        spec = manifest.get("spec") or {}
        if manifest["kind"] == CRD and (spec["group"], spec["names"]["kind"]) == (group, program.target.kind):
            return manifest
    return None


def _stand_in(ref: Ref, label: str, value: str) -> Manifest:
    """A target of which nothing is known but the labels that its pods are taken to have."""
    template = {"metadata": {"labels": {label: value}}, "spec": {"containers": []}}
    spec = {"selector": {"matchLabels": {label: value}}, "template": template}
    metadata = {"name": ref.name, "namespace": ref.namespace}
    return {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": metadata, "spec": spec}


def _manifest(change: Change) -> Manifest:
    match change:
        case Apply(manifest):
            return manifest
        case Edit(_, after):
            return after
    raise AssertionError("only routes are ever removed")
