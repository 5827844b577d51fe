"""What people are shown of a rollout, read from its objects: a `Rollout` or a Flagger `Canary`, and its `RolloutRun`s.

Objects are read leniently. They may be of an older or newer interpreter, or half written by hand, and whoever looks at
them then wants to see what there is: what is missing, or of another form, is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dsl.ir import Program
from interpreter import series
from interpreter.cluster.names import NUMBER, OWNER_KIND, ROLLOUT, VERBS, verb_annotation
from interpreter.desired import Instant
from interpreter.objects import Manifest
from interpreter.series import CheckPoint
from interpreter.state import CheckRecord, CheckResult, CheckSeries, Entry, Verdict
from rollway.cluster.reading import instant, items, mapping, number, text

CANARY = "Canary"
INVALID = "InvalidPolicy"
"""The reason of a condition that says what is wrong with a policy."""


class Place(NamedTuple):
    """The step that a rollout is at. `pc` counts from 0; -1 is before the first."""

    pc: int
    text: str
    since: Instant | None


class Deed(NamedTuple):
    """What a person did to a run. `verb` is one of `names.VERBS`; `via` is the way it came, as far as it is known."""

    verb: str
    by: str
    at: Instant | None
    step: int
    via: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class RunShown:
    """One run. `outcome` is empty while it is under way. `template` is what its revision is made of, empty if that is
    not kept. Run 0 is the coming up of the first primary, which has no outcome. `due` is when the interpreter looks
    next of itself: the next check, call or question to a gate."""

    name: str
    number: int
    revision: str
    phase: str
    outcome: str
    reason: str
    weight: float
    place: Place | None
    failed: int
    iterations: int
    started: Instant | None
    ended: Instant | None
    log: tuple[Entry, ...]
    check: CheckRecord | None
    owner_uid: str
    program_data: Any
    template: Mapping[str, Any]
    checks: CheckSeries = field(default_factory=CheckSeries)
    approvals: tuple[Deed, ...] = ()
    due: Instant | None = None

    @property
    def series(self) -> tuple[CheckPoint, ...]:
        """The checks that are kept, oldest first, each with the value and the threshold of its lines."""
        return series.points(self.checks)

    @property
    def highest(self) -> float:
        """The most of the traffic that the canary had, as far back as the record goes."""
        return max((self.weight, *(entry.weight for entry in self.log)))

    def program(self) -> Program | None:
        """What the run carries out; None where it is of a form that is not known here."""
        from dsl import ir_json

        try:
            return ir_json.from_data(self.program_data)
        except ir_json.ProgramError:
            return None


@dataclass(frozen=True, slots=True)
class Shown:
    """A rollout. `phase` is empty until an interpreter has looked at it; `reason` says what is waited for, or why it
    is as it is; `problem` why its policy, as it reads now, cannot be used. `asked` is what people have asked for
    and nobody has acted on yet."""

    kind: str
    namespace: str
    name: str
    uid: str
    phase: str
    suspended: bool
    deleting: bool
    revision: str
    primary: str
    place: Place | None
    weight: float
    failed: int
    iterations: int
    reason: str
    problem: str
    created: Instant | None
    check: CheckRecord | None
    run: RunShown | None
    asked: tuple[str, ...] = ()

    @property
    def spoken(self) -> str:
        """As the commands take it: a Canary is told from a Rollout by its kind in front."""
        return f"canary/{self.name}" if self.kind == CANARY else self.name


def shown(manifest: Manifest, runs: Iterable[RunShown] = ()) -> Shown:
    """A rollout from its object, and the runs that may be its own."""
    metadata, status = mapping(manifest.get("metadata")), mapping(manifest.get("status"))
    spec = mapping(manifest.get("spec"))
    uid, kind = text(metadata.get("uid")), text(manifest.get("kind"))
    run = latest(runs, uid)
    return Shown(
        kind=kind,
        namespace=text(metadata.get("namespace")),
        name=text(metadata.get("name")),
        uid=uid,
        phase=text(status.get("phase")),
        suspended=spec.get("suspend") is True,
        deleting="deletionTimestamp" in metadata,
        revision=text(status.get("revision") or status.get("lastAppliedSpec")) or (run.revision if run else ""),
        primary=text(status.get("lastPromotedSpec")),
        place=_place(status.get("step")) or (run.place if run and not run.outcome else None),
        weight=number(status.get("canaryWeight" if kind == CANARY else "weight")),
        failed=int(number(status.get("failedChecks"))),
        iterations=max(0, int(number(status.get("iterations")))),
        reason=text(status.get("reason")) if kind != CANARY else (run.reason if run else ""),
        problem=_problem(status),
        created=instant(metadata.get("creationTimestamp")),
        check=check_read(status.get("lastCheck")) or (run.check if run else None),
        run=run,
        asked=tuple(_asked(mapping(metadata.get("annotations")))),
    )


def run_shown(manifest: Manifest) -> RunShown:
    """A run from its object."""
    metadata, status = mapping(manifest.get("metadata")), mapping(manifest.get("status"))
    spec, labels = mapping(manifest.get("spec")), mapping(metadata.get("labels"))
    return RunShown(
        name=text(metadata.get("name")),
        number=int(number(spec.get("number") or labels.get(NUMBER))),
        revision=text(spec.get("revision")),
        phase=text(status.get("phase")),
        outcome=text(status.get("outcome")),
        reason=text(status.get("reason")),
        weight=number(status.get("weight")),
        place=_place(status.get("step")),
        failed=int(number(status.get("failedChecks"))),
        iterations=int(number(status.get("iterations"))),
        started=instant(status.get("startedAt")) or instant(metadata.get("creationTimestamp")),
        ended=instant(status.get("endedAt")),
        log=tuple(_entry(one) for one in items(status.get("log"))),
        check=check_read(status.get("lastCheck")),
        owner_uid=text(mapping(spec.get("owner")).get("uid")),
        program_data=spec.get("program"),
        template=mapping(spec.get("template")),
        checks=series.from_data(status.get("checks")),
        approvals=tuple(_approval(mapping(one)) for one in items(status.get("approvals"))),
        due=_due(status),
    )


def runs_of(runs: Iterable[RunShown], uid: str) -> list[RunShown]:
    """Those of one rollout, newest first. One of an earlier object of the same name is not among them."""
    return sorted((run for run in runs if run.owner_uid in ("", uid)), key=lambda run: run.number, reverse=True)


def latest(runs: Iterable[RunShown], uid: str) -> RunShown | None:
    """The newest run of one rollout."""
    return max((run for run in runs if run.owner_uid in ("", uid)), key=lambda run: run.number, default=None)


def run_selector(kind: str, name: str = "") -> str:
    """The label selector of a rollout's runs, or of those of all rollouts of its kind."""
    return f"{OWNER_KIND}={kind}" + (f",{ROLLOUT}={name}" if name else "")


