"""How one rollout stands, as the collectors see it."""

from __future__ import annotations

from typing import Any, NamedTuple

from dsl.ir import Program
from interpreter.cluster.telemetry.tally import Tally
from interpreter.objects import Ref
from interpreter.state import Phase, State

UNDER_WAY = frozenset({Phase.PROGRESSING, Phase.WAITING_PROMOTION, Phase.PROMOTING, Phase.FINALISING})


class Standing(NamedTuple):
    """`ref` and `spec` are of the object that asks for it. `program` and `state` are None where its policy could not be
    read yet; `phase` is then what its status says, or empty."""

    ref: Ref
    spec: dict[str, Any]
    program: Program | None
    state: State | None
    tally: Tally
    phase: str

    @property
    def labels(self) -> tuple[str, str, str]:
        """Its namespace, name and kind."""
        return self.ref.namespace, self.ref.name, self.ref.kind
