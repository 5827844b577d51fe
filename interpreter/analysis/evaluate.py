"""Expressions and conditions over answers.

An analysis is judged thousands of times and changes never, so that its conditions are compiled once, into closures that
look up their answers by the beginning of a question's key (all but the moment). Compiling also finds the leaves: a
derived metric is resolved down to what providers are asked. Within a derived metric, the arm and the window are those
that the check asks it for; `of primary` within it stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, assert_never

from dsl.ir import (
    BASE_SCALE,
    AllOf,
    AnyOf,
    Arith,
    Arm,
    Between,
    Compare,
    Condition,
    Const,
    Expr,
    Func,
    Measure,
    NoData,
    NotOf,
    Program,
    Statistical,
    Unit,
)
from interpreter.analysis import histogram, show
from interpreter.analysis.readings import (
    Bounds,
    Cmp,
    Gap,
    Look,
    Missing,
    Operator,
    Quantity,
    Reader,
    Truth,
    apply,
    both,
    combine,
    compare,
    either,
    finite,
    negation,
)
from interpreter.state import (
    Answer,
    ErrorAnswer,
    Events,
    GateAnswer,
    Histogram,
    MetricQuestion,
    NoDataAnswer,
    Readiness,
    Value,
)

ENOUGH_REQUESTS = 100
"""Requests that an arm needs before its quantile may be compared with another arm's."""

GAPS = {NoData.FAIL: Gap.FAIL, NoData.PASS: Gap.PASS, NoData.SKIP: Gap.SKIP, NoData.HOLD: Gap.HOLD}


class Leaf(NamedTuple):
    """One thing to ask a provider for; a `MetricQuestion` but for its moment."""

    metric: str
    arm: Arm
    window_ms: int
    unit: Unit
    gap: Gap

    @property
    def prefix(self) -> str:
        return self.question(0).key[:-1]

    @property
    def name(self) -> str:
        return named(self.metric, self.arm)

    def question(self, at_ms: int) -> MetricQuestion:
        return MetricQuestion(self.metric, self.arm.value, self.window_ms, at_ms)


class Shown(NamedTuple):
    """A measure as a check shows it."""

    name: str
    read: Reader
    form: show.Formatter


class Clause(NamedTuple):
    """A condition, compiled. `explain(look, truth)` says in words why it is true, or false."""

    decide: Callable[[Look], Truth]
    explain: Callable[[Look, bool], str]
    leaves: tuple[Leaf, ...]
    shown: tuple[Shown, ...]
    tests: tuple[Statistical, ...]


class Scope(NamedTuple):
    """Whom and when a derived metric is asked about."""

    arm: Arm | None = None
    window_ms: int | None = None


AS_WRITTEN = Scope()


def named(metric: str, arm: Arm) -> str:
    """A metric of an arm in words; checks are about the canary unless they say otherwise."""
    return metric if arm is Arm.CANARY else f"{metric} of {arm.value}"


def evidence_key(test: Statistical) -> str:
    """The name of a statistical check's evidence: the same check has the same, in every analysis of the rollout."""
    params = ",".join(f"{name}={value:g}" for name, value in sorted(test.params.items()))
    words = ",".join(f"{name}={value}" for name, value in sorted(test.options.items()))
    about = ":".join(part for part in (test.against and test.against.value, params, words) if part)
    return f"{test.test}:{test.metric}:{test.window_ms}:{about}"


def missing(answer: Answer, leaf: Leaf) -> Missing:
    """What to make of an answer that is not what was asked for."""
    match answer:
        case NoDataAnswer(reason=reason):
            return Missing(leaf.gap, f"`{leaf.name}`: {reason}")
        case ErrorAnswer(reason=reason):
            return Missing(Gap.ERROR, f"`{leaf.name}`: {reason}")
        case Value() | Events() | Histogram() | Readiness() | GateAnswer():
            return Missing(Gap.ERROR, f"`{leaf.name}`: the answer is not of the metric's kind")
        case _:
            assert_never(answer)


