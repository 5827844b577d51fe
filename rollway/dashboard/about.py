"""One rollout as its page shows it. Pure: from what was read to what the template prints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from dsl.ir import Program
from interpreter.desired import Instant
from interpreter.state import CheckRecord
from interpreter.web.standing import waits
from rollway.cluster.now import phase_of
from rollway.cluster.shown import RunShown, Shown
from rollway.cluster.table import phase
from rollway.cluster.tree import Tree
from rollway.dashboard import glance, steps
from rollway.dashboard.gathering import Event, Gathered
from rollway.dashboard.policy_text import PolicyText, marked
from rollway.dashboard.steps import At, Step
from rollway.run_charts import Drawn, drawn

_WHAT = {
    "approve": "Approve",
    "promote": "Promote now",
    "pause": "Pause",
    "resume": "Resume",
    "retry": "Retry",
    "abort": "Abort",
}
"""The verbs as buttons, in the order in which they stand."""


class About(NamedTuple):
    """The page. `why` says what is waited for or why it ended; `coming` is the step that comes next. `run` is None for
    a rollout that has none yet."""

    one: Shown
    phase: str
    need: glance.Need
    why: str
    target: str
    run: RunShown | None
    program: Program | None
    steps: tuple[Step, ...]
    present: Step | None
    coming: Step | None
    policy: PolicyText
    where: str
    charts: tuple[Drawn, ...]
    tree: Tree
    events: tuple[Event, ...]
    runs: tuple[RunShown, ...]
    notes: tuple[str, ...]

    @property
    def is_over(self) -> bool:
        """Whether nothing is under way."""
        return is_over(self.run)

    @property
    def awaited(self) -> str | None:
        """Whom the policy names to approve at the present step; empty for anybody, None if no approval is awaited."""
        wait = waits(self.program, self.one.place.pc if self.one.place is not None else None)
        return None if wait is None else wait.who

    @property
    def says(self) -> str:
        """The rollout in one sentence, for those who hear the page."""
        step = f", step {self.present.number}: {self.present.text}" if self.present is not None else ""
        why = f". {self.why}" if self.why else ""
        return f"{self.one.spoken} is {self.phase} with {self.one.weight:g}% of the traffic{step}{why}"


def about(gathered: Gathered, now: Instant) -> About:
    """The page of a rollout."""
    found, source = gathered.found, gathered.source
    one, run, program = found.shown, found.shown.run, found.program
    at = place_of(one, run)
    every = steps.steps(program, at, now) if program is not None else []
    here = at.pc if at is not None and not at.over else None
    policy = marked(source.title, source.text, program, steps.done(every, at), here)
    return About(
        one=one,
        phase=phase(one),
        need=glance.need(one),
        why=one.problem or one.reason,
        target=f"{program.target.kind}/{program.target.name}" if program is not None else "",
        run=run,
        program=program,
        steps=tuple(every),
        present=next((step for step in every if step.progress is steps.Progress.NOW), None),
        coming=None if at is None or at.over else steps.next_of(every),
        policy=policy._replace(note=source.note or policy.note),
        where=source.where,
        charts=tuple(drawn(run, now)) if run is not None else (),
        tree=gathered.tree,
        events=gathered.events,
        runs=tuple(found.runs),
        notes=gathered.notes,
    )


class Record(NamedTuple):
    """One run of the past, or the one under way, as its page shows it."""

    one: Shown
    run: RunShown
    steps: tuple[Step, ...]
    charts: tuple[Drawn, ...]
    check: CheckRecord | None


def record(gathered: Gathered, number: int, now: Instant) -> Record | None:
    """The page of a run; None if it is not kept."""
    run = next((run for run in gathered.found.runs if run.number == number), None)
    if run is None:
        return None
    program = run.program()
    every = steps.steps(program, _place_in(run), now) if program is not None else []
    return Record(gathered.found.shown, run, tuple(every), tuple(drawn(run, now)), run.check)


def is_over(run: RunShown | None) -> bool:
    """Whether nothing is under way."""
    return run is None or bool(run.outcome) or not run.number


def place_of(one: Shown, run: RunShown | None) -> At | None:
    """Where the latest run stands."""
    if run is None or not run.number:
        return None
    if run.outcome or one.place is None:
        return _place_in(run)
    return At(one.place.pc, one.place.since, _seen(run), over=False)


def buttons(verbs: Iterable[str]) -> list[tuple[str, str]]:
    """The verbs that are offered, each with the words on its button, in their order."""
    offered = set(verbs)
    return [(verb, words) for verb, words in _WHAT.items() if verb in offered]


def is_known(one: Shown) -> bool:
    """Whether an interpreter has looked at it, in words that are known here."""
    return phase_of(one) is not None


def _place_in(run: RunShown) -> At | None:
    if run.place is None:
        return None
    return At(run.place.pc, run.place.since, _seen(run), over=bool(run.outcome))


def _seen(run: RunShown) -> frozenset[int]:
    return frozenset(entry.step for entry in run.log)
