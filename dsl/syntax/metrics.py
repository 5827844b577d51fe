"""Declarations of metrics."""

from __future__ import annotations

from dsl.node import Node
from dsl.source import Span
from dsl.syntax.expressions import Expr, Name, String
from dsl.syntax.pieces import Field, Param


class Query(Node):
    """`[bad|total] prometheus "…"`; `part` is None, `bad` or `total`."""

    part: Name | None
    provider: Name
    text: String
    span: Span


class Variant(Node):
    """`for istio …`: the queries and settings that hold under one traffic provider."""

    traffic: Name
    items: tuple[Query | Field, ...]
    span: Span


class TemplateRef(Node):
    """`from template "namespace/name" … { variables { … } }`."""

    name: String
    fields: tuple[Field, ...]
    span: Span


class Metric(Node):
    """`body` is an expression (`= …`), a reference to a MetricTemplate, or the items between the braces."""

    name: Name
    params: tuple[Param, ...]
    unit: Name
    body: tuple[Query | Variant | Field, ...] | Expr | TemplateRef
    doc: str
    span: Span
