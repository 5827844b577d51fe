"""One whole check: what to ask, what the answers come to, and the evidence to keep.

`questions` and `judge` are two halves of one thing and must agree on the keys; both come from `Prepared`, which is made
once per Program and analysis. Each line has a verdict, which is shown, and an effect on the whole; the gravest effect
decides: abort, fail, error, inconclusive, pass.

| what a line came to | its verdict | its effect |
| --- | --- | --- |
| no data, `no_data fail` | no data | fail |
| no data, `no_data hold` | no data | inconclusive |
| no data, `no_data skip` | no data | none |
| no data, `no_data pass` | pass | none |
| nobody can tell yet | inconclusive | inconclusive |
| the provider could not be asked | error | error |

An abort line whose condition is not known does not abort. A critical result of Kayenta's judge aborts, whatever line it
stands in, alone or in a judgement. What is only observed has no effect.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Literal, NamedTuple

from dsl.ir import Analysis, Check, Condition, Program, Unit
from interpreter.analysis import guard
from interpreter.analysis.dispersion import history
from interpreter.analysis.evaluate import Clause, Compared, Compiler, text
from interpreter.analysis.evidence import Moment, Test
from interpreter.analysis.leaves import Leaf
from interpreter.analysis.memory import Memory
from interpreter.analysis.readings import Gap, Look, Missing, Quantity, Truth
from interpreter.analysis.scoring import Card, rule_judgement
from interpreter.analysis.statistical import prepare_test, rule
from interpreter.desired import Instant, Routing
from interpreter.questions import Answer, Events, MetricQuestion
from interpreter.series import Found
from interpreter.state import CheckLine, CheckResult, Verdict

Evidence = Mapping[str, Mapping[str, float | list[float]]]
Shown = tuple[tuple[str, str], ...]

PASS, FAIL, ABORT = Verdict.PASS, Verdict.FAIL, Verdict.ABORT
ERROR, INCONCLUSIVE, NO_DATA = Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.NO_DATA

SEVERITY = (ABORT, FAIL, ERROR, INCONCLUSIVE)


class Judgement(NamedTuple):
    """`results` has one line for each metric check, in order; calls and gates are the machine's. `holds_raise` says
    that evidence is mounting: do not raise traffic, do not end anything. `found` has the numbers behind the results,
    for the series of the run."""

    verdict: Verdict
    results: tuple[CheckResult, ...]
    evidence: Evidence
    holds_raise: bool
    found: tuple[Found, ...] = ()


class Line(NamedTuple):
    """A metric check, compiled. `counts` are the leaves whose counts are told when it does not hold; `guarded` says
    that it compares the arms that the traffic guard watches. `followed` are its comparisons, and `ruled` the keys of
    its rulings, each as a line of the run's series."""

    kind: Literal["require", "observe", "abort"]
    words: str
    clause: Clause
    counts: tuple[Leaf, ...]
    guarded: bool
    followed: tuple[tuple[CheckLine, Compared], ...]
    ruled: tuple[tuple[CheckLine, str], ...]


class Prepared(NamedTuple):
    """An analysis, compiled. `counting` are the keys of the tests that more than an observation depends on."""

    leaves: tuple[Leaf, ...]
    lines: tuple[Line, ...]
    tests: tuple[Test, ...]
    cards: tuple[Card, ...]
    counting: frozenset[str]
    pair: guard.Pair | None


# --- compiled once ----------------------------------------------------------------------------------------------


def _prepare(program: Program, analysis: Analysis) -> Prepared:
    compiler = Compiler(program)
    checks = [check for check in analysis.checks if isinstance(check, Check)]
    clauses = [compiler.clause(check.condition) for check in checks]
    pair = (
        None if program.baseline else next(filter(None, (guard.find_pair(clause.leaves) for clause in clauses)), None)
    )
    tests = {key: test for clause in clauses for key, test in clause.tests.items()}
    return Prepared(
        leaves=tuple(dict.fromkeys(leaf for clause in clauses for leaf in clause.leaves)),
        lines=tuple(_line(check, clause, pair) for check, clause in zip(checks, clauses, strict=True)),
        tests=tuple(prepare_test(program, analysis, key, test) for key, test in tests.items()),
        cards=tuple(dict.fromkeys(clause.card for clause in clauses if clause.card is not None)),
        counting=frozenset(
            key
            for check, clause in zip(checks, clauses, strict=True)
            if check.kind != "observe"
            for key in clause.tests
        ),
        pair=pair,
    )


