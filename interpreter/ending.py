"""How a run ends other than by promotion: rolled back, reverted, superseded. And what is left to do after any end.

A rollback is a single forward pass that needs nothing but the data plane (architecture.md, 2). Its stages are kept in
`Run.stage`: HOME (the routing says: all to the primary), DRAIN (it does so; the canary stays for `scale_down_delay`),
OVER (the canary is down). Messages and handlers go out when the traffic is home, and nothing waits for them.
"""

from __future__ import annotations

from typing import Literal

from interpreter.desired import CanaryScale
from interpreter.routing import HOME
from interpreter.state import Outcome, Phase, Stage
from interpreter.turn import Turn

_OFF = CanaryScale()

Moment = Literal["start", "pause", "promoted", "rollback", "finished"]


def roll_back(turn: Turn, reason: str) -> None:
    """End the run: the canary's revision is not to be had. The rollout has failed until a new revision comes."""
    _end(turn, Outcome.ROLLED_BACK, Phase.FAILED, reason)


def revert(turn: Turn) -> None:
    """End the run unharmed: the target is back at the revision that the primary runs."""
    reason = f"the target went back to revision {turn.state.primary}, which the primary runs"
    _end(turn, Outcome.REVERTED, Phase.SUCCEEDED, reason)


def supersede(turn: Turn, revision: str) -> None:
    """End the run because a newer revision has come: its own run begins when the traffic is home."""
    reason = f"revision {revision} came while {turn.running.revision} was under way"
    _end(turn, Outcome.SUPERSEDED, Phase.WAITING, reason)


def _end(turn: Turn, outcome: Outcome, phase: Phase, reason: str) -> None:
    turn.drop_calls()
    turn.set_run(outcome=outcome, reason=reason, ended_ms=turn.now, stage=Stage.HOME)
    turn.reroute(HOME)
    turn.enter(phase, reason)


def settle(turn: Turn) -> bool:
    """Bring an ended run to its very end, one stage at a time. True when it went on a stage."""
    match turn.running.stage:
        case Stage.HOME:
            return _settle_home(turn)
        case Stage.DRAIN:
            return _settle_drain(turn)
        case _:
            return False


def _settle_home(turn: Turn) -> bool:
    if turn.inputs.routing != HOME:
        return False
    run = turn.running
    turn.set_run(stage=Stage.DRAIN, drained_ms=turn.clock + turn.program.scale_down_delay_ms)
    if run.outcome is Outcome.ROLLED_BACK:
        turn.tell("RolledBack", f"rolled back {run.revision}: {run.reason}", "error", ("retry",))
    elif run.outcome is Outcome.REVERTED:
        turn.tell("Reverted", f"ended the rollout of {run.revision} unharmed: {run.reason}")
    else:
        turn.tell("Superseded", f"the rollout of {run.revision} starts again from the first step: {run.reason}", "warn")
        turn.set_run(stage=Stage.OVER)
        return True
    handle(turn, "rollback")
    handle(turn, "finished")
    return True


def _settle_drain(turn: Turn) -> bool:
    if turn.clock < turn.running.drained_ms:
        turn.wake_at(turn.running.drained_ms)
        return False
    turn.set_run(stage=Stage.OVER)
    turn.set(canary_scale=_OFF)
    return True


def handle(turn: Turn, moment: Moment, asks: tuple[str, ...] = ()) -> None:
    """Set off the policy's handlers of this moment. Their calls are not waited for: a failure is an event. `asks` are
    the verbs by which a person can answer."""
    for index, step in enumerate(turn.program.handlers.get(moment, ())):
        if step.op == "call":
            turn.call(step.webhook, turn.call_key(f"on-{moment}", index), awaited=False)
        else:
            message = step.message or _DEFAULT_MESSAGES[moment]
            turn.notify(step.channel, message, _severity(moment), event=_event(turn, moment), asks=asks)


def _event(turn: Turn, moment: Moment) -> str:
    """The word for what a handler tells of."""
    if moment == "rollback" and turn.running.outcome is Outcome.REVERTED:
        return "Reverted"
    return _EVENTS[moment]


_EVENTS: dict[Moment, str] = {
    "start": "NewRevision",
    "pause": "Waiting",
    "promoted": "Promoted",
    "rollback": "RolledBack",
    "finished": "Finished",
}

_DEFAULT_MESSAGES: dict[Moment, str] = {
    "start": "{{ rollout }}: the rollout of {{ revision }} begins",
    "pause": "{{ rollout }} waits at {{ weight }}: {{ reason }}",
    "promoted": "{{ rollout }}: {{ revision }} is promoted",
    "rollback": "{{ rollout }}: {{ revision }} was rolled back: {{ reason }}",
    "finished": "{{ rollout }}: the rollout of {{ revision }} is over",
}


def _severity(moment: Moment) -> Literal["info", "warn", "error"]:
    return "error" if moment == "rollback" else "warn" if moment == "pause" else "info"
