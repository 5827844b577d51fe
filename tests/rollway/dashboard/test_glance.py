"""The list: what comes first, what fits, which page."""

from __future__ import annotations

import pytest

from rollway.cluster.shown import Shown, shown
from rollway.dashboard.glance import PAGE, Need, Query, glance, need, parsed
from tests.rollway.cluster import objects
from tests.rollway.dashboard.board import many

EVERY = [shown(manifest) for manifest in many(700, "shop")]


def one(phase: str, **status: object) -> Shown:
    return shown(objects.rollout(phase=phase, **status))


@pytest.mark.parametrize(
    ("rollout", "wanted"),
    [
        (one("WaitingPromotion", reason="waiting for approval from ann"), Need.PERSON),
        (one("Progressing", reason="paused by ann"), Need.PERSON),
        (one("Progressing", reason="waiting for gate `night`"), Need.BUSY),
        (one("Failed", reason="aborted"), Need.TROUBLE),
        (one("Succeeded"), Need.REST),
        (one(""), Need.BUSY),
        (one("SomethingNew"), Need.BUSY),
        (
            one("Succeeded", conditions=[{"status": "False", "reason": "InvalidPolicy", "message": "line 3"}]),
            Need.TROUBLE,
        ),
    ],
)
def test_what_a_rollout_wants_of_a_person(rollout: Shown, wanted: Need) -> None:
    assert need(rollout) is wanted


def test_who_wants_a_person_comes_first_then_by_name() -> None:
    rows = glance(EVERY, Query()).rows
    order = [(row.need, row.one.name) for row in rows]
    assert order == sorted(order)
    assert rows[0].need is Need.PERSON


def test_pages_hold_every_rollout_once() -> None:
    first = glance(EVERY, Query())
    assert (first.pages, first.found, first.total, len(first.rows)) == (7, 700, 700, PAGE)
    names = [row.one.name for page in range(1, 8) for row in glance(EVERY, Query(page=page)).rows]
    assert sorted(names) == sorted(one.name for one in EVERY)
    assert glance(EVERY, Query(page=99)).query.page == 7


def test_filters_go_together_and_counts_are_of_all() -> None:
    found = glance(EVERY, Query(namespace="shop", phase="Failed", text="SERVICE-01 ff874"))
    assert 0 < found.found == len([row for row in found.rows if row.phase == "Failed" and "service-01" in row.one.name])
    assert dict(found.needs) == {Need.PERSON: 100, Need.TROUBLE: 100, Need.BUSY: 100, Need.REST: 400}
    assert glance(EVERY, Query(need="trouble")).found == 100
    assert glance(EVERY, Query(namespace="elsewhere")).found == 0


def test_nothing_is_a_page_too() -> None:
    empty = glance([], Query(page=3))
    assert (empty.pages, empty.query.page, empty.rows) == (1, 1, ())


@pytest.mark.parametrize("page", ["", "0", "-1", "x", "٣", "9" * 40])
def test_a_page_that_is_no_number_is_the_first(page: str) -> None:
    assert glance(EVERY, parsed([("page", page)])).query.page == 1


def test_an_address_says_what_is_asked_and_no_more() -> None:
    assert Query(namespace="shop", page=2).parameters() == {"namespace": "shop", "page": "2"}
    assert Query(namespace="shop", page=2).parameters(page=1) == {"namespace": "shop"}
    assert parsed([("text", "x" * 5000)]).text == "x" * 200
