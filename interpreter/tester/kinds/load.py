"""What all load tests have in common: how much load, on what, and what it must come to. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from interpreter.tester.kinds.fields import Fields
from interpreter.tester.payload import BadRequest
from interpreter.tester.plan import Summary, Verdict

DEFAULT_SECONDS = 10.0
DEFAULT_CONCURRENCY = 2
MOST_CONCURRENCY = 10_000
GRACE_S = 60.0
"""How much longer than its load a task may take, to begin and to end."""


class Load(NamedTuple):
    """`seconds` or `requests`, whichever was said; `rate` in requests a second for all workers together."""

    url: str
    seconds: float | None
    requests: int | None
    rate: float | None
    concurrency: int
    method: str
    headers: Mapping[str, str]
    body: str

    @property
    def timeout_s(self) -> float | None:
        """After which the task is stuck; None if nobody can know."""
        return self.seconds + GRACE_S if self.seconds is not None else None

    @property
    def words(self) -> str:
        """The load in a few words."""
        how = f"for {self.seconds:g}s" if self.seconds is not None else f"{self.requests} requests"
        rate = f", {self.rate:g}/s" if self.rate is not None else ""
        return f"{how}{rate}, {self.concurrency} at once"


class Thresholds(NamedTuple):
    """What must hold for a test to pass; None for what is not asked."""

    max_error_rate: float | None
    max_p50_ms: float | None
    max_p95_ms: float | None
    max_p99_ms: float | None
    min_rate: float | None
    min_requests: int | None

    def judge(self, summary: Summary) -> Verdict:
        """Passed if all of them hold. A test in which nothing at all went well fails, whatever was asked."""
        broken = list(self._broken(summary))
        if not summary.requests:
            broken.insert(0, "no request was made")
        elif summary.errors >= summary.requests and self.max_error_rate is None:
            broken.insert(0, "every request failed")
        words = summary.words()
        return Verdict(not broken, f"{'; '.join(broken)} ({words})" if broken else words, summary)

    def _broken(self, summary: Summary) -> list[str]:
        broken = []
        if self.max_error_rate is not None and summary.error_rate > self.max_error_rate:
            broken.append(f"{summary.error_rate:.2%} errors, at most {self.max_error_rate * 100:.4g}% allowed")
        for name, value, most in (
            ("p50", summary.p50_ms, self.max_p50_ms),
            ("p95", summary.p95_ms, self.max_p95_ms),
            ("p99", summary.p99_ms, self.max_p99_ms),
        ):
            if most is not None and (value is None or value > most):
                seen = "not known" if value is None else f"{value:.3g}ms"
                broken.append(f"{name} is {seen}, at most {most:g}ms allowed")
        if self.min_rate is not None and (summary.rate or 0.0) < self.min_rate:
            broken.append(f"{summary.rate or 0.0:.1f} requests a second, at least {self.min_rate:g} wanted")
        if self.min_requests is not None and summary.requests < self.min_requests:
            broken.append(f"{summary.requests} requests, at least {self.min_requests} wanted")
        return broken


def read_load(fields: Fields, *, needs_url: bool = True) -> Load:
    """The load that the metadata asks for. Raises `BadRequest`."""
    url = fields.url("url")
    if needs_url and not url:
        fields.needed("url")
    seconds, requests = fields.seconds("duration"), fields.count("requests")
    if seconds is not None and requests is not None:
        raise BadRequest("say `duration` or `requests`, not both")
    if requests is None:
        seconds = seconds or DEFAULT_SECONDS
    headers = fields.pairs("header")
    host = fields.word("host", r"[A-Za-z0-9.:_-]{1,253}", "the name of a host")
    if host:
        headers["Host"] = host
    return Load(
        url=url,
        seconds=seconds,
        requests=requests,
        rate=fields.number("rate"),
        concurrency=fields.count("concurrency", DEFAULT_CONCURRENCY, MOST_CONCURRENCY) or DEFAULT_CONCURRENCY,
        method=fields.word("method", r"[A-Z]{3,10}", "a method of HTTP, such as `POST`", "GET"),
        headers=headers,
        body=fields.body("body"),
    )


def read_thresholds(fields: Fields) -> Thresholds:
    """What the result must hold. Raises `BadRequest`."""
    return Thresholds(
        max_error_rate=fields.share("maxErrorRate"),
        max_p50_ms=_milliseconds(fields, "maxP50"),
        max_p95_ms=_milliseconds(fields, "maxP95"),
        max_p99_ms=_milliseconds(fields, "maxP99"),
        min_rate=fields.number("minRate"),
        min_requests=fields.count("minRequests"),
    )


def _milliseconds(fields: Fields, key: str) -> float | None:
    seconds = fields.seconds(key)
    return seconds * 1000 if seconds is not None else None
