"""Finding the run that a command speaks to."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rollway.terminal import Stop

RUNS = Path(".rollway")


def folder_of(given: str | None) -> Path:
    """The run's folder: the one that is given, or the only one under `.rollway`. Raises `Stop`."""
    if given is not None:
        folder = Path(given)
        if not (folder / "inbox").is_dir():
            raise Stop(f"there is no run in `{given}`: give the folder that `rollway run` was given as --dir")
        return folder
    found = sorted(path.parent for path in RUNS.glob("*/inbox"))
    if not found:
        raise Stop("there is no run under `.rollway`: start one with `rollway run`, or give its folder as --dir")
    if len(found) > 1:
        names = ", ".join(f"`{path}`" for path in found)
        raise Stop(f"there are several runs, {names}: choose one with --dir")
    return found[0]


def needs_local_extra() -> None:
    """Raises `Stop` where what a run on this machine needs is not installed."""
    missing = [name for name in ("aiohttp", "prometheus_client") if find_spec(name) is None]
    if missing:
        raise Stop("what runs rollouts on this machine is not installed: `pip install 'rollway[local]'` brings it")


def status_of(folder: Path) -> dict[str, Any]:
    """What the run did last. Raises `Stop` for one that has not begun."""
    from interpreter.local import status

    found = status.read(folder)
    if found is None:
        raise Stop(f"the run in `{folder}` has not begun yet: try again in a moment")
    return found
