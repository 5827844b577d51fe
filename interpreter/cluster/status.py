"""What a `Rollout`, a `RolloutRun` and a library show of themselves, from the machine's state. Pure.

Each function gives the whole status, to be compared with the one that the object has and written only if it differs.
Given the same state it gives an equal one: times are those of the state or of the status before (`previous`), and `now`
is used only where something has changed.

The conditions are those that Flux, Argo CD and `kubectl wait` understand (kstatus, cli-utils): `Ready` True says that
what was asked for is there; `Reconciling` True that something is under way; `Stalled` True that nothing will happen
until a person does something. The last two stand there only while they are true.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dsl.ir import Program
from interpreter import series
from interpreter.cluster.shown import Json, Says, conditions, number, present, rfc3339, wall, words
from interpreter.desired import Instant
from interpreter.phases import AT_REST
from interpreter.routing import reduced
from interpreter.state import Approval, CheckRecord, CheckResult, Entry, Outcome, Phase, Run, State

_UNDER_WAY = frozenset({Phase.PROGRESSING, Phase.WAITING_PROMOTION, Phase.PROMOTING})
_MOST_STEP = 200
_MOST_RESULTS = 50
_BEFORE_FIRST = "(the canary is brought up)"
_INVALID = "InvalidPolicy"

_WORDS: Mapping[Phase, str] = {
    Phase.INITIALIZING: "the primary is brought up beside the target",
    Phase.INITIALIZED: "the primary has the traffic; no new revision has come yet",
    Phase.WAITING: "a new revision waits for its rollout to begin",
    Phase.PROGRESSING: "a new revision is being rolled out",
    Phase.WAITING_PROMOTION: "a new revision waits for its promotion",
    Phase.PROMOTING: "the primary takes the new revision",
    Phase.FINALISING: "the traffic returns to the primary",
    Phase.SUCCEEDED: "the primary has the revision of the target",
    Phase.FAILED: "the new revision was not promoted",
    Phase.TERMINATING: "the rollout is being deleted",
    Phase.TERMINATED: "the rollout is over",
}

_ENDED: Mapping[Outcome, Phase] = {
    Outcome.PROMOTED: Phase.SUCCEEDED,
    Outcome.ROLLED_BACK: Phase.FAILED,
    Outcome.PROMOTION_FAILED: Phase.FAILED,
    Outcome.SUPERSEDED: Phase.TERMINATED,
    Outcome.REVERTED: Phase.TERMINATED,
}


def rollout_status(
    program: Program,
    state: State,
    *,
    previous: Mapping[str, Any],
    generation: int,
    now_ms: Instant,
    run_name: str = "",
    configs: Mapping[str, str] | None = None,
    problems: Sequence[str] = (),
) -> Json:
    """The status of a Rollout. `program` is the one that the run runs; `problems` say why the policy as it is now
    cannot be used, while a run goes on with the one it was begun with."""
    run = state.run
    reason = _reason(state)
    return present(
        phase=state.phase.value,
        conditions=conditions(_conditions(state, reason, problems), previous, generation=generation, now_ms=now_ms),
        observedGeneration=generation,
        revision=applied(state),
        run=run_name,
        step=_step(program, state, previous, same_run=previous.get("run") == run_name),
        weight=weight(state),
        failedChecks=run.failed_checks if run else 0,
        iterations=run.iterations if run else 0,
        reason=words(reason),
        lastCheck=_check(run),
        lastAppliedSpec=applied(state),
        lastPromotedSpec=promoted(state),
        trackedConfigs=dict(configs or {}),
        lastTransitionTime=since(state, previous, now_ms),
    )


def invalid_status(problems: Sequence[str], *, previous: Mapping[str, Any], generation: int, now_ms: Instant) -> Json:
    """The status of a Rollout whose policy cannot be used, and that has nothing under way: what was known stays."""
    kept = {name: value for name, value in previous.items() if name not in ("conditions", "reason")}
    says = [*_invalid(problems), *_promotion_as_shown(previous)]
    return kept | {
        "observedGeneration": generation,
        "reason": words(problems[0]),
        "conditions": conditions(says, previous, generation=generation, now_ms=now_ms),
    }


def stuck_status(why: str, *, previous: Mapping[str, Any], generation: int, now_ms: Instant) -> Json:
    """The status of a Rollout that cannot go on for now: all else that was shown stays."""
    stuck = [Says("Ready", "False", "Stuck", why), Says("Reconciling", "True", "Stuck", why)]
    says = [*stuck, *_promotion_as_shown(previous)]
    return {
        **previous,
        "observedGeneration": generation,
        "reason": words(why),
        "conditions": conditions(says, previous, generation=generation, now_ms=now_ms),
    }


def library_status(problems: Sequence[str], *, previous: Mapping[str, Any], generation: int, now_ms: Instant) -> Json:
    """The status of a library: `problems` are the first errors in its text."""
    says = _invalid(problems) if problems else [Says("Ready", "True", "Valid", "the text has no errors")]
    return {
        "conditions": conditions(says, previous, generation=generation, now_ms=now_ms),
        "observedGeneration": generation,
    }


def run_status(program: Program, state: State, *, previous: Mapping[str, Any]) -> Json:
    """The status of a RolloutRun, but for its `state`, which who writes it adds."""
    run = state.run
    if run is None:
        return present(phase=state.phase.value, weight=weight(state), reason=words(state.reason))
    ended = None if run.outcome is None else _ENDED[run.outcome]
    return present(
        phase=(ended or state.phase).value,
        outcome=run.outcome.value if run.outcome else None,
        weight=weight(state),
        step=_where(program, state, run, previous, same_run=True),
        failedChecks=run.failed_checks,
        iterations=run.iterations,
        reason=words(run.reason if ended else state.reason),
        startedAt=rfc3339(run.started_ms),
        endedAt=rfc3339(run.ended_ms) if run.ended_ms is not None else None,
        lastCheck=_check(run),
        approvals=[_approval(one) for one in run.approvals if isinstance(one, Approval)],
        log=[_line(entry) for entry in run.log],
        checks=series.to_data(run.series),
    )


# --- what both have ---------------------------------------------------------------------------------------------


def weight(state: State) -> int | float:
    """Percent of the traffic that is to be on the canary now."""
    routing = state.routing if state.caution is None else reduced(state.caution, state.routing)
    return number(routing.weight)


def promoted(state: State) -> str | None:
    """The revision that was last promoted; the first primary's, once it has the traffic."""
    return state.known[0] if state.known else None


