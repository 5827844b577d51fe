"""Protects that the certificate is one the API server believes, also while it is being followed by the next."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta

import pytest

from interpreter.admission.certificates import DUE, LIFE, Pair, is_due, issue, read
from interpreter.tls import introduce

NOW = datetime.now(UTC)
NAMES = ("rollway-controller.rollway-system.svc", "127.0.0.1")


async def believed(pair: Pair, bundle: str, name: str) -> bool:
    """Whether a client that trusts `bundle` talks to a server of this name with this certificate."""
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    introduce(serving, pair.certificate, pair.key)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=serving)
    port = server.sockets[0].getsockname()[1]
    try:
        _, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=ssl.create_default_context(cadata=bundle), server_hostname=name
        )
        writer.close()
    except ssl.SSLError:
        return False
    finally:
        server.close()
    return True


@pytest.mark.parametrize("name", NAMES)
async def test_it_is_believed(name: str) -> None:
    pair = issue(NAMES, NOW)
    assert await believed(pair, pair.bundle, name)
    assert not await believed(pair, pair.bundle, "another.shop.svc")
    assert not await believed(pair, issue(NAMES, NOW).bundle, name)


async def test_the_old_one_is_believed_while_the_new_one_comes() -> None:
    first = issue(NAMES, NOW)
    second = issue(NAMES, NOW, first)
    third = issue(NAMES, NOW, second)
    assert await believed(first, second.bundle, NAMES[0])
    assert await believed(second, second.bundle, NAMES[0])
    assert not await believed(first, third.bundle, NAMES[0])


def test_when_it_is_due() -> None:
    pair = issue(NAMES, NOW)
    assert not is_due(pair, NAMES, NOW)
    assert not is_due(pair, NAMES, NOW + LIFE - DUE - timedelta(minutes=1))
    assert is_due(pair, NAMES, NOW + LIFE - DUE + timedelta(minutes=1))
    assert is_due(pair, (*NAMES, "new.name.svc"), NOW)


def test_what_is_kept_is_read() -> None:
    pair = issue(NAMES, NOW)
    assert read(pair.secret()) == pair


@pytest.mark.parametrize("key", ["ca.crt", "tls.crt", "tls.key"])
def test_what_cannot_be_used_is_no_pair(key: str) -> None:
    data, other = issue(NAMES, NOW).secret(), issue(NAMES, NOW).secret()
    assert read({**data, key: other[key]}) is None
    assert read({**data, key: "nonsense"}) is None
    assert read({name: text for name, text in data.items() if name != key}) is None
