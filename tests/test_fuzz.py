"""Protects everybody from everything: whatever is in a policy, the linter answers in a second, in words for people.

A part of it has a fixed seed, so that it fails again where it failed once, and a part a fresh one, so that it looks
further each time. `ROLLWAY_FUZZ` says how many in all; `python -m tests.fuzz` runs the full number.
"""

from __future__ import annotations

import os
from secrets import randbelow

import pytest

from tests.fuzz import FIXED_SEED, failures, mutated

COUNT = int(os.environ.get("ROLLWAY_FUZZ", "1500"))


def test_mutations_of_a_fixed_seed() -> None:
    assert [str(one) for one in failures(FIXED_SEED, range(COUNT * 2 // 3))] == []


def test_mutations_of_a_fresh_seed() -> None:
    seed = randbelow(10**9)
    print(f"seed {seed}")
    assert [str(one) for one in failures(seed, range(COUNT // 3))] == []


def test_a_failure_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.compile_source", lambda source: {}["odd"])
    assert "KeyError" in failures(FIXED_SEED, range(1))[0].why


def test_slowness_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    # Below nothing, and not nothing: where the processor's clock ticks coarsely, a policy takes no time at all.
    monkeypatch.setattr("tests.fuzz.SECOND", -1.0)
    assert failures(FIXED_SEED, range(1))[0].why.startswith("took")


def test_a_loop_without_end_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def turn(source: object) -> None:
        while True:
            pass

    monkeypatch.setattr("tests.fuzz.PATIENCE", 0.05)
    monkeypatch.setattr("tests.fuzz.compile_source", turn)
    assert "in turn" in failures(FIXED_SEED, range(1))[0].why


def test_a_policy_can_be_had_again() -> None:
    assert mutated(7, 11) == mutated(7, 11)
    assert len({mutated(7, number) for number in range(50)}) > 45
