"""`RolloutRun`: one attempt to roll out one revision, with the Program it was begun with and all that was decided."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from interpreter.cluster.resources.model import (
    AGE,
    Column,
    Definition,
    Metadata,
    Model,
    Name,
    Preserved,
    Time,
    rules,
)
from interpreter.cluster.resources.rollout import LastCheck, Step
from interpreter.state import Outcome, Phase


class Owner(Model):
    """The object that the run is of."""

    kind: Annotated[str, Field(min_length=1, max_length=63)]
    """`Rollout`, or Flagger's `Canary`."""
    name: Name
    """Its name, in the run's own namespace."""
    uid: Annotated[str, Field(max_length=64)] = ""
    """Its UID: an object of the same name that was made anew is another."""


class RolloutRunSpec(Model):
    """What the run was begun with. It is never changed."""

    model_config = rules(("self == oldSelf", "what a run was begun with cannot be changed: delete it instead"))

    owner: Owner
    """The object that the run is of."""
    number: int
    """Its number among its owner's runs; 0 is the coming up of the first primary."""
    revision: str
    """The revision that it rolls out."""
    digest: str
    """Digest of the program."""
    program: Preserved
    """The policy as it was compiled when the run began, in the form that `rollway schema` describes."""
    template: Preserved = Field(default_factory=dict)
    """What the revision is made of: the pod template (of a Service its spec)."""
    configs: dict[str, str] = Field(default_factory=dict)
    """Digests of the ConfigMaps and Secrets that belong to the revision."""


class Line(Model):
    """One line of the run's record."""

    at: Time
    """When."""
    step: int
    """At which step of the program; -1 before the first."""
    weight: float
    """Percent of the traffic that the canary had."""
    what: str
    """What happened, in one CamelCase word."""
    text: str = ""
    """What happened, in words, with the values seen."""


class Approval(Model):
    """A yes that somebody gave."""

    by: str
    """Who, as far as it is known."""
    at: Time
    """When it was taken."""
    step: int
    """At which step of the program."""
    verb: str
    """`approve` or `promote`."""
    via: str = ""
    """Which way it came."""
    reason: str = ""
    """Why, in the words of who gave it."""


class CheckLine(Model):
    """What one column of the table of checks is about."""

    text: str = ""
    """The line of the policy."""
    kind: str = ""
    """What the line is: require, observe, abort, call or abort_gate."""
    name: str = ""
    """The value that is followed."""
    unit: str = ""
    """The unit of its values, which are in base units: shares are ratios, times are in seconds. The unit `verdict` is
    1 for a call that was accepted, or a gate that let the rollout go on, and 0 for one that did not."""
    cmp: str = ""
    """How the policy compares it with its threshold."""
    threshold: float | None = None
    """The threshold, where it is the same at each check."""


class Checks(Model):
    """The checks of the run with the values seen; thinned out evenly where there were many, of those that passed."""

    lines: Annotated[list[CheckLine], Field(json_schema_extra={"x-kubernetes-list-type": "atomic"})] = Field(
        default_factory=list
    )
    """What the numbered columns of the table are about."""
    table: str = ""
    """A line for each check, oldest first, below one with the names of the columns; columns are separated by spaces. A
    cell is a value, `value/threshold` where the threshold is not always the same, or `-` for no data."""


class RolloutRunStatus(Model):
    """How far the run is, or how it ended."""

    phase: Phase | None = None
    """Where the run is in its life; Terminated, if a newer revision took its place or the target went back."""
    outcome: Outcome | None = None
    """How it ended."""
    weight: float | None = None
    """Percent of the traffic that goes to the canary."""
    step: Step | None = None
    """The step that it stands at, or ended at."""
    failed_checks: int | None = None
    """Checks that failed."""
    iterations: int | None = None
    """Checks that were made."""
    reason: str | None = None
    """What is being waited for, or why it ended as it did."""
    started_at: Time | None = None
    """When it began."""
    ended_at: Time | None = None
    """When it ended."""
    last_check: LastCheck | None = None
    """The latest check, with the values seen."""
    approvals: Annotated[list[Approval], Field(json_schema_extra={"x-kubernetes-list-type": "atomic"})] = Field(
        default_factory=list
    )
    """Who let it go on, or promoted it by hand."""
    log: Annotated[list[Line], Field(json_schema_extra={"x-kubernetes-list-type": "atomic"})] = Field(
        default_factory=list
    )
    """What was decided, and when; oldest first."""
    checks: Checks | None = None
    """The checks that were made, with the values seen."""
    state: str | None = None
    """What the interpreter goes on from, as JSON (`interpreter.state_json`). It is for nobody else. It is a text so
    that what is read is, to the byte, what was written."""
    traffic: str | None = None
    """Policies whose routes may be in the cluster, as JSON, the one that holds last: there since `traffic` was edited
    after the run. It is for nobody else."""


class RolloutRun(Model):
    """One attempt to roll out one revision. The status is read as it is."""

    metadata: Metadata
    spec: RolloutRunSpec
    status: dict[str, Any] = Field(default_factory=dict)


DEFINITION = Definition(
    kind="RolloutRun",
    plural="rolloutruns",
    short_names=("rwrun",),
    description="A RolloutRun is one attempt to roll out one revision: the program it runs, and all that was decided.",
    spec=RolloutRunSpec,
    status=RolloutRunStatus,
    columns=(
        Column("Owner", "string", ".spec.owner.name"),
        Column("Revision", "string", ".spec.revision"),
        Column("Phase", "string", ".status.phase"),
        Column("Outcome", "string", ".status.outcome"),
        Column("Step", "string", ".status.step.text", "The step that it stands at, or ended at"),
        Column("Weight", "number", ".status.weight", "Percent of the traffic on the canary"),
        Column("Started", "date", ".status.startedAt", "How long ago it began"),
        Column("Reason", "string", ".status.reason", "What is being waited for, or why it ended", priority=1),
        AGE._replace(priority=1),
    ),
)
