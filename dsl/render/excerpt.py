"""One source line with what is to be said under it: underlines, then words, from right to left.

    require latency(0.99) <= 99%
            ^^^^^^^^^^^^^    --- a share
            |
            a time

The rightmost words stand behind their underline; all others hang below, each on a row of its own, so that no words
ever run into others. A long line is cut to a window around its marks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from dsl.render.ansi import Palette
from dsl.render.cells import Cell, cells

CUT = "…"
_ENOUGH = 1000
"""No screen shows more characters of a line: what lies further off is never measured."""


class Mark(NamedTuple):
    """Columns `start` up to `end` of one line (from 1, half-open), and what to say there."""

    line: int
    start: int
    end: int
    words: str
    primary: bool


class _Strip(NamedTuple):
    """A mark in cells of the window (from 0, half-open)."""

    start: int
    end: int
    words: str
    primary: bool


Canvas = list[tuple[str, str]]
"""A row as it is drawn: each cell's character and its style."""


def excerpt(text: str, marks: Sequence[Mark], room: int, palette: Palette, style: str) -> tuple[str, list[str]]:
    """The line, cut to `room` cells, and the rows under it."""
    shown, strips = _window(text, marks, room)
    styles = [style if strip.primary else palette.frame for strip in strips]
    if not strips:
        return shown, []
    canvas = _underlines(strips, styles)
    behind = _behind(strips)
    rows = [canvas]
    if behind is not None:
        _write(canvas, strips[behind].end + 1, strips[behind].words, styles[behind])
    hanging = [index for index, strip in enumerate(strips) if strip.words and index != behind]
    rows.extend(_hang(hanging, strips, styles))
    return shown, [_paint(row, palette) for row in rows]


def _window(text: str, marks: Sequence[Mark], room: int) -> tuple[str, list[_Strip]]:
    """What can be seen of the line, and the marks moved there."""
    focus = next((mark for mark in marks if mark.primary), marks[0] if marks else None)
    first = max(focus.start - 1 - _ENOUGH, 0) if focus is not None else 0
    shown = cells(text[first : first + 2 * _ENOUGH])
    edges = [0]
    for one in shown:
        edges.append(edges[-1] + one.width)
    at = [_strip(mark, first, edges) for mark in sorted(marks, key=lambda mark: (mark.start, mark.end))]
    if edges[-1] <= room and first == 0 and len(text) <= 2 * _ENOUGH:
        return "".join(one.text for one in shown).rstrip(), at
    wanted = _strip(focus, first, edges) if focus is not None else _Strip(0, 0, "", True)
    left = _left_edge(wanted, edges, room)
    return _cut(shown, edges, left, room, first > 0), [_moved(strip, left, room) for strip in at]


def _strip(mark: Mark, first: int, edges: list[int]) -> _Strip:
    last = len(edges) - 1
    start = edges[min(max(mark.start - 1 - first, 0), last)]
    end = edges[min(max(mark.end - 1 - first, 0), last)]
    return _Strip(start, max(end, start + 1), mark.words, mark.primary)


def _left_edge(wanted: _Strip, edges: list[int], room: int) -> int:
    """The window's first cell: the mark a third into it, and no emptiness at the right."""
    if wanted.end < room - 1:
        return 0
    target = max(0, min(wanted.start - room // 3, edges[-1] - room + 1))
    return next(edge for edge in edges if edge >= target)


def _cut(shown: list[Cell], edges: list[int], left: int, room: int, more_before: bool) -> str:
    right = left + room - 1
    cut_left = left > 0 or more_before
    kept = [one.text for one, edge in zip(shown, edges, strict=False) if left + cut_left <= edge < right]
    return (CUT if cut_left else "") + "".join(kept).rstrip() + (CUT if edges[-1] > right else "")


def _moved(strip: _Strip, left: int, room: int) -> _Strip:
    start = min(max(strip.start - left, 0), room - 1)
    end = min(max(strip.end - left, start + 1), room)
    return strip._replace(start=start, end=end)


def _underlines(strips: list[_Strip], styles: list[str]) -> Canvas:
    """All underlines in one row; the primary ones over the others."""
    canvas: Canvas = []
    order = sorted(range(len(strips)), key=lambda index: strips[index].primary)
    for index in order:
        strip = strips[index]
        _write(canvas, strip.start, ("^" if strip.primary else "-") * (strip.end - strip.start), styles[index])
    return canvas


def _behind(strips: list[_Strip]) -> int | None:
    """Which mark has its words on the row of the underlines: the last one, where nothing else reaches further."""
    last = len(strips) - 1
    if strips[last].words and all(strip.end <= strips[last].start for strip in strips[:last]):
        return last
    return None


def _hang(hanging: list[int], strips: list[_Strip], styles: list[str]) -> list[Canvas]:
    """Words below their underline, the rightmost first, each led down to by a bar."""
    rows: list[Canvas] = []
    for count in range(len(hanging), 0, -1):
        index = hanging[count - 1]
        bars, said = _bars(hanging[:count], strips, styles), _bars(hanging[: count - 1], strips, styles)
        _write(said, strips[index].start, strips[index].words, styles[index])
        rows.extend([bars, said] if count == len(hanging) else [said])
    return rows


def _bars(indices: list[int], strips: list[_Strip], styles: list[str]) -> Canvas:
    canvas: Canvas = []
    for index in indices:
        _write(canvas, strips[index].start, "|", styles[index])
    return canvas


def _write(canvas: Canvas, at: int, text: str, style: str) -> None:
    canvas.extend([(" ", "")] * (at + len(text) - len(canvas)))
    canvas[at : at + len(text)] = [(character, style) for character in text]


def _paint(canvas: Canvas, palette: Palette) -> str:
    parts: list[str] = []
    at = 0
    while at < len(canvas):
        style = canvas[at][1]
        end = at
        while end < len(canvas) and canvas[end][1] == style:
            end += 1
        parts.append(palette.paint(style, "".join(character for character, _ in canvas[at:end])))
        at = end
    return "".join(parts).rstrip()