def _line(check: Check, clause: Clause, pair: guard.Pair | None) -> Line:
    """Statistical checks tell their own counts."""
    counts = () if clause.tests else tuple(leaf for leaf in clause.leaves if leaf.unit is Unit.EVENTS)
    guarded = pair is not None and set(pair) <= set(clause.leaves)
    followed = tuple(
        (CheckLine(check.text, check.kind, each.name, each.unit.value, each.cmp, each.fixed), each)
        for each in clause.compared
    )
    return Line(check.kind, check.text, clause, counts, guarded, followed, tuple(_ruled(check, clause)))


def _ruled(check: Check, clause: Clause) -> Iterator[tuple[CheckLine, str]]:
    """The score of a judgement; of other statistical checks the evidence, which settles them when it is large."""
    if clause.card is not None:
        yield CheckLine(check.text, check.kind, "score", "score", ">=", clause.card.passing), clause.card.key
        return
    for key, test in clause.tests.items():
        if test.test != "kayenta":
            yield CheckLine(check.text, check.kind, f"evidence on {test.metric}", "evidence", "<"), key


_prepared = Memory(_prepare)
_clauses: Memory[Condition, Clause] = Memory(lambda program, condition: Compiler(program).clause(condition))


# --- the check --------------------------------------------------------------------------------------------------


def questions(program: Program, analysis: Analysis, at_ms: Instant) -> tuple[MetricQuestion, ...]:
    """What must be known to judge a check, each question once, always in the same order."""
    return tuple([leaf.question(at_ms) for leaf in _prepared(program, analysis).leaves])


def history_questions(
    program: Program, analysis: Analysis, at_ms: Instant, evidence: Evidence
) -> tuple[MetricQuestion, ...]:
    """What a check wants to know besides of the time before the rollout, at its first look and never again."""
    return tuple(
        [
            leaf.question(ended_ms)
            for test in _prepared(program, analysis).tests
            for leaf, ended_ms in history(test, at_ms, evidence.get(test.key, {}))
        ]
    )


def judge(
    program: Program,
    analysis: Analysis,
    at_ms: Instant,
    answers: Mapping[str, Answer],
    evidence: Evidence,
    *,
    routing: Routing,
    held_ms: int | None = None,
) -> Judgement:
    """One check, judged. Every question must have been answered.

    `held_ms` is for how long the routing has been as it is, where that is known: the traffic guard does not count
    requests from before.
    """
    prepared = _prepared(program, analysis)
    look = Look(answers, at_ms)
    holds_raise, alarm, shown, standing = False, None, NOTHING, UNRULED
    if prepared.tests or prepared.pair is not None:
        moment = Moment(at_ms, routing.weight)
        evidence = dict(evidence)
        holds_raise, shown, standing = _rule(prepared, look, moment, evidence)
        alarm = _watch(prepared.pair, look, moment, evidence, routing, held_ms)
    results, effects, found = [], [], []
    for line in prepared.lines:
        result, effect = _judge_line(line, look, alarm, shown)
        results.append(result)
        effects.append(effect)
        found += _followed(line, look, standing)
    return Judgement(_gravest(effects), tuple(results), evidence, holds_raise, tuple(found))


Standings = Mapping[str, tuple[float, float] | None]

NOTHING: Mapping[str, Shown] = {}
UNRULED: Standings = {}


def _followed(line: Line, look: Look, standings: Standings) -> list[Found]:
    """The numbers of one line. Of a range the end that is known stands for it."""
    found: list[Found] = [
        (head, _number(each.value(look)), None if each.threshold is None else _number(each.threshold(look)))
        for head, each in line.followed
    ]
    for head, key in line.ruled:
        value, limit = standings.get(key) or (None, None)
        found.append((head, value, None if head.threshold is not None else limit))
    return found


def _number(quantity: Quantity) -> float | None:
    if isinstance(quantity, Missing):
        return None
    if isinstance(quantity, float):
        return quantity
    return quantity.low if isfinite(quantity.low) else quantity.high


def _rule(
    prepared: Prepared, look: Look, moment: Moment, evidence: dict[str, Mapping[str, float | list[float]]]
) -> tuple[bool, Mapping[str, Shown], Standings]:
    """The statistical checks, each once, before the lines that they stand in: whether evidence is mounting, the values
    to show of each, and where each stands."""
    mounting, shown, standings = False, {}, {}
    for test in prepared.tests:
        ruling = rule(test, look, moment, evidence.get(test.key, {}))
        look.rulings[test.key], look.words[test.key], shown[test.key] = ruling.truth, ruling.words, ruling.values
        standings[test.key] = ruling.standing
        if ruling.condemns:
            look.condemning.add(test.key)
        if ruling.state:
            evidence[test.key] = ruling.state
        if ruling.classified is not None:
            look.classified[test.key] = ruling.classified
        mounting = mounting or (ruling.mounting and test.key in prepared.counting)
    for card in prepared.cards:
        ruling = rule_judgement(card, look)
        look.rulings[card.key], look.words[card.key], shown[card.key] = ruling.truth, ruling.words, ruling.values
        standings[card.key] = ruling.standing
        if ruling.condemns:
            look.condemning.add(card.key)
    return mounting, shown, standings


