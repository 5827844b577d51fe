"""The once-only things that the machine sends out, and what comes of each. Words, no logic.

Each has a key, under which its result comes back, and which is the same when it is sent out again after a crash.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class ActionResult:
    """`ok`: accepted, delivered, recorded. `detail` is the refusal's body, or why it could not be done. `handle`, of a
    message, is by what the service knows it: later ones of the same run can change it."""

    ok: bool
    detail: str = ""
    handle: str = ""


@dataclass(frozen=True, slots=True)
class CallAction:
    """Call a webhook. `key` is the idempotency key that goes with the call; a repeat after a crash has the same.

    The payload (interpreter.md §5) is `phase`, `revision`, `weight`, `failed_checks` and `iterations` beside what the
    Program says. `reason` is set in handlers of a rollback. A handler's call has `awaited` false: its failure is an
    event.
    """

    key: str
    webhook: str
    phase: str
    revision: str
    weight: float
    failed_checks: int
    iterations: int
    awaited: bool = True
    attempts: int = 0
    result: ActionResult | None = None
    kind: Literal["call"] = "call"


@dataclass(frozen=True, slots=True)
class NotifyAction:
    """Send a message to a channel. `template` is Jinja, over `context`.

    `event` is the word of what it tells of, as in `EventAction.reason`; `Message` where the policy itself says
    something. `asks` are the verbs by which a person can answer it, at the instruction `step` (-1: at any). One that is
    an `update` is not news to this channel: it changes what stands there already, or settles what was raised there.
    `attempts` counts the drivers that set out to send it: a new one takes over after each restart.
    """

    key: str
    channel: str
    severity: Literal["info", "warn", "error"]
    template: str
    context: Mapping[str, str] = field(default_factory=dict)
    attempts: int = 0
    event: str = "Message"
    asks: tuple[str, ...] = ()
    step: int = -1
    update: bool = False
    kind: Literal["notify"] = "notify"


@dataclass(frozen=True, slots=True)
class EventAction:
    """Record an event: a Kubernetes Event, a line of the journal. `reason` is a typed CamelCase word."""

    key: str
    reason: str
    message: str
    warning: bool = False
    attempts: int = 0
    kind: Literal["event"] = "event"


Action = CallAction | NotifyAction | EventAction
