"""The pages, over real HTTP."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import httpx
from prometheus_client import CollectorRegistry, Counter

from interpreter.cluster.health import Check, Health


@contextlib.asynccontextmanager
async def served(alive: dict[str, Check], ready: dict[str, Check]) -> AsyncIterator[httpx.AsyncClient]:
    registry = CollectorRegistry()
    Counter("rollway_things", "Things.", registry=registry).inc(3)
    health = Health(registry, alive, ready)
    port = await health.start(0, "127.0.0.1")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        yield client
    await health.aclose()


async def test_readiness_says_what_is_wrong_and_health_does_not_care() -> None:
    trouble: list[str | None] = ["may not list secrets, token=abcdefgh12345"]

    def fail() -> str | None:
        raise KeyError("a mistake")

    async with served({"loop": lambda: None}, {"informers": lambda: trouble[0], "lease": lambda: None}) as client:
        ready = await client.get("/readyz")
        assert ready.status_code == 503
        assert ready.text == "informers: may not list secrets, token=***\nlease: ok\n"
        assert (await client.get("/healthz")).text == "loop: ok\n"
        trouble[0] = None
        assert (await client.get("/readyz")).status_code == 200
    async with served({"broken": fail}, {}) as client:
        assert (await client.get("/healthz")).text == "broken: the check itself failed; see the log\n"
        assert (await client.get("/readyz")).text == "ok\n"


async def test_metrics_are_those_of_the_registry() -> None:
    async with served({}, {}) as client:
        page = await client.get("/metrics")
        assert page.headers["content-type"].startswith("text/plain")
        assert "rollway_things_total 3.0" in page.text


async def test_other_requests_are_answered_too() -> None:
    async with served({}, {}) as client:
        assert (await client.get("/")).status_code == 404
        assert (await client.post("/healthz")).status_code == 405
        assert (await client.head("/healthz")).status_code == 200
