"""What tests of channels have at hand."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from interpreter.addresses import ANY
from interpreter.channels.delivery import Delivery
from interpreter.channels.posting import Poster
from interpreter.http_client import Clients
from tests.interpreter.channels import services
from tests.interpreter.channels.services import Town


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    """Every service."""
    async with services.town() as made:
        yield made


@pytest.fixture
async def poster() -> AsyncIterator[Poster]:
    clients = Clients(ANY)
    yield Poster(clients)
    await clients.close()


@pytest.fixture
async def delivery(poster: Poster) -> AsyncIterator[Delivery]:
    """That tries again soon."""
    made = Delivery(poster, first_delay=0.01)
    yield made
    await made.close()
