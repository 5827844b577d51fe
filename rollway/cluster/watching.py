"""`status --watch`: a picture on a terminal, a line for each thing that happens anywhere else."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from interpreter import drawing
from interpreter.cluster.api import Api
from interpreter.desired import Instant
from rollway.cluster import table
from rollway.cluster.asking import news
from rollway.cluster.finding import CANARIES, ROLLOUTS, RUNS, Found
from rollway.cluster.following import Following, Wanted
from rollway.cluster.growing import Growing
from rollway.cluster.page import MOST_EVENTS, event, page, title
from rollway.cluster.rest import ended, is_awaited, words
from rollway.cluster.shown import CANARY, Shown, run_selector, run_shown, runs_of, shown
from rollway.cluster.tree import Tree
from rollway.exit_codes import ExitCode
from rollway.terminal import program_name, say, wants_colour


class View(Protocol):
    """Where what is seen goes."""

    @property
    def wants_tree(self) -> bool:
        """Whether it shows workloads and pods; it costs watches of their own."""

    def show(self, found: Sequence[Found], trouble: str, tree: Tree | None = None) -> None:
        """All there is now, and what is wrong with the connection. `tree` is that of a rollout that is alone."""

    def end(self) -> None:
        """Nothing more will come."""


async def one(api: Api, found: Found, revision: str | None, limit_s: float | None, view: View) -> int:
    """Until this rollout has come to rest; the exit code says how."""
    ref, uid = found.ref, found.shown.uid
    wanted = [Wanted(ref[:2], ref.namespace), Wanted(RUNS, ref.namespace, run_selector(ref.kind, ref.name))]
    try:
        async with asyncio.timeout(limit_s), Following(api, wanted) as following:
            growing = Growing(following) if view.wants_tree else None
            while True:
                await following.changed()
                now = _among(following, uid)
                if now is None:
                    view.end()
                    say(f"{found.shown.spoken} in {ref.namespace} has been deleted")
                    return ExitCode.FINDINGS
                found = now
                view.show([found], following.trouble, await growing.tree(found) if growing is not None else None)
                code = ended(found, revision)
                if code is not None and (revision is not None or not await is_awaited(api, found)):
                    view.end()
                    say(words(found, revision))
                    return code
    except TimeoutError:
        view.end()
        say(f"not at rest after {table.length(int((limit_s or 0) * 1000))}: {words(found, revision)}")
        return ExitCode.WAITING
    finally:
        view.end()


async def every(
    api: Api, kinds: Sequence[tuple[str, str]], namespace: str | None, limit_s: float | None, view: View
) -> int:
    """All rollouts of these kinds, until somebody has seen enough."""
    wanted = [Wanted(kind, namespace) for kind in kinds]
    if any(kind[1] == CANARY for kind in kinds):
        wanted.append(Wanted(RUNS, namespace, run_selector(CANARY)))
    try:
        async with asyncio.timeout(limit_s), Following(api, wanted) as following:
            while True:
                await following.changed()
                view.show(_all(following), following.trouble)
    except TimeoutError:
        return ExitCode.FINE
    finally:
        view.end()


Draw = Callable[[Sequence[Found], Tree | None, int], RenderableType]
"""What draws all that was found, with a tree if there is one, on so many lines."""


def view(draw: Draw, *, wants_tree: bool = False) -> View:
    """The picture that `draw` gives, or lines, on standard output."""
    out = sys.stdout
    if wants_colour(out) and out.isatty():
        return Picture(Console(file=out), draw, wants_tree=wants_tree)
    return Lines(out)


_WITHOUT_PODS = 34
"""Lines that a page takes beside its pods; on what is left of a terminal some pods are shown, and a few in any case."""
_FEWEST_PODS = 3
_WITHOUT_EVENTS = 40
_FEWEST_EVENTS = 2


def draw_one(found: Sequence[Found], tree: Tree | None = None, height: int = 40) -> RenderableType:
    """The page of the one rollout that there is."""
    each = found[0]
    shown_now, program = each.shown, each.program
    sets = sum(len(workload.sets) for workload in tree.workloads) if tree is not None else 0
    pods = max(_FEWEST_PODS, (height - _WITHOUT_PODS) // max(1, sets))
    events = max(_FEWEST_EVENTS, min(MOST_EVENTS, height - _WITHOUT_EVENTS)) if tree is not None else MOST_EVENTS
    return Panel(
        page(shown_now, program, _now(), prefix=program_name(), tree=tree, most_pods=pods, most_events=events),
        title=Text(f" {title(shown_now)} ", style="bold"),
        title_align="left",
    )


def draw_table(everywhere: bool) -> Draw:
    """The table of all rollouts."""

    def draw(found: Sequence[Found], tree: Tree | None, height: int) -> RenderableType:
        del tree, height
        rows = [each.shown for each in found]
        text = table.rollouts(rows, _now(), everywhere=everywhere) if rows else "there is no rollout\n"
        return Text(text, no_wrap=True, overflow="ellipsis")

    return draw


class Picture:
    """Drawn anew with every change, and every second, for the times in it."""

    def __init__(self, console: Console, draw: Draw, *, wants_tree: bool = False) -> None:
        self.wants_tree = wants_tree
        self._draw = draw
        self._console = console
        self._found: Sequence[Found] | None = None
        self._tree: Tree | None = None
        self._trouble = ""
        self._live = Live(console=console, refresh_per_second=1, get_renderable=self.picture, transient=False)

    def show(self, found: Sequence[Found], trouble: str, tree: Tree | None = None) -> None:
        self._found, self._trouble, self._tree = found, trouble, tree
        if not self._live.is_started:
            self._live.start()
        self._live.refresh()

    def end(self) -> None:
        if self._live.is_started:
            self._live.refresh()
            self._live.stop()

    def picture(self) -> RenderableType:
        """All of it, as it is now."""
        if self._found is None:
            return Text("")
        parts = [self._draw(self._found, self._tree, self._console.height)]
        if self._trouble:
            parts.append(Text(f"connection lost, trying again: {self._trouble}", style="yellow"))
        return Group(*parts)


class Lines:
    """What is new, each thing once: the record of each run, and where each rollout is."""

    wants_tree = False

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._before: dict[str, Found] = {}
        self._trouble = ""

    def show(self, found: Sequence[Found], trouble: str, tree: Tree | None = None) -> None:
        del tree
        if trouble != self._trouble:
            self._trouble = trouble
            said = f"trying again: {trouble}" if trouble else "the connection is back"
            self._say(drawing.Event(_now(), "Connection", said, bool(trouble)))
        for each in found:
            self._tell(each, self._before.get(each.shown.uid))
        for uid, gone in self._before.items():
            if all(each.shown.uid != uid for each in found):
                self._say(drawing.Event(_now(), "Deleted", title(gone.shown), True))
        self._before = {each.shown.uid: each for each in found}

    def end(self) -> None:
        pass

    def _tell(self, now: Found, before: Found | None) -> None:
        if before is not None:
            for entry in news(before.shown.run, now.shown.run):
                self._say(event(entry))
        check, last = now.shown.check, before.shown.check if before is not None else None
        if check is not None and (last is None or last.at_ms != check.at_ms):
            self._say(drawing.check_event(replace(check, weight=now.shown.weight)))
        if before is None or _where(before.shown) != _where(now.shown):
            self._say(drawing.Event(_now(), now.shown.phase or "Unknown", _where(now.shown), False))

    def _say(self, said: drawing.Event) -> None:
        self._out.write(drawing.line(said))
        self._out.flush()


def _where(one: Shown) -> str:
    step = f"step {one.place.pc + 1}, " if one.place is not None and one.place.pc >= 0 else ""
    why = one.problem or one.reason
    return f"{one.namespace}/{one.spoken} {table.phase(one)} {step}{one.weight:g}%" + (f": {why}" if why else "")


def _among(following: Following, uid: str) -> Found | None:
    return next((each for each in _all(following) if each.shown.uid == uid), None)


def _all(following: Following) -> list[Found]:
    """Every rollout among what is followed, with its runs."""
    objects = following.objects()
    runs = [run_shown(each) for each in objects if each["kind"] == RUNS[1]]
    found = []
    for manifest in objects:
        if (manifest["apiVersion"], manifest["kind"]) in (ROLLOUTS, CANARIES):
            own = runs_of(runs, manifest["metadata"]["uid"])
            found.append(Found(manifest, own, shown(manifest, own)))
    return found


def _now() -> Instant:
    return int(time.time() * 1000)
