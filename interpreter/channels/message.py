"""What is said to people, before a service gives it its form. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from dsl.ir import Program
from interpreter.actions import NotifyAction
from interpreter.channels.text import cut, plain
from interpreter.desired import Instant
from interpreter.templates import render

MOST_TEXT = 16_384
MOST_FACT = 1000
MOST_CHECKS = 10
"""No message is longer, whatever a service would take."""

Severity = Literal["info", "warn", "error"]

_FACTS = {"target": "Target", "revision": "Revision", "phase": "Phase", "weight": "Traffic", "step": "Step"}
_LINKS = {"approve": "Approve", "promote": "Promote", "abort": "Roll back"}
_WAITS_FOR = frozenset({"approve", "resume"})
_SETTLE = frozenset({"Initialized", "Promoted", "Reverted", "Terminating"})
_GO_ON = frozenset({"Approved", "Promoting", "Resumed", "Superseded"})
_FAR = {
    "Initialized": "ready",
    "Waiting": "waiting",
    "WaitingForApproval": "waiting for approval",
    "WaitingForGate": "waiting for a gate",
    "WaitingForPromotion": "waiting to be promoted",
    "WaitingToStart": "waiting to start",
    "NewRevision": "a rollout begins",
    "RolledBack": "rolled back",
    "PromotionFailed": "promotion failed",
}


class Link(NamedTuple):
    """Where a person can decide. `title` is what the link does."""

    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Message:
    """`key` is the same for a repeat. `run` numbers the attempt within the rollout, empty outside of one. `facts` and
    `checks` are shown beneath the text, in order. `asks` are the verbs by which a person can answer. An `update` is no
    news: what is shown already changes. It is the `newest` unless another waits behind it."""

    key: str
    event: str
    severity: Severity
    text: str
    namespace: str
    name: str
    run: str
    revision: str
    phase: str
    at_ms: Instant
    facts: Mapping[str, str]
    checks: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    asks: tuple[str, ...] = ()
    update: bool = False
    newest: bool = True

    @property
    def about(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def headline(self) -> str:
        """How far it is, in words."""
        return _FAR.get(self.event) or " ".join(re.findall(r"[A-Z][a-z]*|[^A-Z]+", self.event)).lower()

    @property
    def raises(self) -> bool:
        """Whether it says that the rollout has failed."""
        return self.severity == "error" and self.event != "Message"

    @property
    def settles(self) -> bool:
        """Whether it says that all is well again."""
        return self.event in _SETTLE

    @property
    def waits(self) -> bool:
        """Whether nothing goes on until a person does something."""
        return not _WAITS_FOR.isdisjoint(self.asks)

    @property
    def goes_on(self) -> bool:
        """Whether it says that nobody is waited for any more."""
        return not self.waits and (self.event in _GO_ON or self.settles or self.raises)


def message_of(program: Program, action: NotifyAction, now: Instant, urls: Mapping[str, str]) -> Message:
    """The message of an action, its template rendered. `urls` are links by verb. Raises `TemplateProblem`."""
    context = action.context
    told = {title: cut(plain(context.get(key, "")).strip(), MOST_FACT) for key, title in _FACTS.items()}
    facts = {title: value for title, value in told.items() if value}
    if context.get("failed_checks", "0") not in ("", "0"):
        facts["Failed checks"] = context["failed_checks"]
    return Message(
        key=action.key,
        event=action.event,
        severity=action.severity,
        text=cut(plain(render(action.template, context)), MOST_TEXT),
        namespace=program.namespace,
        name=program.name,
        run=cut(context.get("run", ""), MOST_FACT),
        revision=cut(context.get("revision", ""), MOST_FACT),
        phase=context.get("phase", ""),
        at_ms=now,
        facts=facts,
        checks=tuple(cut(plain(line), MOST_FACT) for line in context.get("checks", "").splitlines()[:MOST_CHECKS]),
        links=tuple(Link(_LINKS[verb], urls[verb]) for verb in action.asks if verb in _LINKS and urls.get(verb)),
        asks=action.asks,
        update=action.update,
    )