def _watch(
    pair: guard.Pair | None,
    look: Look,
    moment: Moment,
    evidence: dict[str, Mapping[str, float | list[float]]],
    routing: Routing,
    held_ms: int | None,
) -> Missing | None:
    """What the traffic guard has to say."""
    if pair is None or not guard.applies(routing):
        return None
    if held_ms is not None and held_ms < pair.canary.window_ms:
        return None
    alarm = guard.watch(pair, look, moment, evidence.get(guard.KEY, {}))
    if alarm.state:
        evidence[guard.KEY] = alarm.state
    return alarm.finding


def _gravest(effects: list[Verdict]) -> Verdict:
    for verdict in SEVERITY:
        for effect in effects:
            if effect is verdict:
                return verdict
    return PASS


# --- one line ---------------------------------------------------------------------------------------------------


def _judge_line(
    line: Line, look: Look, alarm: Missing | None, shown: Mapping[str, Shown]
) -> tuple[CheckResult, Verdict]:
    """The line as shown, and its effect on the whole."""
    truth = line.clause.decide(look)
    if alarm is not None and line.guarded and truth is (line.kind != "abort"):
        truth = alarm
    verdict, effect, detail = _outcome(line, truth, look)
    values = _values(line.clause, look)
    for key in line.clause.rulings:
        values += shown[key]
    return CheckResult(line.words, line.kind, verdict, values, detail), PASS if line.kind == "observe" else effect


def _values(clause: Clause, look: Look) -> Shown:
    return tuple([(shown.name, text(shown.read(look), shown.form)) for shown in clause.shown])


def _outcome(line: Line, truth: Truth, look: Look) -> tuple[Verdict, Verdict, str]:
    if isinstance(truth, Missing):
        return _unknown(truth)
    if truth is (line.kind != "abort"):
        return PASS, PASS, "; ".join(look.words[key] for key in line.clause.rulings)
    verdict = ABORT if line.kind == "abort" or not look.condemning.isdisjoint(line.clause.rulings) else FAIL
    return verdict, verdict, "; ".join(filter(None, [line.clause.explain(look, truth), *_counts(line, look)]))


def _unknown(missing: Missing) -> tuple[Verdict, Verdict, str]:
    reason = missing.reason
    match missing.gap:
        case Gap.FAIL:
            return NO_DATA, FAIL, f"{reason}, which counts as a failure"
        case Gap.PASS:
            return PASS, PASS, f"{reason}, which this metric lets pass"
        case Gap.SKIP:
            return NO_DATA, PASS, f"{reason}, so that this check takes no part"
        case Gap.HOLD:
            return NO_DATA, INCONCLUSIVE, f"{reason}, for which this metric waits"
        case Gap.UNSURE:
            return INCONCLUSIVE, INCONCLUSIVE, reason
        case Gap.ERROR:
            return ERROR, ERROR, reason


def _counts(line: Line, look: Look) -> list[str]:
    """The counts behind a line, in words."""
    told = []
    for leaf in line.counts:
        answer = look.answers[leaf.prefix + look.suffix]
        if isinstance(answer, Events):
            told.append(f"{leaf.name}: {answer.bad:.6g} bad of {answer.total:.6g}")
    return told


# --- branches ---------------------------------------------------------------------------------------------------


def condition_questions(program: Program, condition: Condition, at_ms: Instant) -> tuple[MetricQuestion, ...]:
    """What must be known to decide a branch."""
    return tuple([leaf.question(at_ms) for leaf in _clauses(program, condition).leaves])


def decide(
    program: Program, condition: Condition, at_ms: Instant, answers: Mapping[str, Answer]
) -> tuple[bool | None, str, Shown]:
    """Whether a branch's condition holds (None: it cannot be known), why, and the values seen."""
    clause = _clauses(program, condition)
    look = Look(answers, at_ms)
    for key in clause.tests:
        look.rulings[key] = Missing(Gap.UNSURE, "a statistical check keeps evidence between checks; a branch has none")
        look.words[key] = ""
    truth = clause.decide(look)
    if isinstance(truth, Missing):
        return None, truth.reason, _values(clause, look)
    return truth, clause.explain(look, truth), _values(clause, look)
