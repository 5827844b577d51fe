"""A server that answers `query_range` in Prometheus's form: whatever a test says that a query was at a moment."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

Value = float | str | None
Says = Callable[[str, float], Value | dict[str, Value]]
"""What a query was at a moment: a number, nothing, or a number for each `le`."""

MOST_POINTS = 11_000


class FakePrometheus:
    """`asked` are the forms of all requests, `headers` their headers. `instead` is answered in place of data."""

    def __init__(self, says: Says) -> None:
        self.says = says
        self.asked: list[dict[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.warnings: list[str] = []
        self.instead: tuple[int, bytes] | None = None
        self.url = ""

    def answer(self, form: dict[str, str]) -> tuple[int, bytes]:
        start, end, step = (float(form[name]) for name in ("start", "end", "step"))
        count = int((end - start) / step + 1e-9) + 1
        if count > MOST_POINTS:
            return 400, b'{"status":"error","errorType":"bad_data","error":"exceeded maximum resolution"}'
        rows: dict[str, list[list[Any]]] = {}
        for at in (start + number * step for number in range(count)):
            said = self.says(form["query"], at)
            for le, value in (said if isinstance(said, dict) else {"": said}).items():
                if value is not None:
                    rows.setdefault(le, []).append([round(at, 3), str(value)])
        result = [{"metric": {"le": le} if le else {}, "values": values} for le, values in rows.items()]
        body: dict[str, Any] = {"status": "success", "data": {"resultType": "matrix", "result": result}}
        if self.warnings:
            body["warnings"] = self.warnings
        return 200, json.dumps(body).encode()


@contextmanager
def prometheus(says: Says) -> Iterator[FakePrometheus]:
    """One on a free port."""
    fake = FakePrometheus(says)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            fake.asked.append({"path": self.path, **form})
            fake.headers.append(dict(self.headers))
            status, answer = fake.instead or fake.answer(form)
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
