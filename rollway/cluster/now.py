"""What a person can do with a rollout as it stands, as lines to copy."""

from __future__ import annotations

from collections.abc import Iterator

from dsl.ir import Program, WaitOp
from interpreter.signals import ACCEPTED_IN
from interpreter.state import Phase
from rollway.cluster.shown import Shown

_WHAT = {
    "approve": "go on with the next step",
    "promote": "make it the primary's revision now, without the rest of the steps",
    "abort": "send all traffic back to the primary",
    "pause": "stay at this traffic",
    "resume": "go on",
    "retry": "try the same revision again",
}


def phase_of(one: Shown) -> Phase | None:
    """The phase, if it is one that is known here."""
    return Phase(one.phase) if one.phase in list(Phase) else None


def verbs(one: Shown, program: Program | None) -> Iterator[str]:
    """The verbs that make sense now."""
    phase = phase_of(one)
    for verb in _WHAT:
        if phase in ACCEPTED_IN[verb] and _fits(verb, one, program):
            yield verb


def lines(one: Shown, program: Program | None, prefix: str = "rollway") -> Iterator[tuple[str, str]]:
    """Each verb's command, bound to the revision that is shown, and what it would do."""
    for verb in verbs(one, program):
        space = f" -n {one.namespace}" if one.namespace else ""
        yield f"{prefix} {verb} {one.spoken}{space} --revision {one.revision}", _WHAT[verb]


def awaits_approval(one: Shown, program: Program | None) -> bool:
    """Whether the step that it is at waits for a person."""
    if program is None or one.place is None or not 0 <= one.place.pc < len(program.code):
        return False
    op = program.code[one.place.pc]
    return isinstance(op, WaitOp) and op.gate is None


def is_paused(one: Shown) -> bool:
    """Whether somebody has paused it by hand; the machine says so in these words."""
    return one.reason == "paused" or one.reason.startswith("paused by ")


def _fits(verb: str, one: Shown, program: Program | None) -> bool:
    if not one.revision:
        return False
    match verb:
        case "approve":
            return awaits_approval(one, program)
        case "pause":
            return not is_paused(one)
        case "resume":
            return is_paused(one)
    return True
