"""What a Flagger `Canary` shows of itself, from the machine's state: the fields and words that Flagger writes. Pure.

Who waits for a Canary (`kubectl wait --for=condition=promoted`, Argo CD's health check, dashboards) goes on as before.
Facts from the source of Flagger 1.44: `pkg/apis/flagger/v1beta1/status.go` and `pkg/canary/status.go`.

Three defects of Flagger's are not copied: a rollout that waits for its promotion keeps showing the weight that it has
(Flagger shows 0) and its iterations (Flagger shows -1), and `lastTransitionTime` changes with the phase only, not with
every look at a failed rollout. What has no place in this status is in the `RolloutRun`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from dsl.ir import Program
from interpreter.cluster.shown import Json, Truth, earlier, present, rfc3339
from interpreter.cluster.status import applied, promoted, since, weight
from interpreter.desired import Instant
from interpreter.state import Outcome, Phase, State

_COUNTING = frozenset({Phase.PROGRESSING, Phase.WAITING_PROMOTION, Phase.PROMOTING})
"""The phases in which Flagger shows iterations."""

_PROMOTED: Mapping[Phase, tuple[Truth, str]] = {
    Phase.INITIALIZING: ("Unknown", "New {kind} detected, starting initialization."),
    Phase.INITIALIZED: ("True", "{kind} initialization completed."),
    Phase.WAITING: ("Unknown", "Waiting for approval."),
    Phase.PROGRESSING: ("Unknown", "New revision detected, progressing canary analysis."),
    Phase.WAITING_PROMOTION: ("Unknown", "Waiting for approval."),
    Phase.PROMOTING: ("Unknown", "Canary analysis completed, starting primary rolling update."),
    Phase.FINALISING: ("Unknown", "Canary analysis completed, routing all traffic to primary."),
    Phase.SUCCEEDED: ("True", "Canary analysis completed successfully, promotion finished."),
    Phase.FAILED: ("False", "Canary analysis failed, {kind} scaled to zero."),
    Phase.TERMINATING: ("Unknown", "The canary is being deleted."),
    Phase.TERMINATED: ("Unknown", "The canary is being deleted."),
}


def canary_status(
    program: Program,
    state: State,
    *,
    previous: Mapping[str, Any],
    now_ms: Instant,
    configs: Mapping[str, str] | None = None,
) -> Json:
    """The status of a Canary. `previous` is the one that it has; `now_ms` is used only where something changed.

    Whole numbers only: Flagger, should it take over again, reads no others. A weight between 0 and 1 shows as 1.
    """
    run = state.run
    return {
        "phase": state.phase.value,
        "failedChecks": run.failed_checks if run else 0,
        "canaryWeight": _whole(weight(state)),
        "iterations": _iterations(program, state),
        "lastTransitionTime": since(state, previous, now_ms),
        "conditions": [_condition(program, state, previous, now_ms)],
        **present(lastAppliedSpec=applied(state), lastPromotedSpec=promoted(state), trackedConfigs=dict(configs or {})),
    }


def _whole(percent: float) -> int:
    return math.ceil(percent) if percent < 1 else round(percent)


def _iterations(program: Program, state: State) -> int:
    """Flagger counts them where the traffic does not go by steps: A/B tests and blue/green."""
    if state.run is None or state.phase not in _COUNTING or goes_by_weight(program):
        return 0
    return state.run.iterations


def goes_by_weight(program: Program) -> bool:
    """Whether the canary gets its traffic by and by, as opposed to all or none of it."""
    return any(op.op == "route" and 0 < (op.weight or 0) < 100 for op in program.code)


def _condition(program: Program, state: State, previous: Mapping[str, Any], now_ms: Instant) -> Json:
    truth, said = _PROMOTED[state.phase]
    if state.phase is Phase.FAILED and state.run is not None and state.run.outcome is Outcome.PROMOTION_FAILED:
        said = "Promotion failed, all traffic is on the canary."
    before = earlier(previous, "Promoted")
    now = rfc3339(now_ms)
    same = before.get("status") == truth
    again = same and before.get("reason") == state.phase.value
    return {
        "type": "Promoted",
        "status": truth,
        "reason": state.phase.value,
        "message": said.format(kind=program.target.kind),
        "lastUpdateTime": before.get("lastUpdateTime", now) if again else now,
        "lastTransitionTime": before.get("lastTransitionTime", now) if same else now,
    }
