"""The other declarations, and the file that holds them all."""

from __future__ import annotations

from dsl.node import Node
from dsl.source import Source, Span
from dsl.syntax.analyses import Analysis
from dsl.syntax.expressions import Clock, Name, Number, String
from dsl.syntax.guardrails import Guardrail
from dsl.syntax.metrics import Metric
from dsl.syntax.pieces import Field, Let, Param
from dsl.syntax.rollouts import RolloutItem
from dsl.syntax.steps import Step
from dsl.syntax.tests import Test


class Import(Node):
    path: String
    alias: Name | None
    span: Span


class Webhook(Node):
    name: Name
    fields: tuple[Field, ...]
    doc: str
    span: Span


class Gate(Node):
    name: Name
    fields: tuple[Field, ...]
    doc: str
    span: Span


class At(Node):
    """`at error, warn`."""

    severities: tuple[Name, ...]
    span: Span


class Channel(Node):
    name: Name
    items: tuple[Field | At, ...]
    doc: str
    span: Span


class Days(Node):
    """`days mon..fri, sun`: pairs of first and last day."""

    ranges: tuple[tuple[Name, Name], ...]
    span: Span


class Hours(Node):
    """`hours 09:00..16:30`."""

    start: Clock
    stop: Clock
    span: Span


class Zone(Node):
    name: String
    span: Span


class Window(Node):
    name: Name
    items: tuple[Days | Hours | Zone, ...]
    doc: str
    span: Span


class Strategy(Node):
    name: Name
    params: tuple[Param, ...]
    steps: tuple[Step, ...]
    doc: str
    span: Span


class Rollout(Node):
    name: Name
    namespace: Name | None
    items: tuple[RolloutItem, ...]
    doc: str
    span: Span


Declaration = (
    Import | Let | Metric | Analysis | Webhook | Gate | Channel | Window | Strategy | Rollout | Guardrail | Test
)


class Comment(Node):
    """`# …` to the end of its line; `doc` for `##`. `own_line` is false where it stands behind a statement."""

    text: str
    doc: bool
    own_line: bool
    span: Span


class File(Node):
    """A whole file. `language` is the number after `language`, if it stands."""

    source: Source
    language: Number | None
    declarations: tuple[Declaration, ...]
    comments: tuple[Comment, ...]
    span: Span
