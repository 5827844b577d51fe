"""Analyses: what is included is laid flat, settings are settled, and each check becomes a condition.

What an analysis sets itself wins over what it includes. Of two included analyses that set the same thing differently
neither wins: the analysis has to say it. A query without a window of its own has the window `every`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from dsl import ir, syntax
from dsl.diagnostics import Label
from dsl.findings import listed, one_line
from dsl.lower.blocks import use_gate, use_webhook
from dsl.lower.conditions import check_condition, is_statistical
from dsl.lower.judgements import judgement_of
from dsl.meaning.arguments import bind, default_of
from dsl.meaning.evaluate import duration, inner_share, whole
from dsl.meaning.fields import twice
from dsl.meaning.frames import Bench, Frame
from dsl.meaning.local import entered, with_let
from dsl.meaning.scope import Declared, Space
from dsl.meaning.show import condition_text
from dsl.meaning.values import Value, value_text
from dsl.source import Span

EVERY_MS = 60_000
_MOST_CHECKS = 200
_SETTINGS = ("every", "tolerate", "warm_up", "provider_errors", "budget")

Checking = syntax.Check | syntax.Judgement | syntax.AbortGate | syntax.CallHook
Made = ir.Check | ir.CallCheck | ir.GateCheck


class _Set(NamedTuple):
    """A setting, where to read it, and how deep it was included."""

    item: syntax.Setting | syntax.Tolerate
    frame: Frame
    depth: int

    @property
    def name(self) -> str:
        return self.item.name.text if isinstance(self.item, syntax.Setting) else "tolerate"


class _Flat:
    """An analysis with its includes laid flat."""

    def __init__(self) -> None:
        self.settings: dict[str, list[_Set]] = {}
        self.checks: list[tuple[Checking, Frame]] = []
        self.included = 0
        self.full = False

    def room(self, span: Span, frame: Frame) -> bool:
        """Whether one more check may come, or one more included analysis."""
        if len(self.checks) < _MOST_CHECKS and self.included < _MOST_CHECKS:
            return True
        if not self.full:
            frame.findings.error(
                "RW308",
                f"an analysis comes to more than {_MOST_CHECKS} checks here",
                frame.place or span,
                help="include less, or include it once",
            )
        self.full = frame.bench.spoilt = True
        return False


# --- uses -------------------------------------------------------------------------------------------------------


def use_analysis(use: syntax.Use, frame: Frame, local: Mapping[str, str] | None = None) -> str | None:
    """The name in the Program of an analysis that is used. `local` has those that stand in the rollout itself."""
    if local and len(use.path) == 1 and use.path[0].text in local and not use.args:
        return local[use.path[0].text]
    declared = frame.find(Space.ANALYSIS, use.path)
    if declared is None:
        return None
    node = declared.of(syntax.Analysis)
    bound = bind(declared, node.params, use.args, frame, use.span)
    if bound is None:
        return None
    key = frame.bench.key(Space.ANALYSIS, declared, declared.name + _differing(declared, bound, frame))
    if key not in frame.bench.analyses:
        inner = frame.enter(declared, use.span, bound)
        if inner is None:
            return None
        frame.bench.analyses[key] = analysis_of(node, inner)
    return key


def own_analysis(node: syntax.Analysis, frame: Frame) -> str:
    """The name in the Program of an analysis that stands in a rollout."""
    bench = frame.bench
    name = node.name.text if node.name is not None else "analysis"
    declared = Declared(node, frame.module)
    key = bench.key(Space.ANALYSIS, declared, name)
    bench.analyses[key] = analysis_of(node, frame)
    return key


def _differing(declared: Declared, bound: Mapping[str, Value], frame: Frame) -> str:
    """The arguments that are not the defaults, as they could be written: `(target: 99.9%)`."""
    shown = []
    for param in declared.of(syntax.Analysis).params:
        value, default = bound[param.name.text], default_of(param, declared, frame)
        if default is None or value_text(value) != value_text(default):
            shown.append(f"{param.name.text}: {value_text(value)}")
    return f"({', '.join(shown)})" if shown else ""


# --- one analysis -----------------------------------------------------------------------------------------------


def analysis_of(node: syntax.Analysis, frame: Frame) -> ir.Analysis:
    """An analysis as the Program has it."""
    flat = _Flat()
    _flatten(node, frame, flat, 0)
    chosen = {name: _choose(name, sets, node) for name, sets in flat.settings.items()}
    every = _time(chosen.get("every"), EVERY_MS)
    checks: list[Made] = []
    for item, inside in flat.checks:
        made = _check(item, inside._replace(window=every))
        if made is not None and made not in checks:
            checks.append(made)
    return ir.Analysis(
        every_ms=every,
        checks=tuple(checks),
        tolerate=_tolerance(chosen.get("tolerate")),
        warm_up_ms=_time(chosen.get("warm_up"), 0, zero=True),
        provider_errors=_count(chosen.get("provider_errors"), 3),
        budget=_budget(chosen.get("budget")),
    )


def _flatten(node: syntax.Analysis, frame: Frame, flat: _Flat, depth: int) -> None:
    own: dict[str, syntax.Setting | syntax.Tolerate] = {}
    frame = entered(node.items, frame)
    for item in node.items:
        match item:
            case syntax.Let():
                frame = with_let(item, frame)
            case syntax.Setting() | syntax.Tolerate():
                _setting(_Set(item, frame, depth), own, flat)
            case syntax.Include():
                _include(item, frame, flat, depth)
            case _:
                if flat.room(item.span, frame):
                    flat.checks.append((item, frame))


def _setting(found: _Set, own: dict[str, syntax.Setting | syntax.Tolerate], flat: _Flat) -> None:
    if isinstance(found.item, syntax.Setting) and found.name not in _SETTINGS:
        name = found.item.name
        message = f"an analysis has no setting `{name.text}`"
        other = f"its settings are {listed(_SETTINGS)}"
        found.frame.findings.unknown("RW210", message, name.text, name.span, _SETTINGS, other=other)
        found.frame.bench.spoilt = True
        return
    before = own.setdefault(found.name, found.item)
    if before is not found.item:
        twice(found.item.span, before.span, found.name, found.frame)
        return
    flat.settings.setdefault(found.name, []).append(found)


def _include(item: syntax.Include, frame: Frame, flat: _Flat, depth: int) -> None:
    declared = frame.find(Space.ANALYSIS, item.analysis.path)
    if declared is None:
        return
    node = declared.of(syntax.Analysis)
    bound = bind(declared, node.params, item.analysis.args, frame, item.analysis.span)
    inner = frame.enter(declared, item.analysis.span, bound) if bound is not None else None
    flat.included += 1
    if inner is not None and flat.room(item.span, frame):
        _flatten(node, inner, flat, depth + 1)


def _choose(name: str, sets: list[_Set], node: syntax.Analysis) -> _Set:
    """The setting that holds: the least deeply included one, if all of that depth say the same."""
    depth = min(found.depth for found in sets)
    first, *others = [found for found in sets if found.depth == depth]
    for other in others:
        if _worth(other) != _worth(first):
            first.frame.findings.error(
                "RW307",
                f"two included analyses set `{name}` differently",
                other.frame.within[-depth].span,
                note=one_line(other.item.span.text),
                labels=[Label(first.frame.within[-depth].span, one_line(first.item.span.text))],
                help=f"set `{name}` in the analysis `{node.name.text}` itself" if node.name else f"set `{name}` here",
            )
            first.frame.bench.spoilt = True
            break
    return first


def _worth(found: _Set) -> object:
    """What a setting comes to, so that two of them can be compared."""
    match found.name:
        case "tolerate":
            return _tolerance(found)
        case "budget":
            return _budget(found)
        case "provider_errors":
            return _count(found, 3)
        case _:
            return _time(found, 0, zero=True)


def _time(found: _Set | None, default: int, *, zero: bool = False) -> int:
    if found is None or not isinstance(found.item, syntax.Setting):
        return default
    ms = duration(found.item.value, found.frame, f"`{found.name}`", zero=zero)
    return ms if ms is not None else default


def _count(found: _Set | None, default: int) -> int:
    if found is None or not isinstance(found.item, syntax.Setting):
        return default
    number = whole(found.item.value, found.frame, f"`{found.name}`", low=1, high=1000)
    return number if number is not None else default


def _budget(found: _Set | None) -> float:
    if found is None or not isinstance(found.item, syntax.Setting):
        return 0.01
    return inner_share(found.item.value, found.frame, "`budget`") or 0.01


def _tolerance(found: _Set | None) -> ir.Tolerance:
    if found is None or not isinstance(found.item, syntax.Tolerate):
        return ir.Tolerance(1)
    item, frame = found.item, found.frame
    least = 1 if item.consecutive or item.window is not None else 0
    count = whole(item.failures, frame, "the number of tolerated failures", low=least, high=100_000)
    if item.window is not None:
        low = max(count or 1, 1)
        window = whole(item.window, frame, "the number of checks to look back on", low=low, high=100_000)
        return ir.Tolerance(count or 1, "window", window or 1)
    return ir.Tolerance(count if count is not None else 1, "consecutive" if item.consecutive else "total")


# --- checks -----------------------------------------------------------------------------------------------------


def _check(item: Checking, frame: Frame) -> Made | None:
    match item:
        case syntax.CallHook():
            return ir.CallCheck(use_webhook(item.webhook, frame))
        case syntax.AbortGate():
            return ir.GateCheck(use_gate(item.gate, frame))
        case syntax.Check():
            return _condition(item, frame)
        case syntax.Judgement(observe=observe):
            judgement = judgement_of(item, frame)
            if judgement is None:
                return None
            return ir.Check("require" if observe is None else "observe", judgement, condition_text(judgement))


def _condition(item: syntax.Check, frame: Frame) -> ir.Check | None:
    kind: Any = item.kind.text
    statistical, negated = is_statistical(item.condition, frame)
    if statistical and negated != (kind == "abort"):
        _wrong_way(item, kind, frame)
        return None
    found = check_condition(item.condition, frame)
    if isinstance(found, bool):
        frame.findings.error(
            "RW206",
            f"`{one_line(item.condition.span.text)}` is always {'true' if found else 'false'}",
            item.condition.span,
            help="a check asks a metric, as in `success_rate >= 99%`",
        )
        frame.bench.spoilt = True
        return None
    if found is None:
        return None
    return ir.Check(kind, found, condition_text(found, frame.bench.overs))


def _wrong_way(item: syntax.Check, kind: str, frame: Frame) -> None:
    if kind == "abort":
        message, help_ = "this would abort when all is well", "write `abort if not …`"
    else:
        message, help_ = f"this would {kind} that something is wrong", "leave out `not`"
    frame.findings.error("RW209", message, item.condition.span, help=help_)
    frame.bench.spoilt = True


def every_of(bench: Bench, analysis: str | None) -> int:
    """How often an analysis looks; a minute where there is none."""
    found = bench.analyses.get(analysis) if analysis is not None else None
    return found.every_ms if found is not None else EVERY_MS