class Compiler:
    """Compiles the conditions of one Program and gathers the leaves they need, in the order of their first use."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._leaves: dict[Leaf, None] = {}
        self._shown: dict[str, Shown] = {}
        self._tests: dict[str, Statistical] = {}

    # --- conditions

    def clause(self, condition: Condition) -> Clause:
        """One whole condition."""
        self._leaves, self._shown, self._tests = {}, {}, {}
        decide, explain = self._condition(condition)
        return Clause(decide, explain, tuple(self._leaves), tuple(self._shown.values()), tuple(self._tests.values()))

    def _condition(self, condition: Condition) -> tuple[Callable[[Look], Truth], Callable[[Look, bool], str]]:
        match condition:
            case Compare(cmp, left, right):
                return self._compare(cmp, left, right)
            case Between(value, low, high):
                return self._group([self._compare(">=", value, low), self._compare("<=", value, high)], both, False)
            case AllOf(conditions):
                return self._group([self._condition(part) for part in conditions], both, False)
            case AnyOf(conditions):
                return self._group([self._condition(part) for part in conditions], either, True)
            case NotOf(inner):
                decide, explain = self._condition(inner)
                return lambda look: negation(decide(look)), lambda look, truth: explain(look, not truth)
            case Statistical():
                return self._statistical(condition)
            case _:
                assert_never(condition)

    def _group(
        self,
        parts: Sequence[tuple[Callable[[Look], Truth], Callable[[Look, bool], str]]],
        join: Callable[..., Truth],
        settles: bool,
    ) -> tuple[Callable[[Look], Truth], Callable[[Look, bool], str]]:
        """`settles` is the truth that one part alone gives to the whole."""

        def decide(look: Look) -> Truth:
            return join(*[part(look) for part, _ in parts])

        def explain(look: Look, truth: bool) -> str:
            told = [(part, words) for part, words in parts if truth is not settles or part(look) is settles]
            return "; ".join(words(look, truth) for _, words in told)

        return decide, explain

    def _statistical(self, test: Statistical) -> tuple[Callable[[Look], Truth], Callable[[Look, bool], str]]:
        key = evidence_key(test)
        self._tests[key] = test
        for leaf in self.test_leaves(test):
            self._leaves[leaf] = None
        return lambda look: look.rulings[key], lambda _look, _truth: ""

    def _compare(
        self, cmp: Cmp, left: Expr, right: Expr
    ) -> tuple[Callable[[Look], Truth], Callable[[Look, bool], str]]:
        read_left, read_right = self.reader(left), self.reader(right)
        for side in (left, right):
            self._show(side)
        guards = self._quantiles_between_arms(left, right)

        def decide(look: Look) -> Truth:
            truth = compare(cmp, read_left(look), read_right(look))
            if guards and not isinstance(truth, Missing):
                return too_few(guards, look) or truth
            return truth

        form = show.formatter(unit_of(self._program, Func("min", (left, right))))

        def explain(look: Look, truth: bool) -> str:
            sides = [text(read(look), form) for read in (read_left, read_right)]
            if sides[0] == sides[1]:
                sides = [text(read(look), form, show.EXACT) for read in (read_left, read_right)]
            return f"{sides[0]} {cmp} {sides[1]} {'holds' if truth else 'does not hold'}"

        return decide, explain

    def _quantiles_between_arms(self, left: Expr, right: Expr) -> tuple[Leaf, ...]:
        found = [leaf for leaf in self.leaves_of(left, right) if leaf.unit is Unit.HISTOGRAM]
        return tuple(found) if len({leaf.arm for leaf in found}) > 1 else ()

    def _show(self, expr: Expr) -> None:
        match expr:
            case Measure():
                form = show.formatter(unit_of(self._program, expr))
                self._shown[_memory_key(expr)] = Shown(named(label(expr), expr.arm), self.reader(expr), form)
            case Arith(operands=operands) | Func(args=operands):
                for operand in operands:
                    self._show(operand)
            case Const():
                pass
            case _:
                assert_never(expr)

    # --- expressions

    def leaves_of(self, *exprs: Expr, scope: Scope = AS_WRITTEN) -> tuple[Leaf, ...]:
        """The leaves of some expressions alone."""
        inner = Compiler(self._program)
        for expr in exprs:
            inner.reader(expr, scope)
        return tuple(inner._leaves)

    def test_leaves(self, test: Statistical) -> tuple[Leaf, ...]:
        """What a statistical check asks: the canary's part first, then that of the arm that it is compared with."""
        arms = (Arm.CANARY,) if test.against is None else (Arm.CANARY, test.against)
        if test.expr is None:
            return tuple(self.leaf(test.metric, arm, test.window_ms) for arm in arms)
        return tuple(leaf for arm in arms for leaf in self.leaves_of(test.expr, scope=Scope(arm, None)))

    def leaf(self, metric: str, arm: Arm, window_ms: int) -> Leaf:
        """A metric that providers are asked for."""
        found = self._program.metrics[metric]
        if isinstance(found.expr, Measure):
            return self.leaf(found.expr.metric, arm, window_ms)
        return Leaf(metric, arm, window_ms, found.unit, GAPS[found.no_data])

    def reader(self, expr: Expr, scope: Scope = AS_WRITTEN) -> Reader:
        """A function from a look to what the expression comes to."""
        match expr:
            case Const(value=value):
                constant = float(value)
                return lambda _look: constant
            case Measure():
                return self._measure(expr, scope)
            case Arith(operands, operators):
                read = self.reader(operands[0], scope)
                for operator, operand in zip(operators, operands[1:], strict=True):
                    read = _binary(operator, read, self.reader(operand, scope))
                return read
            case Func(name, args):
                readers = [self.reader(arg, scope) for arg in args]
                return lambda look: apply(name, tuple(read(look) for read in readers))
            case _:
                assert_never(expr)

    def _measure(self, measure: Measure, scope: Scope) -> Reader:
        arm = scope.arm if scope.arm is not None and measure.arm is Arm.CANARY else measure.arm
        window_ms = measure.window_ms if scope.window_ms is None else scope.window_ms
        metric = self._program.metrics[measure.metric]
        if metric.expr is not None and measure.part == "value":
            read = self.reader(metric.expr, Scope(arm, window_ms))
        else:
            leaf = self.leaf(measure.metric, arm, window_ms)
            self._leaves[leaf] = None
            read = _leaf_reader(leaf, measure)
        return _remembered(_memory_key(measure), read) if scope is AS_WRITTEN else read


