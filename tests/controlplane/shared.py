"""One control plane for all processes of a test session, started by the first that wants it.

The session's first process (the one that starts xdist's workers, or the only one) names a folder and holds a lock on a
file in it for as long as it lives. Whoever wants the plane and finds none starts a keeper, a process of its own, which
runs the plane, writes down how that went, and waits for the lock. It gets the lock when the session has ended, whatever
the reason, `kill -9` too; then it ends the plane and removes the folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tests.controlplane.plane import Layout, PlaneError, running

SESSION = "ROLLWAY_CONTROL_PLANE_SESSION"
PATIENCE_S = 120.0
"""How long a start may take, on a machine that is busy with other things."""
_EVERY_S = 0.05
_PREFIX = "rollway-plane-"
_YOUNG_S = 60.0
"""A folder of this age may not have its lock yet."""


class Session:
    """Held by the session's first process: `close` ends the plane, if there is one, and returns when it is gone."""

    def __init__(self) -> None:
        _clear()
        self.folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._alive: IO[str] = (self.folder / "alive").open("w")
        fcntl.flock(self._alive, fcntl.LOCK_EX)
        os.environ[SESSION] = str(self.folder)

    def close(self) -> None:
        os.environ.pop(SESSION, None)
        has_keeper = (self.folder / "started").exists()
        self._alive.close()
        limit = time.monotonic() + PATIENCE_S
        while has_keeper and self.folder.exists() and time.monotonic() < limit:
            time.sleep(_EVERY_S)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """One process of the session at a time."""
    with (Path(os.environ[SESSION]) / name).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _clear() -> None:
    """Remove what sessions left behind that were killed before they had a plane, and so a keeper to do it."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), (folder / "alive").open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not (folder / "started").exists() and time.time() - folder.stat().st_mtime > _YOUNG_S:
                shutil.rmtree(folder, ignore_errors=True)


def plane(binaries: Path) -> Layout:
    """The session's plane, started if it is not. Raises PlaneError, for everybody alike if it does not start."""
    session = Path(os.environ[SESSION])
    with locked("lock"):
        if not (session / "started").exists():
            with (session / "keeper.log").open("wb") as log:
                keeper = subprocess.Popen(
                    [sys.executable, "-m", "tests.controlplane.shared", str(session), str(binaries)],
                    cwd=Path(__file__).parents[2],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            (session / "started").touch()
            limit = time.monotonic() + PATIENCE_S
            while not (session / "outcome.json").exists() and keeper.poll() is None and time.monotonic() < limit:
                time.sleep(_EVERY_S)
            keeper.returncode = 0  # it outlives us, and that is as it should be
    return _outcome(session)


def _outcome(session: Path) -> Layout:
    try:
        trouble = json.loads((session / "outcome.json").read_text())["trouble"]
    except OSError:
        trouble = f"its keeper said nothing; {(session / 'keeper.log').read_text(errors='replace')[-2000:]}"
    if trouble:
        raise PlaneError(f"the control plane does not start: {trouble}")
    return Layout(session / "plane")


def keep(session: Path, binaries: Path) -> None:
    """The keeper's whole life."""
    try:
        with running(binaries, session / "plane"):
            _say(session, "")
            _until_the_end_of(session)
    except PlaneError as error:
        _say(session, str(error))
        _until_the_end_of(session)
    finally:
        shutil.rmtree(session, ignore_errors=True)


def _until_the_end_of(session: Path) -> None:
    with (session / "alive").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)


def _say(session: Path, trouble: str) -> None:
    """In one stroke, for it is waited for."""
    new = session / "outcome.new"
    new.write_text(json.dumps({"trouble": trouble}))
    new.replace(session / "outcome.json")


if __name__ == "__main__":
    keep(Path(sys.argv[1]), Path(sys.argv[2]))
