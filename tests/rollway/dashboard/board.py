"""The dashboard at work against a real control plane, and what its tests write into it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

import httpx
from aiohttp import web

from interpreter import series
from interpreter.cluster.api import Api
from interpreter.cluster.connection import connect
from interpreter.objects import Manifest
from interpreter.state import CheckLine, CheckRow, CheckSeries, Verdict
from interpreter.web.application import application
from interpreter.web.people import Authority, LocalAuthority
from interpreter.web.server import WebServer
from rollway.dashboard.frame import DASHBOARD
from rollway.dashboard.pages import add_pages
from rollway.dashboard.watch import Watch
from tests.rollway.cluster import objects

PERSON = "ann@example.com"


class Board(NamedTuple):
    """`url` is where it listens, without a slash at its end; `door` the address that logs in. `api` is the server's."""

    url: str
    token: str
    app: web.Application
    api: Api

    @property
    def door(self) -> str:
        return f"{self.url}/login?token={self.token}"

    @property
    def watch(self) -> Watch:
        return self.app[DASHBOARD].watch

    def client(self, *, logged_in: bool = True) -> httpx.AsyncClient:
        """A browser without a picture: it keeps cookies, and asks for pages."""
        cookies = {"rollway_token": self.token} if logged_in else {}
        headers = {"Accept": "text/html"}
        return httpx.AsyncClient(
            base_url=self.url, cookies=cookies, headers=headers, trust_env=False, timeout=20, follow_redirects=False
        )


@asynccontextmanager
async def board(
    kubeconfig: str,
    namespace: str | None = None,
    *,
    authority: Callable[[Api], Authority] | None = None,
    read_only: bool = False,
    port: int = 0,
    token: str = "",
) -> AsyncIterator[Board]:
    """As `rollway dashboard` serves it, or with another authority as the controller does."""
    token = token or secrets.token_urlsafe(16)
    async with await connect(kubeconfig) as api:
        app = application(api, authority(api) if authority else LocalAuthority(token, PERSON), read_only=read_only)
        add_pages(app, namespace=namespace, local=authority is None)
        server = WebServer(app)
        taken = await server.start("127.0.0.1", port)
        try:
            yield Board(f"http://127.0.0.1:{taken}", token, app, api)
        finally:
            await server.aclose()


def at_work(manifest: Manifest, now: int) -> Manifest:
    """A rollout or its run with times of today: it began seven minutes ago, and waits since one."""
    status = {**manifest["status"], "lastCheck": {**objects.CHECK, "at": written(now - 75_000)}}
    if "step" in status:
        status["step"] = {**status["step"], "since": written(now - 60_000)}
    if manifest["kind"] == "RolloutRun":
        minutes = (7, 6, 4, 2)
        log = [
            {**entry, "at": written(now - minute * 60_000)} for entry, minute in zip(objects.LOG, minutes, strict=True)
        ]
        raised = {"step": 4, "weight": 50, "what": "TrafficRouted", "text": "canary weight 50%"}
        asks = {"step": 6, "weight": 50, "what": "WaitingForApproval", "text": "waiting for approval"}
        log += [{**raised, "at": written(now - 90_000)}, {**asks, "at": written(now - 60_000)}]
        status |= {"log": log, "startedAt": written(now - 7 * 60_000)}
        return checked({**manifest, "status": status}, now - 7 * 60_000)
    return {**manifest, "status": status}


def written(at_ms: int) -> str:
    """As objects have times."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def checked(run: Manifest, begun: int = 1_795_428_000_000) -> Manifest:
    """The run with a series of checks, one of them failed; the first at `begun` (2026-11-23T10:00:00Z)."""
    lines = (
        CheckLine("success_rate >= 99%", "require", "success_rate", "percent", ">=", 0.99),
        CheckLine("latency(0.99) <= 500ms", "require", "latency(0.99)", "seconds", "<=", 0.5),
    )
    rows = tuple(
        CheckRow(
            begun + number * 60_000,
            1 + 2 * (number // 3),
            10.0 if number < 3 else 30.0,
            Verdict.FAIL if number == 5 else Verdict.PASS,
            (0.998 - number / 5000, 0.31 + number * number / 60),
        )
        for number in range(6)
    )
    data = series.to_data(CheckSeries(lines, rows))
    return {**run, "status": {**run["status"], "checks": data}}


def many(count: int, namespace: str) -> list[Mapping[str, Any]]:
    """That many rollouts in all phases, as the API server would list them."""
    phases = ("Succeeded", "Progressing", "Failed", "WaitingPromotion", "Initialized", "Succeeded", "Succeeded")
    made = []
    for number in range(count):
        phase = phases[number % len(phases)]
        waits = {"reason": "waiting for approval from release managers"} if phase == "WaitingPromotion" else {}
        one = objects.rollout("service", namespace, phase, step=None if phase == "Succeeded" else 3, **waits)
        metadata = {**one["metadata"], "name": f"service-{number:04}", "uid": f"u{number}"}
        made.append({**one, "metadata": metadata})
    return made
