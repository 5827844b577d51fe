"""The numbers of a run's checks, kept for whoever looks back: bounded, and thinned evenly. Pure.

A series grows by one row a check. It is part of what is written in each pass, so that it must stay small whatever the
policy and however long the run: at most `MOST_ROWS` rows of `MOST_LINES` lines, `MOST_CELLS` numbers in all, six
digits each, which is less than 64 KB of JSON. When a row is too many, one goes: of those that did not fail, the one
whose neighbours are nearest to each other, the older of two alike. What is left stays evenly spread over the run. The
first and the last stay; one that failed goes only when there is nothing else.

`to_data` is the form in a `RolloutRun`'s status: the lines as objects, and the rows as a table of plain text, which
is a tenth of their size as objects and can be read in `kubectl get -o yaml`. A row's cells are `value`,
`value/threshold` where the threshold is not always the same, and `-` for no data.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from interpreter.desired import Instant
from interpreter.frozen import changed
from interpreter.masking import mask
from interpreter.state import CheckLine, CheckRecord, CheckRow, CheckSeries, Verdict

MOST_ROWS = 120
MOST_LINES = 32
MOST_CELLS = 4000
MOST_TEXT = 100
"""Characters of a line's text and of its value's name."""

_DIGITS = 6
_HEAD = ("at", "step", "weight", "verdict")
_NOTHING = "-"
_KEPT = frozenset({Verdict.FAIL, Verdict.ABORT})
_KINDS = ("require", "observe", "abort", "call", "abort_gate")

Found = tuple[CheckLine, float | None, float | None]
"""A line, its value, and its threshold at this check where that changes."""


class Reading(NamedTuple):
    """What one line came to at one check, in base units; None: no data, or no threshold."""

    line: CheckLine
    value: float | None
    threshold: float | None


class CheckPoint(NamedTuple):
    """One check, with what was seen of each line that was asked. `step` counts from 0."""

    at_ms: Instant
    step: int
    weight: float
    verdict: Verdict
    values: tuple[Reading, ...]


def points(series: CheckSeries) -> tuple[CheckPoint, ...]:
    """The rows, each with its lines; what has neither a value nor a threshold of its own is left out."""
    return tuple(
        CheckPoint(row.at_ms, row.step, row.weight, row.verdict, tuple(_readings(series.lines, row)))
        for row in series.rows
    )


def _readings(lines: Sequence[CheckLine], row: CheckRow) -> Iterable[Reading]:
    for place, line in enumerate(lines):
        value, own = _at(row.values, place), _at(row.thresholds, place)
        if value is not None or own is not None:
            yield Reading(line, value, line.threshold if own is None else own)


def _at(cells: Sequence[float | None], place: int) -> float | None:
    return cells[place] if place < len(cells) else None


# --- growing ----------------------------------------------------------------------------------------------------


def grown(series: CheckSeries, record: CheckRecord, found: Iterable[Found]) -> CheckSeries:
    """The series with one more check, and as many fewer of the others as it must be."""
    lines = list(series.lines)
    places = {_key(line): place for place, line in enumerate(lines)}
    values: dict[int, float | None] = {}
    thresholds: dict[int, float | None] = {}
    for line, value, threshold in _distinct(found):
        place = places.get(_key(line))
        if place is None:
            if len(lines) == MOST_LINES:
                continue
            place = places[_key(line)] = len(lines)
            lines.append(line)
        values[place], thresholds[place] = _rounded(value), _rounded(threshold)
    row = CheckRow(
        record.at_ms, record.step, _rounded(record.weight) or 0.0, record.verdict, _cells(values), _cells(thresholds)
    )
    known = series.lines if len(lines) == len(series.lines) else tuple(lines)
    return CheckSeries(known, _thinned((*series.rows, row), len(known)))


def _thinned(rows: tuple[CheckRow, ...], lines: int) -> tuple[CheckRow, ...]:
    """As many rows as may stay. What they take is counted only where it may be too much."""
    widest = len(_HEAD) + 2 * lines
    while len(rows) > MOST_ROWS or (len(rows) * widest > MOST_CELLS and len(rows) > 2 and _size(rows) > MOST_CELLS):
        place = _least(rows)
        rows = (*rows[:place], *rows[place + 1 :])
    return rows


def _size(rows: tuple[CheckRow, ...]) -> int:
    return sum([len(_HEAD) + len(row.values) + len(row.thresholds) for row in rows])


def _least(rows: tuple[CheckRow, ...]) -> int:
    """The place of the row that is missed least. A run of days comes here with each check."""
    times = [row.at_ms for row in rows]
    gaps = [after - before for before, after in zip(times, times[2:], strict=False)]
    spare = [gap for gap, row in zip(gaps, rows[1:], strict=False) if row.verdict not in _KEPT]
    least = min(spare or gaps)
    return next(
        place for place, gap in enumerate(gaps, 1) if gap == least and not (spare and rows[place].verdict in _KEPT)
    )


def _cells(found: Mapping[int, float | None]) -> tuple[float | None, ...]:
    """By place, without what is nothing at the end."""
    last = max((place for place, value in found.items() if value is not None), default=-1)
    return tuple([found.get(place) for place in range(last + 1)])


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.{_DIGITS}g}")


def _key(line: CheckLine) -> tuple[object, ...]:
    return line.text, line.name, line.kind, line.cmp, line.threshold


def _distinct(found: Iterable[Found]) -> Iterator[Found]:
    """Each line once, and as it may be shown; those that are alike then are numbered."""
    alike: dict[tuple[object, ...], list[CheckLine]] = {}
    for line, value, threshold in found:
        short = _short(line)
        same = alike.setdefault(_key(short), [])
        if line in same:
            continue
        same.append(line)
        named = short if len(same) == 1 else changed(short, name=f"{short.name} ({len(same)})")
        yield named, value, threshold


def _short(line: CheckLine) -> CheckLine:
    """As it may be shown: without secrets, and of an end."""
    return changed(line, text=_cut(line.text), name=_cut(line.name))


@lru_cache(maxsize=1024)
def _cut(text: str) -> str:
    masked = mask(text)
    return masked if len(masked) <= MOST_TEXT else masked[: MOST_TEXT - 1] + "…"


# --- in a status ------------------------------------------------------------------------------------------------


def to_data(series: CheckSeries) -> dict[str, Any] | None:
    """The series as `status.checks` has it; None for one that is empty."""
    if not series.rows:
        return None
    head = " ".join((*_HEAD, *(str(number) for number in range(1, len(series.lines) + 1))))
    table = "".join(f"{line}\n" for line in (head, *map(_written, series.rows)))
    return {"lines": lines_data(series), "table": table}


def lines_data(series: CheckSeries) -> list[dict[str, Any]]:
    """What the columns are about."""
    return [_line(line) for line in series.lines]


def from_data(data: object) -> CheckSeries:
    """The series in what `to_data` gave. What is of another form is left out."""
    if not isinstance(data, Mapping):
        return CheckSeries()
    lines, table = data.get("lines"), data.get("table")
    known = tuple(_line_read(one) for one in lines) if isinstance(lines, list) else ()
    rows = (_row_read(text) for text in (table if isinstance(table, str) else "").splitlines()[1:])
    return CheckSeries(known[:MOST_LINES], tuple(row for row in rows if row is not None)[-MOST_ROWS:])


def _line(line: CheckLine) -> dict[str, Any]:
    fields = {"text": line.text, "kind": line.kind, "name": line.name, "unit": line.unit, "cmp": line.cmp}
    shown = {name: value for name, value in fields.items() if value}
    return shown if line.threshold is None else {**shown, "threshold": line.threshold}


@lru_cache(maxsize=1 << 16)
def _written(row: CheckRow) -> str:
    """A row as a line. It is written again with each check that follows, which costs more than the machine itself."""
    cells = [_NOTHING if value is None else "%g" % value for value in row.values]  # noqa: UP031 - twice as fast
    cells += [_NOTHING] * (len(row.thresholds) - len(cells))
    for place, threshold in enumerate(row.thresholds):
        if threshold is not None:
            cells[place] = f"{cells[place]}/{threshold:g}"
    return " ".join((_time(row.at_ms), str(row.step), f"{row.weight:g}", row.verdict.value, *cells))


def _time(at_ms: Instant) -> str:
    detail = "milliseconds" if at_ms % 1000 else "seconds"
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec=detail).replace("+00:00", "Z")


def _line_read(data: object) -> CheckLine:
    """A line that cannot be read keeps its place: the rows count on it."""
    found = data if isinstance(data, Mapping) else {}
    texts = {name: str(found[name]) for name in ("name", "unit", "cmp") if isinstance(found.get(name), str)}
    kind, threshold = found.get("kind"), found.get("threshold")
    is_number = isinstance(threshold, (int, float)) and not isinstance(threshold, bool) and math.isfinite(threshold)
    return CheckLine(
        str(found.get("text", "")),
        kind if kind in _KINDS else "require",
        threshold=float(threshold) if is_number and threshold is not None else None,
        **texts,
    )


def _row_read(text: str) -> CheckRow | None:
    parts = text.split()
    try:
        at_ms = round(datetime.fromisoformat(parts[0]).timestamp() * 1000)
        step, weight, verdict = int(parts[1]), float(parts[2]), Verdict(parts[3])
        pairs = [tuple(map(_number, cell.split("/"))) for cell in parts[4 : 4 + MOST_LINES]]
    except (ValueError, IndexError):
        return None
    values = {place: pair[0] for place, pair in enumerate(pairs)}
    thresholds = {place: pair[1] for place, pair in enumerate(pairs) if len(pair) > 1}
    return CheckRow(at_ms, step, weight, verdict, _cells(values), _cells(thresholds))


def _number(cell: str) -> float | None:
    """Raises `ValueError` for what is no number."""
    return None if cell == _NOTHING else _rounded(float(cell))
