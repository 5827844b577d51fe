"""The pods of either side where they are what traffic is split by (`interpreter.traffic.replicas`).

The canary's number follows the weight and nothing else: a pod more, to be ready for the next step, would be traffic
that no step has decided on. While the weight is 0 it runs out of sight, with the pods that it has, or one.

The primary's number follows the weight too, but gives pods up only for canaries that serve. It is whole at 0% and at
100%, while it is promoted, and when the rollout is let go of.
"""

from __future__ import annotations

from interpreter.cluster.applier import Applier
from interpreter.cluster.subject import Subject
from interpreter.desired import CanaryScale, Desired
from interpreter.objects import Manifest
from interpreter.state import Phase, State
from interpreter.traffic.replicas import NAME
from interpreter.workloads import ratio
from interpreter.workloads.leads import Leads, in_common, led

_ON_THE_WAY_OUT = frozenset({Phase.TERMINATING, Phase.TERMINATED})
_PROMOTED = frozenset({Phase.PROMOTING, Phase.FINALISING})


def counted(subject: Subject) -> bool:
    """Whether this rollout's traffic is split so."""
    return subject.provider.name == NAME


def is_whole(state: State) -> bool:
    """Whether the primary is to have all of its pods, whatever the weight."""
    return state.phase in _PROMOTED or state.phase in _ON_THE_WAY_OUT


class Counting:
    """One rollout's pods."""

    def __init__(self, subject: Subject, applier: Applier) -> None:
        self._subject = subject
        self._applier = applier

    def canaries(self, target: Manifest, scale: CanaryScale, weight: float, phase: Phase) -> int:
        """How many there are to be. A target that gets its traffic back gets as many pods as the primary has."""
        whole = self._total(target)
        if scale.mode == "off":
            return 0
        if phase in _ON_THE_WAY_OUT:
            return whole
        if weight <= 0:
            return max(1, min(ratio.asked(target), whole))
        return ratio.counts(whole, weight).canary

    def promoted(self, target: Manifest) -> int:
        """How many the primary is made, or promoted, with."""
        return self._total(target)

    def leads(self, *, primary_up: bool) -> Leads:
        """Whom the apex Service leads to: what the routing made of it is left as it is."""
        if not primary_up:
            return Leads.TARGET
        return self._led() or Leads.PRIMARY

    def common(self, target: Manifest) -> dict[str, str]:
        """By which labels it leads to both."""
        primary = self._subject.primary
        label = self._subject.kind.label(target)
        return {} if primary is None else in_common(self._apex(), label, target, primary)

    async def size_primary(self, desired: Desired, state: State) -> None:
        """Ask the primary for the pods that it may be asked for now."""
        primary, target = self._subject.primary, self._subject.target
        if primary is None or target is None or state.phase is Phase.INITIALIZING:
            return
        wanted = ratio.counts(ratio.total(primary), desired.routing.weight, whole=is_whole(state)).primary
        serving = ratio.ready(target) if self._led() is Leads.BOTH else 0
        change = ratio.sized(primary, ratio.next_primary(wanted, primary, serving))
        if change is not None:
            await self._applier.do(change)

    def told(self, weight: float) -> str:
        """What this weight comes to with the pods that there are, if that is something else."""
        primary = self._subject.primary
        return "" if primary is None else ratio.said(ratio.total(primary), weight)

    def _total(self, target: Manifest) -> int:
        primary = self._subject.primary
        return max(1, ratio.asked(target)) if primary is None else ratio.total(primary)

    def _apex(self) -> Manifest | None:
        return self._subject.objects((self._subject.apex_ref,)).get(self._subject.apex_ref)

    def _led(self) -> Leads | None:
        apex, target = self._apex(), self._subject.target
        if apex is None or target is None:
            return None
        return led(apex, self._subject.kind.label(target), target, self._subject.primary)
