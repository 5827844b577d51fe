"""What came of the story: every request, counted at both ends, and what the cluster says; what must be true of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tests.e2e.load import NOBODY
from tests.e2e.pods import Answer

FIRST, GOOD, BAD = "1", "2", "3"
AFTER = "afterwards"
_SIGMAS = 6
"""A share that is further off than this comes by chance once in five hundred million times."""
_WEIGHTS = (10.0, 30.0, 50.0)
_CHECK = "success_rate >= 99%"
_CODES = {GOOD: 0, BAD: 1}
_PHASES = {GOOD: "Succeeded", BAD: "Failed"}


class Share(NamedTuple):
    """What came of one weight: of so many requests so many went to the canary."""

    version: str
    weight: float
    requests: int
    to_canary: int

    @property
    def off(self) -> float:
        """By how many standard deviations; one request more or less does not count."""
        part = self.weight / 100
        deviation = math.sqrt(max(1.0, self.requests * part * (1 - part)))
        return max(0.0, abs(self.to_canary - self.requests * part) - 1) / deviation


class Account(NamedTuple):
    """`by_part` is counted where the load is made, by the part of the story in which a request began; `by_pods` where
    it is answered.

    `started` is how many requests were begun. `codes` are the exit codes of `rollway status --watch`, by version, and
    `phases` and `reasons` what the Rollout said afterwards. `late` are the requests to the bad version that began after
    the data plane had let go of it. `at_worst` is how many `rollway plan` says that a bad version can get. `stopped` is
    the controller's own exit code, `troubles` are those of the stand-ins.
    """

    started: int
    by_part: Mapping[str, Counter[Answer]]
    by_pods: Counter[Answer]
    shares: tuple[Share, ...]
    codes: Mapping[str, int]
    phases: Mapping[str, str]
    reasons: Mapping[str, str]
    late: int
    at_worst: float
    stopped: int
    troubles: tuple[str, ...] = ()

    @property
    def by_load(self) -> Counter[Answer]:
        return sum(self.by_part.values(), Counter())

    @property
    def exposed(self) -> int:
        """How many requests the bad version got."""
        return sum(number for answer, number in self.by_load.items() if answer.version == BAD)


def wrong(account: Account) -> list[str]:
    """All that is not as it should be, a sentence each."""
    return [*_counts(account), *_answers(account), *_ends(account), *_traffic(account), *account.troubles]


def _counts(account: Account) -> Iterator[str]:
    """Every request is counted, and both ends agree."""
    counted = account.by_load.total()
    if counted != account.started:
        yield f"{account.started} requests were begun and {counted} have ended"
    from_pods = Counter({answer: number for answer, number in account.by_load.items() if answer.version != NOBODY})
    if from_pods != account.by_pods:
        yield f"the load has {dict(from_pods)} from pods, and the pods have given {dict(account.by_pods)}"


def _answers(account: Account) -> Iterator[str]:
    """Nobody has failed anybody, but for the bad version."""
    for part, answers in account.by_part.items():
        if not answers:
            yield f"there are no requests in the part `{part}`"
        for answer, number in answers.items():
            who = f"version {answer.version}" if answer.version != NOBODY else "no pod"
            if answer.status != 200 and answer.version != BAD:
                yield f"part `{part}`: {number} requests have failed with {answer.status} from {who}"
    after = {answer.version for answer in account.by_part.get(AFTER, ())}
    if after != {GOOD}:
        yield f"after all this the versions {sorted(after)} answer"
    if not account.by_load[Answer(BAD, 500)]:
        yield "the bad version has failed nobody, so nothing is shown by this"


def _ends(account: Account) -> Iterator[str]:
    """One is promoted, one rolled back for what it did, and the commands say so."""
    for name, seen, wanted in (
        ("`rollway status --watch` has ended with", account.codes, _CODES),
        ("the rollout's phases are", account.phases, _PHASES),
    ):
        if dict(seen) != wanted:
            yield f"{name} {dict(seen)}, and not {wanted}"
    if _CHECK not in account.reasons.get(BAD, ""):
        yield f"the reason for the rollback does not name `{_CHECK}`: {account.reasons.get(BAD)!r}"
    if account.stopped != 0:
        yield f"the controller, told to stop, has ended with {account.stopped}"


def _traffic(account: Account) -> Iterator[str]:
    """The shares are what the policy says, and the bad version has got no more than was foretold, and nothing late."""
    seen = tuple(share.weight for share in account.shares if share.version == GOOD)
    if seen != _WEIGHTS:
        yield f"the good version had the weights {seen}, and not {_WEIGHTS}"
    for share in account.shares:
        if share.off > _SIGMAS:
            yield f"at {share.weight:g}% version {share.version} got {share.to_canary} of {share.requests} requests"
    if account.exposed > account.at_worst:
        yield f"{account.exposed} requests were exposed to the bad version; the plan said {account.at_worst:g} at worst"
    if account.late:
        yield f"{account.late} requests reached the bad version after the data plane had let go of it"
