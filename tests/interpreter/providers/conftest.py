"""A server for each test that wants one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.interpreter.providers.server import Server, serving


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as made:
        yield made
