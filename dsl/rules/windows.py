"""Windows of time against the steps they judge: a query must not look back to before the step, and a call must be
over before the next check."""

from __future__ import annotations

from collections.abc import Iterator

from dsl import ir, syntax
from dsl.compilation import CompiledRollout
from dsl.diagnostics import Diagnostic, Label
from dsl.flow import least_ms, reachable, successors
from dsl.rules.constants import duration_text, field, milliseconds, number
from dsl.rules.context import Context
from dsl.rules.severities import finding
from dsl.source import Span

_DEFAULT_EVERY_MS = 60_000
_DEFAULT_TIMEOUT_MS = 10_000


def check(context: Context) -> Iterator[Diagnostic]:
    for compiled, program in context.rollouts:
        yield from _holds(context, compiled, program)
    for analysis in context.every(syntax.Analysis):
        yield from _calls(context, analysis)
    for window in context.every(syntax.Window):
        yield from _whole_day(window)


def _holds(context: Context, compiled: CompiledRollout, program: ir.Program) -> Iterator[Diagnostic]:
    said: set[Span] = set()
    longest = {
        name: max((window for check in analysis.checks for window in _windows(check)), default=0)
        for name, analysis in program.analyses.items()
    }
    for index, since in _since_route(program).items():
        hold = program.code[index]
        if not isinstance(hold, ir.HoldOp) or hold.analysis is None or since is None:
            continue
        analysis = program.analyses[hold.analysis]
        place = context.place(compiled, index)
        if place in said:
            continue
        takes = least_ms(program, index, since)
        window = longest[hold.analysis]
        if window > since + takes:
            said.add(place)
            yield _too_long(context, place, window, since + takes)
        elif hold.duration_ms is not None and takes > hold.duration_ms:
            said.add(place)
            yield _warm_up(place, hold.duration_ms, takes, analysis.warm_up_ms)


def _since_route(program: ir.Program) -> dict[int, int | None]:
    """For each instruction, how long before it the traffic was changed last, at the least; None if it never was."""
    since: dict[int, int | None] = {}
    seen = reachable(program)
    if 0 in seen:
        since[0] = None
    for index in sorted(seen):
        here = since.get(index)
        behind: int | None = 0
        if not isinstance(program.code[index], ir.RouteOp):
            behind = None if here is None else here + least_ms(program, index, here)
        for following in successors(program, index):
            known = since.get(following)
            times = [time for time in (known, behind) if time is not None]
            since[following] = min(times) if times else None
    return since


def _windows(check: ir.Check | ir.CallCheck | ir.GateCheck) -> Iterator[int]:
    """The windows of the canary's measures in a check."""
    if isinstance(check, ir.Check):
        yield from (node.window_ms for node in ir.walk(check.condition) if isinstance(node, ir.Measure))


def _too_long(context: Context, place: Span, window: int, step: int) -> Diagnostic:
    labels = [
        Label(over.window.span, "this far back")
        for over in context.every(syntax.Over)
        if milliseconds(context, over.window) == window
    ]
    return finding(
        "RW335",
        f"a check looks back {duration_text(window)}, and this step is {duration_text(step)} long",
        place,
        note="the check also sees what was before the step",
        labels=labels[:1],
        help=f"hold for {duration_text(window)} at least, or shorten the check's window",
    )


def _warm_up(place: Span, wanted: int, takes: int, warm_up: int) -> Diagnostic:
    return finding(
        "RW344",
        f"this takes {duration_text(takes)}, not {duration_text(wanted)}: no check counts before the warm-up is over",
        place,
        help=f"hold for longer than the warm-up of {duration_text(warm_up)}",
    )


def _calls(context: Context, analysis: syntax.Analysis) -> Iterator[Diagnostic]:
    settings = {item.name.text: item for item in analysis.items if isinstance(item, syntax.Setting)}
    written = settings.get("every")
    every = milliseconds(context, written.value) if written else _DEFAULT_EVERY_MS
    if every is None:
        return
    for item in analysis.items:
        match item:
            case syntax.CallHook():
                yield from _slow(context, item.webhook, context.used(syntax.Webhook, item.webhook), every)
            case syntax.AbortGate():
                yield from _slow(context, item.gate, context.used(syntax.Gate, item.gate), every)
            case _:
                pass


def _slow(
    context: Context, use: syntax.Use, node: syntax.Webhook | syntax.Gate | None, every: int
) -> Iterator[Diagnostic]:
    if node is None:
        return
    timeout, retries = field(node.fields, "timeout"), field(node.fields, "retries")
    once = milliseconds(context, timeout.value) if timeout else _DEFAULT_TIMEOUT_MS
    again = number(context, retries.value) if retries else 0.0
    if once is None or again is None or once * (1 + again) <= every:
        return
    total = duration_text(once * (1 + again))
    tries = f" with its {again:g} retries" if again else ""
    yield finding(
        "RW336",
        f"a call may take {total}{tries}, and a check comes every {duration_text(every)}",
        use.span,
        labels=[Label(timeout.span, "the time that one try may take")] if timeout else [],
        help=f"shorten `timeout`, or check every {total}",
    )


def _whole_day(window: syntax.Window) -> Iterator[Diagnostic]:
    for item in window.items:
        if isinstance(item, syntax.Hours) and item.start.minutes == item.stop.minutes:
            yield finding(
                "RW357",
                "these hours end when they begin: the window is open all day",
                item.span,
                help="leave `hours` out to say so, or write another end",
            )
