"""The baseline in the cluster: made beside the canary, given traffic once it is ready, and removed when that is over.

It gets its part of the traffic when it is ready as a whole, and keeps it while any of its pods answers: scaling it up
for the next step is no reason to take it away. It has lost its part before its pods go. These go with the canary's,
when the data plane has had time to forget them.
"""

from __future__ import annotations

from interpreter.cluster.applier import Applier
from interpreter.cluster.subject import Subject
from interpreter.desired import Instant
from interpreter.objects import Apply, Delete, Manifest
from interpreter.questions import Readiness
from interpreter.state import State
from interpreter.workloads import progress
from interpreter.workloads.baseline import baseline, is_of
from interpreter.workloads.kind import REVISION
from interpreter.workloads.metadata import is_ours
from interpreter.workloads.services import baseline_services


class Baseline:
    """One rollout's. `wanted` is whether the machine asked for it when it last spoke."""

    def __init__(self, subject: Subject, applier: Applier) -> None:
        self.wanted = False
        self._subject = subject
        self._applier = applier
        self._serves = False

    async def keep(self, target: Manifest, state: State, replicas: int) -> None:
        """Have one of this run, with so many pods. While the primary is not what it should be nothing is copied."""
        subject, primary, run = self._subject, self._subject.primary, state.run
        if primary is None or run is None or not _has(primary, state.primary):
            return
        label = subject.kind.label(target)
        wanted = baseline(target, primary, label, replicas=replicas, run=run.number, naming=subject.naming)
        await self._applier.do(Apply(wanted))
        made = subject.baseline
        if made is None:
            return
        existing = subject.objects((*subject.service_refs, *subject.baseline_service_refs))
        for change in baseline_services(subject.program, *label, target, existing, made):
            await self._applier.do(change)

    @property
    def there(self) -> bool:
        """Whether there is one, and not a workload of somebody else's of that name."""
        found = self._subject.baseline
        return found is not None and is_ours(found)

    async def remove(self) -> None:
        """Its Services are its own, and go with it."""
        self._serves = False
        if self.there:
            await self._applier.do(Delete(self._subject.baseline_ref))

    def readiness(self, revision: str, state: State, replicas: int, wall: Instant) -> Readiness:
        """Whether it runs this revision for this run, with so many pods."""
        subject, found = self._subject, self._subject.baseline
        if found is None:
            return Readiness(False, f"{subject.baseline_ref} does not exist yet")
        if state.run is None or not is_of(found, revision, state.run.number):
            return Readiness(False, f"{subject.baseline_ref} is not of this run yet")
        if subject.kind.replicas(found) < replicas:
            return Readiness(False, f"{subject.baseline_ref} is not scaled to {replicas} yet")
        return subject.kind.readiness(found, subject.program.ready_canary, subject.program.deadline_ms, wall)

    def serves(self, state: State, wall: Instant) -> bool:
        """Whether it is to get traffic now."""
        found = self._subject.baseline
        if not self.wanted or found is None or state.primary is None:
            self._serves = False
        elif self.readiness(state.primary, state, 1, wall).ready:
            self._serves = True
        else:
            number = state.run.number if state.run is not None else 0
            answers = is_of(found, state.primary, number) and progress.count(found, "availableReplicas") > 0
            self._serves = self._serves and answers
        return self._serves


def _has(primary: Manifest, revision: str | None) -> bool:
    return bool((primary["metadata"].get("annotations") or {}).get(REVISION) == revision)