def since(state: State, previous: Mapping[str, Any], now_ms: Instant) -> str:
    """When the phase last changed; that of the status before, if it shows the same phase."""
    if previous.get("phase") == state.phase.value and "lastTransitionTime" in previous:
        return str(previous["lastTransitionTime"])
    return wall(state, state.since_ms) or rfc3339(now_ms)


def applied(state: State) -> str | None:
    """The revision that was last taken up. At rest and well, that is the primary's, whatever the last run was of."""
    if state.run is None or state.phase in (Phase.INITIALIZED, Phase.SUCCEEDED):
        return state.primary
    return state.run.revision


def _reason(state: State) -> str:
    if state.reason or state.phase is not Phase.FAILED or state.run is None:
        return state.reason
    return state.run.reason


def _step(program: Program, state: State, previous: Mapping[str, Any], *, same_run: bool) -> Json | None:
    if state.run is None or state.phase not in _UNDER_WAY:
        return None
    return _where(program, state, state.run, previous, same_run=same_run)


def _where(program: Program, state: State, run: Run, previous: Mapping[str, Any], *, same_run: bool) -> Json:
    """The step that a run stands at. It began when it was first shown to: a check that fails moves on what the cursor
    has as its beginning."""
    index, spans = run.cursor.pc, program.spans
    text = _BEFORE_FIRST if index < 0 else spans[index].text if index < len(spans) else ""
    before = previous.get("step") or {}
    shown_before = same_run and before.get("index") == index and "since" in before
    begun = before["since"] if shown_before else wall(state, run.cursor.since_ms)
    return {"index": index, **present(text=words(text, _MOST_STEP), since=begun)}


# --- checks and the record --------------------------------------------------------------------------------------


def _check(run: Run | None) -> Json | None:
    record: CheckRecord | None = run.last_check if run else None
    if record is None:
        return None
    results = [_result(result) for result in record.results[:_MOST_RESULTS]]
    return {"at": rfc3339(record.at_ms), "verdict": record.verdict.value, **present(results=results)}


def _result(result: CheckResult) -> Json:
    values = {words(name, _MOST_STEP): words(value, _MOST_STEP) for name, value in result.values}
    return {
        "text": words(result.words, _MOST_STEP),
        "verdict": result.verdict.value,
        **present(values=values, detail=words(result.detail)),
    }


def _approval(one: Approval) -> Json:
    return {
        "by": words(one.who, _MOST_STEP),
        "at": rfc3339(one.at_ms),
        "step": one.step,
        "verb": one.verb,
        **present(via=one.via, reason=words(one.reason)),
    }


def _line(entry: Entry) -> Json:
    return {
        "at": rfc3339(entry.at_ms),
        "step": entry.step,
        "weight": number(entry.weight),
        "what": entry.what,
        **present(text=words(entry.text)),
    }


# --- conditions -------------------------------------------------------------------------------------------------


def _conditions(state: State, reason: str, problems: Sequence[str]) -> list[Says]:
    phase, message = state.phase, reason or _WORDS[state.phase]
    promotion = _promotion(state, message)
    if problems:
        return [*_invalid(problems), promotion]
    why = _failure(state) if phase is Phase.FAILED else phase.value
    if phase in (Phase.INITIALIZED, Phase.SUCCEEDED):
        return [Says("Ready", "True", why, message), promotion]
    if phase in AT_REST:
        return [Says("Ready", "False", why, message), Says("Stalled", "True", why, message), promotion]
    return [Says("Ready", "Unknown", why, message), Says("Reconciling", "True", why, message), promotion]


def _promotion(state: State, message: str) -> Says:
    """How the latest revision fared, as Flagger's users know it: `kubectl wait --for=condition=Promoted`."""
    match state.phase:
        case Phase.INITIALIZED | Phase.SUCCEEDED:
            return Says("Promoted", "True", state.phase.value, message)
        case Phase.FAILED:
            return Says("Promoted", "False", _failure(state), message)
        case phase:
            return Says("Promoted", "Unknown", phase.value, message)


def _promotion_as_shown(previous: Mapping[str, Any]) -> list[Says]:
    """What was last said of the latest revision, where nothing new can be."""
    return [
        Says("Promoted", one["status"], one["reason"], one.get("message", ""))
        for one in previous.get("conditions") or ()
        if one.get("type") == "Promoted"
    ]


def _failure(state: State) -> str:
    failed = state.run is not None and state.run.outcome is Outcome.PROMOTION_FAILED
    return "PromotionFailed" if failed else "RolledBack"


def _invalid(problems: Sequence[str]) -> list[Says]:
    message = "; ".join(problems)
    return [Says("Ready", "False", _INVALID, message), Says("Stalled", "True", _INVALID, message)]
