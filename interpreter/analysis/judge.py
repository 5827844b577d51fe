"""One whole check: what to ask, what the answers come to, and the evidence to keep.

`questions` and `judge` are two halves of one thing and must agree on the keys; both come from `Prepared`, which is made
once per Program and analysis. Of the lines' effects the gravest decides: abort, fail, error, inconclusive, pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from dsl.ir import Analysis, Check, Condition, Program
from interpreter.analysis.evaluate import Clause, Compiler, Leaf, text
from interpreter.analysis.readings import Gap, Look, Missing, Truth
from interpreter.state import Answer, CheckResult, Events, Instant, MetricQuestion, Routing, Verdict

Evidence = Mapping[str, Mapping[str, float | list[float]]]

PASS, FAIL, ABORT = Verdict.PASS, Verdict.FAIL, Verdict.ABORT
ERROR, INCONCLUSIVE, NO_DATA = Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.NO_DATA

SEVERITY = (ABORT, FAIL, ERROR, INCONCLUSIVE)


class Judgement(NamedTuple):
    """`results` has one line for each metric check, in order; calls and gates are the machine's. `holds_raise` says
    that evidence is mounting: do not raise traffic, do not end anything."""

    verdict: Verdict
    results: tuple[CheckResult, ...]
    evidence: Evidence
    holds_raise: bool


class Line(NamedTuple):
    kind: Literal["require", "observe", "abort"]
    words: str
    clause: Clause


class Prepared(NamedTuple):
    """An analysis, compiled."""

    leaves: tuple[Leaf, ...]
    lines: tuple[Line, ...]


_prepared: dict[tuple[int, int], tuple[Program, object, Prepared]] = {}
_KEPT = 512


def _prepare(program: Program, analysis: Analysis) -> Prepared:
    """The compiled form, from memory where it is there. The entry holds on to what its key is the identity of, so that
    the identity cannot come to mean something else."""
    key = (id(program), id(analysis))
    entry = _prepared.get(key)
    if entry is None:
        if len(_prepared) >= _KEPT:
            _prepared.clear()
        entry = _prepared[key] = (program, analysis, _compile(program, analysis))
    return entry[2]


def _compile(program: Program, analysis: Analysis) -> Prepared:
    compiler = Compiler(program)
    lines = tuple(
        Line(check.kind, check.text, compiler.clause(check.condition))
        for check in analysis.checks
        if isinstance(check, Check)
    )
    return Prepared(tuple(dict.fromkeys(leaf for line in lines for leaf in line.clause.leaves)), lines)


def questions(program: Program, analysis: Analysis, at_ms: Instant) -> tuple[MetricQuestion, ...]:
    """What must be known to judge a check, each question once, always in the same order."""
    return tuple(leaf.question(at_ms) for leaf in _prepare(program, analysis).leaves)


def judge(
    program: Program,
    analysis: Analysis,
    at_ms: Instant,
    answers: Mapping[str, Answer],
    evidence: Evidence,
    *,
    routing: Routing,  # noqa: ARG001
) -> Judgement:
    """One check, judged. Every question must have been answered."""
    prepared = _prepare(program, analysis)
    look = Look(answers, at_ms, {})
    effects = []
    results = []
    for line in prepared.lines:
        result, effect = _judge_line(line, look)
        results.append(result)
        effects.append(effect)
    verdict = _gravest(effects)
    return Judgement(verdict, tuple(results), evidence, False)


def _gravest(effects: list[Verdict]) -> Verdict:
    for verdict in SEVERITY:
        for effect in effects:
            if effect is verdict:
                return verdict
    return PASS


def _judge_line(line: Line, look: Look) -> tuple[CheckResult, Verdict]:
    """The line as shown, and its effect on the whole."""
    truth = line.clause.decide(look)
    verdict, effect, detail = _outcome(line, truth, look)
    values = tuple([(shown.name, text(shown.read(look), shown.form)) for shown in line.clause.shown])
    result = CheckResult(line.words, line.kind, verdict, values, detail)
    return result, PASS if line.kind == "observe" else effect


def _outcome(line: Line, truth: Truth, look: Look) -> tuple[Verdict, Verdict, str]:
    if isinstance(truth, Missing):
        return _gap(truth)
    if truth is (line.kind != "abort"):
        return PASS, PASS, ""
    verdict = ABORT if line.kind == "abort" else FAIL
    return verdict, verdict, "; ".join([line.clause.explain(look, truth), *_counts(line, look)])


def _gap(missing: Missing) -> tuple[Verdict, Verdict, str]:
    reason = missing.reason
    match missing.gap:
        case Gap.FAIL:
            return NO_DATA, FAIL, f"{reason}; no data counts as a failure here"
        case Gap.PASS:
            return PASS, PASS, f"{reason}; this metric may be without data"
        case Gap.SKIP:
            return NO_DATA, PASS, f"{reason}; without data this check takes no part"
        case Gap.HOLD:
            return NO_DATA, INCONCLUSIVE, f"{reason}; the rollout waits for data"
        case Gap.UNSURE:
            return INCONCLUSIVE, INCONCLUSIVE, reason
        case Gap.ERROR:
            return ERROR, ERROR, reason


def _counts(line: Line, look: Look) -> list[str]:
    """The counts behind a line, in words."""
    told = []
    for leaf in line.clause.leaves:
        answer = look.answers[leaf.prefix + look.suffix]
        if isinstance(answer, Events):
            told.append(f"{leaf.name}: {answer.bad:.6g} bad of {answer.total:.6g}")
    return told


def condition_questions(program: Program, condition: Condition, at_ms: Instant) -> tuple[MetricQuestion, ...]:
    """What must be known to decide a branch."""
    return tuple(leaf.question(at_ms) for leaf in Compiler(program).clause(condition).leaves)


def decide(
    program: Program, condition: Condition, at_ms: Instant, answers: Mapping[str, Answer]
) -> tuple[bool | None, str, tuple[tuple[str, str], ...]]:
    """Whether a branch's condition holds (None: it cannot be known), why, and the values seen."""
    clause = Compiler(program).clause(condition)
    look = Look(answers, at_ms, {})
    truth = clause.decide(look)
    values = tuple((shown.name, text(shown.read(look), shown.form)) for shown in clause.shown)
    if isinstance(truth, Missing):
        return None, truth.reason, values
    return truth, clause.explain(look, truth), values
