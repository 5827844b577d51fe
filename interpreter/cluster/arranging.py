"""Bringing a rollout's workloads to the desired picture: the primary, the canary's replicas, the baseline, scalers,
Services.

Everything here is level-triggered: what should be is computed whole, and the applier leaves what is so already. The
order within a call matters where pods serve traffic: Services before what is behind them, copies of ConfigMaps before
the primary that names them, the primary before the canary goes down.

The primary's template comes from the target while the target has the revision that the primary should have, and from
the run that pinned it otherwise: a target that is edited in the middle of a promotion never reaches the primary
unanalysed. While the first primary comes up the target is not touched at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from interpreter.cluster.api import Api
from interpreter.cluster.applier import Applier
from interpreter.cluster.baseline import Baseline
from interpreter.cluster.counting import Counting, counted
from interpreter.cluster.runs import Runs
from interpreter.cluster.stripping import digests_only
from interpreter.cluster.subject import Subject
from interpreter.desired import CanaryScale, Desired
from interpreter.objects import Apply, Manifest
from interpreter.state import Phase, State
from interpreter.traffic.provider import Site
from interpreter.workloads import configs, knative, scalers
from interpreter.workloads.kind import REVISION, Snapshot, WorkloadError
from interpreter.workloads.leads import Leads
from interpreter.workloads.replicas import canary_replicas
from interpreter.workloads.revision import cleaned, revision_of
from interpreter.workloads.services import services


class Arranging:
    """One rollout's workloads."""

    def __init__(self, subject: Subject, runs: Runs, applier: Applier, api: Api) -> None:
        self._subject = subject
        self._runs = runs
        self._applier = applier
        self._api = api
        self.baseline = Baseline(subject, applier)
        self.counting = Counting(subject, applier) if counted(subject) else None

    async def arrange(self, desired: Desired, state: State, site: Site) -> None:
        """Set everything in motion, without waiting for it. A baseline that is wanted no more is left as it is."""
        target = self._subject.target
        self.baseline.wanted = target is not None and desired.baseline and desired.canary_scale.mode != "off"
        if target is None or state.phase in (Phase.TERMINATING, Phase.TERMINATED):
            await self._give_back(target, desired, state)
            return
        await self._services(target, site, self._leads(desired))
        if desired.primary is not None and self._subject.in_one:
            await self._promote(target, desired.primary)
        elif desired.primary is not None:
            await self._primary(target, desired.primary, state)
        await self._scaler(desired)
        if self.counting is not None:
            await self.counting.size_primary(desired, state)
        replicas = self.canary_replicas(target, desired.canary_scale, desired.routing.weight, state.phase)
        if state.phase is not Phase.INITIALIZING:
            await self._scale(target, replicas)
        if self.baseline.wanted:
            await self.baseline.keep(target, state, replicas)

    async def _give_back(self, target: Manifest | None, desired: Desired, state: State) -> None:
        """On the way out only the target is seen to, if it is to have its replicas back: the rest stays as it is, and
        is let go of by `interpreter.cluster.releasing`."""
        if target is not None and desired.canary_scale.mode != "off":
            scaler = self._scaler_manifest()
            change = scalers.resumed(scaler) if scaler is not None else None
            if change is not None:
                await self._applier.do(change)
            await self._scale(target, self.canary_replicas(target, desired.canary_scale, 0.0, state.phase))
        if self.counting is not None:
            await self.counting.size_primary(desired, state)

    async def serve(self, site: Site) -> None:
        """See that there are Services to lead traffic to, as they are while the primary has it. Those that exist are
        left as they are."""
        target = self._subject.target
        if target is not None and len(self._subject.objects(self._subject.service_refs)) < len(
            self._subject.service_refs
        ):
            await self._services(target, site, Leads.PRIMARY)

    # --- what is asked about ------------------------------------------------------------------------------------

    def serves_primary(self) -> bool:
        """Whether the apex Service leads to the primary."""
        target = self._subject.target
        if target is None:
            return False
        label, value = self._subject.kind.label(target)
        existing = self._subject.objects(self._subject.service_refs)
        changes = services(self._subject.program, label, value, target, existing, leads=Leads.PRIMARY)
        return all(self._applier.is_done(change) for change in changes)

    def primary_replicas(self) -> int:
        """How many the primary is asked to run."""
        primary = self._subject.primary
        return self._subject.kind.replicas(primary) if primary is not None else 1

    def canary_replicas(self, target: Manifest, scale: CanaryScale, weight: float, phase: Phase) -> int:
        """How many canaries there are to be, and as many of the baseline."""
        if self.counting is not None:
            return self.counting.canaries(target, scale, weight, phase)
        scaler = self._scaler_manifest()
        floor = None if scaler is None else scalers.canary_floor(scaler)
        return canary_replicas(scale, self.primary_replicas(), floor, self._subject.kind.replicas(target), weight)

    async def revision_of_primary(self) -> str | None:
        """The revision of a primary that somebody else made: the target's, if they are alike, else one of its own."""
        target, primary, snapshot = self._subject.target, self._subject.primary, self._subject.snapshot()
        if target is None or primary is None or snapshot is None:
            return None
        known = (primary["metadata"].get("annotations") or {}).get(REVISION)
        if known:
            return str(known)
        if self._subject.in_one:
            name = knative.primary_revision(target)
            return snapshot.revision if name == knative.latest_revision(target) else name or None
        if await self._alike(target, primary, snapshot):
            return snapshot.revision
        return revision_of(self._subject.kind.template(primary), {})

    async def _alike(self, target: Manifest, primary: Manifest, snapshot: Snapshot) -> bool:
        derived = self._subject.kind.primary(self._subject.program, target, snapshot, None, primary)
        return _pods(self._subject.kind.template(derived)) == _pods(self._subject.kind.template(primary))

    # --- what is done -------------------------------------------------------------------------------------------

    async def _services(self, target: Manifest, site: Site, leads: Leads) -> None:
        subject = self._subject
        existing = subject.objects(subject.service_refs)
        common = self.counting.common(target) if self.counting is not None and leads is Leads.BOTH else None
        for change in services(subject.program, site.label, site.workload, target, existing, leads, common):
            await self._applier.do(change)

    def _leads(self, desired: Desired) -> Leads:
        """Whom the apex Service leads to. Where Services are all there is, they carry the routing too."""
        if self.counting is not None:
            return self.counting.leads(primary_up=desired.primary_up)
        on_canary = self._by_services_alone() and desired.routing.weight >= 100
        return Leads.PRIMARY if desired.primary_up and not on_canary else Leads.TARGET

    def _by_services_alone(self) -> bool:
        return self._subject.provider.name == "kubernetes"

    async def _primary(self, target: Manifest, revision: str, state: State) -> None:
        subject, existing = self._subject, self._subject.primary
        snapshot = await self._snapshot_of(revision, existing)
        if snapshot is None:
            return
        await self._copies(snapshot)
        replicas = self._wanted_replicas(target, existing, state)
        manifest = subject.kind.primary(subject.program, target, snapshot, replicas, existing)
        if existing is None and subject.program.scaler is not None:
            # Made, not applied: the number of replicas is then not ours, and stays the autoscaler's from the beginning.
            await self._applier.make(manifest)
        else:
            await self._applier.do(Apply(manifest))

    async def _promote(self, target: Manifest, revision: str) -> None:
        """Where target and primary are one: what was made last becomes the primary, if it is of this revision."""
        snapshot = self._subject.snapshot()
        noted = (target["metadata"].get("annotations") or {}).get(REVISION)
        if snapshot is None or snapshot.revision != revision or noted == revision:
            return
        change = knative.promoted(target, revision)
        if change is not None:
            await self._applier.do(change)

    async def _snapshot_of(self, revision: str, existing: Manifest | None) -> Snapshot | None:
        """What the primary is to be made of; None where it is made of that already and the target has moved on."""
        now = self._subject.snapshot()
        if now is not None and now.revision == revision:
            return now
        has = ((existing or {}).get("metadata", {}).get("annotations") or {}).get(REVISION)
        return None if has == revision else await self._runs.snapshot(revision)

    def _wanted_replicas(self, target: Manifest, existing: Manifest | None, state: State) -> int | None:
        """An autoscaler's primary has its own number. Else it keeps the one that it has, but takes over the target's
        when it is promoted, if the target was scaled by nobody but its user."""
        if self._subject.program.scaler is not None and existing is not None:
            return None
        now = self._subject.kind.replicas(target)
        if existing is None:
            return max(1, now)
        if self.counting is not None:
            promoting = state.phase is Phase.PROMOTING
            return self.counting.promoted(target) if promoting else self._subject.kind.replicas(existing)
        promoted = state.phase is Phase.PROMOTING and state.canary_scale == CanaryScale("full")
        return now if promoted and now > 0 else self._subject.kind.replicas(existing)

    async def _copies(self, snapshot: Snapshot) -> None:
        """The ConfigMaps and Secrets that the primary names, as they were when its revision was analysed."""
        for config in self._subject.config_refs(snapshot.template):
            if config.key not in snapshot.configs:
                continue
            copy = self._subject.objects((config.primary_ref,)).get(config.primary_ref)
            if copy is not None and copy["digest"] == snapshot.configs[config.key]:
                continue
            source = await self._api.get(config.ref)
            if source is None or digests_only(source)["digest"] != snapshot.configs[config.key]:
                raise WorkloadError(
                    f"{config.ref} is no longer what it was when revision {snapshot.revision} was analysed, and what "
                    "it was is not kept: the primary is left as it is until the next revision"
                )
            await self._applier.do(Apply(configs.copy(source, config.primary_ref.name)))

    async def _scaler(self, desired: Desired) -> None:
        scaler, program = self._scaler_manifest(), self._subject.program
        ref = scalers.primary_ref(program)
        if scaler is None or ref is None:
            return
        await self._applier.do(Apply(scalers.primary_scaler(program, scaler)))
        change = scalers.resumed(scaler) if desired.canary_scale.mode != "off" else scalers.paused(scaler)
        if change is not None:
            await self._applier.do(change)

    def _scaler_manifest(self) -> Manifest | None:
        ref = scalers.target_ref(self._subject.program)
        return None if ref is None else self._subject.objects((ref,)).get(ref)

    async def _scale(self, target: Manifest, replicas: int) -> None:
        change = self._subject.kind.scaled(target, replicas)
        if change is not None:
            await self._applier.do(change)


def _pods(template: Mapping[str, Any]) -> object:
    """A template without the annotations that tell one promotion from the next, ours and Flagger's."""
    bare = cleaned(template)
    annotations = dict((bare.get("metadata") or {}).get("annotations") or {})
    annotations.pop("flagger-id", None)
    return bare | {"metadata": {**(bare.get("metadata") or {}), "annotations": annotations}}
