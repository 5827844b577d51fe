"""What a look at one thing came to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from enum import StrEnum
from typing import NamedTuple

from interpreter.cluster.errors import ApiError, Forbidden


class Area(StrEnum):
    """What a finding is about."""

    INSTALLED = "installed"
    REACHABLE = "reachable"
    PERMITTED = "permitted"


class Verdict(StrEnum):
    """`note` is for a person to judge; `unseen` could not be looked at."""

    OK = "ok"
    WRONG = "wrong"
    NOTE = "note"
    UNSEEN = "unseen"


class Finding(NamedTuple):
    """One finding. `do` is what to do about it."""

    area: Area
    verdict: Verdict
    what: str
    do: str = ""


Findings = AsyncIterator[Finding]


async def seen(area: Area, about: str, look: Callable[[], Findings]) -> list[Finding]:
    """The findings; what the API server does not show ends them with one that says so."""
    found: list[Finding] = []
    try:
        async for one in look():
            found.append(one)
    except Forbidden as refusal:
        found.append(Finding(area, Verdict.UNSEEN, f"{about}: you may not see it: {refusal.message}"))
    except ApiError as error:
        found.append(Finding(area, Verdict.UNSEEN, f"{about}: {error.message}"))
    return found