def _asked(annotations: Mapping[str, Any]) -> Iterable[str]:
    """Each verb that stands on an object, with whom it is from."""
    for verb in VERBS:
        value = text(annotations.get(verb_annotation(verb)))
        if value:
            said = _said(value)
            by, revision = text(said.get("by")), text(said.get("revision")) or value
            yield f"{verb} of {revision}" + (f" by {by}" if by else "")


def _said(value: str) -> Mapping[str, Any]:
    try:
        return mapping(json.loads(value))
    except ValueError:
        return {}


def _problem(status: Mapping[str, Any]) -> str:
    for condition in map(mapping, items(status.get("conditions"))):
        if condition.get("status") == "False" and condition.get("reason") == INVALID:
            return text(condition.get("message"))
    return ""


def _place(value: object) -> Place | None:
    if isinstance(value, int):
        return Place(value, "", None)
    if not isinstance(value, Mapping):
        return None
    index = value.get("index")
    return Place(index if isinstance(index, int) else -1, text(value.get("text")), instant(value.get("since")))


def _entry(value: object) -> Entry:
    data = mapping(value)
    step = data.get("step")
    return Entry(
        at_ms=instant(data.get("at")) or 0,
        step=step if isinstance(step, int) else -1,
        weight=number(data.get("weight")),
        what=text(data.get("what")),
        text=text(data.get("text")),
    )


def _due(status: Mapping[str, Any]) -> Instant | None:
    """When the interpreter looks next: its state has that on its own clock, and what the wall's was then."""
    if status.get("outcome"):
        return None
    state = _said(text(status.get("state")) or "{}")
    due, clock = mapping(mapping(state.get("run")).get("cursor")).get("due_ms"), state.get("clock_ms")
    wall = state.get("wall_ms")
    if not (isinstance(due, int) and isinstance(clock, int) and isinstance(wall, int)):
        return None
    return wall + due - clock


def _approval(data: Mapping[str, Any]) -> Deed:
    step = data.get("step")
    return Deed(
        verb=text(data.get("verb")) or "approve",
        by=text(data.get("by")),
        at=instant(data.get("at")),
        step=step if isinstance(step, int) else -1,
        via=text(data.get("via")),
        reason=text(data.get("reason")),
    )


def check_read(value: object) -> CheckRecord | None:
    """A check as a status has it; None for what is none."""
    data = mapping(value)
    verdict = _verdict(data.get("verdict"))
    at = instant(data.get("at"))
    if verdict is None or at is None:
        return None
    results = (_result(mapping(one)) for one in items(data.get("results")))
    return CheckRecord(
        at_ms=at,
        late_ms=int(number(data.get("lateMs"))),
        step=int(number(data.get("step"))),
        weight=number(data.get("weight")),
        verdict=verdict,
        results=tuple(result for result in results if result is not None),
    )


def _result(data: Mapping[str, Any]) -> CheckResult | None:
    verdict = _verdict(data.get("verdict"))
    if verdict is None:
        return None
    kind = data.get("kind")
    return CheckResult(
        text=text(data.get("text")),
        kind=kind if kind in ("observe", "abort", "call", "abort_gate") else "require",
        verdict=verdict,
        values=tuple(_values(data.get("values"))),
        detail=text(data.get("detail")),
    )


def _values(value: object) -> Iterable[tuple[str, str]]:
    if isinstance(value, Mapping):
        yield from ((text(str(name)), text(str(one))) for name, one in value.items())
    for one in items(value):
        if isinstance(one, Mapping):
            yield text(one.get("name")), text(str(one.get("value", "")))
        elif isinstance(one, (list, tuple)) and len(one) == 2:
            yield text(str(one[0])), text(str(one[1]))


def _verdict(value: object) -> Verdict | None:
    return next((verdict for verdict in Verdict if verdict.value == value), None)
