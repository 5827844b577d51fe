"""Protects the contract of traffic providers: every provider, in every situation that its data plane can be in.

Golden manifests are in `tests/golden/traffic/RIG/SITUATION.yaml`. To write them anew, after a change that is meant:

    UPDATE_GOLDEN=1 python -m pytest tests/interpreter/traffic/test_contract.py -k golden

and read the difference.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dsl.capabilities import PROVIDERS as CAPABILITIES
from interpreter.traffic.registry import PROVIDERS
from tests.interpreter.traffic import contract
from tests.interpreter.traffic.rigs import RIGS
from tests.interpreter.traffic.situations import SITUATIONS, situations

BASELINE_SITUATIONS = (
    "start",
    "weight-0.01",
    "weight-12.5",
    "weight-99",
    "weight-100",
    "mirror-and-weight",
    "sticky-both-arms",
    "everything",
    "finish",
    "rollback",
)

GOLDEN = Path(__file__).parents[2] / "golden" / "traffic"
NAMESPACE = "test"

EVERY = [(name, situation) for name, make in RIGS.items() for situation in situations(make(NAMESPACE).row)]
GOLDENS = [
    (name, situation)
    for name, situation in EVERY
    if (wanted := RIGS[name](NAMESPACE).goldens) is None or situation in wanted
]


def test_every_provider_has_a_rig() -> None:
    assert {make(NAMESPACE).provider.name for make in RIGS.values()} == set(PROVIDERS)


@pytest.mark.parametrize("name", RIGS)
def test_a_provider_is_called_as_it_is_registered(name: str) -> None:
    rig = RIGS[name](NAMESPACE)
    assert rig.provider.name == rig.site.program.traffic.provider == name.split("-", maxsplit=1)[0]


@pytest.mark.parametrize(("name", "situation"), EVERY)
def test_what_is_read_is_what_was_rendered_and_again_changes_nothing(name: str, situation: str) -> None:
    contract.played(RIGS[name](NAMESPACE), SITUATIONS[situation])


@pytest.mark.parametrize(("name", "situation"), EVERY)
def test_what_went_before_leaves_no_trace(name: str, situation: str) -> None:
    contract.nothing_of_the_past(RIGS[name](NAMESPACE), situation)


@pytest.mark.parametrize(("name", "situation"), EVERY)
def test_what_others_write_stays(name: str, situation: str) -> None:
    contract.foreign_fields_stay(RIGS[name](NAMESPACE), situation)


@pytest.mark.parametrize(("name", "situation"), EVERY)
def test_release_puts_everything_back(name: str, situation: str) -> None:
    contract.all_is_put_back(RIGS[name](NAMESPACE), situation)


@pytest.mark.parametrize(
    "name", [name for name, make in RIGS.items() if make(NAMESPACE).given and make(NAMESPACE).edits]
)
def test_the_users_form_written_again(name: str) -> None:
    contract.users_form_again(RIGS[name](NAMESPACE))


@pytest.mark.parametrize("name", RIGS)
def test_missing_objects(name: str) -> None:
    contract.missing_objects_are_not_a_routing(RIGS[name](NAMESPACE))


@pytest.mark.parametrize("name", RIGS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(data=st.data())
def test_any_routing_after_any_other(name: str, data: st.DataObject) -> None:
    rig = RIGS[name](NAMESPACE)
    first, second = data.draw(contract.routings(rig.row)), data.draw(contract.routings(rig.row))
    assert contract.played(rig, (first, second)).objects == contract.played(rig, (second,)).objects


BASELINES = [name for name, make in RIGS.items() if make(NAMESPACE).row.baseline and not make(NAMESPACE).site.baseline]


def test_who_claims_a_baseline_has_golden_manifests_of_it() -> None:
    claim = {name for name in PROVIDERS if CAPABILITIES[name].baseline}
    assert claim == {make(NAMESPACE).provider.name for make in RIGS.values() if make(NAMESPACE).site.baseline}


@pytest.mark.parametrize(
    ("name", "situation"),
    [(name, each) for name in BASELINES for each in BASELINE_SITUATIONS if (name, each) in EVERY],
)
def test_a_baseline_comes_and_goes(name: str, situation: str) -> None:
    contract.baseline_comes_and_goes(RIGS[name](NAMESPACE), situation)


@pytest.mark.parametrize("name", BASELINES)
def test_a_baselines_part_that_was_taken_is_given_back(name: str) -> None:
    contract.a_part_that_was_taken_is_given_back(RIGS[name](NAMESPACE))


@pytest.mark.parametrize(("name", "situation"), GOLDENS)
def test_golden_manifests(name: str, situation: str) -> None:
    rig = RIGS[name](NAMESPACE)
    made = _yaml(contract.objects_of(contract.played(rig, SITUATIONS[situation]), rig))
    path = GOLDEN / name / f"{situation}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made)
    assert made == path.read_text()


def test_no_golden_file_is_left_over() -> None:
    files = {(path.parent.name, path.stem) for path in GOLDEN.glob("*/*.yaml")}
    assert files == set(GOLDENS)


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _yaml(manifests: list[dict[str, Any]]) -> str:
    return yaml.dump_all(manifests, Dumper=_Plain, sort_keys=False, width=110, allow_unicode=True)
