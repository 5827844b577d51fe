"""All that is to be seen of one rollout, for a terminal and for paper alike: where it stands in its policy, who gets
which share, its workloads and pods, what the checks saw, what happened, what comes next, and what can be done now. What
is wrong with its pods stands at them, and in the reason, where the interpreter puts their own words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from dsl.ir import Program
from interpreter import drawing
from interpreter.desired import Instant, Routing
from interpreter.state import Entry
from rollway.cluster import now as possible
from rollway.cluster import treeview
from rollway.cluster.shown import RunShown, Shown
from rollway.cluster.table import NOTHING, age, failed_checks, length, outcome, phase, when
from rollway.cluster.tree import Tree
from rollway.cluster.waiting import coming

MOST_EVENTS = 8
_BEFORE, _AFTER = 3, 6
_ROOM_FOR_WORDS = 30
_WARNINGS = frozenset(
    {
        "CanaryNotReady",
        "CheckFailed",
        "CheckInconclusive",
        "CheckNotMade",
        "HandlerFailed",
        "MessageNotSent",
        "Paused",
        "PromotionFailed",
        "RolledBack",
        "SignalIgnored",
        "SkipRefused",
        "TrafficFoundLower",
        "WaitTimedOut",
    }
)


def page(
    one: Shown,
    program: Program | None,
    now: Instant,
    *,
    prefix: str = "rollway",
    tree: Tree | None = None,
    most_pods: int = treeview.MOST_PODS,
    most_events: int = MOST_EVENTS,
) -> Group:
    """The page; parts that there is nothing to say of are left out. Of the pods of a set, and of what happened, there
    are at most so many."""
    parts: list[RenderableType] = [_where(one, program, now), drawing.weight(Routing(weight=one.weight))]
    if tree is not None:
        parts += _tree(tree, one, now, most_pods)
    if program is not None and one.place is not None:
        parts += [Text(), _steps(program, one.place.pc, over=bool(one.run and one.run.outcome))]
    if one.run is not None:
        parts += [Text(), drawing.checks(one.check)]
    if one.run is not None and one.run.log:
        parts += [Text(), Text(_log(one.run.log[-most_events:]), no_wrap=True, overflow="ellipsis")]
    can = list(possible.lines(one, program, prefix))
    if can:
        parts += [Text(), _Commands(can)]
    return Group(*parts)


def _tree(tree: Tree, one: Shown, now: Instant, most: int) -> Iterator[RenderableType]:
    if tree.workloads:
        yield Text()
        yield treeview.Drawn(tree, one.weight, now, most)
    for note in treeview.notes(tree):
        yield Text(note, style="yellow")


def title(one: Shown) -> str:
    """`checkout in shop: Progressing`."""
    return f"{one.spoken} in {one.namespace}: {phase(one)}"


def paper(shown: RenderableType, width: int) -> str:
    """Any part as plain text, without trailing spaces."""
    console = Console(width=width, color_system=None, force_terminal=False, legacy_windows=False)
    with console.capture() as capture:
        console.print(shown)
    return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def record(run: RunShown) -> Group:
    """All that is kept of one run: how it went, the last check, and the whole log."""
    rows: list[tuple[str, RenderableType]] = [
        ("revision", Text(run.revision or NOTHING)),
        ("outcome", Text(outcome(run))),
        ("started", Text(when(run.started))),
        ("ended", Text(when(run.ended) + _took(run))),
        ("highest weight", Text(f"{run.highest:g}%")),
        ("failed checks", Text(failed_checks(run.failed, run.iterations))),
    ]
    if run.reason:
        rows.append(("because" if run.outcome else "waiting", Text(run.reason)))
    parts: list[RenderableType] = [drawing.pairs(rows)]
    if run.check is not None:
        parts += [Text(), Text(f"last check, {when(run.check.at_ms)}", style="dim")]
        parts.append(drawing.checks(run.check))
    parts += [Text(), _entries(run.log) if run.log else Text("nothing is in its log", style="dim")]
    return Group(*parts)


def _where(one: Shown, program: Program | None, now: Instant) -> Table:
    rows: list[tuple[str, RenderableType]] = [
        ("revision", Text(f"{one.revision or NOTHING}   primary {one.primary or NOTHING}"))
    ]
    if one.place is not None:
        since = f"   for {age(one.place.since, now)}" if one.place.since is not None else ""
        at = drawing.step(program, one.place.pc) if program is not None else Text(one.place.text)
        rows.append(("step", Text.assemble(at, since)))
    if one.run is not None:
        rows.append(("failed checks", Text(failed_checks(one.failed, one.iterations))))
    if one.problem:
        rows.append(("policy", Text(one.problem, style="red")))
    if one.reason and one.reason not in one.problem:
        rows.append(("because" if one.run and one.run.outcome else "waiting", Text(one.reason)))
    if expected := coming(one, program, now):
        rows.append(("next", Text("; ".join(expected))))
    if one.asked:
        rows.append(("asked for", Text(", ".join(one.asked))))
    return drawing.pairs(rows)


def _steps(program: Program, at: int, *, over: bool) -> Table:
    """The statements of the policy around the one that it is at."""
    statements = list(_statements(program))
    here = max((number for number, (pc, _) in enumerate(statements) if pc <= at), default=-1)
    begin, end = max(0, here - _BEFORE), here + _AFTER + 1
    grid = Table.grid(padding=(0, 2))
    if begin:
        grid.add_row("", "", Text(f"… {begin} before", style="dim"))
    for number, (pc, words) in enumerate(statements[begin:end], begin):
        current = number == here and not over
        mark, style = ("▶", "bold") if current else ("✓", "dim") if number < here else (" ", "")
        grid.add_row(
            Text(mark, style="cyan"), Text(str(pc + 1), style="dim", justify="right"), Text(words, style=style)
        )
    if len(statements) > end:
        grid.add_row("", "", Text(f"… {len(statements) - end} more", style="dim"))
    return grid


def _statements(program: Program) -> Iterator[tuple[int, str]]:
    """The first instruction of each statement, and its words; a statement may be several instructions."""
    for pc in range(len(program.code)):
        same = 0 < pc < len(program.spans) and program.spans[pc] == program.spans[pc - 1]
        if not same:
            yield pc, drawing.statement(program, pc)


def _log(entries: Sequence[Entry]) -> str:
    return "".join(drawing.line(event(entry)) for entry in entries).rstrip("\n")


def event(entry: Entry) -> drawing.Event:
    """A line of the record as something that happened."""
    return drawing.Event(entry.at_ms, entry.what, entry.text, entry.what in _WARNINGS)


def _entries(entries: Sequence[Entry]) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    for number in range(4):
        grid.add_column(justify="right" if number in (0, 1) else "left", overflow="fold", no_wrap=number < 3)
    for entry in entries:
        step = str(entry.step + 1) if entry.step >= 0 else NOTHING
        grid.add_row(when(entry.at_ms), step, f"{entry.weight:g}%", entry.what, Text(entry.text))
    return grid


class _Commands:
    """What can be done, as lines to copy; what each does stands beside it, or below where there is no room."""

    def __init__(self, can: Sequence[tuple[str, str]]) -> None:
        self._can = can

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        del console
        if options.max_width >= max(len(command) for command, _ in self._can) + _ROOM_FOR_WORDS:
            grid = Table.grid(padding=(0, 2))
            grid.add_column(style="dim")
            grid.add_column(no_wrap=True)
            grid.add_column(style="dim", overflow="fold")
            for command, what in self._can:
                grid.add_row("$", Text(command), Text(what))
            yield grid
            return
        for command, what in self._can:
            yield Text.assemble((f"# {what}", "dim"))
            yield Text(command, overflow="fold")


def _took(run: RunShown) -> str:
    return f"   after {length(run.ended - run.started)}" if run.ended and run.started else ""
