"""One owner's rollout, looked at whenever there is reason to.

A look reads the policy, takes the state from the latest `RolloutRun`, and lets the driver make passes until nothing
moves; then it brings the owner's status up to date and says when to look again. The driver lives from one look to the
next, so that what it has out (a webhook, a query) goes on meanwhile; its end is a reason for the next look.

Two things can go wrong and go right by themselves. Somebody else wrote the run (`Conflict`): all that is in memory is
dropped and read anew. The world cannot be brought to what is wanted (an object is missing, a permission, the API
server): the trouble is shown in the status and in an event, and the look is repeated, later each time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from dsl.ir import Program
from interpreter.cluster import names, steering
from interpreter.cluster.applier import Applier
from interpreter.cluster.arranging import Arranging
from interpreter.cluster.diagnosing import Diagnosing
from interpreter.cluster.errors import Conflict, Forbidden, NotServed
from interpreter.cluster.libraries import guardrails
from interpreter.cluster.logging import bind
from interpreter.cluster.moving import Moving
from interpreter.cluster.owner import API_VERSIONS, CANARY, Owner
from interpreter.cluster.parts import Parts
from interpreter.cluster.policy import Policy, policy_of
from interpreter.cluster.references import foreign
from interpreter.cluster.releasing import Releasing, release_unread
from interpreter.cluster.reporting import Reporting
from interpreter.cluster.runs import Recalled, Runs
from interpreter.cluster.runtime import ClusterRuntime
from interpreter.cluster.subject import Subject, custom_resource
from interpreter.cluster.takeover import takeover
from interpreter.cluster.telemetry.standing import Standing
from interpreter.cluster.telemetry.tally import Tally
from interpreter.desired import Instant
from interpreter.driver import Driver
from interpreter.objects import Manifest, Ref
from interpreter.phases import AT_REST
from interpreter.state import Phase, Stage, State, Step
from interpreter.workloads.metadata import FLAGGERS, PLAIN

_MOST_PASSES = 50
_OURS = frozenset({names.FINALIZER, names.FLAGGER_FINALIZER})


class Stuck(Exception):
    """The rollout cannot go on as things are. The message says why and what to do."""


class Actor:
    """The rollout of one owner. `wake` is called when something it has out has ended."""

    def __init__(self, ref: Ref, parts: Parts, wake: Callable[[], None]) -> None:
        self.ref = ref
        self._parts = parts
        self._wake = wake
        self._read_at: tuple[object, ...] = ()
        self._policy = Policy(None)
        self._driver: Driver | None = None
        self._runtime: ClusterRuntime | None = None
        self._diagnosing: Diagnosing | None = None
        self._moving: Moving | None = None
        self._tally = Tally(parts.meters)
        self._reporting = Reporting(parts.api, parts.caches, parts.recorder, parts.clock)

    @property
    def state(self) -> State | None:
        """What is known of the rollout, None before the first look."""
        return self._driver.state if self._driver is not None else None

    @property
    def standing(self) -> Standing | None:
        """What is told of it at `/metrics`; None if its object is gone."""
        owner, driver = self._owner(), self._driver
        if owner is None:
            return None
        program, state = (driver.program, driver.state) if driver is not None else (None, None)
        phase = str(state.phase) if state is not None else str(owner.status.get("phase") or "")
        return Standing(self.ref, owner.spec, program, state, self._tally, phase)

    @property
    def wake_at_ms(self) -> Instant | None:
        """When the rollout must be looked at even if the last look failed: its checks go on."""
        return self._driver.wake_at_ms if self._driver is not None else None

    async def look(self) -> Instant | None:
        """Go on as far as can be gone now. When to look again, in wall time; None if only a change can matter.

        Raises `Conflict`, `ApiError`, `TrafficError`, `WorkloadError` and `Stuck` for what may pass.
        """
        self._bind()
        owner = self._owner()
        if owner is None or (owner.deleted and not _OURS.intersection(owner.finalizers)):
            await self.close()
            return None
        policy = await self._policy_of(owner)
        driver = await self._driver_of(owner, policy)
        self._bind()
        if driver is None or self._runtime is None:
            await self._reporting.invalid(owner, policy.problems)
            if owner.deleted:
                await self._let_go(owner, None)
            return None
        if not owner.deleted:
            owner = await self._hold(owner, driver.program)
        elif self._moving is not None and (before := self._moving.before) is not None:
            driver = await self._back_on(before, owner, driver.state)
        self._runtime.owner = owner
        try:
            step = await self._go_on(owner, driver, policy)
        except Forbidden as refusal:
            if not (owner.deleted and _namespace_goes(refusal)):
                raise
            await self._take_off_finalizers(owner)  # nothing can be made there any more, and nothing is to be left
            await self.close()
            return None
        await self._tell(owner, driver, policy)
        await self._take_off(owner, driver.state)
        if driver.state.phase is Phase.TERMINATED:
            await self._let_go(owner, self._runtime.subject)
            return None
        return step.wake_at_ms

    def _bind(self) -> None:
        """From here on each line of the log says which revision and step it is about."""
        run = self.state.run if self.state is not None else None
        if run is not None:
            bind(revision=run.revision, step=str(run.cursor.pc + 1))

    async def trouble(self, error: Exception) -> None:
        """Show what keeps the rollout from going on."""
        owner = self._owner()
        if owner is not None:
            await self._reporting.trouble(owner, str(error))

    async def close(self) -> None:
        """Let go of what is out, and of all that is remembered: the next look reads it anew."""
        driver, diagnosing = self._driver, self._diagnosing
        if self._runtime is not None:
            self._runtime.leaving = True
        self._driver = self._runtime = self._diagnosing = self._moving = None
        if driver is not None:
            await driver.close()
        if diagnosing is not None:
            await diagnosing.close()

    # --- the policy ---------------------------------------------------------------------------------------------

    def _owner(self) -> Owner | None:
        manifest = self._parts.caches.get(self.ref)
        return Owner(manifest) if manifest is not None else None

    async def _policy_of(self, owner: Owner) -> Policy:
        """Read and compile, unless nothing that it was read from has changed."""
        binding = guardrails(self._parts.caches)
        if self._read_from(owner, binding) != self._read_at:
            parts = self._parts
            read = await policy_of(owner, self._read, parts.default_provider, binding, parts.event_webhook)
            self._policy = self._allowed(read)
            await self._listen(self._policy.sources)
            self._read_at = self._read_from(owner, binding)
        return self._policy

    def _allowed(self, policy: Policy) -> Policy:
        """The same, unless it names what this controller does not let it name."""
        if policy.program is None or self._parts.cross_namespace_refs:
            return policy
        problems = foreign(policy.program)
        return Policy(None, problems, policy.sources) if problems else policy

    async def _read(self, ref: Ref) -> Manifest | None:
        """An object with all its data. What belongs to the whole cluster may be out of sight."""
        return await self._parts.api.get(ref) if self._in_sight(ref) else None

    def _in_sight(self, ref: Ref) -> bool:
        caches = self._parts.caches
        return bool(ref.namespace) or caches.namespace is None or caches.watches(ref.api_version, ref.kind)

    def _read_from(self, owner: Owner, binding: tuple[Ref, ...]) -> tuple[object, ...]:
        """What a policy depends on, as it is now."""
        versions = tuple(self._version(ref) for ref in self._policy.sources)
        return owner.uid, owner.generation, binding, versions

    def _version(self, ref: Ref) -> object:
        found = self._parts.caches.find(ref)
        return None if found is None else found["metadata"].get("resourceVersion")

    # --- the driver ---------------------------------------------------------------------------------------------

    async def _driver_of(self, owner: Owner, policy: Policy) -> Driver | None:
        """The driver, with the Program that holds now: the run's own while one is under way, else the policy's."""
        driver = self._driver
        if driver is None:
            runs = Runs(self._parts.api, self._parts.caches, owner, self._parts.history)
            recalled = runs.latest()
            program = await self._program(runs, recalled, policy)
            return None if program is None else await self._begin(owner, program, recalled)
        program = policy.program
        if owner.deleted or program is None or program == driver.program or under_way(driver.state):
            return driver
        if program.target != driver.program.target:
            raise Stuck(
                f"the target was {driver.program.target.kind}/{driver.program.target.name} and cannot become another: "
                "delete this object and make one for the new target"
            )
        state = driver.state
        await self.close()
        return await self._begin(owner, program, Recalled(state, None))

    async def _back_on(self, program: Program, owner: Owner, state: State) -> Driver:
        """A driver with the Program that was to be moved from; what was made for another is released with the rest."""
        await self.close()
        driver = await self._begin(owner, program, Recalled(state, None))
        if self._moving is not None:
            self._moving.only_release()
        return driver

    async def _program(self, runs: Runs, recalled: Recalled | None, policy: Policy) -> Program | None:
        if recalled is not None and under_way(recalled.state):
            return recalled.program
        if policy.program is not None or recalled is None:
            return policy.program
        return await runs.last_program()

    async def _begin(self, owner: Owner, program: Program, recalled: Recalled | None) -> Driver:
        parts = self._parts
        naming = FLAGGERS if owner.kind == CANARY else PLAIN
        subject = Subject(program, parts.caches, await custom_resource(parts.api, program.target), naming)
        await self._listen((subject.target_ref, subject.apex_ref))
        await self._listen_to(subject)
        runs = Runs(parts.api, parts.caches, owner, parts.history)
        applier = self._applier(owner, subject)
        arranging = Arranging(subject, runs, applier, parts.api)
        moving = Moving(subject, await runs.placed(program), arranging, runs, applier, parts)
        diagnosing = Diagnosing(parts.api, subject, self._wake)
        state = recalled.state if recalled is not None else await self._first_state(owner, subject, arranging)
        runtime = ClusterRuntime(
            subject,
            owner=owner,
            runs=runs,
            applier=applier,
            arranging=arranging,
            outside=parts.outside,
            diagnosing=diagnosing,
            finished=self._finished,
            clock=parts.clock,
            state=state,
            tally=self._tally,
        )
        self._runtime, self._diagnosing, self._moving = runtime, diagnosing, moving
        self._driver = Driver(program, runtime, state, boundary=parts.boundary, on_wake=self._wake)
        return self._driver

    async def _first_state(self, owner: Owner, subject: Subject, arranging: Arranging) -> State:
        """Nothing of ours is kept: a new rollout, or one that Flagger has brought so far."""
        phase = owner.status.get("phase")
        if owner.kind != CANARY or not phase or phase == Phase.INITIALIZING:
            return State()
        snapshot = subject.snapshot()
        site = subject.site("")
        seen = subject.provider.read(site, subject.objects(subject.provider.refs(site)))
        return takeover(
            subject.program,
            owner.status,
            target_revision=snapshot.revision if snapshot is not None else None,
            primary_revision=await arranging.revision_of_primary(),
            routing_seen=seen,
            now_ms=self._parts.clock.now(),
        )

    # --- a look -------------------------------------------------------------------------------------------------

    async def _tell(self, owner: Owner, driver: Driver, policy: Policy) -> None:
        configs = self._runtime.subject.snapshot_configs() if self._runtime is not None else {}
        owner = self._owner() or owner  # its status may have been written in this very look
        problems = policy.problems or (self._runtime.refusals if self._runtime is not None else ())
        await self._reporting.tell(owner, driver.program, driver.shown, configs, problems)

    async def _go_on(self, owner: Owner, driver: Driver, policy: Policy) -> Step:
        if self._diagnosing is not None:
            self._diagnosing.begin()
        for _ in range(_MOST_PASSES):
            if self._moving is not None and driver.state.phase in AT_REST and not owner.deleted:
                await self._moving.go_on(owner, driver.state)
            before = driver.state.phase
            step, moved = await driver.pass_once()
            self._bind()
            if driver.state.phase is Phase.PROMOTING and before is not Phase.PROMOTING:
                await self._tell(owner, driver, policy)  # a quick primary is ready before this look is over
            if not moved or (self._runtime is not None and self._runtime.waits_for_pods):
                break
        else:
            raise Stuck("the rollout does not come to rest: every look changes something, and is undone by another")
        if self._diagnosing is not None:
            self._diagnosing.end()
        if self._runtime is not None:
            await self._listen_to(self._runtime.subject)
        return step

    async def _listen_to(self, subject: Subject) -> None:
        """What a target or a route refers to can be told only once that is known, and what is referred to there after
        that."""
        await self._listen(subject.refs())
        known: tuple[Ref, ...] = ()
        while (further := subject.further()) != known:
            await self._listen(subject.refs(), further)
            known = further

    async def _listen(self, refs: tuple[Ref, ...], further: tuple[Ref, ...] = ()) -> None:
        """Have informers for these, and be woken when one of them changes. What is `further` may be forbidden: it must
        not keep a rollout from being looked after."""
        caches = self._parts.caches
        await caches.ensure_all(ref for ref in refs if self._in_sight(ref))
        for ref in further:
            with suppress(Forbidden, NotServed):
                await caches.ensure_all((ref,) if self._in_sight(ref) else ())
        interest = (self.ref, *self._policy.sources, *refs, *further)
        if self._driver is not None:
            interest += tuple(_owners_named(self._driver.program))
        caches.watch_for(self.ref, tuple(dict.fromkeys(interest)))

    async def _hold(self, owner: Owner, program: Program) -> Owner:
        """Have our finalizer on the object before anything is made for it."""
        wanted = [names.FINALIZER]
        if owner.kind == CANARY and program.revert_on_delete:
            wanted.append(names.FLAGGER_FINALIZER)
        missing = [one for one in wanted if one not in owner.finalizers]
        if not missing:
            return owner
        patch = {
            "metadata": {
                "finalizers": [*owner.finalizers, *missing],
                "resourceVersion": owner.manifest["metadata"]["resourceVersion"],
            }
        }
        patched = await self._parts.api.patch(owner.ref, patch)
        self._parts.caches.put(patched)
        return Owner(patched)

    async def _let_go(self, owner: Owner, subject: Subject | None) -> None:
        """The rollout is over for good: put back or leave in working order what there is, and let the object go."""
        parts = self._parts
        if subject is not None:
            formers = await self._moving.in_sight() if self._moving is not None else ()
            await Releasing(subject, owner, self._applier(owner, subject), parts, formers).release()
        elif owner.status.get("phase"):
            await release_unread(owner, parts)
        await self._take_off_finalizers(owner)
        await self.close()

    async def _take_off_finalizers(self, owner: Owner) -> None:
        kept = [one for one in owner.finalizers if one not in _OURS]
        if kept != owner.finalizers:
            await self._parts.api.patch(owner.ref, {"metadata": {"finalizers": kept}})
            self._parts.caches.remove(owner.ref, owner.uid)  # as far as we are concerned: nothing is left to do for it

    def _applier(self, owner: Owner, subject: Subject) -> Applier:
        """The user may have a route of the rollout's own name: it is taken over, and put back at the end."""
        workloads = (subject.target_ref, subject.primary_ref)
        refs = subject.provider.refs(subject.site(""))
        routes = [(ref.kind, ref.name) for ref in refs if ref not in workloads]
        return Applier(self._parts.api, self._parts.caches, owner.manifest, routes)

    async def _take_off(self, owner: Owner, state: State) -> None:
        for key in steering.unreadable(owner):
            said = f"the annotation {key} names no revision, and was taken off"
            self._parts.recorder.record(owner.manifest, "SignalIgnored", said, type="Warning")
        latest = self._parts.caches.get(owner.ref)  # our own status may have been written since it was read
        owner = owner if latest is None else Owner(latest)
        while (patch := steering.spent(owner, state)) is not None:
            try:
                self._parts.caches.put(await self._parts.api.patch(owner.ref, patch))
            except Conflict:
                fresh = await self._parts.api.get(owner.ref)
                if fresh is None or fresh["metadata"]["uid"] != owner.uid:
                    return
                owner = Owner(fresh)
            else:
                return

    def _finished(self, program: Program) -> Mapping[str, bool]:
        """Of each rollout that this one waits for, whether it is at rest. One that does not exist is."""
        finished = {f"{other.namespace}/{other.name}": True for other in program.after}
        for ref in _owners_named(program):
            found = self._parts.caches.find(ref)
            if found is not None:
                phase = (found.get("status") or {}).get("phase")
                finished[f"{ref.namespace}/{ref.name}"] = phase in {str(rest) for rest in AT_REST}
        return finished


def _owners_named(program: Program) -> list[Ref]:
    return [
        Ref(api_version, kind, other.namespace, other.name)
        for other in program.after
        for kind, api_version in API_VERSIONS.items()
    ]


def _namespace_goes(refusal: Forbidden) -> bool:
    return any(cause.get("reason") == "NamespaceTerminating" for cause in refusal.details.get("causes") or ())


def under_way(state: State) -> bool:
    """Whether a run has begun that is not over: it keeps the Program that it began with."""
    return state.run is not None and state.run.stage is not Stage.OVER
