"""The machine's world in a cluster: informers to look with, server-side apply to act with, a `RolloutRun` to keep.

Implements `interpreter.driver.Runtime`. Looking costs no request: everything comes from the caches, and what is written
goes through them, so that the next look sees it. What may take long (metrics, webhooks, messages) is asked through
`Outside`, off the path of a pass.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import assert_never

from dsl import ir_json
from dsl.ir import Program
from interpreter.actions import Action, ActionResult, EventAction
from interpreter.cluster.applier import Applier
from interpreter.cluster.arranging import Arranging
from interpreter.cluster.clock import Clock
from interpreter.cluster.counting import is_whole
from interpreter.cluster.diagnosing import Diagnosing
from interpreter.cluster.outside import Outside
from interpreter.cluster.owner import Owner
from interpreter.cluster.rehearsal import refusals
from interpreter.cluster.runs import Runs
from interpreter.cluster.steering import signals
from interpreter.cluster.subject import Subject
from interpreter.cluster.telemetry.tally import Tally
from interpreter.desired import Desired, Instant, Routing
from interpreter.objects import Manifest, Ref
from interpreter.phases import AT_REST
from interpreter.questions import Answer, Question, Readiness, ReadyQuestion
from interpreter.routing import reduced
from interpreter.state import Inputs, Phase, Stage, State
from interpreter.traffic.provider import Asking, Site, TrafficError
from interpreter.workloads.kind import REVISION
from interpreter.workloads.progress import condition, instant

_SECOND_MS = 1000  # the API server's timestamps have no fractions


class ClusterRuntime:
    """One rollout in the cluster. `owner` is replaced whenever its object changes."""

    def __init__(
        self,
        subject: Subject,
        *,
        owner: Owner,
        runs: Runs,
        applier: Applier,
        arranging: Arranging,
        outside: Outside,
        diagnosing: Diagnosing,
        finished: Callable[[Program], Mapping[str, bool]],
        clock: Clock,
        state: State,
        tally: Tally,
    ) -> None:
        self.subject = subject
        self.owner = owner
        self.state = state
        self.leaving = False
        """Set before what is out is cancelled only because the controller stops, or begins anew: it is asked again."""
        self.refusals: tuple[str, ...] = ()
        """Why steps of the policy could not be carried out now: nothing new is begun before that is mended."""
        self._runs = runs
        self._applier = applier
        self._arranging = arranging
        self._outside = outside
        self._diagnosing = diagnosing
        self._finished = finished
        self._clock = clock
        self._tally = tally
        self._digest = ir_json.digest(subject.program)
        self._rehearsal: tuple[Site, Mapping[Ref, object], tuple[str, ...]] | None = None
        self._wrote = False
        self._told: float | None = None
        self._trouble: str | None = None

    def now(self) -> Instant:
        return self._clock.now()

    @property
    def waits_for_pods(self) -> bool:
        """Whether the last pass found nothing to write, though the routing does not hold: the pods that are to make it
        are not ready, and a change of theirs is reason for the next look."""
        return self._arranging.counting is not None and not self._wrote

    async def observe(self) -> Inputs:
        self._wrote = False
        snapshot = self.subject.snapshot()
        self.refusals = self._rehearsed()
        return Inputs(
            revision=snapshot.revision if snapshot is not None else None,
            routing=self.routing(),
            signals=signals(self.owner),
            suspended=self.owner.suspended or bool(self.refusals),
            deleted=self.owner.deleted,
            finished=self._finished(self.subject.program),
            program_digest=self._digest,
        )

    def _rehearsed(self) -> tuple[str, ...]:
        """Rendered anew only when something that it depends on has changed."""
        if self.state.phase not in AT_REST or self.subject.target is None:
            return ()
        provider, site = self.subject.provider, self.subject.site("", baseline=self.subject.program.baseline)
        existing = self.subject.routes(site)
        versions = {ref: found["metadata"].get("resourceVersion") for ref, found in existing.items()}
        if self._rehearsal is None or self._rehearsal[:2] != (site, versions):
            self._rehearsal = (site, versions, refusals(provider, site, existing))
        return self._rehearsal[2]

    def routing(self) -> Routing | None:
        """What the data plane has been told; while the primary comes up, only once the Service leads to it too."""
        site = self._site(self.state)
        routing = self.subject.provider.read(site, self.subject.objects(self.subject.provider.refs(site)))
        if self.state.phase is Phase.INITIALIZING and not self._arranging.serves_primary():
            return None
        return routing

    async def ask(self, question: Question) -> Answer:
        if isinstance(question, ReadyQuestion):
            return self._ready(question)
        try:
            return await self._outside.ask(self.subject.program, self.owner, question, self.state)
        except asyncio.CancelledError:
            if not self.leaving:
                self._outside.withdraw(self.owner, question)
            raise

    async def reroute(self, routing: Routing) -> None:
        site = self._site(self.state)
        provider = self.subject.provider
        for change in provider.render(site, routing, self.subject.routes(site)):
            self._wrote |= await self._applier.do(change)
        await self._tell_of(routing)

    async def _tell_of(self, routing: Routing) -> None:
        """Say once what a weight comes to, where it is rounded to pods."""
        counting, weight = self._arranging.counting, routing.weight
        if counting is None or weight == self._told:
            return
        self._told = weight
        if said := counting.told(weight):
            await self._say("WeightRounded", said)

    async def _tell_of_trouble(self) -> None:
        """Say once why the data plane does not take the route. It may be one Gateway of several that does not: what
        that does to requests, the analysis sees."""
        provider, site = self.subject.provider, self._site(self.state)
        if not isinstance(provider, Asking):
            return
        trouble, before = provider.trouble(site, self.subject.objects(provider.refs(site))), self._trouble
        self._trouble = trouble
        if trouble is not None and trouble != before:
            await self._say("RouteNotTaken", trouble, warning=True)

    async def _say(self, reason: str, message: str, *, warning: bool = False) -> None:
        action = EventAction(reason, reason, message, warning)
        await self._outside.perform(self.subject.program, self.owner, action, self.now())

    async def persist(self, state: State) -> None:
        self._wrote = True
        self._runs.owner = self.owner
        await self._runs.write(state, self.subject.program, self.subject.snapshot())
        self._tally.note(self.subject.program, self.state, state)
        self.state = state

    async def arrange(self, desired: Desired) -> None:
        """Everything but who gets how much. What else a route says (hosts, timeouts, its owner) is kept up too: where
        the data plane has the routing that it should have, that is written anew, as the policy and the cluster are."""
        await self._tell_of_trouble()
        await self._arranging.arrange(desired, self.state, self._site(self.state))
        if self.state.phase in (Phase.TERMINATING, Phase.TERMINATED):
            await self._without_baseline(desired)
        elif desired.primary_up and self.routing() == desired.routing:
            await self.reroute(desired.routing)
            run = self.state.run
            if desired.canary is None or run is None or run.stage is Stage.OVER:
                await self._arranging.baseline.remove()

    async def _without_baseline(self, desired: Desired) -> None:
        """On the way out no routes are written any more, but for a baseline that may still have its part."""
        if self._arranging.baseline.there:
            with suppress(TrafficError):
                await self.reroute(desired.routing)
            await self._arranging.baseline.remove()

    async def perform(self, action: Action) -> ActionResult:
        handles = self.state.run.handles if self.state.run is not None else {}
        return await self._outside.perform(self.subject.program, self.owner, action, self.now(), handles)

    # --- readiness ----------------------------------------------------------------------------------------------

    def _ready(self, question: ReadyQuestion) -> Readiness:
        match question.role:
            case "primary":
                readiness = self._primary_ready(question)
            case "canary":
                readiness = self._canary_ready(question)
            case "baseline":
                readiness = self._baseline_ready(question)
            case _:
                assert_never(question.role)
        return self._diagnosing.explained(question.role, readiness)

    def _primary_ready(self, question: ReadyQuestion) -> Readiness:
        subject, primary = self.subject, self.subject.primary
        if primary is None:
            return Readiness(False, f"{subject.primary_ref} does not exist yet")
        if (primary["metadata"].get("annotations") or {}).get(REVISION) != question.revision:
            if subject.in_one and not (why := self._canary_ready(question)).ready:
                return why
            return Readiness(False, f"{subject.primary_ref} does not have revision {question.revision} yet")
        if subject.in_one:  # it was ready when it became the primary, and what is ready now may be a later one
            return Readiness(True)
        program = subject.program
        readiness = subject.kind.readiness(primary, program.ready_primary, program.deadline_ms, self._wall())
        if readiness.failed and self._is_old_news(primary):
            return Readiness(False, readiness.reason)
        return readiness

    def _is_old_news(self, primary: Manifest) -> bool:
        """Whether a Deployment gave up before this promotion began: tried again, its pods may come up yet, and it says
        nothing new until they do."""
        progress = condition(primary, "Progressing")
        gave_up = instant(progress.get("lastUpdateTime")) if progress is not None else None
        state = self.state
        if gave_up is None or state.phase is not Phase.PROMOTING or state.wall_ms is None:
            return False
        return gave_up < self._clock.on_the_wall(state.wall_ms - (state.clock_ms - state.since_ms)) - _SECOND_MS

    def _canary_ready(self, question: ReadyQuestion) -> Readiness:
        subject, target, snapshot = self.subject, self.subject.target, self.subject.snapshot()
        if target is None or snapshot is None:
            return Readiness(False, f"{subject.target_ref} does not exist")
        if snapshot.revision != question.revision:
            return Readiness(False, f"{subject.target_ref} has revision {snapshot.revision}")
        wanted = self._canaries(target, question)
        if question.scale.mode != "off" and subject.kind.replicas(target) < wanted:
            return Readiness(False, f"{subject.target_ref} is not scaled to {wanted} yet")
        program = subject.program
        return subject.kind.readiness(target, program.ready_canary, program.deadline_ms, self._wall())

    def _baseline_ready(self, question: ReadyQuestion) -> Readiness:
        target = self.subject.target
        if target is None:
            return Readiness(False, f"{self.subject.target_ref} does not exist")
        wanted = self._canaries(target, question)
        return self._arranging.baseline.readiness(question.revision, self.state, wanted, self._wall())

    def _canaries(self, target: Manifest, question: ReadyQuestion) -> int:
        """How many pods a question is about: those of the routing that is wanted, as `Desired` has it. Of a rollout
        that has just been deleted the state does not say so yet."""
        state = self.state
        routing = state.routing if state.caution is None else reduced(state.caution, state.routing)
        phase = Phase.TERMINATING if self.owner.deleted else state.phase
        return self._arranging.canary_replicas(target, question.scale, routing.weight, phase)

    def _wall(self) -> Instant:
        """The time as the cluster's own timestamps have it."""
        return self._clock.on_the_wall(self._clock.now())

    def _site(self, state: State) -> Site:
        """The cookie's value is this run's alone: what an earlier run gave out holds nobody."""
        number = state.run.number if state.run is not None else 0
        session = hashlib.sha256(f"{self.owner.uid}/{number}".encode()).hexdigest()[:12]
        baseline = self._arranging.baseline.serves(state, self._wall())
        return self.subject.site(session, baseline=baseline, whole=is_whole(state))