# --- leaves -----------------------------------------------------------------------------------------------------


def _memory_key(measure: Measure) -> str:
    return f"{measure.window_ms}:{named(label(measure), measure.arm)}"


def _remembered(key: str, read: Reader) -> Reader:
    def recall(look: Look) -> Quantity:
        found = look.seen.get(key)
        if found is None:
            found = look.seen[key] = read(look)
        return found

    return recall


def _leaf_reader(leaf: Leaf, measure: Measure) -> Reader:
    match measure.part:
        case "value":
            return _value(leaf)
        case "rate" | "total" | "bad" as part:
            return _events(leaf, part)
        case "quantile":
            return _quantile(leaf, measure.q if measure.q is not None else 0.5)


def _value(leaf: Leaf) -> Reader:
    prefix, divisor = leaf.prefix, round(1 / BASE_SCALE.get(leaf.unit, 1.0))

    def read(look: Look) -> Quantity:
        answer = look.answers[prefix + look.suffix]
        return finite(answer.value / divisor) if isinstance(answer, Value) else missing(answer, leaf)

    return read


def _events(leaf: Leaf, part: str) -> Reader:
    prefix = leaf.prefix

    def read(look: Look) -> Quantity:
        answer = look.answers[prefix + look.suffix]
        if not isinstance(answer, Events):
            return missing(answer, leaf)
        if part == "rate":
            if not answer.total > 0:
                return Missing(leaf.gap, f"`{leaf.name}`: nothing was counted")
            return finite(answer.bad / answer.total)
        return finite(float(answer.total if part == "total" else answer.bad))

    return read


def _quantile(leaf: Leaf, q: float) -> Reader:
    prefix, name = leaf.prefix, named(f"{leaf.metric}.quantile({q:g})", leaf.arm)

    def read(look: Look) -> Quantity:
        answer = look.answers[prefix + look.suffix]
        if not isinstance(answer, Histogram):
            return missing(answer, leaf)
        found = histogram.quantile(answer.buckets, q)
        if found is None:
            return Missing(leaf.gap, f"`{leaf.name}`: nothing was counted")
        if found.at_least:
            bound = show.seconds(found.value)
            return Bounds(found.value, float("inf"), f"`{name}` is at least {bound}: the histogram's last bound")
        return finite(found.value)

    return read


def too_few(leaves: tuple[Leaf, ...], look: Look) -> Missing | None:
    """Quantiles of two arms say nothing of each other on a handful of requests."""
    for leaf in leaves:
        answer = look.answers[leaf.prefix + look.suffix]
        if isinstance(answer, Histogram) and (seen := histogram.total(answer.buckets)) < ENOUGH_REQUESTS:
            shown = show.count(seen, "request")
            return Missing(Gap.UNSURE, f"`{leaf.name}` has {shown}, and to compare it takes {ENOUGH_REQUESTS}")
    return None


def _binary(operator: Operator, left: Reader, right: Reader) -> Reader:
    return lambda look: combine(operator, left(look), right(look))


# --- words ------------------------------------------------------------------------------------------------------


def label(measure: Measure) -> str:
    """A measure as the policy writes it, without its arm."""
    match measure.part:
        case "value":
            return measure.metric
        case "quantile":
            return f"{measure.metric}.quantile({measure.q:g})"
        case part:
            return f"{measure.metric}.{part}"


def unit_of(program: Program, expr: Expr) -> Unit:
    """The unit to show an expression in: that of its first operand that has one."""
    match expr:
        case Const(unit=unit):
            return unit
        case Measure(metric=metric, part=part):
            parts = {"rate": Unit.RATIO, "total": Unit.COUNT, "bad": Unit.COUNT, "quantile": Unit.SECONDS}
            return parts.get(part) or program.metrics[metric].unit
        case Arith(operands=operands) | Func(args=operands):
            units = [unit_of(program, operand) for operand in operands]
            if isinstance(expr, Arith) and "/" in expr.operators and units[0] == units[1]:
                return Unit.NUMBER
            return next((unit for unit in units if unit is not Unit.NUMBER), Unit.NUMBER)
        case _:
            assert_never(expr)


def text(quantity: Quantity, form: show.Formatter, digits: int = show.DIGITS) -> str:
    """What an expression came to, in words."""
    if isinstance(quantity, float):
        return form(quantity, digits)
    if isinstance(quantity, Bounds):
        return show.interval(quantity.low, quantity.high, form)
    return "error" if quantity.gap is Gap.ERROR else "no data"
