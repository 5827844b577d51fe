"""What a person asks of a rollout on a command line, and what came of it.

Whether it makes sense is decided where the page, the API and links decide it too (`interpreter.web.fitting`); here it
is put into the words of a command.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from dsl.ir import Program
from interpreter.state import Entry
from interpreter.web import fitting
from interpreter.web.fitting import Decision, Refused, check
from rollway.cluster.now import standing
from rollway.cluster.shown import RunShown, Shown
from rollway.terminal import Stop


class Request(NamedTuple):
    """What is asked. `step` is counted from 1, as people see it."""

    verb: str
    revision: str | None = None
    step: int | None = None
    reason: str = ""


def refuse(one: Shown, request: Request, program: Program | None) -> None:
    """Raises `Stop` for what makes no sense now, with what would."""
    if request.step is not None and request.step < 1:
        raise Stop("`--step` is the number of a step, from 1")
    try:
        check(standing(one, program), decision(request), early=True)
    except Refused as refused:
        raise Stop(str(refused)) from refused


def decision(request: Request, by: str = "") -> Decision:
    """The request as all that decide have it."""
    step = None if request.step is None else request.step - 1
    return Decision(request.verb, request.revision or "", step, by, request.reason, via="cli")


def kept_for_later(one: Shown, request: Request, program: Program | None) -> str:
    """Why it will not be acted on at once; empty if it will."""
    return fitting.kept_for_later(standing(one, program), decision(request))


def news(before: RunShown | None, after: RunShown | None) -> list[Entry]:
    """What the record has since, oldest first; lines that were there before are not news."""
    if after is None:
        return []
    same = before is not None and before.number == after.number
    known = Counter(before.log) if before is not None and same else Counter()
    found = []
    for entry in after.log:
        if known[entry]:
            known[entry] -= 1
        else:
            found.append(entry)
    return found


def question(one: Shown, verb: str) -> str:
    """What a person is asked before it is done."""
    return f"{verb} {_the(one)} at {one.weight:g}% of the traffic (revision {one.revision})?"


def _the(one: Shown) -> str:
    return f"`{one.spoken}` in `{one.namespace}`"
