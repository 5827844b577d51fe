"""Did-you-mean: which of the known names a misspelt one was likely meant to be.

The distance is Damerau's (a letter more, less, other, or two swapped). A short word may differ by one, a middling one
by two, a long one by three; capitals and underscores do not count. Ties are given as two names, never more.
"""

from __future__ import annotations

from collections.abc import Iterable

_MOST_CANDIDATES = 2000


def closest(word: str, candidates: Iterable[str]) -> tuple[str, ...]:
    """The one or two candidates nearest to the word, none if nothing is near."""
    folded, limit = _folded(word), _limit(word)
    best: dict[str, int] = {}
    for candidate in list(dict.fromkeys(candidates))[:_MOST_CANDIDATES]:
        if candidate != word and abs(len(candidate) - len(word)) <= limit + 1:
            distance = edits(folded, _folded(candidate), limit)
            if distance <= limit:
                best[candidate] = distance
    if not best:
        return ()
    least = min(best.values())
    return tuple(sorted(name for name, distance in best.items() if distance == least)[:2])


def question(names: tuple[str, ...]) -> str:
    """The names as a question, empty for none."""
    return "did you mean " + " or ".join(f"`{name}`" for name in names) + "?" if names else ""


def edits(left: str, right: str, limit: int) -> int:
    """The Damerau distance (optimal string alignment) of two words; `limit + 1` stands for anything above `limit`."""
    if abs(len(left) - len(right)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        older, before, row = before, row, [i]
        for j, b in enumerate(right, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
        if min(row) > limit:
            return limit + 1
    return min(row[-1], limit + 1)


def _limit(word: str) -> int:
    return 1 if len(word) <= 4 else 2 if len(word) <= 8 else 3


def _folded(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "")
