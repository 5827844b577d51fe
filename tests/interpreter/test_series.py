"""The series of a run's checks: what goes in comes out, it never grows too large, and what failed stays."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interpreter.series import MOST_LINES, MOST_ROWS, from_data, grown, points, to_data
from interpreter.state import CheckLine, CheckRecord, CheckSeries, Verdict
from interpreter.state_json import decode, encode

START = 1_800_000_000_000
ERRORS = CheckLine("errors <= 1%", "require", "errors", "percent", "<=", 0.01)
LATENCY = CheckLine("latency <= 1.2 * latency of primary", "require", "latency", "seconds", "<=")
MOST_BYTES = 64 * 1024

numbers = st.floats(allow_nan=True, allow_infinity=True) | st.none()
verdicts = st.sampled_from(Verdict)


def check(number: int, verdict: Verdict = Verdict.PASS, every_ms: int = 15_000, weight: float = 10.0) -> CheckRecord:
    return CheckRecord(START + number * every_ms, 0, 3, weight, verdict, ())


def long(count: int, verdict: Verdict = Verdict.PASS, lines: int = 1, *, moving: bool = False) -> CheckSeries:
    kept = CheckSeries()
    for number in range(count):
        found = [
            (
                CheckLine(f"line {line} {'x' * 200}", "require", "v" * 300, "seconds", "<=", None if moving else 0.25),
                -1.234567e-05 * (number + 1),
                -9.87654e-05 * (number + 1) if moving else None,
            )
            for line in range(lines)
        ]
        kept = grown(kept, check(number, verdict), found)
    return kept


def test_a_check_is_kept_with_the_value_and_the_threshold_of_each_line() -> None:
    kept = grown(CheckSeries(), check(0), [(ERRORS, 0.002, None), (LATENCY, 0.31, 0.288)])

    (point,) = points(kept)
    assert (point.at_ms, point.step, point.weight, point.verdict) == (START, 3, 10.0, Verdict.PASS)
    assert [(one.line.name, one.value, one.threshold) for one in point.values] == [
        ("errors", 0.002, 0.01),
        ("latency", 0.31, 0.288),
    ]


def test_the_words_of_a_line_are_kept_once() -> None:
    kept = grown(CheckSeries(), check(0), [(ERRORS, 0.002, None)])
    kept = grown(kept, check(1), [(LATENCY, None, 0.3)])
    kept = grown(kept, check(2), [(ERRORS, 0.004, None), (LATENCY, 0.2, 0.3)])

    assert [line.name for line in kept.lines] == ["errors", "latency"]
    assert [[one.value for one in point.values] for point in points(kept)] == [[0.002], [None], [0.004, 0.2]]


def test_it_can_be_read_in_the_status_of_a_run() -> None:
    kept = grown(CheckSeries(), check(0), [(ERRORS, 0.0023456789, None), (LATENCY, 0.31, 0.288)])
    kept = grown(kept, check(1, Verdict.NO_DATA), [(ERRORS, None, None), (LATENCY, None, 0.25)])

    data = to_data(kept)

    assert data is not None
    assert data["table"].splitlines() == [
        "at step weight verdict 1 2",
        "2027-01-15T08:00:00Z 3 10 pass 0.00234568 0.31/0.288",
        "2027-01-15T08:00:15Z 3 10 no_data - -/0.25",
    ]
    assert data["lines"][0] == {
        "text": "errors <= 1%",
        "kind": "require",
        "name": "errors",
        "unit": "percent",
        "cmp": "<=",
        "threshold": 0.01,
    }
    assert from_data(json.loads(json.dumps(data))) == kept
    assert to_data(CheckSeries()) is None


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 4_000_000_000_000), st.floats(0, 100), verdicts, st.lists(numbers, max_size=6), st.booleans()
        ),
        max_size=12,
    )
)
def test_what_is_written_is_read_again_to_the_digit(
    checks: list[tuple[int, float, Verdict, list[float | None], bool]],
) -> None:
    kept = CheckSeries()
    for at_ms, weight, verdict, values, moving in checks:
        lines = [
            (CheckLine(f"line {place} {moving}", "require", "v"), value, value if moving else None)
            for place, value in enumerate(values)
        ]
        kept = grown(kept, CheckRecord(at_ms, 0, 1, weight, verdict, ()), lines)

    data = to_data(kept)
    assert from_data(json.loads(json.dumps(data))) == (kept if kept.rows else CheckSeries())


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE])
@pytest.mark.parametrize("moving", [False, True])
def test_twenty_lines_for_a_day_stay_below_64_kilobytes(verdict: Verdict, moving: bool) -> None:
    kept = long(600, verdict, lines=20, moving=moving)

    assert len(json.dumps(to_data(kept), ensure_ascii=False).encode()) < MOST_BYTES
    assert len(kept.rows) >= 80


def test_more_lines_than_fit_are_left_out_and_the_rest_stays_small() -> None:
    kept = long(300, lines=3 * MOST_LINES, moving=True)

    assert len(kept.lines) == MOST_LINES
    assert len(json.dumps(to_data(kept), ensure_ascii=False).encode()) < MOST_BYTES


def test_passed_checks_are_thinned_evenly_and_the_ends_stay() -> None:
    kept = long(2000)

    times = [row.at_ms for row in kept.rows]
    gaps = [after - before for before, after in pairwise(times)]
    assert len(times) == MOST_ROWS
    assert (times[0], times[-1]) == (START, START + 1999 * 15_000)
    # 2,000 checks over 120 rows are a row in 17: nowhere are there as many as in the beginning, nor a hole.
    assert max(gaps) <= 2 * 17 * 15_000
    assert sum(at < START + 1000 * 15_000 for at in times) == pytest.approx(MOST_ROWS / 2, abs=MOST_ROWS / 5)


@settings(max_examples=25, deadline=None)
@given(st.lists(verdicts, min_size=MOST_ROWS + 1, max_size=MOST_ROWS + 150), st.integers(1, 60_000))
def test_what_failed_stays_as_long_as_there_is_anything_else(told: list[Verdict], every_ms: int) -> None:
    kept = CheckSeries()
    for number, verdict in enumerate(told):
        kept = grown(kept, check(number, verdict, every_ms), [(ERRORS, 0.5, None)])

    bad = (Verdict.FAIL, Verdict.ABORT)
    failures = sum(verdict in bad for verdict in told)
    assert len(kept.rows) == MOST_ROWS
    assert kept.rows[-1].verdict is told[-1]
    assert sum(row.verdict in bad for row in kept.rows) >= min(failures, MOST_ROWS - 2)
    assert all(before.at_ms < after.at_ms for before, after in pairwise(kept.rows))


def test_a_secret_in_a_line_is_not_kept() -> None:
    line = replace(ERRORS, text="call https://ci:hunter2hunter2@ci.example.com/go")

    kept = grown(CheckSeries(), check(0), [(line, 1.0, None)])

    assert "hunter2" not in json.dumps(to_data(kept))


@pytest.mark.parametrize(
    "data",
    [
        None,
        7,
        [],
        {},
        {"lines": 3, "table": 4},
        {"lines": [None, {"text": 5, "threshold": "x", "kind": "what"}], "table": "at\nnot a row\n1 2\n"},
        {"lines": [], "table": "head\n2027-01-15T08:00:00Z x 10 pass\n2027-01-15T08:00:00Z 1 10 never 4/5/6\n"},
    ],
)
def test_what_somebody_else_wrote_is_read_as_far_as_it_can_be(data: object) -> None:
    assert from_data(data).rows == ()


def test_one_broken_row_does_not_hide_the_others() -> None:
    data = to_data(grown(CheckSeries(), check(0), [(ERRORS, 0.002, None)]))
    assert data is not None

    found = from_data({**data, "table": data["table"] + "2027-01-15T08:00:15Z 3 10 pass ?\n"})

    assert len(found.rows) == 1


def test_a_state_of_before_there_were_series_is_read() -> None:
    text = (
        '{"phase":"Progressing","primary":"v1","run":{"number":1,"revision":"v2","program_digest":"d",'
        '"started_ms":5,"began_ms":5,"log":[]},"version":1}'
    )

    state = decode(text)

    assert state.run is not None
    assert state.run.series == CheckSeries()
    assert decode(encode(state)) == state


def test_lines_that_are_alike_where_they_are_cut_off_are_told_apart() -> None:
    one, other = (replace(ERRORS, text=f"{'x' * 200} {end}") for end in "ab")

    kept = grown(CheckSeries(), check(0), [(one, 0.1, None), (other, 0.2, None), (one, 0.1, None)])
    kept = grown(kept, check(1), [(one, 0.3, None), (other, 0.4, None), (one, 0.3, None)])

    assert [line.name for line in kept.lines] == ["errors", "errors (2)"]
    assert [row.values for row in kept.rows] == [(0.1, 0.2), (0.3, 0.4)]
