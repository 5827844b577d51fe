"""A real Chromium, and the rollouts of a real control plane on the page in it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright

from tests.chromium.fetch import find
from tests.goprograms import UnavailableError

FLAGS = (
    "--no-sandbox",
    "--no-zygote",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_MS = 30_000


class Person:
    """Somebody with a browser of their own. `complaints` are what the browser found wrong with the pages: errors of
    scripts, what the Content-Security-Policy forbade, requests to anywhere else."""

    def __init__(self, context: BrowserContext, page: Page) -> None:
        self.context = context
        self.page = page
        self.complaints: list[str] = []
        self.asked: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


class People:
    """Opens browsers."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.all: list[Person] = []

    async def person(self, *, dark: bool = False, scripts: bool = True, width: int = 1280) -> Person:
        context = await self._browser.new_context(
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
            viewport={"width": width, "height": 900},
            locale="en-GB",
            timezone_id="UTC",
        )
        context.set_default_timeout(PATIENCE_MS)
        made = Person(context, await context.new_page())
        self.all.append(made)
        return made


def chromium() -> Path:
    """The program. Where there is none the test fails in CI, and is left out elsewhere."""
    try:
        return find(may_fetch=False)
    except UnavailableError as error:
        missing = pytest.fail if os.environ.get("CI") else pytest.skip
        missing(f"no Chromium for the tests: {error}")


@pytest.fixture
async def people() -> AsyncIterator[People]:
    """Whoever looks. At the end nobody's browser may have complained."""
    program = chromium()
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=program, args=FLAGS)
        try:
            made = People(browser)
            yield made
            assert [one.complaints for one in made.all] == [[] for _ in made.all]
        finally:
            await browser.close()
