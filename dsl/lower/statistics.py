"""The statistical checks: `no_regression(requests, confidence: 99%)` and its kin, by one table of their parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from dsl import ir, syntax
from dsl.findings import listed, one_line
from dsl.lower.measures import use_metric
from dsl.lower.quantities import quantity_of
from dsl.meaning.arguments import Placed
from dsl.meaning.evaluate import bare_word, inner_share, out_of_range, resolve_ref, typed, value_of, whole
from dsl.meaning.frames import Frame
from dsl.meaning.values import Type
from dsl.source import Span


class Number(NamedTuple):
    """A parameter that is a number above zero; it may be left out."""

    default: float | None


class Count(NamedTuple):
    """A parameter that is a whole number from `least` to `most`; it may be left out."""

    least: int
    most: int


class Share(NamedTuple):
    """A parameter that is a share between nothing and everything; without a default it must be given."""

    default: float | None


class Word(NamedTuple):
    """A parameter that is one of some words; without a default it must be given."""

    words: tuple[str, ...]
    default: str | None


class Known(NamedTuple):
    """A parameter that is a number from 0 to below 1, or a word for how to find it out; it may be left out."""

    words: tuple[str, ...]
    default: None = None


class Flag(NamedTuple):
    """A parameter that is true or false; it is false if not given."""


Parameter = Number | Count | Share | Word | Known | Flag


class Test(NamedTuple):
    """What one check judges (events, a histogram, or with None any number), whether it compares two arms, and its
    parameters, in order."""

    judges: ir.Unit | None
    compares: bool
    parameters: Mapping[str, Parameter]


_CONFIDENCE = Share(0.99)
_FEWEST_POINTS, _MOST_POINTS = 5, 64
"""On fewer points Kayenta's interval means nothing. The interpreter keeps no more of an arm: a check that waits for
more would wait for ever."""

TABLE: Mapping[ir.StatisticalTest, Test] = {
    "no_regression": Test(
        ir.Unit.EVENTS, True, {"confidence": _CONFIDENCE, "ratio": Number(1.0), "dispersion": Known(("auto",))}
    ),
    "no_slower": Test(ir.Unit.HISTOGRAM, True, {"confidence": _CONFIDENCE}),
    "meets": Test(ir.Unit.EVENTS, False, {"objective": Share(None), "confidence": _CONFIDENCE}),
    "certified": Test(ir.Unit.EVENTS, False, {"objective": Share(None), "confidence": Share(0.95)}),
    "not_worse": Test(None, True, {"better": Word(("lower", "higher"), None), "confidence": _CONFIDENCE}),
    "kayenta": Test(
        None,
        True,
        {
            "direction": Word(("increase", "decrease", "either"), "either"),
            "critical": Flag(),
            "confidence": Share(0.98),
            "tolerance": Share(0.25),
            "nan": Word(("remove", "replace"), "remove"),
            "outliers": Word(("keep", "remove"), "keep"),
            "outlier_factor": Number(3.0),
            "effect": Word(("mean_ratio", "cles"), "mean_ratio"),
            "allowed_increase": Number(None),
            "allowed_decrease": Number(None),
            "critical_increase": Number(None),
            "critical_decrease": Number(None),
            "must_have_data": Flag(),
            "min_points": Count(_FEWEST_POINTS, _MOST_POINTS),
            "muted": Flag(),
        },
    ),
}
_KEPT = frozenset({"confidence", "ratio", "objective", "better", "direction", "critical"})
"""What is in the Program even where it is the default."""

_METRIC = "metric"


class _Settings:
    """The parameters of one check, sorted into numbers and words."""

    def __init__(self) -> None:
        self.params: dict[str, float] = {}
        self.options: dict[str, str] = {}


def statistical(ref: syntax.Ref, test: ir.StatisticalTest, frame: Frame) -> ir.Statistical | None:
    """A statistical check; None, reported, if something in it is wrong."""
    spec = TABLE[test]
    args = ref.segments[0].args or ()
    placed = Placed(f"`{test}`", args, [_METRIC, *spec.parameters], frame.findings, None)
    if placed.fine and _METRIC not in placed.given:
        placed.missing(_METRIC, ref.span)
    settings = _Settings()
    for name, parameter in spec.parameters.items():
        arg = placed.given.get(name)
        if arg is not None:
            _read(arg.value, name, parameter, settings, frame)
        elif isinstance(parameter, Share | Word) and parameter.default is None:
            if placed.fine:
                placed.missing(name, ref.span)
        elif name in _KEPT:
            _default(name, parameter, settings)
    if "muted" in settings.options and not frame.judged:
        _muted(placed.given["muted"].value.span, frame)
        placed.fine = False
    if len(ref.segments) > 1 or ref.arm is not None:
        _tail(ref, test, frame)
        placed.fine = False
    if not placed.fine:
        frame.bench.spoilt = True
        return None
    judged = _judged(placed.given[_METRIC].value, test, frame)
    if judged is None:
        return None
    metric, expr = judged
    against = None
    if spec.compares:
        against = ir.Arm.BASELINE if frame.bench.baseline else ir.Arm.PRIMARY
    return ir.Statistical(test, metric, frame.window, against, settings.params, settings.options, expr)


def _muted(span: Span, frame: Frame) -> None:
    frame.findings.error(
        "RW209",
        "a metric is muted in a judgement, and this check stands alone",
        span,
        help="leave out `muted` and write `observe kayenta(…)`: it is shown, and stops nothing",
    )


def _tail(ref: syntax.Ref, test: str, frame: Frame) -> None:
    frame.findings.error(
        "RW209",
        f"nothing may follow the statistical check `{test}(…)`",
        ref.span,
        help="it compares the canary with the primary (or the baseline) by itself",
    )


# --- what it judges ---------------------------------------------------------------------------------------------


def _judged(expr: syntax.Expr, test: ir.StatisticalTest, frame: Frame) -> tuple[str, ir.Expr | None] | None:
    unit = TABLE[test].judges
    if unit is None:
        return _number(expr, test, frame)
    if not isinstance(expr, syntax.Ref):
        _wrong_kind(expr, test, unit, frame)
        return None
    resolved = resolve_ref(expr, frame)
    if resolved.declared is None or resolved.parts or expr.arm is not None:
        if resolved.value is not None or resolved.function or resolved.parts or expr.arm is not None:
            _wrong_kind(expr, test, unit, frame)
        return None
    use = use_metric(expr, resolved.declared, resolved, frame)
    if use is None:
        return None
    if use.unit is not unit:
        _wrong_kind(expr, test, unit, frame)
        return None
    return use.key, None


_SUCH_AS = {
    ir.Unit.EVENTS: "a metric that `returns events`, such as `requests`",
    ir.Unit.HISTOGRAM: "a metric that `returns histogram`, such as `duration`",
}


def _wrong_kind(expr: syntax.Expr, test: str, unit: ir.Unit, frame: Frame) -> None:
    frame.findings.error(
        "RW207",
        f"`{test}` cannot judge `{one_line(expr.span.text)}`",
        expr.span,
        help=f"it judges {_SUCH_AS[unit]}, as a whole",
    )
    frame.bench.spoilt = True


def _number(expr: syntax.Expr, test: str, frame: Frame) -> tuple[str, ir.Expr | None] | None:
    arm = next(_arms(expr), None)
    if arm is not None:
        frame.findings.error(
            "RW209",
            f"`{test}` chooses whom to ask by itself",
            arm.span,
            help="leave out `of …`: it compares the canary with the primary, or with the baseline if there is one",
        )
        frame.bench.spoilt = True
        return None
    found = quantity_of(expr, frame)
    if not found.known:
        return None
    metric = next(measured(found.expr), None)
    if metric is None:
        frame.findings.error("RW207", f"`{test}` needs a metric to judge", expr.span, help="name a metric")
        frame.bench.spoilt = True
        return None
    return metric, found.expr


def _arms(expr: syntax.Expr) -> Iterator[syntax.Name]:
    """Whom an expression asks about by name."""
    match expr:
        case syntax.Ref():
            if expr.arm is not None:
                yield expr.arm
            for segment in expr.segments:
                for arg in segment.args or ():
                    yield from _arms(arg.value)
        case syntax.Chain():
            for operand in expr.operands:
                yield from _arms(operand)
        case syntax.Negate():
            yield from _arms(expr.operand)
        case _:
            return


def measured(expr: ir.Expr) -> Iterator[str]:
    """The metrics that an expression asks, in order."""
    match expr:
        case ir.Measure():
            yield expr.metric
        case ir.Arith():
            for operand in expr.operands:
                yield from measured(operand)
        case ir.Func():
            for arg in expr.args:
                yield from measured(arg)
        case _:
            return


# --- its parameters ---------------------------------------------------------------------------------------------


def _default(name: str, parameter: Parameter, settings: _Settings) -> None:
    match parameter:
        case Number(default=default) | Share(default=default):
            settings.params[name] = default or 0.0
        case Count():
            pass
        case Word(default=word):
            settings.options[name] = word or ""
        case Flag():
            settings.options[name] = "false"


def _read(expr: syntax.Expr, name: str, parameter: Parameter, settings: _Settings, frame: Frame) -> None:
    what = f"`{name}`"
    match parameter:
        case Share():
            share = inner_share(expr, frame, what)
            if share is not None and (share != parameter.default or name in _KEPT):
                settings.params[name] = share
        case Number():
            value = typed(expr, Type.NUMBER, frame, what)
            if value is not None and not value.data > 0:
                out_of_range(value, expr.span, frame, what=what, bounds="a number above 0")
            elif value is not None and (value.data != parameter.default or name in _KEPT):
                settings.params[name] = value.data
        case Count():
            number = whole(expr, frame, what, low=parameter.least, high=parameter.most)
            if number is not None:
                settings.params[name] = float(number)
        case Known():
            _read_known(expr, name, parameter, settings, frame)
        case Flag():
            value = typed(expr, Type.BOOL, frame, what)
            if value is not None and (value.data or name in _KEPT):
                settings.options[name] = "true" if value.data else "false"
        case Word():
            word = _word(expr, what, parameter, frame)
            if word is not None and (word != parameter.default or name in _KEPT):
                settings.options[name] = word


def _read_known(expr: syntax.Expr, name: str, parameter: Known, settings: _Settings, frame: Frame) -> None:
    word = bare_word(expr)
    if word in parameter.words and word not in frame.bindings:
        settings.options[name] = word
        return
    bounds = f"a number from 0 to below 1, or {listed(parameter.words, 'or')}"
    if word is not None and word not in frame.bindings:
        frame.findings.unknown(
            "RW213", f"`{word}` is no value for `{name}`", word, expr.span, parameter.words, other=f"it is {bounds}"
        )
        frame.bench.spoilt = True
        return
    value = typed(expr, Type.NUMBER, frame, f"`{name}`")
    if value is not None and not 0 <= value.data < 1:
        out_of_range(value, expr.span, frame, what=f"`{name}`", bounds=bounds)
    elif value is not None:
        settings.params[name] = value.data


def _word(expr: syntax.Expr, what: str, parameter: Word, frame: Frame) -> str | None:
    word = bare_word(expr)
    if word is None or word in frame.bindings:
        value = value_of(expr, frame)
        word = value.data if value.type in (Type.TEXT, Type.WORD) else None
        if word is None and not value.known:
            return None
    if word in parameter.words:
        return word
    frame.findings.unknown(
        "RW213",
        f"`{one_line(expr.span.text)}` is no value for {what}",
        word or "",
        expr.span,
        parameter.words,
        other=f"it is {listed(parameter.words, 'or')}",
    )
    frame.bench.spoilt = True
    return None
