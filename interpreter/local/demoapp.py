"""A service to try rollouts on: answers every request, some of them with an error if so told.

It needs nothing but the standard library and starts in a fraction of a second, so that a demo of several revisions
costs little. One connection is one `asyncio.Protocol`; requests on it are answered in order.

    python demoapp.py --port 9000 --version 2 --error-rate 0.2 --delay 0.005
"""

from __future__ import annotations

import argparse
import asyncio
import os

_GOOD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s"
_BAD = b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s"


class DemoApp:
    """Every request counts towards the share of errors; `/healthz` is always well."""

    def __init__(self, version: str, error_rate: float, delay: float) -> None:
        self._good = _render(_GOOD, f"hello from version {version}\n")
        self._bad = _render(_BAD, f"version {version} is broken\n")
        self._error_rate = error_rate
        self.delay = delay
        self._debt = 0.0

    def answer(self, path: bytes) -> bytes:
        if path.startswith(b"/healthz"):
            return self._good
        self._debt += self._error_rate
        if self._debt >= 1.0:
            self._debt -= 1.0
            return self._bad
        return self._good


class Connection(asyncio.Protocol):
    """One client; a request ends at its empty line plus its `Content-Length`."""

    def __init__(self, app: DemoApp) -> None:
        self._app = app
        self._rest = b""
        self._skip = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._rest += data
        while True:
            skipped = min(self._skip, len(self._rest))
            self._rest, self._skip = self._rest[skipped:], self._skip - skipped
            head, empty_line, rest = self._rest.partition(b"\r\n\r\n")
            if self._skip or not empty_line:
                return
            self._rest, self._skip = rest, _content_length(head)
            self._reply(self._app.answer(head.split(b" ", 2)[1] if head.count(b" ") else b"/"))

    def _reply(self, answer: bytes) -> None:
        if self._transport is None:
            return
        if self._app.delay:
            asyncio.get_running_loop().call_later(self._app.delay, self._transport.write, answer)
        else:
            self._transport.write(answer)


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0


def _render(template: bytes, text: str) -> bytes:
    return template % (len(text), text.encode())


async def serve(app: DemoApp, port: int) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: Connection(app), "127.0.0.1", port)
    async with server:
        await server.serve_forever()


def main() -> None:
    options = argparse.ArgumentParser(description="a small service for demos")
    options.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8080")))
    options.add_argument("--version", default="1")
    options.add_argument("--error-rate", type=float, default=0.0)
    options.add_argument("--delay", type=float, default=0.0)
    chosen = options.parse_args()
    asyncio.run(serve(DemoApp(chosen.version, chosen.error_rate, chosen.delay), chosen.port))


if __name__ == "__main__":
    main()
