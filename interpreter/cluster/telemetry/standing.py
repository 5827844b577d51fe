"""How one rollout stands, as the collectors see it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from dsl.ir import Program
from interpreter.cluster.telemetry.tally import Tally
from interpreter.frozen import changed
from interpreter.objects import Ref
from interpreter.series import Reading, points
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
    def last_readings(self) -> Iterator[Reading]:
        """What the last check of the last run came to, line by line."""
        run = self.state.run if self.state is not None else None
        if run is not None:
            for point in points(changed(run.series, rows=run.series.rows[-1:])):
                yield from point.values

    @property
    def labels(self) -> tuple[str, str, str]:
        """Its namespace, name and kind."""
        return self.ref.namespace, self.ref.name, self.ref.kind
