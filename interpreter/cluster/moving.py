"""The move from one way to route to another, after the policy's `traffic` was edited.

It happens at rest and before anything else does: a run keeps the Program that it began with, and none begins before the
move is over. What the new provider needs is made first and must be read to hold; only then is released what was made
for the old one (`interpreter.traffic.moving`). If it cannot be made, the old routes stay, and go on serving.

Whose routes may be in the cluster is kept with the latest run, and written before the first change and after the last
one: whoever takes over in between, or finds yet another policy by then, knows what is still to be released. A rollout
that is deleted in between is not moved any more: it ends as it was, and both are released.
"""

from __future__ import annotations

from contextlib import suppress

from dsl.ir import Program
from interpreter.cluster.applier import Applier
from interpreter.cluster.arranging import Arranging
from interpreter.cluster.errors import NotServed
from interpreter.cluster.owner import Owner
from interpreter.cluster.parts import Parts
from interpreter.cluster.runs import Runs
from interpreter.cluster.subject import Subject
from interpreter.objects import Manifest, Ref
from interpreter.state import State
from interpreter.traffic.moving import Move, Plane, move
from interpreter.traffic.provider import TrafficError
from interpreter.workloads.services import service_names


class Moving:
    """One rollout's move, if there is one to be made. `placed` are the Programs whose routes may be there."""

    def __init__(
        self,
        subject: Subject,
        placed: tuple[Program, ...],
        arranging: Arranging,
        runs: Runs,
        applier: Applier,
        parts: Parts,
    ) -> None:
        self._subject = subject
        self._formers = tuple(one for one in placed if _way(one) != _way(subject.program))
        self._over = False
        self._arranging = arranging
        self._runs = runs
        self._applier = applier
        self._parts = parts

    def only_release(self) -> None:
        """Move nothing any more: what the others left is released with the rest."""
        self._over = True

    @property
    def before(self) -> Program | None:
        """The Program that is being moved from, while the move is not over."""
        return self._formers[-1] if self._formers and not self._over else None

    async def in_sight(self) -> tuple[Subject, ...]:
        """Those who may have left routes that can be seen from here: of a kind that is not served, nothing is left."""
        subjects = []
        for program in self._formers:
            former = self._subject.on(program)
            for ref in former.provider.refs(former.site("")):
                with suppress(NotServed):
                    await self._parts.caches.ensure_all((ref,))
            subjects.append(former)
        return tuple(subjects)

    async def go_on(self, owner: Owner, state: State) -> None:
        """Make the move, as far as it is not made. Raises `TrafficError` where the new routing cannot be had or does
        not hold yet, `Conflict`, and every other `ApiError`."""
        if not self._formers:
            return
        self._runs.owner = owner
        new = self._new()
        formers = [Plane(one.provider, one.site("")) for one in await self.in_sight()]
        await self._arranging.serve(new.site)
        plan = self._plan(formers, new, state)
        await self._runs.place((*self._formers, self._subject.program))
        for change in plan.first:
            await self._applier.do(change)
        if new.provider.read(new.site, self._existing((new,))) != state.routing:
            raise TrafficError(
                f"{_said(new)} does not route as it should yet: what {_names(formers)} has stays until then"
            )
        for change in self._plan(formers, new, state).then:
            await self._applier.do(change)
        await self._runs.place((self._subject.program,))
        self._formers = ()
        message = f"{_said(new)} routes now, and what was made for {_names(formers)} is released"
        self._parts.recorder.record(owner.manifest, "TrafficMoved", message)

    def _new(self) -> Plane:
        provider, site = self._subject.provider, self._subject.site("")
        return Plane(provider, site, tuple(self._subject.routes(site)))

    def _plan(self, formers: list[Plane], new: Plane, state: State) -> Move:
        return move(formers, new, state.routing, self._existing((*formers, new)))

    def _existing(self, planes: tuple[Plane, ...]) -> dict[Ref, Manifest]:
        return dict(self._subject.objects(tuple(ref for plane in planes for ref in plane.refs)))


def _way(program: Program) -> tuple[object, ...]:
    return program.traffic, service_names(program)


def _said(plane: Plane) -> str:
    """A provider with the options that a person would tell it from another use of it by."""
    options = plane.site.program.traffic.options
    named = [f"{key} {options[key]}" for key in ("ingress", "route", "rule") if options.get(key)]
    return f"`{' '.join((plane.provider.name, *named))}`"


def _names(planes: list[Plane]) -> str:
    return ", ".join(_said(plane) for plane in planes)
