"""The workbench: what one Program is put together on, and the frame in which a piece of text is read.

A `Bench` belongs to one rollout (or to the check of one declaration that stands alone, without a rollout). Whatever a
piece uses is taken onto the bench once, under a readable name that no other thing on it has. A `Frame` says how to
read the names in a piece: in which module, with which parameters bound, reached over which declarations.

A value that cannot be had is *unknown*, and the bench is then spoilt: no Program comes of it, and no second message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from dsl import ir, syntax
from dsl.diagnostics import Label
from dsl.findings import Findings
from dsl.meaning.scope import Declared, Module, Space, resolve, too_early
from dsl.meaning.values import Value, unknown
from dsl.source import Span

MOST_LEVELS = 40
"""How many declarations may stand on one another: far above any use, far below what would exhaust the stack."""


class Link(NamedTuple):
    """A declaration that is being read, and the words that led to it."""

    declared: Declared
    span: Span


class Wanted(NamedTuple):
    """A metric that something asks for, still to be worked out. `asked` is the place in the policy that asks."""

    key: str
    declared: Declared
    bindings: Mapping[str, Value]
    frame: Frame
    asked: Span


class Bench:
    """`provider` is the traffic provider, None where there is no rollout: then every variant is looked at."""

    def __init__(self, findings: Findings, main: Module, provider: str | None, *, baseline: bool | None) -> None:
        self.findings = findings
        self.main = main
        self.provider = provider
        self.baseline = baseline
        self.spoilt = False
        self.rollout: syntax.Rollout | None = None
        self.metrics: dict[str, ir.Metric] = {}
        self.analyses: dict[str, ir.Analysis] = {}
        self.webhooks: dict[str, ir.Webhook] = {}
        self.gates: dict[str, ir.Webhook] = {}
        self.channels: dict[str, ir.Channel] = {}
        self.windows: dict[str, ir.Window] = {}
        self.wanted: list[Wanted] = []
        self.used: dict[int, Span] = {}
        self.overs: dict[int, tuple[object, int]] = {}
        self._keys: dict[tuple[Space, str], int] = {}

    def looked_at(self, declared: Declared, text: str) -> bool:
        """Whether this was looked at before, on a bench without a rollout as this one is; from now on it was."""
        if self.rollout is not None:
            return False
        seen = self.findings.looked_at
        before = (id(declared.node), text) in seen
        seen.add((id(declared.node), text))
        return before

    def poison(self, span: Span) -> Value:
        """What stands for a value that could not be had."""
        self.spoilt = True
        return unknown(span)

    def named(self) -> dict[str, Any]:
        """All that was taken onto the bench, by the names of the Program's fields."""
        return {
            "metrics": dict(self.metrics),
            "analyses": dict(self.analyses),
            "webhooks": dict(self.webhooks),
            "gates": dict(self.gates),
            "channels": dict(self.channels),
            "windows": dict(self.windows),
        }

    def key(self, space: Space, declared: Declared, text: str) -> str:
        """The name under which a declaration stands in the Program: its own, unless another one has that."""
        self.used[id(declared.node)] = declared.node.span
        own = self.main.names[space].get(declared.name)
        if own is not None and own.node is not declared.node:
            text = f"{text}@{declared.module.path}"
        identity, number, candidate = id(declared.node), 1, text
        while self._keys.setdefault((space, candidate), identity) != identity:
            number += 1
            candidate = f"{text}@{declared.module.path or number}" if number == 2 else f"{text}@{number}"
        return candidate


class Frame(NamedTuple):
    """How to read a piece of text.

    `window` is the window of a query that names none; 0 inside a metric's own expression, where it is that of whoever
    asks. `place` is the line of the policy that brought in a piece of another file. `asked` is the place in the policy
    that asks for the metric that is being read. `places` says where the blocks around declare their own names, those
    that are bound already and those that are still to come. `judged` says that it stands in a judgement.
    """

    bench: Bench
    module: Module
    bindings: Mapping[str, Value] = {}
    within: tuple[Link, ...] = ()
    window: int = 0
    place: Span | None = None
    asked: Span | None = None
    places: Mapping[str, Span] = {}
    judged: bool = False

    @property
    def findings(self) -> Findings:
        return self.bench.findings

    def find(self, space: Space, path: tuple[syntax.Name, ...]) -> Declared | None:
        """What a name stands for; nothing spoils the bench."""
        declared = self._found(space, path)
        if declared is None:
            self.bench.spoilt = True
        else:
            self.bench.used[id(declared.node)] = declared.node.span
        return declared

    def _found(self, space: Space, path: tuple[syntax.Name, ...]) -> Declared | None:
        if space is not Space.VALUE or len(path) > 1:
            return resolve(self.module, space, path, self.findings)
        name = path[0]
        if name.text in self.places and not self.module.find(space, name.text):
            too_early(name, self.places[name.text], self.findings)
            return None
        return resolve(self.module, space, path, self.findings, self.bindings)

    def enter(self, declared: Declared, span: Span, bindings: Mapping[str, Value]) -> Frame | None:
        """The frame inside a declaration that is used at `span`; None, reported, if it is being read already."""
        start = next((i for i, link in enumerate(self.within) if link.declared.node is declared.node), None)
        if start is not None:
            self._circle([*self.within[start + 1 :], Link(declared, span)])
        elif len(self.within) >= MOST_LEVELS:
            self.findings.error(
                "RW108",
                f"`{declared.name}` stands on more than {MOST_LEVELS} other declarations",
                span,
                help="say it with fewer declarations between",
            )
        else:
            place = self.place
            if place is None and declared.module is not self.bench.main:
                place = span
            within = (*self.within, Link(declared, span))
            return self._replace(module=declared.module, bindings=bindings, within=within, place=place, places={})
        self.bench.spoilt = True
        return None

    def _circle(self, ring: list[Link]) -> None:
        """Report declarations that need one another; the same circle reads the same from wherever it was entered."""
        first = min(range(len(ring)), key=lambda i: (ring[i].span.source.name, ring[i].span.start))
        ring = ring[first:] + ring[:first]
        names = [link.declared.name for link in ring]
        path = " → ".join([names[-1], *names])
        word = ring[-1].declared.word
        self.findings.error(
            "RW108",
            f"the {word} `{names[-1]}` needs itself: {path}",
            ring[0].span,
            note=f"`{names[-1]}` needs `{names[0]}`",
            labels=[
                Label(link.span, f"`{before}` needs `{link.declared.name}`")
                for before, link in zip(names, ring[1:], strict=False)
            ],
            help="take one of them out of the circle",
        )
