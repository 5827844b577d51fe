"""What a run must not forget, on disk: an append-only file of lines, each with its checksum.

A line is `checksum kind json`. Reading folds the lines into what they say last of each kind. A line is whole or it is
not there: one that was torn by a crash can only be the last, is left out, and is cut off before anything is written
after it. What `keep` wrote is on the disk when it returns; what `note` wrote survives a kill of the process, but may be
lost with the machine's power.

When the file has grown large, it is written anew with what still matters and put in the old one's place in one move.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import zlib
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

GROWN = 4 * 1024 * 1024
LISTS = {"event": 500, "weight": 5000}
"""Kinds of which the last so many are kept; of any other kind only the last one is."""


class JournalError(Exception):
    """The journal cannot be used; the message says why and what to do."""


class Journal:
    """One run's memory: `last` and `all` read it, `keep` and `note` write it.

    Raises `JournalError` for a file that is damaged, `OSError` for one that is not to be had.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "journal"
        self._latest: dict[str, Any] = {}
        self._lists: dict[str, deque[Any]] = {kind: deque(maxlen=most) for kind, most in LISTS.items()}
        self._write_lock = asyncio.Lock()
        whole = self._read()
        self._file: IO[bytes] = self._path.open("ab", buffering=0)
        self._file.truncate(whole)

    def _read(self) -> int:
        """Take up what is there; how much of the file is whole."""
        data = self._path.read_bytes() if self._path.exists() else b""
        whole = 0
        for number, (line, end) in enumerate(_lines(data), start=1):
            record = _decode(line)
            if record is None and end < len(data):
                raise JournalError(
                    f"the journal {self._path} is damaged at line {number}: move it away to begin afresh"
                )
            if record is None:
                break
            self._remember(*record)
            whole = end
        return whole

    @property
    def empty(self) -> bool:
        return not self._latest

    def last(self, kind: str) -> Any:
        """The newest record of a kind, or None."""
        return self._latest.get(kind)

    def all(self, kind: str) -> list[Any]:
        """The records of a kind that keeps several, oldest first."""
        return list(self._lists[kind])

    def note(self, kind: str, data: object) -> None:
        """Write a record."""
        self._remember(kind, data)
        self._write(_encode(kind, data))

    async def keep(self, kind: str, data: object) -> None:
        """Write a record, and return when it is on the disk."""
        self.note(kind, data)
        async with self._write_lock:
            await asyncio.to_thread(os.fsync, self._file.fileno())
            if self._file.tell() > GROWN:
                await asyncio.to_thread(self._compact)

    def close(self) -> None:
        os.fsync(self._file.fileno())
        self._file.close()

    def _remember(self, kind: str, data: Any) -> None:
        if kind in self._lists:
            self._lists[kind].append(data)
        else:
            self._latest[kind] = data

    def _write(self, line: bytes) -> None:
        written = self._file.write(line)
        if written != len(line):
            raise OSError(f"only a part of a record could be written to {self._path}")

    def _compact(self) -> None:
        beside = self._path.with_suffix(".new")
        file = beside.open("wb", buffering=0)
        file.write(b"".join(self._records()))
        os.fsync(file.fileno())
        beside.replace(self._path)
        _sync_folder(self._path.parent)
        self._file.close()
        self._file = file

    def _records(self) -> Iterator[bytes]:
        for kind, data in tuple(self._latest.items()):
            yield _encode(kind, data)
        for kind, rows in self._lists.items():
            for data in tuple(rows):
                yield _encode(kind, data)


def latest(folder: Path) -> dict[str, Any]:
    """The newest record of each kind, for who only looks: nothing is written, and what cannot be read is left out.
    Raises `OSError` for a folder without a journal."""
    found: dict[str, Any] = {}
    for line, _ in _lines((folder / "journal").read_bytes()):
        record = _decode(line)
        if record is not None:
            found[record[0]] = record[1]
    return found


class Lock:
    """Held by the one run that uses a folder; the system lets go of it when the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._file: IO[str] | None = None

    def take(self) -> None:
        """Raises `JournalError` if another run has it."""
        file = self._path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            holder = file.read().strip()
            file.close()
            who = f" (process {holder})" if holder.isdigit() else ""
            raise JournalError(
                f"another run{who} is using the folder {self._path.parent}: stop it, or give another with --dir"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _encode(kind: str, data: object) -> bytes:
    body = f"{kind} {json.dumps(data, separators=(',', ':'))}".encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def _decode(line: bytes) -> tuple[str, Any] | None:
    checksum, _, body = line.partition(b" ")
    if not line.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(body.rstrip(b"\n")):
        return None
    kind, _, text = body.partition(b" ")
    return kind.decode(), json.loads(text)


def _lines(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Each line with its end's offset; the last may lack its newline."""
    start = 0
    while start < len(data):
        found = data.find(b"\n", start)
        end = len(data) if found < 0 else found + 1
        yield data[start:end], end
        start = end


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
