"""`RolloutLibrary` and `ClusterRolloutLibrary`: text that policies import as `library/NAME`."""

from __future__ import annotations

from pydantic import Field

from interpreter.cluster.resources.model import AGE, Column, Conditions, Definition, Metadata, Model, Source


class LibrarySpec(Model):
    """What the library holds."""

    source: Source
    """Text in the rollout language: metrics, analyses, webhooks, strategies, guardrails, or whole policies."""


class LibraryStatus(Model):
    """Whether the library can be used."""

    conditions: Conditions = Field(default_factory=list)
    """`Ready` is False with the first errors in its text."""
    observed_generation: int | None = None
    """The `metadata.generation` that the conditions speak of."""


class Library(Model):
    """Text to import."""

    metadata: Metadata
    spec: LibrarySpec


_COLUMNS = (
    Column("Ready", "string", ".status.conditions[?(@.type=='Ready')].status"),
    Column("Message", "string", ".status.conditions[?(@.type=='Ready')].message", priority=1),
    AGE,
)

DEFINITION = Definition(
    kind="RolloutLibrary",
    plural="rolloutlibraries",
    short_names=("rwlib",),
    description="A RolloutLibrary is text that the policies of its namespace import as `library/NAME`.",
    spec=LibrarySpec,
    status=LibraryStatus,
    columns=_COLUMNS,
)

CLUSTER_DEFINITION = Definition(
    kind="ClusterRolloutLibrary",
    plural="clusterrolloutlibraries",
    short_names=("rwclib",),
    description="A ClusterRolloutLibrary is text that the policies of every namespace import as `library/NAME`; its "
    "guardrails hold for all of them.",
    spec=LibrarySpec,
    status=LibraryStatus,
    columns=_COLUMNS,
    namespaced=False,
)
