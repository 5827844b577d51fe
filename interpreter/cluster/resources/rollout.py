"""`Rollout`: a policy at work on a target."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from interpreter.cluster.resources.model import (
    AGE,
    Column,
    Conditions,
    Definition,
    Metadata,
    Model,
    Name,
    Source,
    Time,
    rules,
)
from interpreter.state import Phase, Verdict

DEFAULT_KEY = "policy.rollout"
MOST_NAME = 50


class SourceRef(Model):
    """Where the policy's text is."""

    model_config = rules(
        (
            "!has(self.key) || !has(self.kind) || self.kind == 'ConfigMap'",
            "`key` names a key of a ConfigMap; a library holds one text and has no keys: leave `key` out",
        ),
    )

    kind: Literal["ConfigMap", "RolloutLibrary", "ClusterRolloutLibrary"] = "ConfigMap"
    """What holds the text: a ConfigMap (if nothing is said) or a RolloutLibrary of the same namespace, or a
    ClusterRolloutLibrary."""
    name: Name
    """The object's name."""
    key: Annotated[str, Field(min_length=1, max_length=253)] | None = None
    """The key of the ConfigMap that holds the text; `policy.rollout` if nothing is said."""


class TargetRef(Model):
    """A workload."""

    api_version: Annotated[str, Field(max_length=317)] = ""
    """Its API version; may be left out for Deployment, DaemonSet, StatefulSet and Service."""
    kind: Annotated[str, Field(min_length=1, max_length=63)]
    """Its kind, as `Deployment`."""
    name: Annotated[str, Field(min_length=1, max_length=253)]
    """Its name, in the rollout's own namespace."""


class RolloutSpec(Model):
    """What is to be rolled out, and how."""

    model_config = rules(
        (
            "has(self.source) != has(self.sourceRef)",
            "a rollout has its policy either as text in `source` or elsewhere, named by `sourceRef`: "
            "give one of them, and only one",
        ),
        (
            "!has(self.targetRef) || (has(self.sourceRef) && has(self.sourceRef.kind) "
            "&& self.sourceRef.kind != 'ConfigMap')",
            "`targetRef` takes the place of the target in a policy that many rollouts share, so it goes only with a "
            "`sourceRef` to a RolloutLibrary or a ClusterRolloutLibrary; write the target into the policy instead",
        ),
    )

    source: Source | None = None
    """The policy's text, in the rollout language. It holds one `rollout` block, named as this object."""
    source_ref: SourceRef | None = None
    """Where the policy's text is, if it is not in `source`."""
    target_ref: TargetRef | None = None
    """The workload that a shared policy is to be applied to. Only with a `sourceRef` to a library: it takes the place
    of the target that the policy names."""
    suspend: bool = False
    """While true nothing moves: the traffic stays as it is, and a new revision waits."""


class Step(Model):
    """The step that the run stands at."""

    index: int
    """Its number in the program, from 0; -1 while the canary is brought up."""
    text: str = ""
    """The statement, as the policy has it."""
    since: Time | None = None
    """When it began."""


class Result(Model):
    """One line of a check."""

    text: str
    """The condition, as the policy has it."""
    verdict: Verdict
    """What it came to."""
    values: dict[str, str] = Field(default_factory=dict)
    """What was measured, by metric, as people read it."""
    detail: str = ""
    """Why it came to that, in words."""


class LastCheck(Model):
    """The latest check of the analysis, with the values seen."""

    at: Time
    """As of when it was made."""
    verdict: Verdict
    """What it came to as a whole."""
    results: list[Result] = Field(default_factory=list)
    """Its lines."""


class RolloutStatus(Model):
    """Where the rollout is. It is written when what it shows has changed, and not otherwise."""

    phase: Phase | None = None
    """Where the rollout is in its life. Succeeded, Initialized and Failed are at rest."""
    conditions: Conditions = Field(default_factory=list)
    """`Ready` is True when the latest revision has been promoted; `Promoted` says how the latest run went."""
    observed_generation: int | None = None
    """The `metadata.generation` of the policy that the status speaks of."""
    revision: str | None = None
    """The revision that the target has, as far as it has been taken up."""
    run: str | None = None
    """Name of the RolloutRun of the current or latest run, which has the whole record."""
    step: Step | None = None
    """The step that the current run stands at."""
    weight: float | None = None
    """Percent of the traffic that goes to the canary."""
    failed_checks: int | None = None
    """Checks of the current or latest run that failed."""
    iterations: int | None = None
    """Checks of the current or latest run that were made."""
    reason: str | None = None
    """What is being waited for, or why it ended as it did."""
    last_check: LastCheck | None = None
    """The latest check of the current or latest run."""
    last_applied_spec: str | None = None
    """The revision that was last taken up."""
    last_promoted_spec: str | None = None
    """The revision that was last promoted."""
    tracked_configs: dict[str, str] | None = None
    """Digests of the ConfigMaps and Secrets that the revision is made of, by `configmap/NAME` and `secret/NAME`."""
    last_transition_time: Time | None = None
    """When the phase last changed."""


class Rollout(Model):
    """A policy at work on a target."""

    metadata: Metadata
    spec: RolloutSpec


DEFINITION = Definition(
    kind="Rollout",
    plural="rollouts",
    short_names=("rw",),
    description="A Rollout says how new revisions of one workload earn their traffic, and shows how far the latest is.",
    spec=RolloutSpec,
    status=RolloutStatus,
    columns=(
        Column("Phase", "string", ".status.phase"),
        Column("Step", "string", ".status.step.text", "The step that the run stands at"),
        Column("Weight", "number", ".status.weight", "Percent of the traffic on the canary"),
        Column("Failed", "integer", ".status.failedChecks", "Failed checks"),
        Column(
            "Ready", "string", '.status.conditions[?(@.type=="Ready")].status', "Whether all is as it was asked for"
        ),
        Column("Reason", "string", ".status.reason", "What is being waited for, or what is wrong", priority=1),
        AGE,
    ),
    rules=(
        (
            f"self.metadata.name.size() <= {MOST_NAME}",
            f"the name of a rollout has at most {MOST_NAME} characters, so that `-primary` and the number of a run fit "
            "behind it",
        ),
    ),
)
