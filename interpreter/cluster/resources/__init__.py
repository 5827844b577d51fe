"""The custom resources of rollway, one file a kind. `DEFINITIONS` has them all, in the order in which they are
installed."""

from __future__ import annotations

from interpreter.cluster.resources import alert_provider, library, metric_template, rollout, rollout_run
from interpreter.cluster.resources.model import Definition

DEFINITIONS: tuple[Definition, ...] = (
    rollout.DEFINITION,
    rollout_run.DEFINITION,
    library.DEFINITION,
    library.CLUSTER_DEFINITION,
    metric_template.DEFINITION,
    alert_provider.DEFINITION,
)
