"""A failed check shows each value under the words that it belongs to."""

from __future__ import annotations

from interpreter.simulator.power import drawn


def picture(text: str, *values: tuple[str, str]) -> str:
    return "\n".join(drawn(text, values))


def test_values_hang_under_their_names() -> None:
    found = picture("a_rate >= 99% and b_time <= 2s", ("a_rate", "80%"), ("b_time", "3s"))
    assert found == "\n".join(
        [
            "a_rate >= 99% and b_time <= 2s",
            "|                 |",
            "80%               3s",
        ]
    )


def test_values_that_would_touch_take_rows_of_their_own() -> None:
    found = picture("a + b < c", ("a", "1234567"), ("b", "12"), ("c", "7"))
    assert found == "\n".join(
        [
            "a + b < c",
            "|   |   |",
            "|   12  7",
            "1234567",
        ]
    )


def test_the_longer_name_is_found_first() -> None:
    found = picture(
        "latency(0.99) <= latency(0.99) of primary * 2",
        ("latency(0.99)", "300ms"),
        ("latency(0.99) of primary", "120ms"),
    )
    assert found.splitlines()[2] == "300ms            120ms"


def test_a_name_within_another_word_is_not_it() -> None:
    found = picture("error_rate <= 1% and http.rate <= 2 and rate <= 3", ("rate", "9"))
    assert found.splitlines()[1] == " " * 40 + "|"


def test_a_name_that_stands_twice_gets_its_value_twice() -> None:
    assert picture("a > 1 or a < 0", ("a", "1")).splitlines()[2] == "1        1"


def test_a_value_without_a_place_is_told_beneath() -> None:
    assert picture("no_regression(requests)", ("evidence", "12.5")) == "no_regression(requests)\nevidence is 12.5"


def test_without_values_there_is_the_text() -> None:
    assert picture("a > 1") == "a > 1"
