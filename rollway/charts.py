"""Charts as inline SVG, for reports and docs that are one file.

    draw(Chart(
        "Errors", "The canary's errors rise at 10:20 and pass the threshold at 10:23.",
        x=Axis("time", kind="time"), y=Axis("errors", unit="percent", low=0),
        series=(Line("canary", points), Line("primary", others)),
        thresholds=(Threshold(0.01, "at most 1%"),), marks=(Mark(moment, "stopped"),),
    ))

`draw` gives one `<svg>` element: no script, no font or picture from elsewhere, the same text for the same chart. Its
looks stand in a `<style>` within it; a page that forbids those (Content-Security-Policy) has `STYLE` in a sheet of its
own, and draws with `styled=False`. Colours are CSS variables of the class `rw-chart`: dark where the reader's system is
(`prefers-color-scheme`), or where the page says so (`data-md-color-scheme`, mkdocs-material's). Title and description
are for those who do not see it. Series differ by dash and by their name in the legend, not by colour alone. Every text
is escaped.

A point whose y is None, or cannot be placed, is a gap: the line breaks there. What lies outside fixed ends of an axis
is clipped. Times are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from html import escape
from itertools import groupby
from typing import NamedTuple

from rollway.scales import Axis, Scale, scale

__all__ = ["STYLE", "Axis", "Band", "Chart", "Line", "Mark", "Threshold", "draw"]

Point = tuple[float, float | None]

PLAIN = Axis()

_DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 2", "1 2")
_CHARACTER = 6.6  # the mean width of a letter at 11 px, for what must be kept apart
_ROW = 15.0
_MOST_ROWS = 4  # of the marks' words: what they are about needs room as well
STYLE = """
.rw-chart{--rw-text:#1f2328;--rw-soft:#59636e;--rw-grid:#e3e6ea;--rw-warn:#b3261e;
--rw-0:#0b62b8;--rw-1:#b35900;--rw-2:#1a7f4b;--rw-3:#8a3ab9;--rw-4:#59636e;--rw-5:#a3195b;
font:11px system-ui,-apple-system,"Segoe UI",sans-serif;max-width:100%;height:auto}
@media (prefers-color-scheme:dark){.rw-chart{--rw-text:#e6edf3;--rw-soft:#9aa5b1;--rw-grid:#30363d;--rw-warn:#ff8a80;
--rw-0:#6cb6ff;--rw-1:#ffa657;--rw-2:#6fd39a;--rw-3:#d2a8ff;--rw-4:#9aa5b1;--rw-5:#ff9bce}}
[data-md-color-scheme=default] .rw-chart{--rw-text:#1f2328;--rw-soft:#59636e;--rw-grid:#e3e6ea;--rw-warn:#b3261e;
--rw-0:#0b62b8;--rw-1:#b35900;--rw-2:#1a7f4b;--rw-3:#8a3ab9;--rw-4:#59636e;--rw-5:#a3195b}
[data-md-color-scheme=slate] .rw-chart{--rw-text:#e6edf3;--rw-soft:#9aa5b1;--rw-grid:#30363d;--rw-warn:#ff8a80;
--rw-0:#6cb6ff;--rw-1:#ffa657;--rw-2:#6fd39a;--rw-3:#d2a8ff;--rw-4:#9aa5b1;--rw-5:#ff9bce}
.rw-chart text{fill:var(--rw-soft);stroke:none}.rw-chart .rw-title{fill:var(--rw-text);font-size:13px;font-weight:600}
.rw-chart .rw-name{fill:var(--rw-text)}.rw-chart .rw-grid{stroke:var(--rw-grid)}
.rw-chart .rw-line{fill:none;stroke-width:1.8;stroke-linejoin:round}.rw-chart .rw-band{opacity:.18;stroke:none}
.rw-chart .rw-warn{stroke:var(--rw-warn);fill:none;stroke-dasharray:6 4}.rw-chart .rw-warned{fill:var(--rw-warn)}
.rw-chart .rw-mark{stroke:var(--rw-text);stroke-dasharray:1 3}
.rw-s0{stroke:var(--rw-0)}.rw-s1{stroke:var(--rw-1)}.rw-s2{stroke:var(--rw-2)}
.rw-s3{stroke:var(--rw-3)}.rw-s4{stroke:var(--rw-4)}.rw-s5{stroke:var(--rw-5)}
.rw-f0{fill:var(--rw-0)}.rw-f1{fill:var(--rw-1)}.rw-f2{fill:var(--rw-2)}
.rw-f3{fill:var(--rw-3)}.rw-f4{fill:var(--rw-4)}.rw-f5{fill:var(--rw-5)}
""".strip()
"""What all charts look like. It speaks of nothing but what is within them."""


@dataclass(frozen=True, slots=True)
class Line:
    """A series of points, in ascending x. `step`: a value holds until the next point (weights of traffic)."""

    name: str
    points: Sequence[Point]
    step: bool = False


@dataclass(frozen=True, slots=True)
class Band:
    """The room between two values, `(x, low, high)` in ascending x: a confidence interval, a spread."""

    name: str
    points: Sequence[tuple[float, float, float]]


@dataclass(frozen=True, slots=True)
class Threshold:
    """A level that must not be passed."""

    value: float
    label: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment that matters, with words at it. Where many are close together, the last of them are without words."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """All of a chart. `description` says in a sentence what is to be seen; `width` and `height` are in pixels of the
    drawing, which shrinks with its page."""

    title: str
    description: str
    x: Axis = PLAIN
    y: Axis = PLAIN
    series: tuple[Line | Band, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    marks: tuple[Mark, ...] = ()
    width: int = 720
    height: int = 300


class _Box(NamedTuple):
    """The plot within the drawing, in pixels, and its two scales."""

    left: float
    top: float
    right: float
    bottom: float
    x: Scale
    y: Scale

    def across(self, value: float) -> float:
        return self.left + self.x.place(value) * (self.right - self.left)

    def up(self, value: float) -> float:
        return self.bottom - self.y.place(value) * (self.bottom - self.top)


def draw(chart: Chart, *, styled: bool = True) -> str:
    """One chart as an `<svg>` element; without `styled` its looks are left to a page that has `STYLE`.

    Raises:
        ValueError: an axis' fixed ends are in the wrong order, or not positive on a logarithmic axis.
    """
    names, legend_height = _legend(chart, 26.0)
    labels, marks_height = _mark_rows(chart)
    box = _box(chart, 26.0 + legend_height + marks_height)
    body = [
        f'<text class="rw-title" x="0" y="14">{escape(chart.title)}</text>',
        *names,
        *_grid(chart, box),
        f'<g clip-path="url(#{_id(chart)}-c)">',
        *(_series(one, index, box) for index, one in enumerate(chart.series)),
        "</g>",
        *_thresholds(chart, box),
        *_marks(labels, box, chart),
    ]
    return _frame(chart, box, body, STYLE if styled else "")


def _frame(chart: Chart, box: _Box, body: Iterable[str], style: str) -> str:
    name = _id(chart)
    width, height = box.right - box.left, box.bottom - box.top
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="rw-chart" role="img" width="{chart.width}" '
            f'height="{chart.height}" viewBox="0 0 {chart.width} {chart.height}" '
            f'aria-labelledby="{name}-t {name}-d">',
            f'<title id="{name}-t">{escape(chart.title)}</title>',
            f'<desc id="{name}-d">{escape(chart.description)}</desc>',
            *((f"<style>{style}</style>",) if style else ()),
            f'<clipPath id="{name}-c">{_rect(box.left, box.top - 1, width, height + 2)}</clipPath>',
            *body,
            "</svg>",
        )
    )


def _id(chart: Chart) -> str:
    """A name that two different charts of one page do not share, and that stays from one drawing to the next."""
    return "rw" + blake2b(repr(chart).encode(), digest_size=6).hexdigest()


def _box(chart: Chart, top: float) -> _Box:
    xs = [p[0] for one in chart.series for p in one.points] + [mark.at for mark in chart.marks]
    ys = [v for one in chart.series for p in one.points for v in p[1:] if v is not None]
    ys += [threshold.value for threshold in chart.thresholds]
    bottom = chart.height - (36.0 if chart.x.label else 20.0)
    top += _ROW + 6 if chart.y.label else 6.0
    up = scale(chart.y, ys, max(2, int((bottom - top) / 36)))
    left = 12 + _CHARACTER * max((len(up.written(tick)) for tick in up.ticks), default=1)
    right = chart.width - 20.0
    return _Box(left, top, right, bottom, scale(chart.x, xs, int((right - left) / 80)), up)


# --- the parts ----------------------------------------------------------------------------------------------------


def _legend(chart: Chart, top: float) -> tuple[list[str], float]:
    """The series' names, each behind a piece of its line, in as many rows as they need; and the rows' height."""
    drawn: list[str] = []
    left, y = 0.0, top + 8
    for index, one in enumerate(chart.series):
        width = 34 + _CHARACTER * len(one.name) + 14
        if left > 0 and left + width > chart.width:
            left, y = 0.0, y + _ROW
        drawn.append(_sample(one, index, left, y))
        drawn.append(f'<text class="rw-name" x="{left + 30:.1f}" y="{y:.1f}">{escape(one.name)}</text>')
        left += width
    return drawn, (y - top + 8 if chart.series else 0.0)


def _sample(one: Line | Band, index: int, x: float, y: float) -> str:
    if isinstance(one, Band):
        return f'<path class="rw-band {_fill(index)}" d="M{x:.1f} {y - 9:.1f}h24v10h-24z"/>'
    return f'<path {_stroke(index)} d="M{x:.1f} {y - 4:.1f}h24"/>'


def _grid(chart: Chart, box: _Box) -> list[str]:
    drawn: list[str] = []
    for tick in box.y.ticks:
        y = box.up(tick)
        drawn.append(f'<path class="rw-grid" d="M{box.left:.1f} {y:.1f}H{box.right:.1f}"/>')
        drawn.append(_text(box.y.written(tick), box.left - 6, y + 4, "end"))
    for tick in box.x.ticks:
        x = box.across(tick)
        drawn.append(f'<path class="rw-grid" d="M{x:.1f} {box.bottom:.1f}v4"/>')
        drawn.append(_text(box.x.written(tick), x, box.bottom + 16, "middle"))
    if chart.y.label:
        drawn.append(_text(chart.y.label, 0, box.top - 12, "start"))
    if chart.x.label:
        words = f"{chart.x.label} (UTC)" if chart.x.kind == "time" else chart.x.label
        drawn.append(_text(words, box.right, box.bottom + 31, "end"))
    return drawn


def _series(one: Line | Band, index: int, box: _Box) -> str:
    if isinstance(one, Band):
        return f'<path class="rw-band {_fill(index)}" d="{_area(one, box)}"/>'
    path = " ".join(_piece(list(piece), one.step, box) for shown, piece in _pieces(one, box) if shown)
    return f'<path {_stroke(index)} d="{path}"/>'


def _pieces(one: Line, box: _Box) -> Iterable[tuple[bool, Iterable[Point]]]:
    return groupby(one.points, key=lambda p: box.x.shows(p[0]) and box.y.shows(p[1]))


def _piece(points: list[Point], step: bool, box: _Box) -> str:
    """One unbroken piece of a line. One point alone is a short dash, or it would not be seen."""
    placed = [(box.across(x), box.up(y)) for x, y in points if y is not None]
    if len(placed) == 1:
        return f"M{placed[0][0] - 1.5:.1f} {placed[0][1]:.1f}h3"
    drawn = [f"M{placed[0][0]:.1f} {placed[0][1]:.1f}"]
    for x, y in placed[1:]:
        drawn.append(f"H{x:.1f}V{y:.1f}" if step else f"L{x:.1f} {y:.1f}")
    return "".join(drawn)


def _area(band: Band, box: _Box) -> str:
    shown = [(x, a, b) for x, a, b in band.points if box.x.shows(x) and box.y.shows(a) and box.y.shows(b)]
    there = [f"{box.across(x):.1f} {box.up(high):.1f}" for x, _, high in shown]
    back = [f"{box.across(x):.1f} {box.up(low):.1f}" for x, low, _ in reversed(shown)]
    return "M" + "L".join((*there, *back)) + "Z" if shown else ""


def _thresholds(chart: Chart, box: _Box) -> list[str]:
    drawn: list[str] = []
    for threshold in chart.thresholds:
        if not box.y.shows(threshold.value) or not box.y.low <= threshold.value <= box.y.high:
            continue
        y = box.up(threshold.value)
        drawn.append(f'<path class="rw-warn" d="M{box.left:.1f} {y:.1f}H{box.right:.1f}"/>')
        above = y - 4 if y - box.top > 14 else y + 12
        drawn.append(_text(threshold.label, box.right - 2, above, "end", "rw-warned"))
    return drawn


class _Placed(NamedTuple):
    """A mark, and the row of its words; None where they have no room."""

    mark: Mark
    row: int | None


def _mark_rows(chart: Chart) -> tuple[list[_Placed], float]:
    """Each mark in the first row where its words have room beside those before; and the rows' height.

    The plot's left edge is not known yet; a wide guess only costs a row.
    """
    if not chart.marks:
        return [], 0.0
    xs = [p[0] for one in chart.series for p in one.points] + [mark.at for mark in chart.marks]
    across = scale(chart.x, xs, 8)
    ends: list[float] = []
    placed: list[_Placed] = []
    for mark in sorted((m for m in chart.marks if _within(m, across)), key=lambda m: (m.at, m.label)):
        width = _CHARACTER * len(mark.label) + 12
        x = across.place(mark.at) * (chart.width - 70) + 50
        start = x if x + width <= chart.width else x - width
        row = next((i for i, end in enumerate(ends) if end <= start), len(ends))
        if row == _MOST_ROWS:
            placed.append(_Placed(mark, None))
            continue
        ends[row:] = [start + width] if row == len(ends) else [start + width, *ends[row + 1 :]]
        placed.append(_Placed(mark, row))
    return placed, _ROW * len(ends) + 4


def _within(mark: Mark, across: Scale) -> bool:
    return across.shows(mark.at) and across.low <= mark.at <= across.high


def _marks(placed: list[_Placed], box: _Box, chart: Chart) -> list[str]:
    drawn: list[str] = []
    base = box.top - (_ROW + 6 if chart.y.label else 6.0) - 4
    for mark, row in placed:
        x, y = box.across(mark.at), base - _ROW * (row or 0)
        drawn.append(f'<path class="rw-mark" d="M{x:.1f} {y - 9:.1f}V{box.bottom:.1f}"/>')
        if row is None:
            continue
        fits = x + _CHARACTER * len(mark.label) + 4 <= chart.width
        drawn.append(_text(mark.label, x + (4 if fits else -4), y, "start" if fits else "end", "rw-name"))
    return drawn


# --- the words of SVG -------------------------------------------------------------------------------------------


def _text(words: str, x: float, y: float, anchor: str, style: str = "") -> str:
    named = f' class="{style}"' if style else ""
    return f'<text{named} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _rect(x: float, y: float, width: float, height: float) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'


def _stroke(index: int) -> str:
    dash = _DASHES[index % len(_DASHES)]
    return f'class="rw-line rw-s{index % 6}"' + (f' stroke-dasharray="{dash}"' if dash else "")


def _fill(index: int) -> str:
    return f"rw-f{index % 6}"
