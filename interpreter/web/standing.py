"""How a rollout stands, as far as a decision about it goes: read from its object and the run under way.

It is read leniently: objects may be of an older interpreter. What is not there is None or empty, and then nothing that
depends on it can be decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dsl import ir_json
from dsl.ir import Program, WaitOp
from interpreter.cluster import names
from interpreter.cluster.api import Api, NotServed
from interpreter.cluster.applier import label_of
from interpreter.cluster.owner import API_VERSIONS, CANARY
from interpreter.cluster.runs import KIND as RUN
from interpreter.objects import Manifest, Ref
from interpreter.state import Phase

KINDS = {kind.lower(): (api_version, kind) for kind, api_version in API_VERSIONS.items()}
"""The kinds of rollout, by the word that addresses have."""


@dataclass(frozen=True, slots=True)
class Standing:
    """`phase` is empty until an interpreter has looked at it. `pc` is the instruction that it is at, from 0, None while
    nothing is under way; `wait` the approval that it waits for there. `run` is the number of the run, None if it is not
    known. `asked` is what stands on the object by verb, as it was written."""

    kind: str
    namespace: str
    name: str
    uid: str
    phase: str
    revision: str
    pc: int | None = None
    run: int | None = None
    wait: WaitOp | None = None
    reason: str = ""
    suspended: bool = False
    deleting: bool = False
    has_program: bool = True
    asked: Mapping[str, str] = field(default_factory=dict)

    @property
    def spoken(self) -> str:
        """As the commands take it: a Canary is told from a Rollout by its kind in front."""
        return f"canary/{self.name}" if self.kind == CANARY else self.name

    @property
    def the(self) -> str:
        """As a message says it."""
        return f"`{self.spoken}` in `{self.namespace}`"

    @property
    def phase_shown(self) -> str:
        """The phase, with what holds all of it up."""
        name = "Terminating" if self.deleting else self.phase or "Unknown"
        return f"{name} (suspended)" if self.suspended else name

    @property
    def phase_known(self) -> Phase | None:
        """The phase, if it is one that is known here."""
        return Phase(self.phase) if self.phase in list(Phase) else None


def paused(reason: str) -> bool:
    """Whether somebody has paused it by hand; the machine says so in these words."""
    return reason == "paused" or reason.startswith(("paused by ", "paused ("))


def waits(program: Program | None, pc: int | None) -> WaitOp | None:
    """The wait for a person that an instruction is, if it is one."""
    if program is None or pc is None or not 0 <= pc < len(program.code):
        return None
    op = program.code[pc]
    return op if isinstance(op, WaitOp) and op.gate is None else None


def standing(manifest: Manifest, run: Manifest | None) -> Standing:
    """From the object and its latest run."""
    metadata, status = manifest["metadata"], _map(manifest.get("status"))
    ran, of_run = _map((run or {}).get("spec")), _map((run or {}).get("status"))
    kind = str(manifest["kind"])
    program = _program(ran.get("program"))
    pc = _index(status.get("step"))
    if pc is None and not of_run.get("outcome"):
        pc = _index(of_run.get("step"))
    annotations = _map(metadata.get("annotations"))
    number = ran.get("number")
    return Standing(
        kind=kind,
        namespace=str(metadata.get("namespace", "")),
        name=str(metadata["name"]),
        uid=str(metadata.get("uid", "")),
        phase=_text(status.get("phase")),
        revision=_text(status.get("revision") or status.get("lastAppliedSpec")) or _text(ran.get("revision")),
        pc=pc,
        run=number if isinstance(number, int) else None,
        wait=waits(program, pc),
        reason=_text((of_run if kind == CANARY else status).get("reason")),
        suspended=_map(manifest.get("spec")).get("suspend") is True,
        deleting="deletionTimestamp" in metadata,
        has_program=program is not None,
        asked={
            verb: value
            for verb in names.VERBS
            if (value := _text(annotations.get(names.verb_annotation(verb))))
        },
    )  # fmt: skip


async def latest_run(api: Api, manifest: Manifest) -> Manifest | None:
    """The run of the highest number, asked for by its name where the status has it. Raises `ApiError`."""
    metadata = manifest["metadata"]
    name = _text(_map(manifest.get("status")).get("run"))
    try:
        if name:
            found = await api.get(Ref(names.API_VERSION, RUN, metadata["namespace"], name))
            if found is not None:
                return found if _is_of(found, metadata["uid"]) else None
        selector = f"{names.OWNER_KIND}={manifest['kind']},{names.ROLLOUT}={label_of(metadata['name'])}"
        runs = await api.list((names.API_VERSION, RUN), metadata["namespace"], selector)
    except NotServed:
        return None
    ours = [run for run in runs if _is_of(run, metadata["uid"])]
    return max(ours, key=lambda run: int(_map(run.get("spec")).get("number") or 0), default=None)


def _is_of(run: Manifest, uid: str) -> bool:
    return _map(_map(run.get("spec")).get("owner")).get("uid") in (None, "", uid)


def _program(data: Any) -> Program | None:
    try:
        return ir_json.from_data(data)
    except ir_json.ProgramError:
        return None


def _index(step: object) -> int | None:
    index = step.get("index") if isinstance(step, Mapping) else step
    return index if isinstance(index, int) and not isinstance(index, bool) else None


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
