"""The words that rollway uses in a cluster: its API group, labels, annotations, finalizer and field manager."""

from __future__ import annotations

GROUP = "rollway.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
FLAGGER_API_VERSION = "flagger.app/v1beta1"

MANAGER = "rollway"
"""Field manager of every server-side apply, `app.kubernetes.io/managed-by` of every object of ours."""

FINALIZER = f"{GROUP}/finalizer"
"""On every Rollout and Canary, so that a target is never left at nothing when it is deleted."""
FLAGGER_FINALIZER = "finalizer.flagger.app"

MANAGED_BY = "app.kubernetes.io/managed-by"
ROLLOUT = f"{GROUP}/rollout"
"""Label of every object of ours: the name of the rollout that it belongs to."""
OWNER_KIND = f"{GROUP}/owner-kind"
"""Label of a RolloutRun: `Rollout` or `Canary`."""
NUMBER = f"{GROUP}/run"
"""Label of a RolloutRun: its number."""

METRIC = f"{GROUP}/metric"
"""Label of a Job that is a check: the metric that it answers."""
MOMENT = f"{GROUP}/moment"
"""Annotation of such a Job: the moment that is asked about, in milliseconds since the epoch."""

APPLIED = f"{GROUP}/applied"
"""Annotation: digest of what was last applied, so that nothing is applied twice."""
REVISION = f"{GROUP}/revision"
ORIGINAL = f"{GROUP}/original"
POLICY = f"{GROUP}/policy"
"""Annotation on a workload that opts it in: `NAME` of a RolloutLibrary in its namespace, or `cluster/NAME`."""

VERBS = ("approve", "abort", "promote", "retry", "pause", "resume")
"""Each is an annotation `rollway.dev/VERB` on a Rollout or Canary. Its value is the revision that it speaks of, or JSON
with `revision` and, as far as known, `step`, `by`, `reason`, `at`, `via` (which way it came) and `id`."""


def verb_annotation(verb: str) -> str:
    """The annotation that carries a verb."""
    return f"{GROUP}/{verb}"
