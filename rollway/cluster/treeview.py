"""The tree of a rollout as a table: workloads, under them their sets, under them their pods.

A pod that is not ready comes first, and says why below; of those that are alike in that, one says it. Of many pods only
some are shown, and what the rest are is counted. On a narrow terminal names are cut off, figures are not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from interpreter.desired import Instant
from rollway.cluster.pods import Pod
from rollway.cluster.table import NOTHING, age
from rollway.cluster.tree import PodSet, Tree, Workload

MOST_PODS = 6
"""So many pods of a set are shown, if nothing else is said."""

_HEAD = ("WORKLOADS", "STATUS", "READY", "RESTARTS", "AGE")


_WIDEST_STATUS = 28
_NARROWEST = 16
_NARROW = 60
"""On fewer columns restarts and ages make room for names."""


class _Row(NamedTuple):
    """A line. `lead` is the branch that it hangs on; `style` that of its name and status. `short` is the name where
    there is little room: what tells it from its neighbours."""

    lead: str
    name: str
    status: str = ""
    ready: str = ""
    restarts: str = ""
    age: str = ""
    style: str = ""
    short: str = ""

    @property
    def is_figures(self) -> bool:
        """Whether there is anything but words."""
        return bool(self.status or self.ready)


_ALL = (3, 4, 5)
"""The places of the figures in a line."""


class Drawn:
    """The tree, drawn as wide as there is room. `weight` is the canary's share of the traffic, in percent; of a set at
    most `most` pods are shown."""

    def __init__(self, tree: Tree, weight: float, now: Instant, most: int = MOST_PODS) -> None:
        self._rows = [row for one in tree.workloads for row in _workload(one, weight, now, most)]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        del console
        head = _Row("", *_HEAD, style="dim")
        rows = [head, *self._rows]
        shown = _ALL if options.max_width >= _NARROW else _ALL[:1]
        figures = [max(cell_len(row[place]) for row in rows) for place in shown]
        status = min(max(cell_len(row.status) for row in rows), _WIDEST_STATUS, options.max_width // 4)
        room = max(_NARROWEST, options.max_width - sum(figures) - status - 2 * (len(figures) + 1))
        longest = max(cell_len(row.lead + row.name) for row in rows if row.is_figures)
        names = _Columns(min(room, longest), status, figures)
        told: list[RenderableType] = []
        grid = names.grid()
        for row in rows:
            name = row.name if cell_len(row.lead + row.name) <= names.name else row.short or row.name
            whole = Text.assemble((row.lead, "dim"), (name, row.style), no_wrap=True, overflow="ellipsis")
            if row.is_figures:
                cells = [Text(row[place], "dim" if row is head or place == _ALL[-1] else "") for place in shown]
                grid.add_row(whole, Text(row.status, row.style), *cells)
            else:  # words, which may have the room of the figures
                told += [grid, whole]
                grid = names.grid()
        yield Group(*told, grid)


class _Columns(NamedTuple):
    """The widths of the columns."""

    name: int
    status: int
    figures: Sequence[int]

    def grid(self) -> Table:
        """A table with these columns, and nothing in it yet."""
        made = Table.grid(padding=(0, 2))
        for width in (self.name, self.status):
            made.add_column(no_wrap=True, overflow="ellipsis", width=width)
        for width in self.figures:
            made.add_column(no_wrap=True, justify="right", width=width)
        return made


def notes(tree: Tree) -> list[str]:
    """What the tree lacks."""
    return [f"not shown: {note}" for note in tree.notes]


def _workload(one: Workload, weight: float, now: Instant, most: int) -> Iterator[_Row]:
    share = {"canary": f"{weight:g}%", "primary": f"{100 - weight:g}%"}.get(one.role, "")
    is_idle = one.wanted == 0 and not one.pods
    status = " ".join(filter(None, ("idle" if is_idle else share, _version(one))))
    ready = "" if one.wanted is None else f"{one.ready or 0}/{one.wanted}"
    style = "dim" if is_idle else "bold"
    name = f"{one.role}  {one.kind.lower()}/{one.name}"
    yield _Row("", name, status, ready, "", age(one.created, now), style, f"{one.role}  {one.name}")
    shown = [each for each in one.sets if each.pods or each.wanted]
    for place, each in enumerate(shown):
        yield from _set(each, now, most, last=place == len(shown) - 1)


def _version(one: Workload) -> str:
    """The image, without the registry that all of them have; the revision where there is none."""
    image = one.images[0].rpartition("/")[2] if one.images else ""
    return image or one.revision


def _set(one: PodSet, now: Instant, most: int, *, last: bool) -> Iterator[_Row]:
    lead, stem = ("└─ ", "   ") if last else ("├─ ", "│  ")
    wanted = one.wanted if one.wanted is not None else len(one.pods)
    status = "primary" if one.is_primary else "" if one.newest else "on its way out"
    yield _Row(lead, one.name or "pods", status, f"{one.ready}/{wanted}", "", age(one.created, now))
    pods = one.pods if len(one.pods) <= most + 1 else one.pods[:most]
    rest = one.pods[len(pods) :]
    said: set[str] = set()
    for place, pod in enumerate(pods):
        is_last = place == len(pods) - 1 and not rest
        yield _pod(pod, stem + ("└─ " if is_last else "├─ "), one.name, now)
        if pod.problem and pod.problem not in said:
            said.add(pod.problem)
            yield _Row(stem + ("   " if is_last else "│  "), f"  {pod.problem}", style="yellow")
    if rest:
        yield _Row(f"{stem}└─ ", f"and {len(rest)} more: {_counted(rest)}", style="dim")


def _pod(one: Pod, lead: str, group: str, now: Instant) -> _Row:
    mark, style = ("✓", "green") if one.is_ready else ("…", "dim") if one.leaving else ("✗", "red")
    if not one.is_ready and not one.leaving and not one.problem and one.status in ("Pending", "ContainerCreating"):
        mark, style = "…", "yellow"
    ready = f"{one.up}/{one.containers}" if one.containers else NOTHING
    tail = one.name.removeprefix(group) if group else one.name
    short = f"{mark} {'…' if tail != one.name else ''}{tail}"
    return _Row(lead, f"{mark} {one.name}", one.status, ready, str(one.restarts), age(one.created, now), style, short)


def _counted(pods: Sequence[Pod]) -> str:
    """`190 ready, 3 CrashLoopBackOff`."""
    counts = Counter("ready" if pod.is_ready else pod.status for pod in pods)
    return ", ".join(f"{count} {what}" for what, count in counts.most_common())
