"""An account is judged right: whatever is not as it should be in it is found, and said."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.e2e.account import AFTER, BAD, FIRST, GOOD, Account, Share, wrong
from tests.e2e.load import NOBODY
from tests.e2e.pods import Answer

FINE = {
    "before": Counter({Answer(FIRST, 200): 100}),
    GOOD: Counter({Answer(FIRST, 200): 900, Answer(GOOD, 200): 100}),
    BAD: Counter({Answer(GOOD, 200): 900, Answer(BAD, 200): 70, Answer(BAD, 500): 30}),
    AFTER: Counter({Answer(GOOD, 200): 100}),
}


def account(**changes: Any) -> Account:
    """One with which all is well, but for the changes."""
    fine: dict[str, Any] = {
        "started": 2200,
        "by_part": FINE,
        "by_pods": sum(FINE.values(), Counter()),
        "shares": tuple(Share(GOOD, weight, 600, round(6 * weight)) for weight in (10.0, 30.0, 50.0)),
        "codes": {GOOD: 0, BAD: 1},
        "phases": {GOOD: "Succeeded", BAD: "Failed"},
        "reasons": {GOOD: "", BAD: "3 failed checks in a row: success_rate >= 99% (success_rate 70%)"},
        "late": 0,
        "at_worst": 400.0,
        "stopped": 0,
    }
    return Account(**{**fine, **changes})


def answers(part: str, *more: Answer) -> dict[str, Counter[Answer]]:
    """Those of the fine account, with one more of each of these in one part."""
    return {**FINE, part: FINE[part] + Counter(more)}


def consistent(part: str, *more: Answer) -> dict[str, Any]:
    """The same, of which both ends know."""
    by_part = answers(part, *more)
    given = Counter({answer: n for answer, n in sum(by_part.values(), Counter()).items() if answer.version != NOBODY})
    return {"by_part": by_part, "by_pods": given, "started": 2200 + len(more)}


def test_nothing_is_wrong_where_all_is_well() -> None:
    assert wrong(account()) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"started": 2201}, "2201 requests were begun and 2200 have ended"),
        ({"by_pods": Counter({Answer(FIRST, 200): 1000})}, "and the pods have given"),
        (consistent(GOOD, Answer(NOBODY, 503)), "part `2`: 1 requests have failed with 503 from no pod"),
        (consistent("before", Answer(NOBODY, 0)), "part `before`: 1 requests have failed with 0 from no pod"),
        (consistent(BAD, Answer(GOOD, 500)), "part `3`: 1 requests have failed with 500 from version 2"),
        (consistent(AFTER, Answer(BAD, 200)), "after all this the versions ['2', '3'] answer"),
        (consistent(AFTER, Answer(FIRST, 200)), "after all this the versions ['1', '2'] answer"),
        ({"by_part": {**FINE, "before": Counter()}}, "there are no requests in the part `before`"),
        ({"codes": {GOOD: 0, BAD: 0}}, "`rollway status --watch` has ended with"),
        ({"phases": {GOOD: "Succeeded", BAD: "Succeeded"}}, "the rollout's phases are"),
        ({"reasons": {BAD: "no data"}}, "does not name `success_rate >= 99%`: 'no data'"),
        ({"stopped": -9}, "the controller, told to stop, has ended with -9"),
        ({"shares": (Share(GOOD, 50.0, 600, 300),)}, "the good version had the weights (50.0,)"),
        ({"at_worst": 99.0}, "100 requests were exposed to the bad version; the plan said 99 at worst"),
        ({"late": 1}, "1 requests reached the bad version after"),
        ({"troubles": ("a pod cannot listen",)}, "a pod cannot listen"),
    ],
)
def test_what_is_wrong_is_said(changes: dict[str, Any], said: str) -> None:
    assert any(said in fault for fault in wrong(account(**changes))), wrong(account(**changes))


def test_a_bad_version_that_fails_nobody_shows_nothing() -> None:
    by_part = {**FINE, BAD: Counter({Answer(BAD, 200): 100})}
    assert "the bad version has failed nobody, so nothing is shown by this" in wrong(account(by_part=by_part))


@pytest.mark.parametrize(
    ("weight", "got", "fits"),
    [(10.0, 60, True), (10.0, 104, True), (10.0, 106, False), (10.0, 14, False), (50.0, 0, False), (100.0, 599, True)],
)
def test_a_share_may_be_off_by_chance_and_no_more(weight: float, got: int, fits: bool) -> None:
    """Six standard deviations of 600 requests at 10% are 44."""
    faults = wrong(account(shares=(*account().shares, Share(BAD, weight, 600, got))))
    assert (faults == []) is fits
