"""What an API server was asked, from the audit log that it writes, so that a test can count requests.

A request is in the log once it is answered. Before the log is read, a request with a word of its own is made; when that
has come out, all that was answered before it has too.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.controlplane.api import PATIENCE_S, Api

_MARK = "rollway-test-mark"


class Request(NamedTuple):
    """One request. `verb` is the API's (get, list, watch, create, update, patch, delete, deletecollection); what it is
    about is "" where there is none such; `status` is the HTTP status."""

    verb: str
    user: str
    group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    uri: str
    status: int
    agent: str


class Mark(NamedTuple):
    """A place in the log, in bytes."""

    offset: int


class AuditLog:
    """The log at `path`, one JSON object of audit.k8s.io/v1 a line."""

    def __init__(self, api: Api, path: Path) -> None:
        self.path = path
        self._api = api

    def mark(self) -> Mark:
        """Where the log ends, once it has all that was answered before. Raises AssertionError."""
        word = secrets.token_hex(8)
        start = self.path.stat().st_size if self.path.exists() else 0
        self._api.get(f"/api/v1/namespaces?limit=1&{_MARK}={word}")
        limit = time.monotonic() + PATIENCE_S
        while time.monotonic() < limit:
            text = self._read(start)
            found = text.find(word.encode())
            if found >= 0 and (end := text.find(b"\n", found)) >= 0:
                return Mark(start + end + 1)
            time.sleep(0.01)
        raise AssertionError(f"the audit log does not say what was asked {PATIENCE_S:.0f} s ago")

    def requests(self, since: Mark) -> Iterator[Request]:
        """In the order of the log, each once: a watch is in there when it begins, and again when it ends."""
        end = self.mark()
        return _requests(self._read(since.offset)[: end.offset - since.offset].splitlines())

    def _read(self, start: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read()


def _requests(lines: Iterable[bytes]) -> Iterator[Request]:
    seen: set[str] = set()
    for line in lines:
        event = json.loads(line)
        if event["auditID"] in seen or _MARK in event["requestURI"]:
            continue
        seen.add(event["auditID"])
        target: Mapping[str, Any] = event.get("objectRef") or {}
        yield Request(
            event["verb"],
            event["user"]["username"],
            *(target.get(part, "") for part in ("apiGroup", "resource", "subresource", "namespace", "name")),
            event["requestURI"],
            event.get("responseStatus", {}).get("code", 0),
            event.get("userAgent", ""),
        )
