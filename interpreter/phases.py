"""The life of a rollout as a table: which phase may follow which. Anything else is a bug, and raises."""

from __future__ import annotations

from collections.abc import Mapping

from interpreter.state import Phase

P = Phase

CHANGES: Mapping[Phase, frozenset[Phase]] = {
    # the primary comes up beside the target, and takes over its traffic
    P.INITIALIZING: frozenset({P.INITIALIZED, P.TERMINATING}),
    # at rest
    P.INITIALIZED: frozenset({P.WAITING, P.TERMINATING}),
    P.SUCCEEDED: frozenset({P.WAITING, P.TERMINATING}),
    P.FAILED: frozenset({P.WAITING, P.PROMOTING, P.SUCCEEDED, P.TERMINATING}),
    # a new revision, not begun yet
    P.WAITING: frozenset({P.PROGRESSING, P.SUCCEEDED, P.FAILED, P.TERMINATING}),
    # the steps
    P.PROGRESSING: frozenset({P.WAITING_PROMOTION, P.PROMOTING, P.WAITING, P.SUCCEEDED, P.FAILED, P.TERMINATING}),
    P.WAITING_PROMOTION: frozenset({P.PROGRESSING, P.PROMOTING, P.WAITING, P.SUCCEEDED, P.FAILED, P.TERMINATING}),
    # the primary takes the new revision, then its traffic
    P.PROMOTING: frozenset({P.FINALISING, P.FAILED, P.TERMINATING}),
    P.FINALISING: frozenset({P.SUCCEEDED, P.TERMINATING}),
    # the end of the rollout itself
    P.TERMINATING: frozenset({P.TERMINATED}),
    P.TERMINATED: frozenset(),
}

AT_REST: frozenset[Phase] = frozenset({P.INITIALIZED, P.SUCCEEDED, P.FAILED})
"""Phases in which nothing is under way."""
