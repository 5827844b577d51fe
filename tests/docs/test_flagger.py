"""The page about Flagger's objects: its Canary becomes its policy, sign by sign."""

from __future__ import annotations

import re

import yaml

from dsl.flagger.importer import import_canary
from tests.docs.policies import ROOT

PAGE = (ROOT / "docs" / "reference" / "flagger.md").read_text(encoding="utf-8")


def block(kind: str) -> str:
    found = re.search(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_the_canary_of_the_page_becomes_the_policy_of_the_page() -> None:
    assert import_canary(yaml.safe_load(block("yaml"))).text == block("rollout")


def test_each_difference_is_told_in_three_cells() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("|")]
    assert len(rows) > 40
    assert {len(re.split(r"(?<!\\)\|", row)) for row in rows} == {5}
