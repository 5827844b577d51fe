"""A history from the journal of a run on this machine (`rollway run --local`). The journal is only read."""

from __future__ import annotations

import json
from pathlib import Path

from dsl import ir_json
from interpreter import state_json
from interpreter.cluster.status import run_status
from interpreter.local import journal
from rollway.cluster.shown import run_shown
from rollway.histories import History, history
from rollway.terminal import Stop, reason


def read(folder: str) -> History:
    """The history of the latest run in a folder. Raises `Stop` for one in which there is none."""
    try:
        found = journal.latest(Path(folder))
    except OSError as error:
        said = f"`{folder}` has no journal that can be read: {reason(error)}"
        raise Stop(f"{said}; `rollway run --local` keeps it in `.rollway/NAMESPACE.NAME`, or in its --dir") from error
    try:
        program = ir_json.from_data(found["program"])
        state = state_json.decode(json.dumps(found["state"]))
    except (KeyError, ir_json.ProgramError, state_json.StateError) as error:
        raise Stop(f"the journal in `{folder}` has no state of a version that is known here") from error
    if state.run is None:
        raise Stop(f"in `{folder}` nothing has been rolled out yet: `rollway submit` brings a new revision")
    spec = {
        "number": state.run.number,
        "revision": state.run.revision,
        "program": found["program"],
    }
    run = run_shown(
        {
            "metadata": {"name": f"{program.name}-{state.run.number}"},
            "spec": spec,
            "status": run_status(program, state, previous={}),
        }
    )
    return history("run on this machine", program.namespace, program.name, run)
