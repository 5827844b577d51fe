"""Writing files so that a reader, or a crash, never sees half of one."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def write(path: str, text: str) -> None:
    """Replaces a file's text in one move, and keeps its mode and the link that leads to it. Raises `OSError`."""
    target = Path(os.path.realpath(path))
    beside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with open(beside, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        with suppress(FileNotFoundError):
            beside.chmod(target.stat().st_mode & 0o7777)
        beside.replace(target)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        error.filename = path
        raise
