"""Expressions and conditions over answers.

An analysis is judged thousands of times and changes never, so that its conditions are compiled once, into closures that
look up their answers by the beginning of a question's key (all but the moment). Compiling also finds the leaves: a
derived metric is resolved down to what providers are asked. Within a derived metric, the arm and the window are those
that the check asks it for; `of primary` within it stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, assert_never

from dsl.ir import (
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
    Judgement,
    Measure,
    NotOf,
    Program,
    Statistical,
    Unit,
)
from interpreter.analysis import show
from interpreter.analysis.leaves import Leaf, label, leaf_of, leaf_reader, named, too_few
from interpreter.analysis.readings import (
    NUMBERS,
    PLAIN,
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
from interpreter.analysis.scoring import Card, card_of

Decide = Callable[[Look], Truth]
Explain = Callable[[Look, bool], str]
Compiled = tuple[Decide, Explain]

COMPARING = ("no_regression", "no_slower", "not_worse", "kayenta")
"""The statistical tests that are about two arms; the other one is the primary unless the check says otherwise."""


class Shown(NamedTuple):
    """A measure as a check shows it."""

    name: str
    read: Reader
    form: show.Formatter


class Compared(NamedTuple):
    """A comparison as it is followed over time: a value, and what it is compared with. `fixed` is that where it is the
    same at each check, whose `threshold` is then None."""

    name: str
    cmp: Cmp
    unit: Unit
    fixed: float | None
    value: Reader
    threshold: Reader | None


class Clause(NamedTuple):
    """A condition, compiled. `explain(look, truth)` says in words why it is true, or false. `card` is the judgement, if
    it is one, and `tests` are then the metrics of that. `compared` are its comparisons."""

    decide: Decide
    explain: Explain
    leaves: tuple[Leaf, ...]
    shown: tuple[Shown, ...]
    tests: Mapping[str, Statistical]
    card: Card | None = None
    compared: tuple[Compared, ...] = ()

    @property
    def rulings(self) -> tuple[str, ...]:
        """The keys of the rulings that it is shown with: those of its tests, or that of the judgement they are in."""
        return tuple(self.tests) if self.card is None else (self.card.key,)


class Scope(NamedTuple):
    """Whom and when a derived metric is asked about."""

    arm: Arm | None = None
    window_ms: int | None = None


AS_WRITTEN = Scope()


def arms_of(test: Statistical) -> tuple[Arm, ...]:
    """The canary, and the arm that it is compared with."""
    return (Arm.CANARY, test.against or Arm.PRIMARY) if test.test in COMPARING else (Arm.CANARY,)


def evidence_key(test: Statistical) -> str:
    """The name of a statistical check's evidence: the same check has the same, in every analysis of the rollout."""
    params = ",".join(f"{name}={value:g}" for name, value in sorted(test.params.items()))
    words = ",".join(f"{name}={value}" for name, value in sorted(test.options.items()))
    about = ":".join(part for part in (test.against and test.against.value, params, words) if part)
    return f"{test.test}:{test.metric}:{test.window_ms}:{about}"


