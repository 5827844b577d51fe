"""Charts: what is drawn is well-formed, escaped, at its place, and the same each time."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree.ElementTree import Element, fromstring

import pytest

from rollway.charts import STYLE, Axis, Band, Chart, Line, Mark, Threshold, draw
from rollway.scales import quantity, scale

SVG = "{http://www.w3.org/2000/svg}"
NOON = 1_793_534_400.0  # 2026-11-01T12:00:00Z


def _chart(**changed: object) -> Chart:
    given = {
        "x": Axis("time", kind="time"),
        "y": Axis("errors", unit="percent", low=0),
        "series": (
            Line("canary", tuple((NOON + 60 * i, i / 1000) for i in range(21))),
            Line("weight", tuple((NOON + 60 * i, 0.005) for i in range(21)), step=True),
            Band("interval", tuple((NOON + 60 * i, 0.0, 0.01) for i in range(21))),
        ),
        "thresholds": (Threshold(0.01, "at most 1%"),),
        "marks": (Mark(NOON + 600, "stopped"),),
    }
    return Chart("Errors", "They rise.", **{**given, **changed})  # type: ignore[arg-type]


def _parsed(chart: Chart) -> Element:
    return fromstring(draw(chart))


def _texts(chart: Chart) -> list[str]:
    return [e.text or "" for e in _parsed(chart).iter(f"{SVG}text")]


def _numbers(path: str) -> list[float]:
    return [float(n) for n in re.findall(r"-?\d+\.\d+|-?\d+", path)]


def test_the_same_chart_is_the_same_text_and_says_what_it_is() -> None:
    root = _parsed(_chart())
    assert draw(_chart()) == draw(_chart())
    names = (root.get("aria-labelledby") or "").split()
    said = {e.get("id"): e.text for e in root if e.tag in (f"{SVG}title", f"{SVG}desc")}
    assert [said[name] for name in names] == ["Errors", "They rise."]
    assert root.get("role") == "img"


def test_two_charts_of_one_page_do_not_share_names() -> None:
    ids = [{e.get("id") for e in _parsed(chart).iter() if e.get("id")} for chart in (_chart(), _chart(height=200))]
    assert len(ids[0]) == 3
    assert not ids[0] & ids[1]


def test_hostile_words_are_words() -> None:
    evil = "</text></svg><script>alert(1)</script>\"' onload=x & \u202e"
    chart = _chart(
        series=(Line(evil, ((NOON, 1.0), (NOON + 60, 2.0))), Band(evil, ((NOON, 0.0, 1.0),))),
        thresholds=(Threshold(1.0, evil),),
        marks=(Mark(NOON, evil),),
        x=Axis(evil, kind="time"),
        y=Axis(evil),
    )
    root = fromstring(draw(Chart(evil, evil, chart.x, chart.y, chart.series, chart.thresholds, chart.marks)))
    tags = {e.tag.removeprefix(SVG) for e in root.iter()}
    assert tags == {"svg", "title", "desc", "style", "clipPath", "rect", "g", "path", "text"}
    assert (
        sum((e.text or "").startswith(evil) for e in root.iter()) == 9
    )  # title, desc, heading, 2 series, axes, labels


def test_no_script_and_nothing_from_elsewhere() -> None:
    drawn = draw(_chart()).replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert "http" not in drawn
    assert "script" not in drawn
    assert "prefers-color-scheme:dark" in drawn


def test_series_differ_without_colour() -> None:
    lines = tuple(Line(f"s{i}", ((0.0, 1.0), (1.0, 2.0))) for i in range(6))
    drawn = list(_parsed(_chart(x=Axis(), series=lines, marks=())).iter(f"{SVG}path"))
    dashes = {e.get("stroke-dasharray", "") for e in drawn if (e.get("class") or "").startswith("rw-line")}
    assert len(dashes) == 6


def test_a_value_is_drawn_at_its_place() -> None:
    line = Line("a", ((0.0, 0.0), (5.0, 50.0), (10.0, 100.0)))
    root = _parsed(_chart(x=Axis(), y=Axis(), series=(line,), thresholds=(Threshold(50.0, "half"),), marks=()))
    drawn = [e.get("d") or "" for e in root.iter(f"{SVG}path") if (e.get("class") or "").startswith("rw-line")][-1]
    x0, y0, x1, y1, x2, y2 = _numbers(drawn)
    assert (x1 - x0, y0 - y1) == (pytest.approx(x2 - x1, abs=0.2), pytest.approx(y1 - y2, abs=0.2))
    level = next(e.get("d") or "" for e in root.iter(f"{SVG}path") if e.get("class") == "rw-warn")
    assert _numbers(level)[1] == y1


def test_a_step_holds_until_the_next_point() -> None:
    line = Line("w", ((0.0, 5.0), (10.0, 50.0)), step=True)
    root = _parsed(_chart(x=Axis(), y=Axis(), series=(line,), thresholds=(), marks=()))
    drawn = [e.get("d") or "" for e in root.iter(f"{SVG}path") if (e.get("class") or "").startswith("rw-line")][-1]
    assert re.fullmatch(r"M[\d.]+ [\d.]+H[\d.]+V[\d.]+", drawn)


def test_where_nothing_was_seen_the_line_breaks() -> None:
    points = ((0.0, 1.0), (1.0, 2.0), (2.0, None), (3.0, float("nan")), (4.0, 2.0), (5.0, 1.0), (6.0, None), (7.0, 1.0))
    root = _parsed(_chart(x=Axis(), y=Axis(), series=(Line("a", points),), thresholds=(), marks=()))
    drawn = [e.get("d") or "" for e in root.iter(f"{SVG}path") if (e.get("class") or "").startswith("rw-line")][-1]
    assert drawn.count("M") == 3
    assert "nan" not in drawn


def test_a_log_axis_has_no_place_for_zero() -> None:
    line = Line("a", ((1.0, 0.0), (10.0, 0.01), (100.0, 0.1), (1000.0, 1.0)))
    chart = _chart(x=Axis(kind="log"), y=Axis(kind="log", unit="percent"), series=(line,), thresholds=(), marks=())
    drawn = [
        e.get("d") or "" for e in _parsed(chart).iter(f"{SVG}path") if (e.get("class") or "").startswith("rw-line")
    ][-1]
    placed = _numbers(drawn)
    assert len(placed) == 6
    assert placed[2] - placed[0] == pytest.approx(placed[4] - placed[2], abs=0.2)
    assert "100%" in _texts(chart)


def test_labels_of_near_marks_are_apart_and_inside() -> None:
    marks = tuple(Mark(NOON + 60 * i, f"moment number {i}") for i in (9, 10, 11, 20))
    placed = {}
    for element in _parsed(_chart(marks=marks)).iter(f"{SVG}text"):
        if (element.text or "").startswith("moment"):
            width = 6 * len(element.text or "")
            x, y = float(element.get("x") or 0), float(element.get("y") or 0)
            placed[element.text] = (x - width if element.get("text-anchor") == "end" else x, y, width)
    assert len(placed) == 4
    assert all(x >= 0 and x + width <= 720 for x, _, width in placed.values())
    for (x, y, width), (other, row, _) in pairwise(sorted(placed.values(), key=lambda p: (p[1], p[0]))):
        assert y != row or x + width <= other


def test_many_marks_leave_the_plot_its_room() -> None:
    root = _parsed(_chart(marks=tuple(Mark(NOON + i, "false alarm") for i in range(40))))
    assert sum(e.get("class") == "rw-mark" for e in root.iter(f"{SVG}path")) == 40
    assert sum(e.text == "false alarm" for e in root.iter(f"{SVG}text")) == 4


def test_what_is_outside_a_fixed_axis_has_no_label() -> None:
    chart = _chart(y=Axis(low=0, high=0.005), x=Axis(kind="time", low=NOON, high=NOON + 300))
    assert "at most 1%" not in _texts(chart)
    assert "stopped" not in _texts(chart)


def test_an_empty_chart_is_a_chart() -> None:
    for kind in ("linear", "log", "time"):
        axis = Axis("a", kind=kind)  # type: ignore[arg-type]
        assert _parsed(Chart("t", "d", axis, Axis(), (Line("none", ()), Band("b", ())))).tag == f"{SVG}svg"


@pytest.mark.parametrize("value", [0.0, 5.0, -3.0, 1e-12, 1e15])
def test_one_value_alone_has_an_axis_about_it(value: float) -> None:
    made = scale(Axis(), [value], 5)
    assert made.low <= value <= made.high
    assert len(made.ticks) >= 2


def test_values_that_differ_in_their_last_digit_are_one() -> None:
    made = scale(Axis(), [0.1 + 0.2, 0.3], 5)
    assert made.high - made.low > 0.1
    assert len({made.written(tick) for tick in made.ticks}) == len(made.ticks) >= 2


def test_ends_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="from 3 to 2"):
        scale(Axis(low=3, high=2), [], 5)
    with pytest.raises(ValueError, match="above 0"):
        scale(Axis(kind="log", low=0), [], 5)


@pytest.mark.parametrize("span", [20, 600, 7200, 86_400 * 3, 86_400 * 40, 86_400 * 3000])
def test_ticks_of_time_are_few_round_and_told_apart(span: int) -> None:
    made = scale(Axis(kind="time"), [NOON, NOON + span], 8)
    written = [made.written(tick) for tick in made.ticks]
    assert 2 <= len(written) <= 9
    assert span > 86_400 * 365 or all(a != b for a, b in pairwise(written))


def test_the_day_is_named_at_midnight() -> None:
    made = scale(Axis(kind="time"), [NOON, NOON + 86_400], 8)
    assert "2 Nov" in [made.written(t) for t in made.ticks]


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [(0.25, "number", "0.25"), (0.015, "percent", "1.5%"), (0.25, "seconds", "250ms"), (2.0, "seconds", "2s"),
     (12_000.0, "number", "12k"), (3e6, "number", "3M"), (2000.0, "number", "2000")],
)  # fmt: skip
def test_quantities(value: float, unit: str, words: str) -> None:
    assert quantity(value, unit) == words  # type: ignore[arg-type]


def test_a_page_that_forbids_inline_style_has_the_looks_in_a_sheet_of_its_own() -> None:
    drawn = draw(_chart(), styled=False)
    assert "style" not in drawn
    assert all(f".{name}{{" in STYLE for name in re.findall(r"rw-[sf]\d", drawn))
    assert draw(_chart()).replace(f"<style>{STYLE}</style>\n", "") == drawn
