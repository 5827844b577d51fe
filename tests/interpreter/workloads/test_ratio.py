"""Protects the numbers of pods that stand for a weight."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interpreter.objects import Edit, Manifest
from interpreter.workloads.ratio import TOTAL, Counts, counts, finest, next_primary, said, sized, total

weights = st.integers(1, 9_999).map(lambda parts: parts / 100)


def primary(replicas: int | None, **annotations: str) -> Manifest:
    metadata = {"name": "web-primary", **({"annotations": annotations} if annotations else {})}
    return {"metadata": metadata, "spec": {} if replicas is None else {"replicas": replicas}}


@pytest.mark.parametrize(
    ("pods", "weight", "wanted"),
    [
        (1, 5, (1, 1)),
        (1, 95, (1, 1)),
        (3, 5, (3, 1)),
        (3, 33.33, (2, 1)),
        (3, 50, (2, 2)),
        (3, 95, (1, 3)),
        (4, 25, (3, 1)),
        (10, 10, (9, 1)),
        (10, 25, (8, 3)),
        (10, 5, (10, 1)),
        (20, 5, (19, 1)),
        (100, 1, (99, 1)),
        (10, 0, (10, 0)),
        (10, 100, (10, 10)),
    ],
)
def test_the_nearest(pods: int, weight: float, wanted: tuple[int, int]) -> None:
    assert counts(pods, weight) == Counts(*wanted)


@given(st.integers(1, 60), weights)
def test_no_other_numbers_are_nearer(pods: int, weight: float) -> None:
    """Against all that there are, in whole numbers."""
    asked = Fraction(round(weight * 100), 100)
    made = counts(pods, weight)
    assert min(made) >= 1
    assert pods <= sum(made) <= max(2, pods + 1)
    every = [Fraction(100 * canaries, both) for both in (pods, pods + 1) for canaries in range(1, both)]
    assert abs(Fraction(100 * made.canary, sum(made)) - asked) <= min(abs(one - asked) for one in every)


@given(st.integers(1, 60), weights, weights)
def test_more_weight_is_no_smaller_share(pods: int, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert counts(pods, low).share <= counts(pods, high).share


def test_a_primary_that_is_promoted_is_whole() -> None:
    assert counts(10, 50, whole=True) == Counts(10, 5)


def test_what_a_weight_comes_to() -> None:
    assert said(3, 5) == "5% comes to 25%: 1 of 4 pods; with 20 replicas it would be what it says"
    assert [said(20, 5), said(3, 0), said(3, 100), said(3, 33)] == [""] * 4
    assert [finest(weight) for weight in (50, 25, 10, 5, 1, 12.5, 33.33)] == [2, 4, 10, 20, 100, 8, 10_000]


def test_the_total_is_noted_with_the_change_and_goes_with_it() -> None:
    whole = primary(10)
    assert total(whole) == 10
    change = sized(whole, 5)
    assert isinstance(change, Edit)
    assert change.after == primary(5, **{TOTAL: "10"})
    assert total(change.after) == 10
    assert sized(change.after, 5) is None
    back = sized(change.after, 10)
    assert isinstance(back, Edit)
    assert (total(back.after), TOTAL in back.after["metadata"]["annotations"]) == (10, False)


def test_who_scales_the_primary_by_hand_is_believed_while_it_is_whole() -> None:
    assert sized(primary(7), 7) is None
    assert [total(primary(replicas)) for replicas in (7, 0, None)] == [7, 1, 1]
    assert total(primary(3, **{TOTAL: "ten"})) == 3


@pytest.mark.parametrize(("serving", "next_"), [(0, 10), (2, 8), (5, 5), (9, 5)])
def test_pods_are_given_up_only_for_canaries_that_serve(serving: int, next_: int) -> None:
    assert next_primary(5, primary(10), serving) == next_


def test_pods_come_back_at_once() -> None:
    assert next_primary(10, primary(5, **{TOTAL: "10"}), 0) == 10
