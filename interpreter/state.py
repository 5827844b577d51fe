"""What the machine knows, is told, and says: the words that it shares with every runtime.

`advance(program, state, inputs, now) -> Step` lives in `interpreter.machine`; this module has its types and no logic.

* `State` is all that is kept between two calls: small, versioned, JSON (`interpreter.state_json`).
* `Inputs` is the world as the runtime sees it now. It is gathered afresh for each call and never kept.
* `Step` is the answer: the next state; `desired`, the whole picture that should hold (`interpreter.desired`;
  level-triggered: compare with what is, change what differs); `actions`, the once-only things (`interpreter.actions`);
  `questions`, what must be known to go on (`interpreter.questions`); `wake_at_ms`.

How a runtime uses them (interpreter.md §4). One pass: gather inputs; `advance`; while there are questions that can be
answered, answer them all and `advance` again; then, in this order: apply routing that *reduces* exposure; write the
state; apply everything else in `desired`; perform the actions and keep their results for the next pass's
`Inputs.results`. An action stays in `State.outbox`, and in every `Step.actions`, until its result has been seen: a
runtime that is already doing it lets it be. The questions of a step are those that `Inputs.answers` did not answer.
Answers to readiness questions hold for one pass only; those to metric and gate questions hold for as long as they are
asked for.

Time is whole milliseconds since the epoch. Shares of traffic are percent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from interpreter.actions import (
    Action,
    ActionResult,
)
from interpreter.desired import (
    CanaryScale,
    Desired,
    Instant,
    Routing,
)
from interpreter.questions import (
    Answer,
    Question,
)


class Phase(StrEnum):
    """Where a rollout is in its life; the names are the ones operators know from Flagger."""

    INITIALIZING = "Initializing"
    INITIALIZED = "Initialized"
    WAITING = "Waiting"
    PROGRESSING = "Progressing"
    WAITING_PROMOTION = "WaitingPromotion"
    PROMOTING = "Promoting"
    FINALISING = "Finalising"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    TERMINATING = "Terminating"
    TERMINATED = "Terminated"


class Outcome(StrEnum):
    """How a run ended. `superseded`: a newer revision took its place. `reverted`: the target went back to what the
    primary runs. `promotion_failed`: the primary did not become ready, and the traffic is on the canary."""

    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    SUPERSEDED = "superseded"
    REVERTED = "reverted"
    PROMOTION_FAILED = "promotion_failed"


# --- inputs -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Signal:
    """What a person asked for. It holds only for `revision`; `step`, if set, only for that instruction. `via` is the
    way that it came: `cli`, `page`, `api` or `link`; empty for an annotation that somebody wrote."""

    verb: Literal["approve", "abort", "promote", "retry", "pause", "resume"]
    revision: str
    who: str = ""
    reason: str = ""
    step: int | None = None
    id: str = ""
    via: str = ""


@dataclass(frozen=True, slots=True)
class Inputs:
    """The world as it is now.

    `revision` is what the target's pod template and tracked configs say now (None: no target). `routing` is what the
    data
    plane has been told (None: not known, or nothing applied yet). `answers` and `results` are by key. `signals` are
    standing: a signal is passed at each call until it is taken back; the machine acts on each once. `finished` says of
    each rollout named by `after` whether it is at rest. `program_digest` is that of the Program handed in.
    `restarted` is
    true at the first call after a start of the runtime: what was in the outbox may have been done already.
    """

    revision: str | None
    routing: Routing | None = None
    answers: Mapping[str, Answer] = field(default_factory=dict)
    results: Mapping[str, ActionResult] = field(default_factory=dict)
    signals: tuple[Signal, ...] = ()
    suspended: bool = False
    deleted: bool = False
    finished: Mapping[str, bool] = field(default_factory=dict)
    program_digest: str = ""
    restarted: bool = False


# --- state ------------------------------------------------------------------------------------------------------


class Verdict(StrEnum):
    """What a check came to. `no_data` and `error` do not count as failed unless the policy says so."""

    PASS = "pass"
    FAIL = "fail"
    ABORT = "abort"
    INCONCLUSIVE = "inconclusive"
    NO_DATA = "no_data"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line of a check: what was asked, what came of it, and the values seen (`name`, `value as shown`)."""

    text: str
    kind: Literal["require", "observe", "abort", "call", "abort_gate"]
    verdict: Verdict
    values: tuple[tuple[str, str], ...] = ()
    detail: str = ""

    @property
    def words(self) -> str:
        """The line as the policy has it, where the condition alone would read as its contrary."""
        return f"abort if {self.text}" if self.kind == "abort" else self.text


@dataclass(frozen=True, slots=True)
class CheckRecord:
    """One whole check, at `at_ms`, `late_ms` after it was due."""

    at_ms: Instant
    late_ms: int
    step: int
    weight: float
    verdict: Verdict
    results: tuple[CheckResult, ...]


