"""One measured figure, the bound that it is held to, and how to print a table of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Figure(NamedTuple):
    """`limit` is what the project promises: at most that much, or with `at_least`, no less. None: shown for
    comparison."""

    what: str
    value: float
    unit: str
    limit: float | None = None
    at_least: bool = False

    @property
    def kept(self) -> bool:
        if self.limit is None:
            return True
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    @property
    def promise(self) -> str:
        if self.limit is None:
            return ""
        return f"{'at least' if self.at_least else 'under'} {self.limit:,g} {self.unit}"


def show(figures: Iterable[Figure]) -> bool:
    """Print a table; true if every promise was kept."""
    rows = list(figures)
    width = max(len(row.what) for row in rows)
    for row in rows:
        verdict = "" if row.limit is None else "kept" if row.kept else "NOT KEPT"
        print(f"{row.what:<{width}}  {row.value:>12,.1f} {row.unit:<8}  {row.promise:<26} {verdict}".rstrip())
    return all(row.kept for row in rows)
