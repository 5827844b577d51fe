"""Protects when a baseline has its part of the traffic: ready as a whole to begin with, then while any pod answers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from interpreter.cluster.baseline import Baseline
from interpreter.cluster.names import NUMBER
from interpreter.objects import Manifest
from interpreter.state import Run, State
from interpreter.workloads.deployment import DeploymentKind
from interpreter.workloads.kind import REVISION
from tests.interpreter.workloads import made

STATE = State(primary="v1", run=Run(3, "v2", "digest", 0, 0))


class Rig:
    """A baseline of two pods, `available` of which are up."""

    def __init__(self) -> None:
        self.subject: Any = SimpleNamespace(
            program=made.program(baseline=True),
            kind=DeploymentKind(),
            baseline=None,
            baseline_ref="Deployment web-baseline",
        )
        self.under_test = Baseline(self.subject, None)  # type: ignore[arg-type]
        self.under_test.wanted = True

    def serves(self, available: int, *, wanted: int = 2, run: int = 3, state: State = STATE) -> bool:
        self.subject.baseline = deployment(available, wanted, run)
        return self.under_test.serves(state, 0)


def deployment(available: int, wanted: int, run: int) -> Manifest:
    found = made.deployment("web-baseline")
    found["spec"]["replicas"] = wanted
    found["metadata"]["annotations"] |= {REVISION: "v1", NUMBER: str(run)}
    found["status"] = {
        "observedGeneration": 1,
        "replicas": 2,
        "updatedReplicas": 2,
        "availableReplicas": available,
    }
    return found


def test_it_begins_when_it_is_ready_as_a_whole() -> None:
    rig = Rig()
    assert not rig.under_test.serves(STATE, 0)
    assert [rig.serves(available) for available in (0, 1, 2)] == [False, False, True]


def test_it_goes_on_while_it_is_scaled_up_and_ends_with_its_last_pod() -> None:
    rig = Rig()
    assert rig.serves(2)
    assert rig.serves(2, wanted=4)
    assert rig.serves(1)
    assert not rig.serves(0)
    assert not rig.serves(1)


@pytest.mark.parametrize("change", ["not wanted", "another run", "another primary"])
def test_it_ends_with_what_it_was_made_for(change: str) -> None:
    rig = Rig()
    assert rig.serves(2)
    rig.under_test.wanted = change != "not wanted"
    state = State(primary="v9", run=STATE.run) if change == "another primary" else STATE
    assert not rig.serves(2, run=2 if change == "another run" else 3, state=state)


def test_why_it_is_not_ready() -> None:
    rig = Rig()
    assert rig.under_test.readiness("v1", STATE, 2, 0).reason == "Deployment web-baseline does not exist yet"
    rig.subject.baseline = deployment(2, 2, 2)
    assert rig.under_test.readiness("v1", STATE, 2, 0).reason == "Deployment web-baseline is not of this run yet"
    rig.subject.baseline = deployment(2, 2, 3)
    assert rig.under_test.readiness("v1", STATE, 3, 0).reason == "Deployment web-baseline is not scaled to 3 yet"
    assert rig.under_test.readiness("v1", STATE, 2, 0).ready
