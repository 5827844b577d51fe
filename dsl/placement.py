"""Putting a policy in its place: the namespace that it is read in, and the workload that it is lent to.

A policy kept in a cluster stands in an object that has a namespace and a name of its own. Where its text names no
namespace, the object's is meant. A library's policy can be lent to any workload: its rollout's name and target are then
those of the borrower. Both are done in the text, before it is compiled, so that what is wrong is said of its lines.
"""

from __future__ import annotations

from typing import NamedTuple

from dsl import syntax
from dsl.parser import parse
from dsl.source import Source, Span


class Borrower(NamedTuple):
    """Who uses a library's policy: the rollout's name, and its target as the language writes it."""

    name: str
    target: str


def placed(source: Source, namespace: str, borrower: Borrower | None = None) -> Source:
    """The text with its one rollout in its place; a text with none or several is left as it is."""
    rollouts = [node for node in parse(source).file.declarations if isinstance(node, syntax.Rollout)]
    if len(rollouts) != 1:
        return source
    node = rollouts[0]
    edits: list[tuple[Span, str]] = []
    if borrower is not None:
        edits.append((node.name.span, borrower.name))
        targets = [item for item in node.items if isinstance(item, syntax.Target)]
        edits += [(item.workload.span, borrower.target) for item in targets]
    if node.namespace is None:
        end = node.name.span.end
        edits.append((Span(source, end, end), f" in {namespace}"))
    elif borrower is not None:
        edits.append((node.namespace.span, namespace))
    return Source(source.name, _edited(source.text, edits))


def _edited(text: str, edits: list[tuple[Span, str]]) -> str:
    for span, new in sorted(edits, key=lambda edit: (edit[0].start, edit[0].end), reverse=True):
        text = text[: span.start] + new + text[span.end :]
    return text
