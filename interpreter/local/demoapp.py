"""A service to try rollouts on: answers every request, some of them with an error if so told.

It needs nothing but a few modules of the standard library and starts in some hundredths of a second, so that a demo of
several revisions costs little: one thread, one selector, requests of a connection answered in order.

    python demoapp.py --port 9000 --version 2 --error-rate 0.2 --delay 0.005
"""

from __future__ import annotations

import os
import selectors
import socket
import sys
import time
from heapq import heappop, heappush

_HEAD = "HTTP/1.1 {}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{}"
MOST_HEAD = 65_536


class DemoApp:
    """Every request counts towards the share of errors; `/healthz` is always well."""

    def __init__(self, version: str, error_rate: float) -> None:
        self._good = _render("200 OK", f"hello from version {version}\n")
        self._bad = _render("500 Internal Server Error", f"version {version} is broken\n")
        self._error_rate = error_rate
        self._debt = 0.0

    def answer(self, path: bytes) -> bytes:
        if path.startswith(b"/healthz"):
            return self._good
        self._debt += self._error_rate
        if self._debt >= 1.0:
            self._debt -= 1.0
            return self._bad
        return self._good


class Connection:
    """One client; a request ends at its empty line plus its `Content-Length`."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client
        self._rest = b""
        self._skip = 0

    def requests(self, data: bytes) -> list[bytes]:
        """The paths of the requests that this piece of input completes."""
        self._rest += data
        paths: list[bytes] = []
        while True:
            skipped = min(self._skip, len(self._rest))
            self._rest, self._skip = self._rest[skipped:], self._skip - skipped
            head, empty_line, rest = self._rest.partition(b"\r\n\r\n")
            if self._skip or not empty_line:
                return paths
            self._rest, self._skip = rest, _content_length(head)
            words = head.split(b" ", 2)
            paths.append(words[1] if len(words) > 1 else b"/")

    @property
    def overflows(self) -> bool:
        return len(self._rest) > MOST_HEAD


class Server:
    """Answers, each after `delay` seconds."""

    def __init__(self, app: DemoApp, port: int, delay: float) -> None:
        self._app = app
        self._delay = delay
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=512)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._later: list[tuple[float, int, Connection, bytes]] = []
        self._number = 0

    def serve(self) -> None:
        while True:
            wait = max(0.0, self._later[0][0] - time.monotonic()) if self._later else None
            for key, _ in self._selector.select(wait):
                if key.data is None:
                    self._accept()
                else:
                    self._read(key.data)
            while self._later and self._later[0][0] <= time.monotonic():
                _, _, connection, answer = heappop(self._later)
                self._send(connection, answer)

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:
            return  # who knocked has gone
        client.settimeout(1.0)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector.register(client, selectors.EVENT_READ, Connection(client))

    def _read(self, connection: Connection) -> None:
        try:
            data = connection.client.recv(65_536)
        except OSError:
            data = b""
        if not data or connection.overflows:
            self._drop(connection)
            return
        for path in connection.requests(data):
            answer = self._app.answer(path)
            if self._delay:
                self._number += 1
                heappush(self._later, (time.monotonic() + self._delay, self._number, connection, answer))
            else:
                self._send(connection, answer)

    def _send(self, connection: Connection, answer: bytes) -> None:
        try:
            connection.client.sendall(answer)
        except OSError:
            self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        if connection.client.fileno() >= 0:
            self._selector.unregister(connection.client)
            connection.client.close()


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            return int(value)
    return 0


def _render(status: str, text: str) -> bytes:
    return _HEAD.format(status, len(text), text).encode()


def main(words: list[str]) -> None:
    given = dict(zip(words[::2], words[1::2], strict=False))
    unknown = set(given) - {"--port", "--version", "--error-rate", "--delay"}
    if unknown or len(words) % 2:
        raise SystemExit("usage: demoapp.py --port N [--version WORD] [--error-rate SHARE] [--delay SECONDS]")
    app = DemoApp(given.get("--version", "1"), float(given.get("--error-rate", "0")))
    Server(app, int(given.get("--port", os.environ.get("PORT", "8080"))), float(given.get("--delay", "0"))).serve()


if __name__ == "__main__":
    main(sys.argv[1:])
