"""One check of an analysis, from the moment it falls due to its count.

A check begins (`Cursor.tick`), asks all its questions at once as of one moment, sets off its calls, and is judged when
everything has come in. The next one falls due a whole interval after this one began, so that checks never overlap, and
a clock that jumps forward makes one check late rather than skip any.

What a check comes to, and what it does:

| verdict | the traffic | counted |
| --- | --- | --- |
| pass | may go on | as passed |
| fail | stays | as failed; too many (`tolerate`) roll back |
| abort | rolled back | |
| inconclusive | stays | no |
| error | stays | as failed from the `provider_errors`-th in a row on |
"""

from __future__ import annotations

from collections.abc import Mapping

from dsl.ir import Analysis, Arm, CallCheck, GateCheck, Tolerance
from interpreter.analysis.judge import history_questions, judge, questions
from interpreter.analysis.leaves import named
from interpreter.ending import roll_back
from interpreter.frozen import changed
from interpreter.questions import GateAnswer, GateQuestion, MetricQuestion, Value
from interpreter.series import Found, grown
from interpreter.state import CheckLine, CheckRecord, CheckResult, Tick, Verdict
from interpreter.turn import Turn

_MOST_TOLD = 4
"""So many values are told in a sentence; all of them are shown where there is room."""


def first_due(turn: Turn, analysis: Analysis, *, at_once: bool = False, first_ms: int | None = None) -> int:
    """When an instruction's first check is due: after one interval (or `first_ms`), and not within the warm-up."""
    cursor, every = turn.cursor, analysis.every_ms
    due = cursor.since_ms + (0 if at_once else every if first_ms is None else min(first_ms, every))
    warm = turn.running.raised_ms + analysis.warm_up_ms
    if due < warm:
        due += -((due - warm) // every) * every
    return due


def take_check(turn: Turn, analysis: Analysis) -> Verdict | None:
    """Go on with the check that is due: begin it, ask, judge it. Its verdict once there is one, else None.

    A failed or aborting check has then been counted, and may have ended the run.
    """
    cursor = turn.cursor
    tick = cursor.tick
    if tick is None:
        due = cursor.due_ms if cursor.due_ms is not None else turn.clock
        if turn.clock < due:
            turn.wake_at(due)
            return None
        tick = Tick(turn.running.iterations + 1, due, turn.clock, turn.now)
        turn.set_cursor(tick=tick)
    earlier = history_questions(turn.program, analysis, tick.at_ms, turn.running.evidence)
    known = turn.ask_all((*questions(turn.program, analysis, tick.at_ms), *earlier))
    side = _side_checks(turn, analysis, tick)
    if not known or side is None:
        return None
    return _conclude(turn, analysis, tick, side)


def _side_checks(turn: Turn, analysis: Analysis, tick: Tick) -> tuple[CheckResult, ...] | None:
    """What the calls and gates of this check came to; None while one is out."""
    results: list[CheckResult] = []
    complete = True
    for index, check in enumerate(analysis.checks):
        result: CheckResult | None
        match check:
            case CallCheck():
                result = _call_result(turn, check, f"check-{tick.serial}-{index}")
            case GateCheck():
                result = _gate_result(turn, check, f"check-{tick.serial}")
            case _:
                continue
        if result is None:
            complete = False
        else:
            results.append(result)
    return tuple(results) if complete else None


def _call_result(turn: Turn, check: CallCheck, what: str) -> CheckResult | None:
    result = turn.call(check.webhook, turn.call_key(what, 0), awaited=True)
    if result is None:
        return None
    verdict = Verdict.PASS if result.ok else Verdict.FAIL
    return CheckResult(f"call {check.webhook}", "call", verdict, (), "" if result.ok else f"refused: {result.detail}")


def _gate_result(turn: Turn, check: GateCheck, serial: str) -> CheckResult | None:
    answer = turn.ask(GateQuestion(check.gate, serial))
    if not isinstance(answer, GateAnswer):
        return None
    verdict = Verdict.ABORT if answer.open else Verdict.PASS
    return CheckResult(f"abort when gate {check.gate} opens", "abort_gate", verdict, (), answer.reason)


def _conclude(turn: Turn, analysis: Analysis, tick: Tick, side: tuple[CheckResult, ...]) -> Verdict:
    turn.drop_calls()
    run = turn.running
    routing = turn.state.routing
    judgement = judge(
        turn.program,
        analysis,
        tick.at_ms,
        turn.inputs.answers,
        run.evidence,
        routing=routing,
        held_ms=tick.began_ms - run.raised_ms,
    )
    noted = _with_notes(turn, questions(turn.program, analysis, tick.at_ms), judgement.results)
    results = (*noted, *side)
    verdict = _whole(judgement.verdict, side)
    late = max(0, tick.began_ms - tick.due_ms)
    record = CheckRecord(tick.at_ms, late, run.cursor.pc, routing.weight, verdict, results)
    turn.set_run(
        iterations=tick.serial,
        evidence=judgement.evidence,
        last_check=record,
        series=grown(run.series, record, (*judgement.found, *map(_told, side))),
        provider_errors=run.provider_errors + 1 if verdict is Verdict.ERROR else 0,
        cursor=changed(run.cursor, tick=None, due_ms=tick.began_ms + analysis.every_ms),
    )
    return _count(turn, analysis, record, holds_raise=judgement.holds_raise)


def _told(result: CheckResult) -> Found:
    """A call or a gate in the series: 1 for one that let the rollout go on, 0 for one that did not."""
    line = CheckLine(result.text, result.kind, result.text, "verdict", ">=", 1.0)
    return line, float(result.verdict is Verdict.PASS), None


def _with_notes(
    turn: Turn, asked: tuple[MetricQuestion, ...], results: tuple[CheckResult, ...]
) -> tuple[CheckResult, ...]:
    """The same, with what providers said beside their numbers behind the words of each check that did not pass."""
    notes: dict[str, str] = {}
    for question in asked:
        answer = turn.inputs.answers.get(question.key)
        if isinstance(answer, Value) and answer.note:
            notes[named(question.metric, Arm(question.arm))] = answer.note
    if not notes:
        return results
    return tuple(_noted(result, notes) for result in results)


def _noted(result: CheckResult, notes: Mapping[str, str]) -> CheckResult:
    told = [notes[name] for name, _ in result.values if name in notes]
    if result.verdict is Verdict.PASS or not told:
        return result
    return changed(result, detail="; ".join(part for part in (result.detail, *told) if part))


def _whole(metrics: Verdict, side: tuple[CheckResult, ...]) -> Verdict:
    verdicts = {metrics, *(result.verdict for result in side)}
    for verdict in (Verdict.ABORT, Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE):
        if verdict in verdicts:
            return verdict
    return Verdict.PASS


def _count(turn: Turn, analysis: Analysis, record: CheckRecord, *, holds_raise: bool) -> Verdict:
    verdict = record.verdict
    if turn.state.caution is not None and verdict in (Verdict.INCONCLUSIVE, Verdict.ERROR):
        # What was decided before the restart cannot be found out again, for the canary has lost its traffic by it.
        why = f"traffic was found taken off the canary, which cannot be judged without it: {explain(record, verdict)}"
        count_check(turn, analysis.tolerate, passed=False, why=why)
        return Verdict.FAIL
    match verdict:
        case Verdict.PASS:
            count_check(turn, analysis.tolerate, passed=True, why="")
            if holds_raise:
                turn.event("EvidenceMounting", f"traffic stays: {explain(record, Verdict.PASS)}")
                return Verdict.INCONCLUSIVE
        case Verdict.FAIL:
            count_check(turn, analysis.tolerate, passed=False, why=explain(record, verdict))
        case Verdict.ABORT:
            roll_back(turn, explain(record, verdict))
        case Verdict.ERROR if turn.running.provider_errors >= analysis.provider_errors:
            why = f"{turn.running.provider_errors} checks in a row could not be made: {explain(record, verdict)}"
            count_check(turn, analysis.tolerate, passed=False, why=why)
            return Verdict.FAIL
        case Verdict.ERROR:
            turn.event("CheckNotMade", f"traffic stays: {explain(record, verdict)}", warning=True)
        case _:
            turn.event("CheckInconclusive", f"traffic stays: {explain(record, verdict)}", warning=True)
    return verdict


def explain(record: CheckRecord, verdict: Verdict) -> str:
    """The lines of a check that made it what it is, in words. What is only observed made it nothing."""
    counting = [result for result in record.results if result.kind != "observe"]
    lines = [_line(result) for result in counting if result.verdict is verdict]
    if not lines:
        lines = [_line(result) for result in counting if result.verdict is not Verdict.PASS]
    return "; ".join(lines) or "all checks passed"


def _line(result: CheckResult) -> str:
    values = told_values(result)
    detail = result.detail
    if len(result.values) == 1 and detail.startswith(f"{result.values[0][1]} "):
        _, _, detail = detail.partition("; ")  # the comparison of one value says no more than the value does
    return ": ".join(part for part in (f"`{result.words}`", "; ".join(filter(None, (values, detail)))) if part)


def told_values(result: CheckResult) -> str:
    """The values of a line in a sentence. Of a judgement, which has many, the detail names those that matter."""
    if len(result.values) > _MOST_TOLD and result.detail:
        return ""
    return ", ".join(f"{name} is {value}" for name, value in result.values)


def count_check(turn: Turn, tolerate: Tolerance, *, passed: bool, why: str) -> None:
    """Count one check; the one that is too many rolls back."""
    run = turn.running
    keep = max(tolerate.window, tolerate.count, 1)
    recent = (*run.recent, passed)[-keep:]
    turn.set_run(recent=recent, failed_checks=run.failed_checks + (not passed))
    if passed:
        return
    turn.event("CheckFailed", why, warning=True)
    if too_many(tolerate, turn.running.failed_checks, recent):
        roll_back(turn, f"{allowance(tolerate)}; the last: {why}")


def too_many(tolerate: Tolerance, failed: int, recent: tuple[bool, ...]) -> bool:
    """Whether these failed checks end the rollout: `failed` in all, `recent` the last ones (true: passed)."""
    limit = max(1, tolerate.count)
    match tolerate.mode:
        case "total":
            return failed >= limit
        case "consecutive":
            return len(recent) >= limit and not any(recent[-limit:])
        case "window":
            return recent[-tolerate.window :].count(False) >= limit


def allowance(tolerate: Tolerance, noun: str = "failed check") -> str:
    """How many are too many, in words: `3 failed checks in a row`."""
    count = max(1, tolerate.count)
    words = f"{count} {noun}{'' if count == 1 else 's'}"
    match tolerate.mode:
        case "total":
            return words
        case "consecutive":
            return f"{words} in a row"
        case "window":
            return f"{words} in {tolerate.window}"