@dataclass(frozen=True, slots=True)
class CheckLine:
    """What the numbers of a series of checks are about, said once for all of them.

    `text` is the line of the policy, `name` the one of its values that is followed. `cmp` is how that is compared
    with the threshold, as the policy has it: of `abort` what ends the rollout, of the others what must hold. `unit` is
    a `dsl.ir.Unit` (numbers are in base units), or `evidence`, `score`, or `verdict` (1 passed, 0 not). `threshold` is
    None where it is another at each check, and where there is none.
    """

    text: str
    kind: Literal["require", "observe", "abort", "call", "abort_gate"]
    name: str = ""
    unit: str = ""
    cmp: str = ""
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One check of a series. `values` and `thresholds` go with the lines of the series, by place: None, or nothing at
    the end, is for what was not asked then and for what there was no data of. `thresholds` has those that change."""

    at_ms: Instant
    step: int
    weight: float
    verdict: Verdict
    values: tuple[float | None, ...] = ()
    thresholds: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckSeries:
    """The checks of a run, oldest first, thinned out where there were many (`interpreter.series`)."""

    lines: tuple[CheckLine, ...] = ()
    rows: tuple[CheckRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a run's record: what was decided, when, at which step and weight."""

    at_ms: Instant
    step: int
    weight: float
    what: str
    text: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A check under way: its number within the run; when it was due and when it began on the machine's own clock; and
    `at_ms`, the wall time as of which its queries are asked."""

    serial: int
    due_ms: int
    began_ms: int
    at_ms: Instant


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the run is within its Program. `pc` -1 stands before the first instruction: the canary is being brought up.

    `since_ms` and `due_ms` are on the machine's own clock (`State.clock_ms`): when the instruction began (moved on
    by each
    check that held it back), and when its next check, call or look is due. `needed` and `passed` count checks;
    `attempt`
    counts calls; `settled` says that what the instruction sets has been seen to hold.
    """

    pc: int = -1
    since_ms: int = 0
    due_ms: int | None = None
    needed: int = 0
    passed: int = 0
    attempt: int = 0
    tick: Tick | None = None
    settled: bool = False


class Stage(StrEnum):
    """How far a run is. `home`: it has ended, and the traffic is on its way back to the primary. `drain`: the
    traffic is
    back, the canary still up for `scale_down_delay`. `over`: nothing is left to do."""

    RUNNING = "running"
    HOME = "home"
    DRAIN = "drain"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Approval:
    """Who let a run go on, or promoted it by hand: when that was taken, at which instruction, and which way it came."""

    who: str
    at_ms: Instant
    step: int
    via: str = "annotation"
    reason: str = ""
    verb: Literal["approve", "promote"] = "approve"


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt to roll out one revision.

    `iterations` counts checks made; `recent` their results (true: passed), newest last, as far back as `tolerate`
    looks.
    `provider_errors` counts errors in a row. `raised_ms` is when traffic last changed. `approvals` says who approved; a
    bare name is of a state of an earlier version.
    `handles` says by what a channel's service knows the message of this run, by the channel's name.
    `evidence` is what the statistical checks keep. `log` is the record: bounded, oldest first; `series` that of the
    checks' numbers.
    """

    number: int
    revision: str
    program_digest: str
    started_ms: Instant
    began_ms: int
    stage: Stage = Stage.RUNNING
    cursor: Cursor = Cursor()
    iterations: int = 0
    failed_checks: int = 0
    provider_errors: int = 0
    recent: tuple[bool, ...] = ()
    raised_ms: int = 0
    drained_ms: int = 0
    approvals: tuple[Approval | str, ...] = ()
    handles: Mapping[str, str] = field(default_factory=dict)
    evidence: Mapping[str, Mapping[str, float | list[float]]] = field(default_factory=dict)
    last_check: CheckRecord | None = None
    log: tuple[Entry, ...] = ()
    series: CheckSeries = CheckSeries()
    paused: bool = False
    outcome: Outcome | None = None
    reason: str = ""
    ended_ms: Instant | None = None


@dataclass(frozen=True, slots=True)
class State:
    """Everything kept between two calls.

    `primary` is the revision that the primary runs or is being brought to; `known` the promoted ones, newest first.
    `clock_ms` is the machine's own time: it never goes back, whatever the wall clock does. `reason` says in words what
    is being waited for. `caution` is set when a restart finds less traffic on the canary than `routing` says: so much,
    and no more, until a step decides on a routing. `outbox` holds actions whose results have not been seen.
    `signals_seen` are the ids of signals that have been acted on, `emitted` numbers what goes out.
    """

    phase: Phase = Phase.INITIALIZING
    primary: str | None = None
    known: tuple[str, ...] = ()
    run: Run | None = None
    runs: int = 0
    routing: Routing = Routing()
    canary_scale: CanaryScale = CanaryScale()
    caution: Routing | None = None
    outbox: tuple[Action, ...] = ()
    signals_seen: tuple[str, ...] = ()
    emitted: int = 0
    clock_ms: int = 0
    wall_ms: Instant | None = None
    since_ms: int = 0
    reason: str = ""
    version: Literal[1] = 1


@dataclass(frozen=True, slots=True)
class Step:
    """What comes of one `advance`. `wake_at_ms` None means: nothing but a change of the world can move it."""

    state: State
    desired: Desired
    actions: tuple[Action, ...] = ()
    questions: tuple[Question, ...] = ()
    wake_at_ms: Instant | None = None
