"""The rows of all figures, as text and as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from tests.simulation.rows import Plan, Row

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "simulation.md"
BEGIN, END = "<!-- simulation: begin -->", "<!-- simulation: end -->"

VERDICTS = {True: "kept", False: "NOT KEPT", None: ""}


def text(rows: Sequence[Row]) -> str:
    """Columns for a terminal."""
    lines = [(row.what, row.measured, row.published, row.promise, VERDICTS[row.kept]) for row in rows]
    head = ("", "measured", "design", "held to", "")
    widths = [max(len(line[column]) for line in (head, *lines)) for column in range(len(head))]

    def laid(line: Sequence[str]) -> str:
        return "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()

    return "\n".join([laid(head), *map(laid, lines)])


def missed(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row.kept is False]


def said(plan: Plan) -> str:
    """What a table was made of."""
    return f"{plan.rollouts:,} rollouts a cell, {plan.whole:,} through the whole judge, seed {plan.seed}"


def markdown(rows: Sequence[Row], plan: Plan) -> str:
    """A table for each figure."""
    parts = [f"{said(plan)[0].upper()}{said(plan)[1:]}.\n"]
    for figure, group in groupby(sorted(rows, key=lambda row: row.figure), key=lambda row: row.figure):
        parts.append(f"### {figure}\n\n| | measured | design | held to |\n| --- | --- | --- | --- |")
        for row in group:
            promise = row.promise if row.kept is not False else f"**missed:** {row.promise}"
            parts.append(f"| {row.what} | {row.measured} | {row.published} | {promise} |")
        parts.append("")
    return "\n".join(parts)


def write(rows: Sequence[Row], plan: Plan, page: Path = PAGE) -> None:
    """Put the tables between the page's markers. Raises `ValueError` if it has none."""
    found = page.read_text(encoding="utf-8")
    before, begin, rest = found.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page.name} has no `{BEGIN}` and `{END}` to write between")
    page.write_text(f"{before}{BEGIN}\n\n{markdown(rows, plan)}\n{END}{after}", encoding="utf-8")
