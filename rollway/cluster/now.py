"""What a person can do with a rollout as it stands, as lines to copy."""

from __future__ import annotations

from collections.abc import Iterator

from dsl.ir import Program
from interpreter.state import Phase
from interpreter.web.fitting import possible
from interpreter.web.standing import Standing, paused, waits
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
    there = set(possible(standing(one, program)))
    return (verb for verb in _WHAT if verb in there)


def standing(one: Shown, program: Program | None) -> Standing:
    """What is shown, as far as a decision goes."""
    pc = one.place.pc if one.place is not None else None
    return Standing(
        kind=one.kind,
        namespace=one.namespace,
        name=one.name,
        uid=one.uid,
        phase=one.phase,
        revision=one.revision,
        pc=pc,
        run=one.run.number if one.run is not None else None,
        wait=waits(program, pc),
        reason=one.reason,
        suspended=one.suspended,
        deleting=one.deleting,
        has_program=program is not None,
    )


def lines(one: Shown, program: Program | None, prefix: str = "rollway") -> Iterator[tuple[str, str]]:
    """Each verb's command, bound to the revision that is shown, and what it would do."""
    for verb in verbs(one, program):
        space = f" -n {one.namespace}" if one.namespace else ""
        later = ", once the canary is ready" if verb == "promote" and _comes_up(one) else ""
        yield f"{prefix} {verb} {one.spoken}{space} --revision {one.revision}", _WHAT[verb] + later


def _comes_up(one: Shown) -> bool:
    """Whether the canary is still being brought up, and what is to be promoted is not there yet."""
    return one.place is not None and one.place.pc < 0


def is_paused(one: Shown) -> bool:
    """Whether somebody has paused it by hand."""
    return paused(one.reason)