class Compiler:
    """Compiles the conditions of one Program and gathers the leaves they need, in the order of their first use."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._leaves: dict[Leaf, None] = {}
        self._shown: dict[str, Shown] = {}
        self._compared: list[Compared] = []
        self._tests: dict[str, Statistical] = {}
        self._card: Card | None = None

    # --- conditions

    def clause(self, condition: Condition) -> Clause:
        """One whole condition."""
        self._leaves, self._shown, self._compared, self._tests, self._card = {}, {}, [], {}, None
        decide, explain = self._condition(condition)
        leaves, shown, compared = tuple(self._leaves), tuple(self._shown.values()), tuple(self._compared)
        return Clause(decide, explain, leaves, shown, self._tests, self._card, compared)

    def _condition(self, condition: Condition) -> Compiled:
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
            case Judgement():
                return self._judgement(condition)
            case _:
                assert_never(condition)

    def _group(
        self,
        parts: Sequence[Compiled],
        join: Callable[..., Truth],
        settles: bool,
    ) -> Compiled:
        """`settles` is the truth that one part alone gives to the whole."""

        def decide(look: Look) -> Truth:
            return join(*[part(look) for part, _ in parts])

        def explain(look: Look, truth: bool) -> str:
            told = [(part, words) for part, words in parts if truth is not settles or part(look) is settles]
            return "; ".join(words(look, truth) for _, words in told)

        return decide, explain

    def _statistical(self, test: Statistical) -> Compiled:
        key = evidence_key(test)
        self._tests[key] = test
        for leaf in self.test_leaves(test):
            self._leaves[leaf] = None
        return lambda look: look.rulings[key], lambda look, _truth: look.words[key]

    def _judgement(self, judgement: Judgement) -> Compiled:
        tests = [test for group in judgement.groups for test in group.tests]
        for test in tests:
            self._statistical(test)
        card = self._card = card_of(judgement, {id(test): evidence_key(test) for test in tests})
        return lambda look: look.rulings[card.key], lambda look, _truth: look.words[card.key]

    def _compare(self, cmp: Cmp, left: Expr, right: Expr) -> Compiled:
        read_left, read_right = self.reader(left), self.reader(right)
        for side in (left, right):
            self._show(side)
        unit = unit_of(self._program, Func("min", (left, right)))
        self._compared.append(compared(cmp, (left, read_left), (right, read_right), unit))
        guards = self._quantiles_between_arms(left, right)

        holds = NUMBERS[cmp]

        def decide(look: Look) -> Truth:
            one, other = read_left(look), read_right(look)
            if type(one) is float and type(other) is float:
                truth: Truth = holds(one, other)
            else:
                truth = compare(cmp, one, other)
            if guards and not isinstance(truth, Missing):
                return too_few(guards, look) or truth
            return truth

        form = show.formatter(unit)

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
        if test.expr is None:
            return tuple(self.leaf(test.metric, arm, test.window_ms) for arm in arms_of(test))
        return tuple(leaf for arm in arms_of(test) for leaf in self.leaves_of(test.expr, scope=Scope(arm, None)))

    def test_readers(self, test: Statistical) -> tuple[Reader, ...]:
        """The numbers that it compares, if it compares numbers."""
        if test.expr is None:
            return ()
        return tuple(self.reader(test.expr, Scope(arm, None)) for arm in arms_of(test))

    def leaf(self, metric: str, arm: Arm, window_ms: int) -> Leaf:
        """A metric that providers are asked for."""
        found = self._program.metrics[metric]
        if isinstance(found.expr, Measure):
            return self.leaf(found.expr.metric, arm, window_ms)
        return leaf_of(metric, found, arm, window_ms)

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
            read = leaf_reader(leaf, measure)
        return _remembered(_memory_key(measure), read) if scope is AS_WRITTEN else read


def _binary(operator: Operator, left: Reader, right: Reader) -> Reader:
    calculate = PLAIN[operator]
    divides = operator == "/"

    def read(look: Look) -> Quantity:
        one, other = left(look), right(look)
        if type(one) is float and type(other) is float and not divides:
            return finite(calculate(one, other))
        return combine(operator, one, other)

    return read


def _memory_key(measure: Measure) -> str:
    return f"{measure.window_ms}:{named(label(measure), measure.arm)}"


def _remembered(key: str, read: Reader) -> Reader:
    def recall(look: Look) -> Quantity:
        found = look.seen.get(key)
        if found is None:
            found = look.seen[key] = read(look)
        return found

    return recall


_TURNED: Mapping[Cmp, Cmp] = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


def compared(cmp: Cmp, left: tuple[Expr, Reader], right: tuple[Expr, Reader], unit: Unit) -> Compared:
    """A comparison with what is measured on its left, and what bounds it on its right."""
    if isinstance(left[0], Const) and not isinstance(right[0], Const):
        left, right, cmp = right, left, _TURNED[cmp]
    bound, read = right
    fixed = float(bound.value) if isinstance(bound, Const) else None
    return Compared(words_of(left[0]), cmp, unit, fixed, left[1], None if fixed is not None else read)


# --- words ------------------------------------------------------------------------------------------------------


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


def words_of(expr: Expr) -> str:
    """An expression as the name of a value: the measures in it, with what is done to them."""
    match expr:
        case Const(value=value, unit=unit):
            return show.quantity(value, unit)
        case Measure():
            return named(label(expr), expr.arm)
        case Arith(operands, operators):
            rest = (f" {sign} {words_of(each)}" for sign, each in zip(operators, operands[1:], strict=True))
            return words_of(operands[0]) + "".join(rest)
        case Func(name, args):
            inner = ", ".join(words_of(arg) for arg in args)
            return f"-{inner}" if name == "neg" else f"{name}({inner})"
        case _:
            assert_never(expr)


def text(quantity: Quantity, form: show.Formatter, digits: int = show.DIGITS) -> str:
    """What an expression came to, in words."""
    if isinstance(quantity, float):
        return form(quantity, digits)
    if isinstance(quantity, Bounds):
        return show.interval(quantity.low, quantity.high, form)
    return "error" if quantity.gap is Gap.ERROR else "no data"
