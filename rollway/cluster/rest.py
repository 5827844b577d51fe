"""Whether a rollout has come to rest, and what a script is told of how.

A rollout that is at rest may be about to leave it: the target has a new revision, and the interpreter has not looked
yet. `is_awaited` compares the target with what the last run was made of, so that `kubectl set image … && rollway status
NAME --watch` waits for the new revision, and does not report the last one.
"""

from __future__ import annotations

from interpreter.cluster.api import Api, Forbidden, NotServed
from interpreter.phases import AT_REST
from interpreter.state import Outcome, Phase
from interpreter.workloads.kind import WorkloadError
from interpreter.workloads.registry import kind_of, ref_of_workload
from rollway.cluster.finding import Found
from rollway.cluster.now import phase_of
from rollway.exit_codes import ExitCode


def ended(found: Found, revision: str | None) -> ExitCode | None:
    """The exit code of a rollout that is over; None while it is not. With a revision: of the rollout of that one."""
    if revision is not None:
        return _of_revision(found, revision)
    phase = phase_of(found.shown)
    if phase is Phase.TERMINATED:
        return ExitCode.FINDINGS
    if phase not in AT_REST:
        return None
    return ExitCode.FINDINGS if phase is Phase.FAILED else ExitCode.FINE


def _of_revision(found: Found, revision: str) -> ExitCode | None:
    run = next((run for run in found.runs if run.revision == revision and run.number), None)
    if run is None:
        resting = phase_of(found.shown) in AT_REST
        return ExitCode.FINE if resting and found.shown.primary == revision else None
    if not run.outcome:
        return None
    return ExitCode.FINE if run.outcome == Outcome.PROMOTED else ExitCode.FINDINGS


def words(found: Found, revision: str | None) -> str:
    """How it is now, as a closing line."""
    one = found.shown
    run = next((run for run in found.runs if run.revision == (revision or one.revision) and run.number), None)
    outcome = run.outcome.replace("_", " ") if run is not None and run.outcome else one.phase
    why = (run.reason if run is not None and run.outcome else "") or one.reason
    about = revision or one.revision
    return f"{one.spoken} in {one.namespace}: {outcome}" + (f" {about}" if about else "") + (f": {why}" if why else "")


async def is_awaited(api: Api, found: Found) -> bool:
    """Whether the target is no longer what the last run was made of. What may not be read is taken to be unchanged."""
    run = next((run for run in found.runs if run.revision == found.shown.revision and run.template), None)
    program = run.program() if run is not None else None
    if run is None or program is None:
        return False
    try:
        target = await api.get(ref_of_workload(program.target, found.shown.namespace))
        return target is not None and kind_of(program.target).template(target) != run.template
    except (Forbidden, NotServed, WorkloadError):
        return False
